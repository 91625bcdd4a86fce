// strace's record for reading: names for numbers, a heading for what the clients do, a remark on what is new.
#pragma once

#include <string>

#include "tests/tools/trace/traced_server.h"

/// The same for every run: no ports, process numbers, addresses and times, and the calls of each thread together.
std::string annotated_trace(const std::string& chapter, const Recording& recording);
