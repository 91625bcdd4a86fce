// One case, played against the server that is graded.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/case.h"
#include "tests/grader/command.h"

/// What came of it. All texts are safe to print.
struct Verdict {
    enum Kind { passed, failed, skipped } kind = failed;
    std::string did, expected, got; ///< of a failure; `got` is the reason where it was skipped
    std::string hint, second_hint;  ///< of a failure
    std::vector<std::string> said;  ///< the last lines that a failed server has printed
    std::vector<std::string> remarks;
    bool out_of_time = false;  ///< it failed because it was not done in time
    bool floods = false;       ///< it printed megabytes
    bool not_there = false;    ///< it never came to listen
    bool heeds_sigterm = true; ///< it ends when it is told to
};

/// Plays the case, for `limit` at most. A server that has not heeded SIGTERM before is not given time to do so again.
Verdict try_case(const Case& played, const Request& request, milliseconds limit, bool heeds_sigterm);
