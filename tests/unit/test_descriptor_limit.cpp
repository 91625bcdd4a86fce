#include "common/descriptor_limit.h"

#include <iostream>

#include "tests/catch.h"
#include "tests/support/in_child.h"

TEST_CASE("limit_descriptors: raises and lowers the soft limit, up to the hard one, which stays") {
    const std::string printed = printed_by([] {
        rlimit limit{50, 100}; // soft and hard, lower than whatever the machine allows
        setrlimit(RLIMIT_NOFILE, &limit);
        for (const rlim_t wanted : {rlim_t{80}, rlim_t{20}, rlim_t{1024}, rlim_t{20}, RLIM_INFINITY}) {
            limit_descriptors(wanted);
            getrlimit(RLIMIT_NOFILE, &limit);
            std::cout << limit.rlim_cur << " of " << limit.rlim_max << '\n';
        }
    });
    CHECK(printed == "80 of 100\n20 of 100\n100 of 100\n20 of 100\n100 of 100\n");
}
