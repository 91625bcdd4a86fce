// How many descriptors the process may have. Introduced by chapter 03.
#pragma once

#include <sys/resource.h>

#include <algorithm>

#include "common/check.h"

/// Sets the soft limit RLIMIT_NOFILE to `wanted`, or to the hard limit where that is lower: getrlimit(2). Descriptors
/// are numbered from 0 and the lowest free number is taken, so as long as nobody raises the limit again, none that is
/// opened is `wanted` or more. RLIM_INFINITY asks for as many as the system lets us have. Throws std::system_error.
inline void limit_descriptors(rlim_t wanted) {
    rlimit limit{};
    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit RLIMIT_NOFILE");
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit RLIMIT_NOFILE");
}
