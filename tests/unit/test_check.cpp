#include "common/check.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/catch.h"

TEST_CASE("check: gives a good result back") {
    CHECK(check(0, "call") == 0);
    CHECK(check(7, "call") == 7);
}

TEST_CASE("check: throws what failed and why") {
    try {
        check(close(-1), "close -1");
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) {
        CHECK(error.what() == std::string("close -1: Bad file descriptor"));
        CHECK(error.code() == std::errc::bad_file_descriptor);
    }
}
