// Failing while setting up. Introduced by chapter 01.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

/// Gives `result` back, or where it is a failed call's (-1) throws std::system_error with errno: `call` names the call
/// and what it was about, as in "bind 127.0.0.1:7007: Address already in use". Only for setting up: once clients are
/// served, a failure ends one connection and not the server.
inline int check(int result, const std::string& call) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), call);
    return result;
}
