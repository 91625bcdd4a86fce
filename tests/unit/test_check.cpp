#include "common/check.h"

#include <unistd.h>

#include <string>

#include "tests/catch.h"
#include "tests/unit/counted_memory.h"

namespace {

/// What `check` throws after a call that has failed with EBADF.
std::string thrown(const char* call, std::string_view on_what = {}) {
    try {
        check(close(-1), call, on_what);
    } catch (const std::system_error& error) {
        CHECK(error.code() == std::errc::bad_file_descriptor);
        return error.what();
    }
    return "nothing";
}

} // namespace

TEST_CASE("check: returns a good result") {
    CHECK(check(0, "call") == 0);
    CHECK(check(7, "call", "on something") == 7);
}

TEST_CASE("check: throws what failed, on what, and why") {
    CHECK(thrown("close") == "close: Bad file descriptor");
    CHECK(thrown("bind", "127.0.0.1:7007") == "bind 127.0.0.1:7007: Bad file descriptor");
}

TEST_CASE("check: knows the reason although building the text changes errno") {
    // In this program operator new does that each time; a text of this length needs it.
    CHECK(thrown("setsockopt", "[fe80::1234:5678%eth0]:7007") ==
          "setsockopt [fe80::1234:5678%eth0]:7007: Bad file descriptor");
}

TEST_CASE("check: builds the text only on failure") {
    const NoMemoryFor anything(1);
    check(0, "a call whose name is too long for a short string", "and so is what the call is about");
}
