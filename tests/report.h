// What a Catch2 test says of itself beside the verdict.
#pragma once

#include <string>

/// Put before each test's name: "03 ". Empty for the unit tests.
extern std::string test_prefix;

/// Printed behind the name of the test that runs now, for a test that passes in a remarkable way.
void remark(const std::string& words);

/// The test that runs now can not be run on this machine.
void skip(const std::string& why);
