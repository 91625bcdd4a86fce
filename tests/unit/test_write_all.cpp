#include "common/write_all.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <cstring>
#include <iostream>
#include <string>

#include "common/check.h"
#include "common/fd.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"

// What a signal does to a write that waits, and a client that is gone, the cases and the faults see on 01 to 03.

TEST_CASE("write_all: nothing to write is all written") {
    CHECK(write_all(-1, ""));
}

TEST_CASE("write_all: goes on after a short write until it is told why") {
    // A file that may not grow past 1000 bytes takes as much, and fails only at the next call.
    const std::string printed = printed_by([] {
        ignore_write_signals();
        const rlimit most{1000, 1000};
        check(setrlimit(RLIMIT_FSIZE, &most), "setrlimit");
        const Fd file(check(memfd_create("file", MFD_CLOEXEC), "memfd_create"));
        const std::string data(1500, 'x');
        const bool all = write_all(file.get(), data);
        std::cout << all << ' ' << std::strerror(errno) << ", " << lseek(file.get(), 0, SEEK_END) << " bytes";
    });
    CHECK(printed == "0 File too large, 1000 bytes");
}
