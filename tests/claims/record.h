// What strace has written down while a server served a few clients.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/claims/claim.h"
#include "tests/support/strace_reader.h"

/// The calls of a server, of all its threads and processes, in the order in which they began. It was started; then
/// three clients arrived at the same time, and each sent a line and left when it had it back; a fourth sent until it
/// was stuck, and only then read; then it left, and the server got SIGTERM.
struct Record {
    std::vector<TraceEvent> calls;
    std::vector<std::uint16_t> clients; ///< the ports of the four, in the order in which they came
    bool queued;                        ///< whether the three were in the queue before the first was accepted
    pid_t main;

    /// The first such call behind `after`, or of all; null when there is none.
    using Wanted = std::function<bool(const TraceEvent&)>;
    [[nodiscard]] const TraceEvent* find(const Wanted& wanted, const TraceEvent* after = nullptr) const;

    /// The same for a call whose text begins so, as in "listen(3,", and has `part` in it.
    [[nodiscard]] const TraceEvent* find(const std::string& beginning, const std::string& part = "",
                                         const TraceEvent* after = nullptr) const;
};

/// The chapter's record; it is made once. Throws Skipped where strace is not installed or must not trace.
const Record& record_of(const Chapter& chapter);
