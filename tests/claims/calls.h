// The system calls in strace's output.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <istream>
#include <string>
#include <vector>

/// A system call that has returned.
struct Call {
    pid_t thread;
    std::string name;
    std::string arguments;
    long result; ///< -1: it has failed
    std::string text;

    [[nodiscard]] bool has(const std::string& part) const { return arguments.find(part) != std::string::npos; }
    /// The descriptor (or other number) that is the first argument; for epoll_ctl the third is the one it is about.
    [[nodiscard]] long argument(std::size_t number) const;
};

/// Reads strace's output (with -f) and puts the halves of the calls together that were interrupted by others.
std::vector<Call> parse_strace(std::istream& lines);
