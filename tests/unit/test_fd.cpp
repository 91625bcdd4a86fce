#include "common/fd.h"

#include <fcntl.h>

#include <type_traits>
#include <utility>

#include "tests/catch.h"

namespace {

int open_something() {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool is_open(int number) {
    return fcntl(number, F_GETFD) != -1;
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

TEST_CASE("Fd: a move onto another one closes what that one had") {
    Fd fd(open_something());
    const int before = fd.get();
    Fd other(open_something());
    const int after = other.get();
    fd = std::move(other);
    CHECK_FALSE(is_open(before));
    CHECK(is_open(after));
}

TEST_CASE("Fd: a move onto itself changes nothing") {
    Fd fd(open_something());
    const int number = fd.get();
    Fd& the_same = fd;
    fd = std::move(the_same);
    CHECK(fd.get() == number);
    CHECK(is_open(number));
}

TEST_CASE("Fd: reset closes at once, and only once") {
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
