// Waiting for what has no event to wait for: looking every millisecond.
#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "tests/support/failed.h"

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How long to wait for what must come, however busy the machine is.
constexpr milliseconds long_enough{20000};

inline void pause_a_millisecond() {
    std::this_thread::sleep_for(milliseconds(1));
}

/// Calls `condition` until it holds, at most for `time`; whether it came to hold.
template <typename Condition>
[[nodiscard]] bool eventually(Condition condition, milliseconds time = long_enough) {
    const auto until = Clock::now() + time;
    while (!condition()) {
        if (Clock::now() > until) return false;
        pause_a_millisecond();
    }
    return true;
}

/// The same where all that follows would mean nothing without it: throws Failed when `what` never comes true.
template <typename Condition>
void wait_until(const std::string& what, Condition condition, milliseconds time = long_enough) {
    if (!eventually(condition, time)) throw Failed{"waited", what, text("not in ", time.count(), " ms")};
}
