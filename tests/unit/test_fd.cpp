#include "common/fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <iostream>
#include <type_traits>
#include <utility>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"

namespace {

int open_something() {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool is_open(int number) {
    return fcntl(number, F_GETFD) != -1;
}

/// Whether reading and writing there is reading and writing /dev/null.
bool is_null_device(int number) {
    struct stat null {};
    struct stat there {};
    stat("/dev/null", &null);
    return fstat(number, &there) == 0 && there.st_rdev == null.st_rdev && S_ISCHR(there.st_mode) &&
           (fcntl(number, F_GETFL) & O_ACCMODE) == O_RDWR;
}

} // namespace

TEST_CASE("Fd: closes its descriptor at the end of the scope") {
    int number = -1;
    {
        const Fd fd(open_something());
        number = fd.get();
        CHECK(is_open(number));
    }
    CHECK_FALSE(is_open(number));
}

TEST_CASE("Fd: can be moved, not copied") {
    STATIC_REQUIRE_FALSE(std::is_copy_constructible_v<Fd>);
    STATIC_REQUIRE_FALSE(std::is_copy_assignable_v<Fd>);
    STATIC_REQUIRE(std::is_nothrow_move_constructible_v<Fd>);
    STATIC_REQUIRE(std::is_nothrow_move_assignable_v<Fd>);
}

TEST_CASE("Fd: is false where no descriptor was to be had") {
    CHECK_FALSE(Fd());
    CHECK(Fd().get() == -1);
    CHECK_FALSE(Fd(open("/no/such/file", O_RDONLY)));
    CHECK(Fd(open_something()));
}

TEST_CASE("Fd: descriptor 0 is one like any other") {
    const int kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(kept >= 0 ? kept : open_something(), STDIN_FILENO);
    {
        const Fd fd(STDIN_FILENO);
        CHECK(fd);
    }
    CHECK_FALSE(is_open(STDIN_FILENO));
    if (kept >= 0) {
        dup2(kept, STDIN_FILENO);
        close(kept);
    }
}

TEST_CASE("Fd: a move hands the descriptor over and leaves nothing behind") {
    Fd from(open_something());
    const int number = from.get();

    Fd to(std::move(from));
    CHECK(to.get() == number);
    CHECK_FALSE(from);
    from.reset();
    CHECK(is_open(number));

    Fd last;
    last = std::move(to);
    CHECK(last.get() == number);
    CHECK_FALSE(to);
    to.reset();
    CHECK(is_open(number));
}

TEST_CASE("Fd: a move onto another one closes immediately what that one had") {
    Fd fd(open_something());
    const int before = fd.get();
    Fd other(open_something());
    const int after = other.get();
    fd = std::move(other);
    CHECK_FALSE(is_open(before));
    CHECK(is_open(after));
    CHECK_FALSE(other);
}

TEST_CASE("Fd: a move onto itself changes nothing") {
    Fd fd(open_something());
    const int number = fd.get();
    Fd& the_same = fd;
    fd = std::move(the_same);
    CHECK(fd.get() == number);
    CHECK(is_open(number));
}

TEST_CASE("Fd: reset closes immediately, and only once") {
    int number = -1;
    Fd next;
    {
        Fd fd(open_something());
        number = fd.get();
        fd.reset();
        CHECK_FALSE(fd);
        CHECK_FALSE(is_open(number));

        next = Fd(open_something()); // the lowest free number: the same again, and now it is somebody else's
        REQUIRE(next.get() == number);
        fd.reset();
        CHECK(is_open(number));
    }
    CHECK(is_open(number));
}

TEST_CASE("fill_standard_descriptors: opens /dev/null as each of 0, 1 and 2 that is closed, and nothing else") {
    const int closed = GENERATE(range(0, 8)); // a bit for each
    CAPTURE(closed);
    const Outcome child = in_child([&] {
        const Fd out(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
        dup2(STDOUT_FILENO, STDIN_FILENO);
        const std::size_t open_before = open_descriptors(getpid());
        for (int fd = 0; fd <= 2; ++fd) {
            if ((closed >> fd & 1) != 0) close(fd);
        }
        fill_standard_descriptors();
        int filled = 0;
        for (int fd = 0; fd <= 2; ++fd) filled |= is_null_device(fd) ? 1 << fd : 0;
        const bool as_many = open_descriptors(getpid()) == open_before;
        dup2(out.get(), STDOUT_FILENO);
        std::cout << filled << (as_many ? "" : ", and others are open");
    });
    CHECK(child.out == std::to_string(closed));
}

TEST_CASE("fill_standard_descriptors: says that it cannot") {
    const Outcome child = in_child([] {
        const rlimit two{2, 2};
        setrlimit(RLIMIT_NOFILE, &two);
        close(STDERR_FILENO);
        try {
            fill_standard_descriptors();
        } catch (const std::system_error& error) {
            std::cout << error.what();
        }
    });
    CHECK(child.out == "open /dev/null: Too many open files");
}
