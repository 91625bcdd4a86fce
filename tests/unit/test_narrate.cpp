#include "common/narrate.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cstring>
#include <iostream>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/unit/counted_memory.h"
#include "tests/unit/socket_pair.h"

namespace {

/// The next of those that have arrived; empty when there is none.
std::string next_message(const Fd& socket) {
    std::string message(100, '\0');
    const ssize_t size = recv(socket.get(), message.data(), message.size(), MSG_DONTWAIT);
    message.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return message;
}

} // namespace

TEST_CASE("complain and narrate: put their parts together to a line on stderr; narrate only when verbose") {
    const Outcome child = in_child([] {
        narrate("fd ", 5, ": something");
        complain("fd ", 5, ": of ", 10L, " bytes ", std::string("one"));
        verbose = true;
        narrate("fd ", 5, ": echoed ", std::size_t{3}, " of ", 10L, " bytes");
    });
    CHECK(child.err == "fd 5: of 10 bytes one\nfd 5: echoed 3 of 10 bytes\n");
    CHECK(child.out.empty());
}

TEST_CASE("narrate_left: says who left and why, and returns false") {
    const Outcome child = in_child([] {
        std::cout << narrate_left(5, "nobody is told");
        verbose = true;
        std::cout << narrate_left(6, "it closed");
    });
    CHECK(child.out == "00");
    CHECK(child.err == "fd 6: left: it closed\n");
}

TEST_CASE("narrate: leaves out a line that there is no memory for, and a half of it, too") {
    const Outcome child = in_child([] {
        verbose = true;
        {
            const NoMemoryFor anything(1);
            narrate("fd ", 5, ": a line that is longer than what a string holds without memory of its own");
            narrate_left(5, "a reason that is longer than what a string holds without memory of its own");
        }
        narrate("the next one");
    });
    CHECK(child.err == "the next one\n");
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("narrate: writes each line with one write") {
    // As stderr a socket that keeps messages apart: each write is one of them.
    const SocketPair pair = socket_pair(SOCK_DGRAM);
    const Outcome child = in_child([&] {
        dup2(pair.one.get(), STDERR_FILENO);
        verbose = true;
        narrate("fd ", 5, ": one ", "line");
        narrate("another");
    });
    REQUIRE(child.ended == "exit status 0");
    CHECK(next_message(pair.other) == "fd 5: one line\n");
    CHECK(next_message(pair.other) == "another\n");
    CHECK(next_message(pair.other).empty());
}

TEST_CASE("narrate: leaves errno as it was") {
    const Outcome child = in_child([] {
        verbose = true;
        close(STDERR_FILENO); // so that the write fails, with EBADF
        errno = ECONNRESET;
        narrate("something that needs memory, which may change errno as well");
        std::cout << std::strerror(errno);
    });
    CHECK(child.out == "Connection reset by peer");
}

TEST_CASE("print: prints immediately what it is given, or throws") {
    const Outcome child = in_child([] {
        print("two\nlines\n");
        dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        print("lost");
    });
    CHECK(child.out == "two\nlines\n");
    CHECK(child.err == "thrown: write standard output: No space left on device\n");
}
