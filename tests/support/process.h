// Processes to test.
#pragma once

#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "tests/support/eventually.h"
#include "tests/support/failed.h"
#include "tests/support/memory_file.h"
#include "tests/support/proc.h"

/// How a process ended.
struct Ended {
    bool by_signal = false;
    int value = 0; ///< exit status, or the number of the signal
};
std::string to_string(const Ended& ended);

/// What a process has left behind.
struct Outcome {
    std::string ended; ///< see Process::how_it_ends
    std::string out;   ///< what it wrote to standard output
    std::string err;   ///< and to standard error
};

/// How to start a process.
struct Launch {
    std::vector<std::string> command;
    std::function<void()> before_exec = {}; ///< done in the child as the last thing: limits, signals, descriptors
    bool ours = true; ///< false: a stranger's program; both its outputs are drained, and only their beginning is kept
};

/// For `before_exec`: ulimit, as in limited(RLIMIT_NOFILE, 24).
std::function<void()> limited(decltype(RLIMIT_NOFILE) resource, rlim_t most);

/// Whether there is such a program in PATH.
bool installed(const std::string& program);

/// How many descriptors this process, and what it starts, may have.
std::size_t descriptor_limit();

/// Throws Skipped when that is too few for so many clients.
void need_descriptors_for(std::size_t clients);

/// A child process, in a process group of its own. Its standard error is kept. It does not outlive this object.
class Process {
  public:
    /// Throws std::system_error when it cannot be started; a command that does not exist exits with 127.
    explicit Process(const Launch& launch);
    /// Kills it, all of its process group, and all its descendants.
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }

    /// Its next line on standard output, without the newline. Nothing when it ends, or prints none within `time`.
    std::optional<std::string> read_line(milliseconds time);

    /// All it has written on standard error so far. Of a stranger's program: the beginning of all it has printed.
    [[nodiscard]] std::string standard_error() const;

    /// The first of that in one line, for messages.
    [[nodiscard]] std::string beginning_of_errors() const;

    /// The last lines that a stranger's program has printed so far, at most so many.
    [[nodiscard]] std::vector<std::string> last_lines(std::size_t count) const;

    /// How many bytes a stranger's program has printed.
    [[nodiscard]] std::size_t printed() const { return printed_; }

    void signal(int number) const;

    /// How it ended; nothing when it still runs after `time`.
    std::optional<Ended> wait(milliseconds time);
    /// The same in words: "exit status 0", "ended by signal Terminated", or "it still runs".
    std::string how_it_ends(milliseconds time);
    /// Reads what it prints, and waits for its end, both for so long at most.
    Outcome outcome(milliseconds time = long_enough);
    /// Somebody else has called waitpid for it.
    void has_been_waited_for() { ended_ = Ended{}; }
    [[nodiscard]] bool running() { return !wait(milliseconds(0)).has_value(); }

  private:
    pid_t pid_ = -1;
    Fd pidfd_;
    Fd stdout_;
    MemoryFile stderr_;
    std::string unread_;
    std::optional<Ended> ended_;

    void drain(Fd output);
    std::thread drainer_;
    mutable std::mutex beginning_mutex_;
    std::string beginning_;
    std::string end_;
    std::atomic<std::size_t> printed_ = 0;
    std::atomic<bool> drained_ = false;
};

/// While it exists this process, and what it starts, runs on one processor only. To wake a thread on another one costs
/// more than a request, and whether that happens is up to the scheduler.
class OnOneProcessor {
  public:
    OnOneProcessor();
    ~OnOneProcessor();
    OnOneProcessor(const OnOneProcessor&) = delete;
    OnOneProcessor& operator=(const OnOneProcessor&) = delete;

  private:
    cpu_set_t before_{};
};
