#include "common/connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "common/narrate.h"
#include "common/piece.h"
#include "common/signals.h"
#include "tests/catch.h"
#include "tests/support/failed.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"
#include "tests/unit/counted_memory.h"

namespace {

constexpr milliseconds no_time{0};

/// A connection within the process, without TCP's timing: what has been sent can be received at once. The server's
/// send buffer is small, a few kilobytes.
struct Local {
    Connection connection;
    Fd client;

    /// Everything has room.
    void send(std::string_view data) const {
        const auto sent = static_cast<std::size_t>(write(client.get(), data.data(), data.size()));
        if (sent != data.size()) throw Failed{text("sent ", data.size(), " bytes"), "room for all", text(sent)};
    }

    /// What is there now, `most` bytes of it.
    [[nodiscard]] std::string receive(std::size_t most = 1 << 20) const {
        std::string data(most, '\0');
        const ssize_t count = recv(client.get(), data.data(), data.size(), MSG_DONTWAIT);
        data.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        return data;
    }

    /// What the client gets when it takes all there is as soon as it is there, until nothing waits any more.
    std::string receive_rest() {
        std::string all;
        for (int i = 0; i < 1000 && connection.interest() == Interest::write; ++i) {
            all += receive();
            connection.on_writable();
        }
        return all + receive();
    }

    /// How many bytes the server has not read yet.
    [[nodiscard]] std::size_t unread() const {
        int bytes = 0;
        check(ioctl(connection.fd(), FIONREAD, &bytes), "ioctl FIONREAD");
        return static_cast<std::size_t>(bytes);
    }
};

Local local() {
    std::array<int, 2> ends{-1, -1};
    check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    const int small = 4096;
    check(setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), "setsockopt");
    return {Connection(Fd(ends[0])), Fd(ends[1])};
}

/// Waits for what epoll would report.
void wait_for(short events, const Connection& connection) {
    pollfd ready{connection.fd(), events, 0};
    if (check(poll(&ready, 1, 10000), "poll") == 0) throw Failed{"waited", "a ready connection", "nothing in 10 s"};
}

} // namespace

TEST_CASE("Connection: sends back what the client sends, and waits for more") {
    TcpPair pair = tcp_pair();
    Connection connection(std::move(pair.server));
    CHECK(connection.interest() == Interest::read);
    for (const std::string line : {"hello\n", "again\n"}) {
        pair.client.send(line);
        wait_for(POLLIN, connection);
        connection.on_readable(no_time);
        CHECK(pair.client.receive(line.size()) == line);
        CHECK(connection.interest() == Interest::read);
    }
}

TEST_CASE("Connection: owns its socket") {
    int number = -1;
    {
        const Local pair = local();
        number = pair.connection.fd();
        CHECK(fcntl(number, F_GETFD) != -1);
    }
    CHECK(fcntl(number, F_GETFD) == -1);
}

TEST_CASE("Connection: echoes megabytes to a client that reads late") {
    TcpPair pair = tcp_pair();
    Child server([&] {
        pair.client.close(); // the forked copy
        Connection connection(std::move(pair.server));
        while (connection.interest() != Interest::none) {
            const bool reads = connection.interest() == Interest::read;
            wait_for(reads ? POLLIN : POLLOUT, connection);
            if (reads) connection.on_readable(no_time);
            if (!reads) connection.on_writable();
        }
    });
    pair.server.reset();

    const std::string data = random_bytes(1 << 20, 1);
    const std::size_t sent = pair.client.send_until_stuck(data, milliseconds(20));
    pair.client.finish_sending();
    std::string all;
    while (all.size() < sent) all += data;
    CHECK(difference(all.substr(0, sent), pair.client.receive_all()) == "the same");
    CHECK(server.outcome().ended == "exit status 0");
}

TEST_CASE("Connection: the client's end of data ends it") {
    Local pair = local();
    pair.client.reset();
    pair.connection.on_readable(no_time);
    CHECK(pair.connection.interest() == Interest::none);
}

TEST_CASE("Connection: what was sent before the end of data still comes back") {
    Local pair = local();
    pair.send("last words");
    shutdown(pair.client.get(), SHUT_WR);
    pair.connection.on_readable(no_time);
    CHECK(pair.connection.interest() == Interest::read);
    CHECK(pair.receive() == "last words");
    pair.connection.on_readable(no_time);
    CHECK(pair.connection.interest() == Interest::none);
}

TEST_CASE("Connection: says how much it has read") {
    Local pair = local();
    CHECK(pair.connection.on_readable(no_time) == 0); // nothing there: EAGAIN
    pair.send("hello");
    CHECK(pair.connection.on_readable(no_time) == 5);
    pair.client.reset();
    CHECK(pair.connection.on_readable(no_time) == 0);
}

TEST_CASE("Connection: closes before its time") {
    Local pair = local();
    pair.connection.close();
    CHECK(pair.connection.fd() == -1);
    CHECK(pair.receive().empty());
}

TEST_CASE("Connection: the client's reset ends it") {
    TcpPair pair = tcp_pair();
    Connection connection(std::move(pair.server));
    pair.client.reset();
    wait_for(POLLIN, connection);
    connection.on_readable(no_time);
    CHECK(connection.interest() == Interest::none);
}

TEST_CASE("Connection: a client that is gone when the answer is sent ends it, and nothing else") {
    const Outcome child = in_child([] {
        ignore_sigpipe();
        Local pair = local();
        pair.send("hello");
        pair.client.reset();
        pair.connection.on_readable(no_time);
        std::exit(pair.connection.interest() == Interest::none ? 0 : 1);
    });
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("Connection: a reset while bytes wait to be sent ends it") {
    TcpPair pair = tcp_pair(4096);
    const int small = 4096;
    setsockopt(pair.server.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    Connection connection(std::move(pair.server));
    pair.client.send(std::string(piece_size, 'x'));
    while (connection.interest() == Interest::read) {
        wait_for(POLLIN, connection);
        connection.on_readable(no_time);
    }
    REQUIRE(connection.interest() == Interest::write);
    pair.client.reset();
    wait_for(POLLERR, connection);
    connection.on_writable();
    CHECK(connection.interest() == Interest::none);
}

TEST_CASE("Connection: keeps what the kernel has no room for, and sends it when there is") {
    const std::string data = random_bytes(piece_size, 2);
    Local pair = local();
    pair.send(data);
    pair.connection.on_readable(no_time);
    CHECK(pair.connection.interest() == Interest::write);

    CHECK(difference(data, pair.receive_rest()) == "the same");
    CHECK(pair.connection.interest() == Interest::read);
}

TEST_CASE("Connection: a client that takes a little at a time loses nothing either") {
    const std::string data = random_bytes(piece_size, 3);
    Local pair = local();
    pair.send(data);
    pair.connection.on_readable(no_time);

    std::string back;
    while (back.size() < data.size()) {
        const std::string more = pair.receive(500);
        REQUIRE_FALSE(more.empty());
        back += more;
        if (pair.connection.interest() == Interest::write) pair.connection.on_writable();
    }
    CHECK(pair.connection.interest() == Interest::read);
    CHECK(difference(data, back) == "the same");
}

TEST_CASE("Connection: keeps piece after piece") {
    Local pair = local();
    for (std::uint64_t seed = 4; seed < 7; ++seed) {
        const std::string data = random_bytes(20000, seed);
        pair.send(data);
        pair.connection.on_readable(no_time);
        REQUIRE(pair.connection.interest() == Interest::write);
        CHECK(difference(data, pair.receive_rest()) == "the same");
    }
}

TEST_CASE("Connection: never holds more than a piece") {
    Local pair = local();
    pair.send(std::string(2 * piece_size, 'x'));
    pair.connection.on_readable(no_time);
    CHECK(pair.unread() == piece_size);
    CHECK(pair.connection.interest() == Interest::write);

    pair.connection.on_writable(); // no room; and as long as bytes wait, no more is read
    CHECK(pair.unread() == piece_size);
    CHECK_FALSE(pair.receive().empty());
    pair.connection.on_writable();
    CHECK(pair.unread() == piece_size);
}

TEST_CASE("Connection: has memory for unsent bytes only while there are any") {
    Local pair = local();
    pair.send(std::string(piece_size, 'x'));
    const std::size_t idle = memory_held(); // no assertions meanwhile: they need memory, too
    pair.connection.on_readable(no_time);
    const std::size_t waiting = memory_held();
    pair.receive_rest();
    const std::size_t idle_again = memory_held();

    CHECK(waiting - idle > piece_size / 2);
    CHECK(waiting - idle <= piece_size + 4096);
    CHECK(pair.connection.interest() == Interest::read);
    CHECK(idle_again == idle);
}

TEST_CASE("Connection: needs no memory for a client that takes its data") {
    Local pair = local();
    pair.send("hello");
    {
        const NoMemoryFor anything(1);
        pair.connection.on_readable(no_time);
    }
    CHECK(pair.connection.interest() == Interest::read);
    CHECK(pair.receive() == "hello");
}

TEST_CASE("Connection: without memory for the unsent bytes it ends, and nothing else does") {
    Local pair = local();
    pair.send(std::string(piece_size, 'x'));
    {
        const NoMemoryFor as_much(1000);
        pair.connection.on_readable(no_time);
    }
    CHECK(pair.connection.interest() == Interest::none);
}

TEST_CASE("Connection: does nothing when there is no input after all") {
    Local pair = local();
    pair.connection.on_readable(no_time);
    CHECK(pair.connection.interest() == Interest::read);
    CHECK(pair.receive().empty());
}

TEST_CASE("Connection: keeps everything when there is no room after all") {
    const std::string data = random_bytes(piece_size, 8);
    Local pair = local();
    pair.send(data);
    pair.connection.on_readable(no_time);
    for (int i = 0; i < 3; ++i) {
        pair.connection.on_writable();
        CHECK(pair.connection.interest() == Interest::write);
    }
    CHECK(difference(data, pair.receive_rest()) == "the same");
}

TEST_CASE("Connection: does nothing when there is room and nothing waits") {
    Local pair = local();
    pair.connection.on_writable();
    CHECK(pair.connection.interest() == Interest::read);
    CHECK(pair.receive().empty());
    pair.send("hello");
    pair.connection.on_readable(no_time);
    CHECK(pair.receive() == "hello");
}

TEST_CASE("Connection: thinks before it answers") {
    Local pair = local();
    pair.send("hello");
    const auto start = Clock::now();
    pair.connection.on_readable(milliseconds(20));
    CHECK(Clock::now() - start >= milliseconds(20));
    CHECK(pair.receive() == "hello");
}

TEST_CASE("Connection: tells what it does") {
    const Outcome child = in_child([] {
        verbose = true;
        Local pair = local();
        const int fd = pair.connection.fd();
        dup2(fd, 100);
        pair.connection = Connection(Fd(100));
        pair.send("hello");
        pair.connection.on_readable(no_time);
        shutdown(pair.client.get(), SHUT_WR);
        pair.connection.on_readable(no_time);
    });
    CHECK(child.err == "fd 100: echoed 5 of 5 bytes\nfd 100:  left: it closed\n");
}

TEST_CASE("Connection: tells what it keeps") {
    const Outcome child = in_child([] {
        verbose = true;
        Local pair = local();
        pair.send(std::string(piece_size, 'x'));
        pair.connection.on_readable(no_time);
        pair.receive_rest();
    });
    CHECK(child.err.find(" of 65536 bytes\n") != std::string::npos);
    CHECK(child.err.find(": send buffer full, ") != std::string::npos);
    CHECK(child.err.ends_with(" bytes more, 0 still kept\n"));
}

TEST_CASE("Connections: an element stays where it is while others come and go") {
    // epoll keeps pointers to them.
    Connections connections;
    Connection* first = &connections.emplace(-1, Fd()).first->second;
    for (int i = 0; i < 1000; ++i) connections.emplace(i, Fd());
    for (int i = 0; i < 1000; i += 2) connections.erase(i);
    CHECK(&connections.at(-1) == first);
}
