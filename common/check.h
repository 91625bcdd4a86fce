// Failing while setting up. Introduced by chapter 01.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

/// Returns `result`. If that is a failed call's -1, throws std::system_error with errno instead, which says which call
/// it was and on what, as in "bind 127.0.0.1:7007: Address already in use". Only for setting up: once clients are
/// served, a failure ends one connection and not the server.
inline int check(int result, const char* call, std::string_view on_what = {}) {
    const int error = errno; // before anything else can change it
    if (result >= 0) return result;
    throw std::system_error(error, std::generic_category(),
                            std::string(call).append(on_what.empty() ? "" : " ").append(on_what));
}
