// Processes to test, and what /proc says of them.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "tests/support/failed.h"

/// How a process ended.
struct Ended {
    bool by_signal = false;
    int value = 0; ///< exit status, or the number of the signal
};
std::string to_string(const Ended& ended);

/// How to start a process.
struct Launch {
    std::vector<std::string> command;
    std::function<void()> before_exec; ///< done in the child as the last thing: limits, signals, descriptors
    bool ours = true; ///< false: a stranger's program; both its outputs are drained, and only their beginning is kept
};

/// For `before_exec`: ulimit, as in limited(RLIMIT_NOFILE, 24).
std::function<void()> limited(decltype(RLIMIT_NOFILE) resource, rlim_t most);

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
    std::optional<std::string> read_line(std::chrono::milliseconds time);

    /// All it has written on standard error so far. Of a stranger's program: the beginning of all it has printed.
    [[nodiscard]] std::string standard_error() const;

    /// How many bytes a stranger's program has printed.
    [[nodiscard]] std::size_t printed() const { return printed_; }

    void signal(int number) const;

    /// How it ended; nothing when it still runs after `time`.
    std::optional<Ended> wait(std::chrono::milliseconds time);
    [[nodiscard]] bool running() { return !wait(std::chrono::milliseconds(0)).has_value(); }

  private:
    pid_t pid_ = -1;
    Fd pidfd_;
    Fd stdout_;
    Fd stderr_;
    std::string unread_;
    std::optional<Ended> ended_;

    void drain(Fd output);
    std::thread drainer_;
    mutable std::mutex beginning_mutex_;
    std::string beginning_;
    std::atomic<std::size_t> printed_ = 0;
    std::atomic<bool> drained_ = false;
};

/// `pid` and all of its descendants that exist now, zombies included.
std::vector<pid_t> process_tree(pid_t pid);

/// The state letter of /proc/PID/stat: 'R', 'S', 'Z' ...; '-' when there is no such process.
char process_state(pid_t pid);

/// Whether one of its threads runs or is ready to run.
bool wants_the_cpu(pid_t pid);

/// CPU time used so far by `pid` and its descendants, in all their threads.
std::chrono::microseconds cpu_time(pid_t pid);

/// How many descriptors the process has open.
std::size_t open_descriptors(pid_t pid);

/// How many threads it has.
std::size_t thread_count(pid_t pid);

/// Whether it has loaded a library whose name contains this: "libtsan"; "san.so" is that of any sanitizer.
bool has_library(pid_t pid, const std::string& name);

/// Resident private memory of `pid` and its descendants, in bytes (/proc/PID/smaps_rollup).
std::size_t private_memory(pid_t pid);

/// Calls `condition` until it holds, at most for `time`; whether it came to hold. For what has no event to wait for.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, std::chrono::milliseconds time = std::chrono::milliseconds(10000));

/// The same where all that follows would mean nothing without it: throws Failed when `what` never comes true.
template <typename Condition>
void wait_until(const std::string& what, Condition condition,
                std::chrono::milliseconds time = std::chrono::milliseconds(10000));

// --- implementation of the templates ------------------------------------------------------------------------------

void pause_a_millisecond();

template <typename Condition>
bool eventually(Condition condition, std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) return false;
        pause_a_millisecond();
    }
    return true;
}

template <typename Condition>
void wait_until(const std::string& what, Condition condition, std::chrono::milliseconds time) {
    if (!eventually(condition, time)) throw Failed{"waited", what, text("not in ", time.count(), " ms")};
}
