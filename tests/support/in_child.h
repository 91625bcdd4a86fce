// For what changes or ends the process it happens in: signals, exit, limits, standard error.
#pragma once

#include <functional>
#include <string>

#include "tests/support/process.h"

/// A forked child that runs a function and exits with 0 when it returns; with 125 when it throws. Signals do what they
/// do by default. Catch's assertions do not count in there: let it print what it finds. It does not outlive this
/// object. Have no other threads when it starts.
class Child {
  public:
    explicit Child(const std::function<void()>& function);

    /// Waits until it has printed `said` (and flushed) and has gone to sleep, in a system call that waits.
    void wait_until_it_waits(const std::string& said) const;

    void signal(int number) const { process_.signal(number); }
    [[nodiscard]] pid_t pid() const { return process_.pid(); }

    /// Waits for its end, 20 s at most; after that it is killed.
    Outcome outcome();

  private:
    MemoryFile out_;
    Process process_;
};

/// Runs `function` in a child, to its end.
inline Outcome in_child(const std::function<void()>& function) {
    return Child(function).outcome();
}

/// The same; what it printed on standard output, then on standard error, and how it ended unless that was well.
inline std::string printed_by(const std::function<void()>& function) {
    const Outcome child = in_child(function);
    return child.out + (child.err.empty() ? "" : " STDERR: " + child.err) +
           (child.ended == "exit status 0" ? "" : " " + child.ended);
}
