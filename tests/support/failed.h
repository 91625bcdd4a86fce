// How a check says what went wrong.
#pragma once

#include <sstream>
#include <string>

/// Thrown by a check: what the client did, what was expected then, and what came instead.
struct Failed {
    std::string did;
    std::string expected;
    std::string got;
};

/// Thrown by a check that cannot be made on this machine.
struct Skipped {
    std::string why;
};

/// Puts its parts together as text.
template <typename... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}
