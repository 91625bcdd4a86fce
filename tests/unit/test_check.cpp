#include "common/check.h"

#include <unistd.h>

#include "tests/catch.h"
#include "tests/unit/counted_memory.h"

TEST_CASE("check: throws what failed, on what, and why, although building the text changes errno") {
    // In this program operator new does that each time; a text of the second's length needs it.
    CHECK_THROWS_AS(check(close(-1), "close"), std::system_error);
    CHECK_THROWS_WITH(check(close(-1), "close"), "close: Bad file descriptor");
    CHECK_THROWS_WITH(check(close(-1), "setsockopt ", "[fe80::1234:5678%eth0]:7007"),
                      "setsockopt [fe80::1234:5678%eth0]:7007: Bad file descriptor");
}

TEST_CASE("check: builds the text only on failure") {
    const NoMemoryFor anything(1);
    check(0, "a call whose name is too long for a short string", "and so is what the call is about");
}
