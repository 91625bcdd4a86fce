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

/// Takes the stacks out of a record, so that what is left can be read by read_strace, and gives one for each event of
/// it. Frames that are not in this project's code are left out. `program` is the server.
std::vector<Stack> take_stacks(std::string& record, const std::string& program);
