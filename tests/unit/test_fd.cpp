#include "common/fd.h"

#include <sys/resource.h>

#include <iostream>
#include <type_traits>
#include <utility>

#include "tests/catch.h"
#include "tests/support/in_child.h"

namespace {

int open_something() {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool is_open(int number) {
    return fcntl(number, F_GETFD) != -1;
}

} // namespace

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
    const std::string printed = printed_by([] {
        dup2(STDOUT_FILENO, STDIN_FILENO);
        Fd fd(STDIN_FILENO);
        std::cout << static_cast<bool>(fd) << is_open(STDIN_FILENO);
        fd.reset();
        std::cout << is_open(STDIN_FILENO);
    });
    CHECK(printed == "110");
}

TEST_CASE(
    "Fd: a move hands the descriptor over, leaves nothing behind, closes what the other one had, or is onto itself") {
    Fd from(open_something());
    const int number = from.get();

    Fd to(std::move(from));
    CHECK(to.get() == number);
    CHECK_FALSE(from);
    from.reset();
    CHECK(is_open(number));

    Fd last(open_something());
    const int before = last.get();
    last = std::move(to);
    CHECK(last.get() == number);
    CHECK_FALSE(to);
    CHECK_FALSE(is_open(before));
    to.reset();
    Fd& the_same = last;
    last = std::move(the_same);
    CHECK(last.get() == number);
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
    const std::string printed = printed_by([&] {
        const Fd out(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
        // So each of them can be read and written, and none is /dev/null.
        for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) dup2(STDERR_FILENO, fd);
        std::map<int, std::string> expected = descriptors_of(getpid());
        for (int fd = 0; fd <= 2; ++fd) {
            if ((closed >> fd & 1) == 0) continue;
            close(fd);
            expected[fd] = "/dev/null";
        }
        fill_standard_descriptors();
        bool as_expected = descriptors_of(getpid()) == expected;
        for (int fd = 0; fd <= 2; ++fd) as_expected = as_expected && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
        dup2(out.get(), STDOUT_FILENO);
        std::cout << as_expected;
    });
    CHECK(printed == "1");
}

TEST_CASE("fill_standard_descriptors: says that it cannot") {
    const std::string printed = printed_by([] {
        const rlimit two{2, 2};
        setrlimit(RLIMIT_NOFILE, &two);
        close(STDERR_FILENO);
        try {
            fill_standard_descriptors();
        } catch (const std::system_error& error) {
            std::cout << error.what();
        }
    });
    CHECK(printed == "open /dev/null: Too many open files");
}
