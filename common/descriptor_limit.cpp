#include "common/descriptor_limit.h"

#include <algorithm>

#include "common/check.h"

void limit_descriptors(rlim_t wanted) {
    rlimit limit{};
    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}
