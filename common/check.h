// Failing while setting up. Introduced by chapter 01.
#pragma once

#include <cerrno>
#include <sstream>
#include <system_error>

/// Returns `result`. If that is a failed call's -1, throws std::system_error with errno instead. `parts` say which call
/// it was and on what, as in "bind 127.0.0.1:7007: Address already in use". Only for setting up: once clients are
/// served, a failure ends one connection and not the server.
template <typename... Parts>
int check(int result, const Parts&... parts) {
    if (result >= 0) return result;
    const int error = errno; // before anything else can change it
    std::ostringstream what;
    (what << ... << parts);
    throw std::system_error(error, std::generic_category(), what.str());
}
