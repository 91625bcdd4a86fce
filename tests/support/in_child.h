// For what changes or ends the process it happens in: signals, exit, limits, standard error.
#pragma once

#include <functional>
#include <string>

#include "tests/support/process.h"

/// Starts a forked child, which runs the function and exits with 0 when it returns; with 125 when it throws. Signals do
/// what they do by default. Catch's assertions do not count in there: let it print what it finds. Have no other threads
/// when it starts.
Launch forked(const std::function<void()>& function);

/// Waits until the child prints this line (and flushes it), and then until it has gone to sleep, in a system call that
/// waits.
void wait_until_it_waits(Process& child, const std::string& line);

/// Runs `function` in a child, to its end.
inline Outcome in_child(const std::function<void()>& function) {
    return Process(forked(function)).outcome();
}

/// The same; what it printed on standard output, then on standard error, and how it ended unless that was well.
inline std::string printed_by(const std::function<void()>& function) {
    const Outcome child = in_child(function);
    return child.out + (child.err.empty() ? "" : " STDERR: " + child.err) +
           (child.ended == "exit status 0" ? "" : " " + child.ended);
}
