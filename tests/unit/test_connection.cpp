#include "common/connection.h"

#include <poll.h>
#include <sys/ioctl.h>

#include <iostream>

#include "common/write_all.h"
#include "tests/catch.h"
#include "tests/support/failed.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"
#include "tests/unit/counted_memory.h"
#include "tests/unit/socket_pair.h"

namespace {

constexpr milliseconds no_time{0};

/// A connection within the process, without TCP's timing. The server's send buffer is small, a few kilobytes.
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

    /// What the client gets when it takes all there is as soon as it is there, until nothing is unsent any more.
    std::string receive_rest() {
        std::string all;
        for (int i = 0; i < 1000 && connection.has_unsent(); ++i) {
            all += receive();
            if (!connection.send_unsent()) throw Failed{"took the rest", "an open connection", "a closed one"};
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
    SocketPair pair = socket_pair(SOCK_STREAM | SOCK_NONBLOCK, 1);
    return {Connection(std::move(pair.one)), std::move(pair.other)};
}

/// Waits for what epoll would report.
void wait_for(short events, const Connection& connection) {
    pollfd ready{connection.fd(), events, 0};
    if (check(poll(&ready, 1, 10000), "poll") == 0) throw Failed{"waited", "a ready connection", "nothing in 10 s"};
}

} // namespace

TEST_CASE("Connection: after a reset the client is gone, for a read and for a write") {
    TcpPair pair = tcp_pair(4096);
    const int small = 4096;
    setsockopt(pair.server.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    Connection connection(std::move(pair.server));
    const bool unsent = GENERATE(false, true);
    if (unsent) pair.client.send(std::string(buffer_size, 'x'));
    while (unsent && !connection.has_unsent()) {
        wait_for(POLLIN, connection);
        REQUIRE(connection.echo_buffer(no_time));
    }
    pair.client.reset();
    wait_for(POLLERR, connection);
    CHECK_FALSE((unsent ? connection.send_unsent() : connection.echo_buffer(no_time)));
}

TEST_CASE("Connection: a client that is gone when the answer is sent is done, and nobody is killed") {
    const Outcome child = in_child([] {
        ignore_write_signals();
        verbose = true;
        Local pair = local();
        dup2(pair.connection.fd(), 100);
        pair.connection = Connection(Fd(100));
        pair.send("hello");
        pair.client.reset();
        std::cout << pair.connection.echo_buffer(no_time);
    });
    CHECK(child.out == "0");
    CHECK(child.err == "fd 100: left: Broken pipe\n");
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("Connection: keeps what the kernel has no room for, and sends it in order when there is room") {
    const std::string data = random_bytes(buffer_size, 2);
    const auto at_a_time = GENERATE(std::size_t{500}, std::size_t{1 << 20}); // the client takes little or much
    Local pair = local();
    pair.send(data);
    CHECK(pair.connection.echo_buffer(no_time));
    CHECK(pair.connection.has_unsent());

    std::string back;
    while (back.size() < data.size()) {
        const std::string more = pair.receive(at_a_time);
        REQUIRE_FALSE(more.empty());
        back += more;
        if (pair.connection.has_unsent()) CHECK(pair.connection.send_unsent());
    }
    CHECK_FALSE(pair.connection.has_unsent());
    CHECK(difference(data, back) == "the same");
}

TEST_CASE("Connection: keeps a whole buffer when there is no room at all, and loses nothing while there is none") {
    Local pair = local();
    const std::string before(buffer_size, 'b'); // it fills the kernel's buffer
    const auto filled = static_cast<std::size_t>(write(pair.connection.fd(), before.data(), before.size()));
    const std::string data = random_bytes(10000, 3);
    pair.send(data);
    CHECK(pair.connection.echo_buffer(no_time));
    for (int i = 0; i < 3; ++i) CHECK(pair.connection.send_unsent());
    CHECK(pair.connection.has_unsent());
    CHECK(difference(before.substr(0, filled) + data, pair.receive_rest()) == "the same");
}

TEST_CASE("Connection: reads one buffer of 64 KiB, and says whether it brought bytes") {
    STATIC_REQUIRE(buffer_size == 65536);
    Local pair = local();
    CHECK_FALSE(pair.connection.had_input());
    pair.send(std::string(2 * buffer_size + 5, 'x'));
    for (const std::size_t unread : {buffer_size + 5, std::size_t{5}, std::size_t{0}}) {
        CHECK(pair.connection.echo_buffer(no_time));
        CHECK(pair.unread() == unread);
        CHECK(pair.connection.had_input());
        pair.receive_rest();
    }
}

TEST_CASE("Connection: does nothing when there is no input after all") {
    Local pair = local();
    pair.send(std::string(buffer_size, 'x'));
    CHECK(pair.connection.echo_buffer(no_time));
    pair.receive_rest();
    CHECK(pair.connection.echo_buffer(no_time));
    CHECK_FALSE(pair.connection.had_input());
    CHECK_FALSE(pair.connection.has_unsent());
    CHECK(pair.receive().empty());
}

TEST_CASE("Connection: must not be read from while bytes are unsent") {
    const Outcome child = in_child([] {
        Local pair = local();
        pair.send(std::string(buffer_size, 'x'));
        std::cout << pair.connection.echo_buffer(no_time) << std::flush;
        std::cout << pair.connection.echo_buffer(no_time) << std::flush;
    });
    CHECK(child.out == "1");
    CHECK(child.ended == "ended by signal Aborted");
}

TEST_CASE("Connection: has memory for unsent bytes only while there are any") {
    Local pair = local();
    pair.send(std::string(buffer_size, 'x'));
    const std::size_t idle = memory_held(); // no assertions meanwhile: they need memory, too
    const bool open = pair.connection.echo_buffer(no_time);
    const std::size_t waiting = memory_held();
    pair.receive_rest();
    const std::size_t idle_again = memory_held();

    CHECK(open);
    CHECK(waiting - idle > buffer_size / 2);
    CHECK(waiting - idle <= buffer_size + 4096);
    CHECK_FALSE(pair.connection.has_unsent());
    CHECK(idle_again == idle);
}

TEST_CASE("Connection: needs no memory for a client that takes its data") {
    Local pair = local();
    pair.send("hello");
    bool open = false;
    {
        const NoMemoryFor anything(1);
        open = pair.connection.echo_buffer(no_time);
    }
    CHECK(open);
    CHECK(pair.receive() == "hello");
}

TEST_CASE("Connection: without memory for its unsent bytes the client is lost, and nothing else is") {
    const Outcome child = in_child([] {
        verbose = true;
        Local pair = local();
        pair.send(std::string(buffer_size, 'x'));
        const NoMemoryFor as_much(buffer_size / 2);
        std::cout << pair.connection.echo_buffer(no_time);
    });
    CHECK(child.out == "0");
    CHECK_THAT(child.err, ContainsSubstring(": left: no memory for its unsent bytes\n"));
    CHECK(child.ended == "exit status 0");
}

TEST_CASE("Connection: narrates what it does") {
    const Outcome child = in_child([] {
        verbose = true;
        Local pair = local();
        dup2(pair.connection.fd(), 100);
        pair.connection = Connection(Fd(100));
        pair.send("hello");
        std::cout << pair.connection.echo_buffer(no_time);
        std::cout << pair.receive();
        pair.send(std::string(buffer_size, 'x'));
        std::cout << pair.connection.echo_buffer(no_time);
        pair.receive_rest();
        shutdown(pair.client.get(), SHUT_WR);
        std::cout << pair.connection.echo_buffer(no_time);
    });
    CHECK(child.out == "1hello10");
    CHECK(child.err.starts_with("fd 100: echoed 5 of 5 bytes\nfd 100: echoed "));
    CHECK_THAT(child.err, ContainsSubstring(" of 65536 bytes\nfd 100: room for "));
    CHECK(child.err.ends_with(" more bytes, 0 still unsent\nfd 100: left: it closed\n"));
}
