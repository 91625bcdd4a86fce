#include "common/stop.h"

#include <climits>
#include <iostream>

#include "common/listener.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"
#include "tests/unit/socket_pair.h"

namespace {

/// Reads once and prints what came of it.
void print_read(const Fd& fd) {
    std::array<char, 100> buffer{};
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    std::cout << (count < 0 ? std::strerror(errno) : std::to_string(count) + " bytes") << std::endl;
}

/// Accepts, and prints why it did not.
void print_accept(const Fd& listener) {
    const Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) std::cout << ' ' << std::strerror(errno) << '\n';
}

} // namespace

// --- the signals ----------------------------------------------------------------------------------------------------

TEST_CASE("stop_on_signals: SIGINT and SIGTERM, once or many times, set the flag and an alarm, and kill nobody") {
    const int first = GENERATE(SIGINT, SIGTERM);
    const Fd listener = open_listener(any_port());
    const std::string printed = printed_by([&] {
        stop_on_signals(listener.get());
        std::cout << stopping << alarm(0);
        std::raise(first);
        std::cout << stopping;
        print_accept(listener);         // a later one does not wait either
        const unsigned left = alarm(1); // rounded; less than 5 where the machine was busy
        if (left < 1 || left > 5) std::cout << "the alarm is in " << left << " s";
        for (const int number : {SIGINT, SIGTERM, SIGTERM, SIGINT}) std::raise(number);
        std::cout << stopping << alarm(0) << stop_status; // later signals do not put the alarm off
    });
    CHECK(printed == "001 Invalid argument\n110");
}

TEST_CASE("stop_on_signals: what it inherits and an alarm before the stop change nothing") {
    const std::string printed = printed_by([] {
        sigset_t blocked;
        sigfillset(&blocked);
        sigprocmask(SIG_BLOCK, &blocked, nullptr);
        std::signal(SIGQUIT, SIG_IGN);
        alarm(60);
        stop_on_signals(-1);
        std::cout << alarm(0) << (std::signal(SIGQUIT, SIG_DFL) == SIG_IGN) << ' ';
        sigprocmask(SIG_BLOCK, nullptr, &blocked);
        for (const int number : {SIGINT, SIGTERM, SIGALRM, SIGCHLD}) std::cout << sigismember(&blocked, number);
        std::cout << std::raise(SIGALRM) << stopping;
    });
    CHECK(printed == "00 000000");
}

TEST_CASE("stop_on_signals: the interrupted code finds errno as it was") {
    const std::string printed = printed_by([] {
        stop_on_signals(-1); // the handler's shutdown fails with EBADF
        errno = 0;
        std::raise(SIGTERM);
        std::cout << std::strerror(errno);
    });
    CHECK(printed == "Success");
}

TEST_CASE("wake_on_stop: a stop that came before is not lost") {
    const Fd listener = open_listener(any_port());
    const SocketPair pair = socket_pair();
    const std::string printed = printed_by([&] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        wake_on_stop(listener.get());
        print_accept(listener);
        wake_on_stop(pair.one.get());
        print_read(pair.one);
    });
    CHECK(printed == " Invalid argument\n0 bytes\n");
}

TEST_CASE("wake_on_stop: leaves alone what was named before") {
    const SocketPair first = socket_pair();
    const SocketPair second = socket_pair();
    const std::string printed = printed_by([&] {
        stop_on_signals(first.one.get());
        wake_on_stop(second.one.get());
        std::raise(SIGTERM);
        check(static_cast<int>(write(first.other.get(), "hello", 5)), "write");
        print_read(first.one);
        print_read(second.one);
    });
    CHECK(printed == "5 bytes\n0 bytes\n");
}

// --- the five seconds -----------------------------------------------------------------------------------------------

TEST_CASE("end_now: the alarm ends the process with the status of the stop, and says how many clients lost something") {
    struct End {
        int clients;
        int status;
        std::string said;
    };
    const End end =
        GENERATE(End{0, 0, ""}, End{1, 0, "stopped after 5 s: at least 1 client had not got all of its answers\n"},
                 End{INT_MAX, 1, "stopped after 5 s: at least 2147483647 clients had not got all of their answers\n"});
    const Outcome child = in_child([&] {
        stop_on_signals(-1);
        std::cout << unanswered << std::flush; // nobody has come yet
        unanswered = end.clients;
        stop_status = end.status;
        std::raise(SIGTERM);
        std::raise(SIGALRM); // 5 seconds later
        std::cerr << "goes on";
    });
    CHECK(child.out == "0");
    CHECK(child.err == end.said);
    CHECK(child.ended == "exit status " + std::to_string(end.status));
}

// --- delivering -----------------------------------------------------------------------------------------------------

// That nothing is lost, the cases see on every server.

TEST_CASE("wait_until_acknowledged: does not wait for a client that is gone") {
    constexpr int small = 4096;
    TcpPair pair = tcp_pair(small); // without room for all of this, so it is not acknowledged before the client reads
    const std::string data(1 << 16, 'x');
    REQUIRE(write(pair.server.get(), data.data(), data.size()) > small);
    Process server(forked([&] {
        pair.client.close(); // the forked copy
        std::cout << "waits" << std::endl;
        wait_until_acknowledged(pair.server.get());
    }));
    wait_until_it_waits(server, "waits");
    pair.client.reset();
    CHECK(server.outcome().ended == "exit status 0");

    const Outcome gone_before = in_child([&] { wait_until_acknowledged(pair.server.get()); });
    CHECK(gone_before.ended == "exit status 0");
}
