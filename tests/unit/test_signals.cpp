#include "common/signals.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "tests/catch.h"
#include "tests/report.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"

namespace {

// ThreadSanitizer holds a signal back while the program waits in accept or read, and the kernel waits on.
#if defined(__SANITIZE_THREAD__)
constexpr bool signals_wake = false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr bool signals_wake = false;
#else
constexpr bool signals_wake = true;
#endif
#else
constexpr bool signals_wake = true;
#endif

/// The two ends of a connection within the process.
struct SocketPair {
    Fd one;
    Fd other;
};

SocketPair socket_pair() {
    std::array<int, 2> ends{-1, -1};
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    return {Fd(ends[0]), Fd(ends[1])};
}

/// Reads once and prints what came of it.
void print_read(int fd) {
    std::array<char, 100> piece{};
    const ssize_t count = read(fd, piece.data(), piece.size());
    std::cout << (count < 0 ? std::strerror(errno) : std::to_string(count) + " bytes") << std::endl;
}

/// Accepts once and prints what came of it.
void print_accept(int listener) {
    const Fd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    std::cout << (client ? "a client" : std::strerror(errno)) << std::endl;
}

} // namespace

TEST_CASE("stop_on_signals: SIGINT and SIGTERM raise the flag, and end nothing") {
    const int number = GENERATE(SIGINT, SIGTERM);
    const Outcome child = in_child([&] {
        stop_on_signals(-1);
        std::cout << stopping();
        std::raise(number);
        std::cout << stopping();
    });
    CHECK(child.out == "01");
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("stop_on_signals: wakes an accept that waits") {
    if (!signals_wake) return skip("ThreadSanitizer holds signals back");
    const Fd listener = open_listener(any_port());
    Child server([&] {
        stop_on_signals(listener.get());
        std::cout << "accepts" << std::endl;
        print_accept(listener.get());
        std::cout << stopping();
    });
    server.wait_until_it_waits("accepts");
    server.signal(SIGTERM);
    const Outcome outcome = server.outcome();
    CHECK(outcome.out == "accepts\nInvalid argument\n1");
    CHECK(outcome.ended == "exit status 0");
}

TEST_CASE("stop_on_signals: an accept after the stop does not wait either") {
    const Fd listener = open_listener(any_port());
    const Outcome child = in_child([&] {
        stop_on_signals(listener.get());
        std::raise(SIGTERM);
        print_accept(listener.get());
    });
    CHECK(child.out == "Invalid argument\n");
}

TEST_CASE("stop_on_signals: makes select and epoll report the listener") {
    const Fd listener = open_listener(any_port());
    const Outcome child = in_child([&] {
        const Fd epoll(epoll_create1(EPOLL_CLOEXEC));
        epoll_event event{};
        event.events = EPOLLIN;
        epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &event);
        stop_on_signals(listener.get());
        std::cout << epoll_wait(epoll.get(), &event, 1, 0);
        std::raise(SIGTERM);
        std::cout << epoll_wait(epoll.get(), &event, 1, -1);

        fd_set readable;
        FD_ZERO(&readable);
        FD_SET(listener.get(), &readable);
        std::cout << select(listener.get() + 1, &readable, nullptr, nullptr, nullptr);
    });
    CHECK(child.out == "011");
}

TEST_CASE("wake_on_stop: wakes a read that waits") {
    if (!signals_wake) return skip("ThreadSanitizer holds signals back");
    const Fd listener = open_listener(any_port());
    const SocketPair pair = socket_pair();
    Child server([&] {
        stop_on_signals(listener.get());
        wake_on_stop(pair.one.get());
        std::cout << "reads" << std::endl;
        print_read(pair.one.get());
    });
    server.wait_until_it_waits("reads");
    server.signal(SIGINT);
    CHECK(server.outcome().out == "reads\n0 bytes\n");
}

TEST_CASE("wake_on_stop: what has arrived before the stop is still read") {
    const Outcome child = in_child([] {
        TcpPair pair = tcp_pair();
        pair.client.send("hello");
        pollfd arrived{pair.server.get(), POLLIN, 0};
        poll(&arrived, 1, -1);
        stop_on_signals(pair.server.get());
        std::raise(SIGTERM);
        print_read(pair.server.get());
        print_read(pair.server.get());
    });
    CHECK(child.out == "5 bytes\n0 bytes\n");
}

TEST_CASE("wake_on_stop: the answer can still be sent after the stop") {
    const Outcome child = in_child([] {
        TcpPair pair = tcp_pair();
        stop_on_signals(pair.server.get());
        std::raise(SIGTERM);
        std::cout << write(pair.server.get(), "hello", 5) << pair.client.receive(5);
    });
    CHECK(child.out == "5hello");
}

TEST_CASE("wake_on_stop: a stop that came before is not lost") {
    const Fd listener = open_listener(any_port());
    const SocketPair pair = socket_pair();
    const Outcome child = in_child([&] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        wake_on_stop(listener.get());
        print_accept(listener.get());
        wake_on_stop(pair.one.get());
        print_read(pair.one.get());
    });
    CHECK(child.out == "Invalid argument\n0 bytes\n");
}

TEST_CASE("wake_on_stop: leaves alone what was named before") {
    const SocketPair first = socket_pair();
    const SocketPair second = socket_pair();
    const Outcome child = in_child([&] {
        stop_on_signals(first.one.get());
        wake_on_stop(second.one.get());
        std::raise(SIGTERM);
        check(static_cast<int>(write(first.other.get(), "hello", 5)), "write");
        print_read(first.one.get());
        print_read(second.one.get());
    });
    CHECK(child.out == "5 bytes\n0 bytes\n");
}

TEST_CASE("stop_on_signals: the interrupted code finds errno as it was") {
    const Outcome child = in_child([] {
        stop_on_signals(-1); // the handler's shutdown fails with EBADF
        errno = 0;
        std::raise(SIGTERM);
        std::cout << std::strerror(errno);
    });
    CHECK(child.out == "Success");
}

TEST_CASE("stop_on_signals: a second signal ends it at once") {
    const Outcome twice = in_child([] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        std::raise(SIGTERM);
    });
    CHECK(twice.ended == "ended by signal Terminated");

    const Outcome both = in_child([] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        std::raise(SIGINT);
    });
    CHECK(both.ended == "ended by signal Interrupt");
}

TEST_CASE("stop_on_signals: with SecondSignal::changes_nothing only the first signal counts") {
    const Outcome child = in_child([] {
        stop_on_signals(-1, SecondSignal::changes_nothing);
        for (int i = 0; i < 3; ++i) {
            std::raise(SIGTERM);
            std::raise(SIGINT);
        }
        std::cout << stopping();
    });
    CHECK(child.out == "1");
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("stop_on_signals: after 5 seconds the process ends by itself") {
    const Outcome set = in_child([] {
        stop_on_signals(-1);
        std::cout << alarm(0) << ' ';
        std::raise(SIGTERM);
        const unsigned left = alarm(0); // rounded; less than 5 where the machine was busy
        std::cout << (left >= 1 && left <= 5 ? "within 5 s" : std::to_string(left));
    });
    CHECK(set.out == "0 within 5 s");

    const Outcome rung = in_child([] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        std::raise(SIGALRM); // 5 seconds later
        std::cerr << "goes on";
        std::exit(1);
    });
    CHECK(rung.ended == "exit status 0");
    CHECK(rung.err.empty());
}

TEST_CASE("stop_on_signals: more signals do not put the end off") {
    const Outcome child = in_child([] {
        stop_on_signals(-1, SecondSignal::changes_nothing);
        std::raise(SIGTERM);
        alarm(1);
        std::raise(SIGTERM);
        std::cout << alarm(0);
    });
    CHECK(child.out == "1");
}

TEST_CASE("ignore_sigpipe: writing to a gone peer fails, and ends nothing") {
    const auto write_to_gone_peer = [] {
        SocketPair pair = socket_pair();
        pair.other.reset();
        std::cout << write(pair.one.get(), "hello", 5) << ' ' << std::strerror(errno);
    };
    const Outcome child = in_child([&] {
        ignore_sigpipe();
        write_to_gone_peer();
    });
    CHECK(child.out == "-1 Broken pipe");
    CHECK(child.ended == "exit status 0");

    CHECK(in_child(write_to_gone_peer).ended == "ended by signal Broken pipe"); // this is what it is good for
}
