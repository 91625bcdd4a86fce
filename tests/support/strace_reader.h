// Reads what strace writes: one event a call, a signal, an exit.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

/// A moment: seconds, as strace -ttt gives them. 0 in a record without times.
using Seconds = double;

/// What one thread did or met. A call that was interrupted by those of other threads is one event again.
struct TraceEvent {
    enum class Kind {
        call,
        signal, ///< `name` is the signal: SIGTERM
        exit,   ///< of a thread or process; `name` says how: "exited with 0", "killed by SIGKILL"
    };
    Kind kind = Kind::call;
    pid_t thread = 0;
    Seconds begin = 0;
    Seconds end = 0; ///< of a call: when it returned
    std::string name;
    std::vector<std::string> arguments; ///< of a call, as strace prints them
    std::string result; ///< of a call: "6", "-1 EAGAIN (Resource ...)", "1 (in [3])"; "?" when it never returned; of a
                        ///< signal: "{si_signo=SIGTERM, si_code=SI_USER, ...}"
    long value = -1;    ///< the number in `result`, -1 when there is none
    std::string error;  ///< "EAGAIN", "ERESTARTSYS"; empty when the call did not fail
    std::vector<std::string> stack{}; ///< the lines of strace -k: " > /lib/libc.so.6(read+0x1a) [0xf818a]"

    [[nodiscard]] bool is(const std::string& call) const { return kind == Kind::call && name == call; }
    [[nodiscard]] bool is_one_of(std::initializer_list<const char*> calls) const;
    /// What the C library's functions of that name call: which it is depends on the library and the processor.
    [[nodiscard]] bool is_select() const { return is_one_of({"select", "pselect6", "_newselect"}); }
    [[nodiscard]] bool is_epoll_wait() const { return is_one_of({"epoll_wait", "epoll_pwait", "epoll_pwait2"}); }
    /// The argument as a number, -1 when it is none.
    [[nodiscard]] long number(std::size_t which) const;
    /// All arguments again, with commas between them.
    [[nodiscard]] std::string all_arguments() const;
    /// Whether that is somewhere in the arguments.
    [[nodiscard]] bool has(const std::string& part) const { return all_arguments().find(part) != std::string::npos; }
    /// "read(4, "hello\n", 65536) = 6"
    [[nodiscard]] std::string text() const;
};

/// A line that is not one of strace's, or does not fit those before it. what() names the line and quotes it.
struct UnreadableTrace : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Reads the output of `strace -o`, with or without -f, -k, -ttt and -T, in the order in which calls began. Calls that
/// had not returned when the record ends are there, too, with the result "?". A last line that does not end is left
/// out: strace is about to write the rest of it. Throws UnreadableTrace.
std::vector<TraceEvent> read_strace(const std::string& record);
