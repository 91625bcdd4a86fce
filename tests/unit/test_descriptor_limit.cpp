#include "common/descriptor_limit.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "tests/catch.h"
#include "tests/support/in_child.h"

namespace {

void print_limits() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    std::cout << limit.rlim_cur << " of " << limit.rlim_max << '\n';
}

/// Soft and hard, lower than whatever the machine allows.
void start_with(rlim_t soft, rlim_t hard) {
    const rlimit limit{soft, hard};
    setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

TEST_CASE("limit_descriptors: raises and lowers the soft limit and leaves the hard one") {
    const Outcome child = in_child([] {
        start_with(50, 100);
        limit_descriptors(80);
        print_limits();
        limit_descriptors(20);
        print_limits();
    });
    CHECK(child.out == "80 of 100\n20 of 100\n");
}

TEST_CASE("limit_descriptors: takes the hard limit where more is wanted") {
    const Outcome child = in_child([] {
        start_with(50, 100);
        limit_descriptors(1024);
        print_limits();
        limit_descriptors(20);
        limit_descriptors(RLIM_INFINITY);
        print_limits();
    });
    CHECK(child.out == "100 of 100\n100 of 100\n");
}

TEST_CASE("limit_descriptors: no descriptor opened after it is as high") {
    const Outcome child = in_child([] {
        limit_descriptors(40);
        int highest = -1;
        for (int fd = 0; (fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) highest = std::max(highest, fd);
        const int error = errno;
        std::cout << highest << ", then " << std::strerror(error);
    });
    CHECK(child.out == "39, then Too many open files");
}
