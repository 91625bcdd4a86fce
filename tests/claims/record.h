// What strace has written down while a server served a few clients.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
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

    using Wanted = std::function<bool(const TraceEvent&)>;

    /// Where the next such call stands, from place `from` on.
    [[nodiscard]] std::optional<std::size_t> find(const Wanted& wanted, std::size_t from = 0) const;
};

/// The chapter's record; it is made once. Throws Skipped where strace is not installed or must not trace.
const Record& record_of(const Chapter& chapter);
