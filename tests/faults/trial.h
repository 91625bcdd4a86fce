// One fault, tried on one server.
#pragma once

#include <string>

#include "tests/faults/fault.h"

/// The server that is tried.
struct Target {
    int chapter = 0;    ///< 0: a stranger's
    std::string server; ///< the program of one of the six, or a stranger's command with the place for {port}
};

enum class Verdict {
    served,      ///< everyone got every byte
    one_lost,    ///< as many connections ended as calls failed, and the errors were about connections
    not_reached, ///< the call did not come so often, or not at all
    skipped,     ///< strace may not trace here
    failed,
};

struct TrialResult {
    Verdict verdict = Verdict::failed;
    std::string why; ///< of a failure, or of what was skipped
};

/// Starts the server, lets strace inject the fault in the middle of a conversation, and judges what came of it.
TrialResult try_fault(const Target& target, const Fault& fault);
