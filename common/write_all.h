// Writing everything to a blocking descriptor. Introduced by chapter 01, used by 01 to 03.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <string_view>

/// Writes all of `bytes`, with as many calls of write(2) as it takes: one call may take only a part. Blocks while the
/// kernel's send buffer has no room. False, with errno, when the connection is broken (EPIPE, ECONNRESET, ...).
inline bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t count = write(fd, bytes.data(), bytes.size());
        if (count < 0 && errno != EINTR) return false;
        if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

/// Two signals would kill the server when a write fails, SIGPIPE when the client is gone, and SIGXFSZ when standard
/// error is a file that has reached its size limit. If they are ignored, write fails with EPIPE or EFBIG: signal(7).
inline void ignore_write_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}
