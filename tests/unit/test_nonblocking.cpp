#include "common/nonblocking.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/check.h"
#include "common/fd.h"
#include "tests/catch.h"

namespace {

struct Pipe {
    Fd read_end;
    Fd write_end;
};

Pipe open_pipe() {
    std::array<int, 2> ends{-1, -1};
    check(pipe2(ends.data(), O_CLOEXEC), "pipe");
    return {Fd(ends[0]), Fd(ends[1])};
}

} // namespace

TEST_CASE("set_nonblocking: a read that would wait fails with EAGAIN") {
    const Pipe pipe = open_pipe();
    CHECK(set_nonblocking(pipe.read_end.get()) == 0);
    REQUIRE((fcntl(pipe.read_end.get(), F_GETFL) & O_NONBLOCK) != 0);

    char byte = 0;
    const ssize_t count = read(pipe.read_end.get(), &byte, 1);
    const int error = errno;
    CHECK(count == -1);
    CHECK(error == EAGAIN);
}

TEST_CASE("set_nonblocking: keeps the other flags") {
    const Fd fd(open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC));
    const int before = fcntl(fd.get(), F_GETFL);
    CHECK(set_nonblocking(fd.get()) == 0);
    CHECK(fcntl(fd.get(), F_GETFL) == (before | O_NONBLOCK));
    CHECK((fcntl(fd.get(), F_GETFL) & O_APPEND) != 0);
    CHECK((fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("set_nonblocking: twice is the same as once") {
    const Pipe pipe = open_pipe();
    CHECK(set_nonblocking(pipe.read_end.get()) == 0);
    const int once = fcntl(pipe.read_end.get(), F_GETFL);
    CHECK(set_nonblocking(pipe.read_end.get()) == 0);
    CHECK(fcntl(pipe.read_end.get(), F_GETFL) == once);
}

TEST_CASE("set_nonblocking: a dup shares the flag, the pipe's other end does not") {
    const Pipe pipe = open_pipe();
    const Fd copy(dup(pipe.read_end.get()));
    CHECK(set_nonblocking(pipe.read_end.get()) == 0);
    CHECK((fcntl(copy.get(), F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(pipe.write_end.get(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("set_nonblocking: says why it cannot") {
    const int result = set_nonblocking(-1);
    const int error = errno;
    CHECK(result == -1);
    CHECK(error == EBADF);
}
