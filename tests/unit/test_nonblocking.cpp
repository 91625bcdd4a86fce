#include "common/nonblocking.h"

#include <cerrno>

#include "common/fd.h"
#include "tests/catch.h"

TEST_CASE("set_nonblocking: adds its flag, and keeps the others") {
    const Fd fd(open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC));
    const int before = fcntl(fd.get(), F_GETFL);
    for (int i = 0; i < 2; ++i) {
        CHECK(set_nonblocking(fd.get()) == 0);
        CHECK(fcntl(fd.get(), F_GETFL) == (before | O_NONBLOCK));
    }
    CHECK((before & (O_APPEND | O_NONBLOCK)) == O_APPEND);
    CHECK((fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("set_nonblocking: says why it cannot") {
    const bool says_why = set_nonblocking(-1) == -1 && errno == EBADF;
    CHECK(says_why);
}
