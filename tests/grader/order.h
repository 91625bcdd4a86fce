// In which order the cases are played, and which failure explains which.
#pragma once

#include <string>
#include <vector>

#include "tests/cases/case.h"

/// The cases of a level, the cause before its consequences, and the second part last.
std::vector<Case> cases_in_order(int level);

/// Why a case is not among them; empty when it is.
std::string why_not_asked(const std::string& name, int level);

/// Whether this failure is probably a consequence of the one before: it is known to be one, or the server has failed in
/// the same special way (it crashed, or its queue was full).
bool follows_from(const std::string& name, const std::string& got, const std::string& name_before,
                  const std::string& got_before);
