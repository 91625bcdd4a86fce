#include "common/narrate.h"

#include <sys/socket.h>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/unit/counted_memory.h"
#include "tests/unit/socket_pair.h"

TEST_CASE("complain and narrate: put their parts together to a line on stderr; narrate only when verbose") {
    const std::string printed = printed_by([] {
        narrate("fd ", 5, ": something");
        complain("fd ", 5, ": of ", 10L, " bytes ", std::string("one"));
        verbose = true;
        narrate("fd ", 5, ": echoed ", std::size_t{3}, " of ", 10L, " bytes");
    });
    CHECK(printed == " STDERR: fd 5: of 10 bytes one\nfd 5: echoed 3 of 10 bytes\n");
}

TEST_CASE("narrate: leaves out a line that there is no memory for, and a half of it, too") {
    const std::string printed = printed_by([] {
        verbose = true;
        {
            const NoMemoryFor anything(1);
            narrate("fd ", 5, ": a line that is longer than what a string holds without memory of its own");
            narrate_left(5, "a reason that is longer than what a string holds without memory of its own");
        }
        narrate("the next one");
    });
    CHECK(printed == " STDERR: the next one\n");
}

TEST_CASE("complain: a signal that interrupts it costs no line") {
    SocketPair log = socket_pair();
    while (send(log.one.get(), "x", 1, MSG_DONTWAIT) == 1) continue; // now a write waits
    Process child(forked([&] {
        struct sigaction action {};
        action.sa_handler = [](int) { print("woken\n"); };
        check(sigaction(SIGCHLD, &action, nullptr), "sigaction"); // as in chapter 02
        dup2(log.one.get(), STDERR_FILENO);
        print("waits\n");
        complain("a line");
    }));
    wait_until_it_waits(child, "waits");
    child.signal(SIGCHLD);
    REQUIRE(child.read_line(long_enough) == "woken");
    log.one.reset();
    std::string said;
    for (char byte = 0; read(log.other.get(), &byte, 1) == 1;) said += byte;
    CHECK(said.ends_with("xa line\n"));
}

TEST_CASE("narrate: writes each line with one write") {
    // As stderr a socket that keeps messages apart: each write is one of them.
    const SocketPair pair = socket_pair(SOCK_DGRAM);
    in_child([&] {
        dup2(pair.one.get(), STDERR_FILENO);
        verbose = true;
        narrate("fd ", 5, ": one ", "line");
        narrate("another");
    });
    const auto next_message = [&] {
        std::string message(100, '\0');
        const ssize_t size = recv(pair.other.get(), message.data(), message.size(), MSG_DONTWAIT);
        return message.substr(0, size < 0 ? 0 : static_cast<std::size_t>(size));
    };
    CHECK(next_message() == "fd 5: one line\n");
    CHECK(next_message() == "another\n");
    CHECK(next_message().empty());
}
