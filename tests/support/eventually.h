// Waiting for what has no event to wait for: looking every millisecond.
#pragma once

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "tests/support/failed.h"

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How long to wait for what must come, however busy the machine is.
constexpr milliseconds long_enough{20000};

/// When the case that is played must be done: the grader sets it, so that no server can keep it going with answers that
/// never end.
inline Clock::time_point time_is_up_at = Clock::time_point::max();

/// Throws Failed when it must be done by now.
inline void expect_time_left() {
    if (Clock::now() < time_is_up_at) return;
    throw Failed{"went on until the time for this was over", "that it is done by then",
                 "it was not done, and was stopped"};
}

inline milliseconds time_since(Clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

inline void pause_a_millisecond() {
    std::this_thread::sleep_for(milliseconds(1));
}

/// Calls `condition` until it holds, at most for `time`; whether it came to hold.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, milliseconds time = long_enough) {
    const auto until = Clock::now() + time;
    while (!condition()) {
        if (Clock::now() > until) return false;
        expect_time_left();
        pause_a_millisecond();
    }
    return true;
}

/// What `look` gives when that has stayed the same for `quiet`, or what it gives after `time`.
template <typename Look>
auto settled(Look look, milliseconds quiet, milliseconds time = long_enough) {
    auto now = look();
    auto since = Clock::now();
    const auto is_settled = [&] {
        const auto before = std::exchange(now, look());
        if (now != before) since = Clock::now();
        return Clock::now() - since > quiet;
    };
    static_cast<void>(eventually(is_settled, time));
    return now;
}

/// Waits for what all that follows would mean nothing without: throws Failed when `what` never comes true.
template <typename Condition>
void wait_until(const std::string& what, Condition condition, milliseconds time = long_enough) {
    if (!eventually(condition, time)) throw Failed{"waited", what, text("not in ", time.count(), " ms")};
}
