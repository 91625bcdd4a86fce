// In which order the cases are played, and which failure explains which.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tests/cases/case.h"

/// The cases of a level, the cause before its consequences, and the second part last.
std::vector<Case> cases_in_order(int level);

/// Why a case is not among them; empty when it is.
std::string why_not_asked(const std::string& name, int level);

/// Which of the failures so far explains that this case fails as well; empty when none does.
std::string probable_cause(const std::string& name, const std::vector<std::string>& failures);
