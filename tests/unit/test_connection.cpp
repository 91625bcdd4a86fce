#include "common/connection.h"

#include <iostream>
#include <map>

#include "common/write_all.h"
#include "tests/catch.h"
#include "tests/support/failed.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"
#include "tests/unit/counted_memory.h"
#include "tests/unit/socket_pair.h"

// That no byte is lost or doubled where there is little room, the cases and the faults see on 04 to 06.

namespace {

constexpr milliseconds no_time{0};
constexpr std::size_t buffer_size = 64 * 1024;
const std::string much(buffer_size, 'x'); // more than the kernel takes from the server

/// A connection within the process, without TCP's timing. The server's send buffer is small, a few kilobytes.
struct Local {
    Connection connection;
    Fd client;

    /// Everything has room.
    void send(std::string_view data) const {
        const auto sent = static_cast<std::size_t>(write(client.get(), data.data(), data.size()));
        if (sent != data.size()) throw Failed{text("sent ", data.size(), " bytes"), "room for all", text(sent)};
    }

    /// What is there now.
    [[nodiscard]] std::string receive() const {
        std::string data(1 << 20, '\0');
        const ssize_t count = recv(client.get(), data.data(), data.size(), MSG_DONTWAIT);
        data.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        return data;
    }

    /// What the client gets when it takes all there is as soon as it is there, until nothing is unsent any more.
    std::string receive_rest() {
        std::string all = receive();
        while (connection.has_unsent() && connection.send_unsent()) all += receive();
        return all;
    }
};

/// The client has sent `data`.
Local local(std::string_view data) {
    SocketPair pair = socket_pair(SOCK_STREAM | SOCK_NONBLOCK);
    Local ends{Connection(std::move(pair.one)), std::move(pair.other)};
    ends.send(data);
    return ends;
}

} // namespace

TEST_CASE("Connection: after a reset the client is gone") {
    TcpPair pair = tcp_pair();
    pair.client.reset();
    pollfd broken{pair.server.get(), 0, 0};
    REQUIRE(poll(&broken, 1, 10000) == 1);
    CHECK_FALSE(Connection(std::move(pair.server)).echo_buffer(no_time));
}

TEST_CASE("Connection: a client that is gone when the answer is sent is done, and nobody is killed") {
    Local pair = local("hello");
    shutdown(pair.client.get(), SHUT_RD);
    const std::string printed = printed_by([&] {
        ignore_write_signals();
        verbose = true;
        std::cout << pair.connection.echo_buffer(no_time);
    });
    CHECK(printed == text("0 STDERR: fd ", pair.connection.fd(), ": left: Broken pipe\n"));
}

TEST_CASE("deliver: a client that is gone is told of once") {
    Local pair = local(much);
    CHECK(pair.connection.echo_buffer(no_time)); // so some bytes are unsent
    shutdown(pair.client.get(), SHUT_RD);
    const int fd = pair.connection.fd();
    const std::string printed = printed_by([&] {
        ignore_write_signals();
        verbose = true;
        std::map<int, Connection> clients;
        clients.emplace(fd, std::move(pair.connection));
        deliver(clients);
    });
    CHECK(printed == text(" STDERR: fd ", fd, ": left: Broken pipe\n"));
}

TEST_CASE("Connection: keeps a whole buffer when there is no room at all, and loses nothing while there is none") {
    Local pair = local("hello");
    const auto filled = write(pair.connection.fd(), much.data(), much.size()); // it fills the kernel's buffer
    CHECK(pair.connection.echo_buffer(no_time));
    for (int i = 0; i < 3; ++i) CHECK(pair.connection.send_unsent());
    CHECK(pair.connection.has_unsent());
    CHECK(pair.receive_rest() == much.substr(0, static_cast<std::size_t>(filled)) + "hello");
}

TEST_CASE("Connection: reads one buffer of 64 KiB, and says whether it brought bytes") {
    Local pair = local(much + much + "12345");
    CHECK_FALSE(pair.connection.had_input());
    for (const std::size_t size : {buffer_size, buffer_size, std::size_t{5}}) {
        CHECK(pair.connection.echo_buffer(no_time));
        CHECK(pair.connection.had_input());
        CHECK(pair.receive_rest().size() == size);
    }
    CHECK(pair.connection.echo_buffer(no_time)); // there is no input after all
    CHECK_FALSE(pair.connection.had_input());
    CHECK(pair.receive().empty());
}

TEST_CASE("Connection: must not be read from while bytes are unsent") {
    Local pair = local(much);
    CHECK(pair.connection.echo_buffer(no_time));
    CHECK(in_child([&] { static_cast<void>(pair.connection.echo_buffer(no_time)); }).ended ==
          "ended by signal Aborted");
}

TEST_CASE("Connection: has memory for unsent bytes only while there are any") {
    Local pair = local(much);
    const std::size_t idle = memory_held; // no assertions meanwhile: they need memory, too
    const bool open = pair.connection.echo_buffer(no_time);
    const std::size_t waiting = memory_held;
    pair.receive_rest();
    const std::size_t idle_again = memory_held;

    CHECK(open);
    CHECK(waiting - idle > buffer_size / 2);
    CHECK(waiting - idle <= buffer_size + 4096);
    CHECK_FALSE(pair.connection.has_unsent());
    CHECK(idle_again == idle);
}

TEST_CASE("Connection: needs no memory for a client that takes its data") {
    Local pair = local("hello");
    bool open = false;
    {
        const NoMemoryFor anything(1);
        open = pair.connection.echo_buffer(no_time);
    }
    CHECK(open);
    CHECK(pair.receive() == "hello");
}

TEST_CASE("Connection: without memory for its unsent bytes the client is lost, and nothing else is") {
    Local pair = local(much);
    const std::string printed = printed_by([&] {
        verbose = true;
        const NoMemoryFor as_much(buffer_size / 2);
        std::cout << pair.connection.echo_buffer(no_time);
    });
    CHECK(printed.starts_with("0 STDERR: fd "));
    CHECK(printed.ends_with(": left: no memory for its unsent bytes\n")); // and nothing about how it ended
}

TEST_CASE("Connection: narrates what it does") {
    Local pair = local("hello");
    const std::string fd = text("fd ", pair.connection.fd());
    const Outcome child = in_child([&] {
        verbose = true;
        std::cout << pair.connection.echo_buffer(no_time) << pair.receive();
        pair.send(much);
        std::cout << pair.connection.echo_buffer(no_time);
        pair.receive_rest();
        shutdown(pair.client.get(), SHUT_WR);
        std::cout << pair.connection.echo_buffer(no_time);
    });
    CHECK(child.out == "1hello10");
    CHECK(child.err.starts_with(fd + ": echoed 5 of 5 bytes\n" + fd + ": echoed "));
    CHECK_THAT(child.err, ContainsSubstring(" of 65536 bytes\n" + fd + ": room for "));
    CHECK(child.err.ends_with(" more bytes, 0 still unsent\n" + fd + ": left: end of file\n"));
}
