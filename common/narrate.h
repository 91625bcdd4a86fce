// Saying what happens. Introduced by chapter 01.
#pragma once

#include <unistd.h>

#include <sstream>

#include "common/check.h"
#include "common/write_all.h"

/// Whether to narrate: --verbose. Set once, before the first client.
inline bool verbose = false;

/// Prints `parts`, one after the other, on standard output. Throws std::system_error when they cannot be written.
template <typename... Parts>
void print(const Parts&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    check(text && write_all(STDOUT_FILENO, text.view()) ? 0 : -1, "write standard output");
}

/// Says `parts`, one after the other, as one line on standard error, in one write(2), so that the lines of several
/// threads or processes do not mix. If it fails, nobody is left to be told. When there is no memory for the line, it is
/// left out, because no client should suffer from that.
template <typename... Parts>
void complain(const Parts&... parts) {
    std::ostringstream line;
    (line << ... << parts) << '\n';
    if (line) write_all(STDERR_FILENO, line.view()); // without memory, the stream has failed
}

/// The same, but only with --verbose.
template <typename... Parts>
void narrate(const Parts&... parts) {
    if (verbose) complain(parts...);
}

/// Says that a client is done or gone, and why. Returns false, as the functions do that serve it.
inline bool narrate_left(int client, const char* why) {
    narrate("fd ", client, ": left: ", why);
    return false;
}
