// How a check says what went wrong.
#pragma once

#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

/// Puts its parts together as text.
template <typename... Parts>
std::string text(const Parts&... parts) {
    std::ostringstream out;
    (out << ... << parts);
    return out.str();
}

/// What stands between the spaces of a line.
inline std::vector<std::string> words_of(const std::string& line) {
    std::istringstream words(line);
    return {std::istream_iterator<std::string>(words), {}};
}

/// Called for each Failed that is made, while the client and the server are still as they were. The grader looks at
/// them there, because once the exception is caught the client has gone.
inline void (*look_at_failure)() = nullptr;

/// Thrown by a check: what the client did, what was expected then, and what came instead. what() says all three.
struct Failed : std::runtime_error {
    Failed(std::string what_it_did, std::string what_was_expected, std::string what_it_got)
        : std::runtime_error(what_it_did + ": expected " + what_was_expected + ", got " + what_it_got),
          did(std::move(what_it_did)), expected(std::move(what_was_expected)), got(std::move(what_it_got)) {
        if (look_at_failure != nullptr) look_at_failure();
    }

    std::string did;
    std::string expected;
    std::string got;
};

/// Does it, and puts `before` in front of what a Failed says that the client did.
template <typename Action>
void say_first(const std::string& before, Action action) {
    try {
        action();
    } catch (const Failed& failed) {
        throw Failed{before + failed.did, failed.expected, failed.got};
    }
}

/// Thrown by a check that cannot be made on this machine; what() says why.
struct Skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};
