#include "common/nonblocking.h"

#include <unistd.h>

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
    const int result = set_nonblocking(-1);
    const int error = errno;
    CHECK(result == -1);
    CHECK(error == EBADF);
}
