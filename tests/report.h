// What the test programs print: a line a test, and at the end a count for tests/run.sh.
#pragma once

#include <cstdlib>
#include <string>

/// Whether a test is to be played: each, unless ONLY in the environment names one, in full or by what is before its
/// colon.
inline bool asked_for(const std::string& test) {
    const char* only = std::getenv("ONLY");
    return only == nullptr || *only == '\0' || test == only || test.starts_with(std::string(only) + ": ");
}

/// Put before each test's name: "03 ". Empty for the unit tests.
extern std::string test_prefix;

/// Printed behind the name of the test that runs now, for a test that passes in a remarkable way.
void remark(const std::string& words);

/// The test that runs now can not be run on this machine.
void skip(const std::string& why);
