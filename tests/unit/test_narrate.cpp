#include "common/narrate.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "common/check.h"
#include "common/fd.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/unit/counted_memory.h"

namespace {

Address somewhere(std::uint16_t port) {
    return parse_address("127.0.0.1", port).value();
}

/// The next of those that have arrived; empty when there is none.
std::string next_message(const Fd& socket) {
    std::string message(100, '\0');
    const ssize_t size = recv(socket.get(), message.data(), message.size(), MSG_DONTWAIT);
    message.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return message;
}

} // namespace

TEST_CASE("narrate: says nothing unless verbose") {
    const Outcome child = in_child([] {
        narrate("fd ", 5, ": something");
        narrate_connected(5, somewhere(40182));
        narrate_left(5, "it closed");
    });
    CHECK(child.err.empty());
    CHECK(child.out.empty());
}

TEST_CASE("narrate: puts its parts together to a line on stderr") {
    const Outcome child = in_child([] {
        verbose = true;
        narrate("fd ", 5, ": echoed ", std::size_t{3}, " of ", 10L, " bytes");
        narrate(std::string("next"));
    });
    CHECK(child.err == "fd 5: echoed 3 of 10 bytes\nnext\n");
    CHECK(child.out.empty());
}

TEST_CASE("narrate: leaves out a line that there is no memory for, and a half of it, too") {
    const Outcome child = in_child([] {
        verbose = true;
        {
            const NoMemoryFor anything(1);
            narrate("fd ", 5, ": a line that is longer than what a string holds without memory of its own");
            narrate_connected(5, somewhere(40182));
            narrate_left(5, "a reason that is longer than what a string holds without memory of its own");
        }
        narrate("the next one");
    });
    CHECK(child.err == "the next one\n");
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("narrate: writes a line in one piece") {
    // As stderr a socket that keeps messages apart: each write is one of them.
    std::array<int, 2> ends{-1, -1};
    check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    const Fd reader(ends[0]);
    const Fd writer(ends[1]);
    const Outcome child = in_child([&] {
        dup2(writer.get(), STDERR_FILENO);
        verbose = true;
        narrate("fd ", 5, ": one ", "line");
        narrate("another");
    });
    REQUIRE(child.ended == "exit status 0");

    CHECK(next_message(reader) == "fd 5: one line\n");
    CHECK(next_message(reader) == "another\n");
    CHECK(next_message(reader).empty());
}

TEST_CASE("narrate: leaves errno as it was") {
    const Outcome child = in_child([] {
        verbose = true;
        close(STDERR_FILENO); // so that the write fails, with EBADF
        errno = ECONNRESET;
        narrate("something");
        std::cout << std::strerror(errno);
    });
    CHECK(child.out == "Connection reset by peer");
}

TEST_CASE("narrate_left: remembers who was connected") {
    const Outcome child = in_child([] {
        verbose = true;
        narrate_connected(5, somewhere(40182));
        narrate_connected(6, parse_address("::1", 40183).value());
        narrate_left(5, "it closed");
        narrate_left(6, "Connection reset by peer");
    });
    CHECK(child.err == "fd 5: 127.0.0.1:40182 connected\n"
                       "fd 6: [::1]:40183 connected\n"
                       "fd 5: 127.0.0.1:40182 left: it closed\n"
                       "fd 6: [::1]:40183 left: Connection reset by peer\n");
}

TEST_CASE("narrate_left: the number's next client is another one") {
    const Outcome child = in_child([] {
        verbose = true;
        narrate_connected(5, somewhere(40182));
        narrate_left(5, "it closed");
        narrate_connected(5, somewhere(40183));
        narrate_left(5, "it closed");
        narrate_left(5, "nobody is remembered any more");
    });
    CHECK(child.err == "fd 5: 127.0.0.1:40182 connected\n"
                       "fd 5: 127.0.0.1:40182 left: it closed\n"
                       "fd 5: 127.0.0.1:40183 connected\n"
                       "fd 5: 127.0.0.1:40183 left: it closed\n"
                       "fd 5:  left: nobody is remembered any more\n");
}
