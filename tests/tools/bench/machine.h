// Where the figures come from.
#pragma once

#include <string>

/// A line each about processor, memory, kernel, compiler, time and how busy the machine is with other things.
std::string machine();
