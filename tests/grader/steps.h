// Level 00: the way from an empty file to a server that passes the first level, in steps.
#pragma once

#include <vector>

#include "tests/cases/case.h"

std::vector<Case> steps();
