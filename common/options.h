// The command line, the same for all servers. Introduced by chapter 01.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <span>

#include "common/address.h"

/// What the command line says.
struct Options {
    Address address;                    ///< where to listen: --host and --port
    int backlog = SOMAXCONN;            ///< how many clients may wait to be accepted: listen(2)
    std::chrono::milliseconds think{0}; ///< how long the answer to each piece takes, as if it were hard to find
    bool verbose = false;               ///< whether to narrate on stderr
};

/// An option that only one chapter has: a whole number from `least` to `most`.
struct NumberOption {
    const char* name;    ///< without the dashes: "read-workers"
    const char* meaning; ///< for --help
    int least;
    int most;
    int* value; ///< the default before, the command line's number after
};

/// Reads the command line. On --help prints it and exits with 0; on a wrong option or value prints one line to stderr
/// that names it and says what is allowed, and exits with 2.
Options parse_options(int argc, char* argv[], std::span<const NumberOption> more = {});
