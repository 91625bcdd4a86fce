#include "common/stop.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>

#include <climits>
#include <iostream>
#include <unordered_map>

#include "common/connection.h"
#include "common/listener.h"
#include "common/write_all.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"
#include "tests/support/tcp_pair.h"
#include "tests/unit/counted_memory.h"
#include "tests/unit/socket_pair.h"

namespace {

/// Reads once and prints what came of it.
void print_read(const Fd& fd) {
    std::array<char, 100> buffer{};
    const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
    std::cout << (count < 0 ? std::strerror(errno) : std::to_string(count) + " bytes") << std::endl;
}

/// Accepts once and prints what came of it.
void print_accept(const Fd& listener) {
    const Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::cout << (client ? "a client" : std::strerror(errno)) << std::endl;
}

} // namespace

// --- the signals ----------------------------------------------------------------------------------------------------

TEST_CASE("stop_on_signals: SIGINT and SIGTERM, once or many times, set the flag and an alarm, and kill nobody") {
    const Outcome child = in_child([] {
        const int first = GENERATE(SIGINT, SIGTERM);
        stop_on_signals(-1);
        std::cout << stopping() << alarm(0);
        std::raise(first);
        std::cout << stopping();
        const unsigned left = alarm(1); // rounded; less than 5 where the machine was busy
        if (left < 1 || left > 5) std::cout << "the alarm is in " << left << " s";
        for (const int number : {SIGINT, SIGTERM, SIGTERM, SIGINT}) std::raise(number);
        std::cout << stopping() << alarm(0) << stop_status; // later signals do not put the alarm off
    });
    CHECK(child.out == "001110");
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("stop_on_signals: unblocks its signals, and no others") {
    const int number = GENERATE(SIGINT, SIGTERM, SIGALRM);
    const Outcome child = in_child([&] {
        sigset_t blocked;
        sigemptyset(&blocked);
        sigaddset(&blocked, number);
        sigaddset(&blocked, SIGUSR1);
        sigprocmask(SIG_BLOCK, &blocked, nullptr);
        stop_on_signals(-1);
        sigprocmask(SIG_BLOCK, nullptr, &blocked);
        std::cout << sigismember(&blocked, number) << sigismember(&blocked, SIGUSR1);
    });
    CHECK(child.out == "01");
}

TEST_CASE("stop_on_signals: a later accept does not wait either, and select and epoll report the listener") {
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
        std::cout << select(listener.get() + 1, &readable, nullptr, nullptr, nullptr) << ' ';
        print_accept(listener);
    });
    CHECK(child.out == "011 Invalid argument\n");
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

TEST_CASE("wake_on_stop: a stop that came before is not lost") {
    const Fd listener = open_listener(any_port());
    const SocketPair pair = socket_pair();
    const Outcome child = in_child([&] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        wake_on_stop(listener.get());
        print_accept(listener);
        wake_on_stop(pair.one.get());
        print_read(pair.one);
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
        print_read(first.one);
        print_read(second.one);
    });
    CHECK(child.out == "5 bytes\n0 bytes\n");
}

TEST_CASE("stop_without_listener: says so once, and stops with status 1") {
    const Fd listener = open_listener(any_port());
    const Outcome child = in_child([&] {
        stop_on_signals(listener.get());
        stop_without_listener(EBADF);
        stop_without_listener(EINVAL);
        std::cout << stopping() << stop_status << (alarm(0) > 0) << ' ';
        print_accept(listener);
    });
    CHECK(child.out == "111 Invalid argument\n");
    CHECK(child.err == "the listening socket is lost: Bad file descriptor\n");
}

// --- the five seconds -----------------------------------------------------------------------------------------------

TEST_CASE("end_now: the alarm ends the process with the status of the stop, and says how many clients lost something") {
    struct End {
        int clients;
        int status;
        std::string line;
    };
    const End end =
        GENERATE(End{0, 0, ""}, End{1, 0, "stopped after 5 s: 1 client had not got all of its answers\n"},
                 End{2, 1, "stopped after 5 s: 2 clients had not got all of their answers\n"},
                 End{INT_MAX, 1, "stopped after 5 s: 2147483647 clients had not got all of their answers\n"});
    const Outcome child = in_child([&] {
        stop_on_signals(-1);
        std::cout << unanswered << std::flush; // before anything is counted
        unanswered = end.clients;
        stop_status = end.status;
        std::raise(SIGALRM); // 5 seconds later
        std::cerr << "goes on";
    });
    CHECK(child.out == "1");
    CHECK(child.err == end.line);
    CHECK(child.ended == "exit status " + std::to_string(end.status));
}

// --- delivering -----------------------------------------------------------------------------------------------------

namespace {

constexpr int small = 4096; // bytes of a buffer that is soon full

/// How many bytes the other end's kernel has not acknowledged.
int unacknowledged(int socket) {
    int bytes = 0;
    check(ioctl(socket, SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
    return bytes;
}

/// Writes more than a client with a small buffer has room for, so that some of it stays unacknowledged until the client
/// reads. Returns how many bytes the kernel took.
std::size_t write_much(const Fd& socket) {
    const std::string data(1 << 16, 'x');
    return static_cast<std::size_t>(check(static_cast<int>(write(socket.get(), data.data(), data.size())), "write"));
}

using Connections = std::unordered_map<int, Connection>;

/// Adds the server's end, which has then read what the client sent and written what there was room for.
Connection& add(Connections& connections, TcpPair& pair) {
    setsockopt(pair.server.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    const int fd = pair.server.get();
    Connection& connection = connections.emplace(fd, std::move(pair.server)).first->second;
    pollfd readable{fd, POLLIN, 0};
    check(poll(&readable, 1, -1), "poll");
    if (!connection.echo_buffer(milliseconds(0))) std::cout << "lost at the beginning";
    return connection;
}

/// Clients who have sent as much, and take nothing yet.
std::vector<TcpPair> clients_that_sent(const std::string& data, int count) {
    std::vector<TcpPair> pairs;
    for (int i = 0; i < count; ++i) {
        pairs.push_back(tcp_pair(small));
        pairs.back().client.send(data);
    }
    return pairs;
}

} // namespace

TEST_CASE("wait_until_acknowledged: returns immediately when nothing is on its way, or there is no connection") {
    const TcpPair pair = tcp_pair();
    const Outcome child = in_child([&] {
        wait_until_acknowledged(pair.server.get());
        wait_until_acknowledged(-1);
    });
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("wait_until_acknowledged: waits until the client's kernel has it all, also where poll fails") {
    const bool poll_fails = GENERATE(false, true);
    TcpPair pair = tcp_pair(small);
    const std::size_t written = write_much(pair.server);
    REQUIRE(unacknowledged(pair.server.get()) > 0);
    Child server([&] {
        const rlimit none{0, 0}; // with EINVAL: one is more than that
        if (poll_fails) setrlimit(RLIMIT_NOFILE, &none);
        std::cout << "waits" << std::endl;
        wait_until_acknowledged(pair.server.get());
        std::cout << unacknowledged(pair.server.get()) << " left";
    });
    server.wait_until_it_waits("waits");
    CHECK_FALSE(eventually([&] { return process_state(server.pid()) == 'Z'; }, milliseconds(30)));
    pair.client.receive(written);
    CHECK(server.outcome().out == "waits\n0 left");
}

TEST_CASE("wait_until_acknowledged: does not wait for a client that is gone") {
    TcpPair pair = tcp_pair(small);
    write_much(pair.server);
    Child server([&] {
        pair.client.close(); // the forked copy
        std::cout << "waits" << std::endl;
        wait_until_acknowledged(pair.server.get());
    });
    server.wait_until_it_waits("waits");
    pair.client.reset();
    CHECK(server.outcome().ended == "exit status 0");

    const Outcome gone_before = in_child([&] { wait_until_acknowledged(pair.server.get()); });
    CHECK(gone_before.ended == "exit status 0");
}

TEST_CASE("deliver: sends everybody what is unsent and waits until they have it, without memory for anything") {
    const std::string data = random_bytes(buffer_size, 1);
    std::vector<TcpPair> pairs = clients_that_sent(data, 3);
    Child server([&] {
        verbose = true;
        Connections connections;
        for (TcpPair& pair : pairs) {
            if (!add(connections, pair).has_unsent()) std::cout << "all is sent, so nothing is tested";
        }
        std::cout << "delivers" << std::endl;
        {
            const NoMemoryFor anything(1);
            deliver(connections);
        }
        std::cout << unanswered;
    });
    server.wait_until_it_waits("delivers");
    for (TcpPair& pair : pairs) CHECK(difference(data, pair.client.receive(data.size())) == "the same");
    const Outcome outcome = server.outcome();
    CHECK(outcome.out == "delivers\n0");
    CHECK(outcome.ended == "exit status 0");
}

TEST_CASE("deliver: a client that is gone is told of once, and the others are still served") {
    const std::string data = random_bytes(buffer_size, 3);
    std::vector<TcpPair> pairs = clients_that_sent(data, 2);
    Connections connections;
    for (TcpPair& pair : pairs) add(connections, pair);
    pairs[0].client.reset();
    Child server([&] {
        ignore_write_signals();
        verbose = true;
        std::cout << "delivers" << std::endl;
        deliver(connections);
        std::cout << unanswered;
    });
    server.wait_until_it_waits("delivers");
    CHECK(difference(data, pairs[1].client.receive(data.size())) == "the same");
    const Outcome outcome = server.outcome();
    CHECK(outcome.out == "delivers\n0");
    CHECK_THAT(outcome.err, ContainsSubstring(": left: Connection reset by peer\n"));
    CHECK(outcome.err.find(": left: ") == outcome.err.rfind(": left: "));
    CHECK(outcome.ended == "exit status 0");
}

TEST_CASE("deliver: closes each client that has everything, and counts the others; the alarm says how many") {
    const std::string data = random_bytes(buffer_size, 4);
    std::vector<TcpPair> pairs = clients_that_sent(data, 3);
    Child server([&] {
        Connections connections;
        for (TcpPair& pair : pairs) add(connections, pair);
        stop_on_signals(-1);
        std::thread([] {
            std::cout << eventually([] { return unanswered == 3; }) << std::endl;
            std::cout << eventually([] { return unanswered == 2; }) << std::endl;
        }).detach();
        deliver(connections);
    });
    for (TcpPair& pair : pairs) pair.server.reset(); // the parent's copies
    server.wait_until_it_waits("1\n");
    CHECK(difference(data, pairs[1].client.receive_all()) == "the same");
    server.wait_until_it_waits("1\n1\n");
    server.signal(SIGALRM);
    const Outcome outcome = server.outcome();
    CHECK(outcome.out == "1\n1\n");
    CHECK(outcome.err == "stopped after 5 s: 2 clients had not got all of their answers\n");
    CHECK(outcome.ended == "exit status 0");
}
