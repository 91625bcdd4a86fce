// Saying on stderr what happens, for --verbose. Introduced by chapter 01.
#pragma once

#include <cerrno>
#include <new>
#include <sstream>
#include <string>

#include "common/address.h"

/// Whether to narrate. Set once, before the first client.
inline bool verbose = false;

/// Writes the line to stderr in one write(2), so that the lines of several threads or processes do not mix.
void write_line(const std::string& line);

/// Says `parts`, one after the other, as one line on stderr if `verbose`. Leaves errno as it was. Where there is no
/// memory for the line it is left out, here and below: it is no reason to lose a client.
template <typename... Parts>
void narrate(const Parts&... parts) {
    if (!verbose) return;
    const int saved_errno = errno;
    try {
        std::ostringstream line;
        line.exceptions(std::ios::badbit); // or it would keep what it has of the line, and say nothing
        (line << ... << parts) << '\n';
        write_line(line.str());
    } catch (const std::bad_alloc&) {
    }
    errno = saved_errno;
}

/// "fd 5: 127.0.0.1:40182 connected". Remembers the address, for narrate_left.
void narrate_connected(int client, const Address& address);

/// "fd 5: 127.0.0.1:40182 left: it closed". Call it before the descriptor is closed: after that the number may be a new
/// client's.
void narrate_left(int client, const char* why);
