// A server that is measured, and what it costs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/tools/bench/load.h"

/// How a server is called in the tables, and how it is started.
struct Subject {
    std::string name;
    std::string program;
    std::vector<std::string> options{}; ///< beside --port
    bool ours = true;                   ///< one of the six; otherwise a peer
    const char* remark = nullptr;       ///< where it does not keep the contract of the six
    std::size_t most_clients = SIZE_MAX;
    bool yardstick = false;       ///< not a server to use, so it is never "the best peer"
    bool ends_in_valgrind = true; ///< otherwise its instructions cannot be counted
};

/// The six and the peers, in the order of the tables. A peer whose program is missing is among the `skipped`, by name
/// and with the reason.
std::vector<Subject> subjects(std::vector<std::string>& skipped);

/// What one run of a server has given.
struct Sample {
    LoadResult load;
    double cpu = 0; ///< microseconds of CPU time a message, of all processes of the server
};

/// Starts the server, loads it for `seconds` after a short time to warm up, and checks that it ends well.
/// Throws Failed when it does not, or when a byte is wrong.
Sample measure(const Subject& subject, const LoadOptions& load, double seconds);

/// System calls a message, from two runs under strace of different numbers of messages: what both have (starting,
/// accepting, closing) falls out. strace makes the server slow, so that more clients are ready at each of its waits
/// than without; throws Failed when there is no strace.
double system_calls_per_message(const Subject& subject, const LoadOptions& load, std::uint64_t messages);

/// Instructions a message outside the kernel, from two runs under callgrind in the same way.
double instructions_per_message(const Subject& subject, const LoadOptions& load, std::uint64_t messages);

/// Memory that one more idle connection needs, in bytes.
struct ConnectionMemory {
    double user = 0;   ///< resident private memory of the server's processes
    double kernel = 0; ///< slab, kernel stacks and page tables, of the whole machine: both ends of the connection
};

/// From the difference between `few` and `many` idle connections, each of which has had one message answered.
ConnectionMemory memory_per_connection(const Subject& subject, std::size_t few, std::size_t many);
