// The functions that led to a call, as strace -k and addr2line tell them.
#pragma once

#include <string>
#include <vector>

#include "tests/support/strace_reader.h"

/// A place in the server's own code.
struct Frame {
    std::string function; ///< "Server::run"
    std::string file;     ///< "05-epoll-server/server.cpp"
    int line = 0;
};
using Stack = std::vector<Frame>; ///< the innermost function first

/// Whether this machine's strace has -k.
bool strace_has_stacks();

/// Of each event, the places that are in this project's code. `program` is the server.
std::vector<Stack> stacks_of(const std::vector<TraceEvent>& events, const std::string& program);
