#include "common/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "tests/catch.h"
#include "tests/report.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"
#include "tests/support/tcp_pair.h"

namespace {

int option(const Fd& socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(socket.get(), level, name, &value, &size);
    return value;
}

Options on(const Address& address) {
    Options options;
    options.address = address;
    return options;
}

/// Whether this machine has IPv6 at all; many containers have not.
bool has_ipv6() {
    const Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address = parse_address("::1", 0).value();
    return socket && bind(socket.get(), address.raw(), address.size) == 0;
}

} // namespace

TEST_CASE("open_listener: clients can connect to it") {
    const Fd listener = open_listener(any_port());
    const Client client({local_address(listener.get())});

    Address address;
    const Fd accepted(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC));
    CHECK(accepted);
    CHECK(to_string(address) == to_string(client.address()));
}

TEST_CASE("open_listener: port 0 takes a free one, another one each time") {
    const Fd one = open_listener(any_port());
    const Fd other = open_listener(any_port());
    CHECK(to_string(local_address(one.get())) != "127.0.0.1:0");
    CHECK(to_string(local_address(one.get())) != to_string(local_address(other.get())));
}

TEST_CASE("open_listener: says that a port is taken, and whose") {
    const Fd first = open_listener(any_port());
    const Address taken = local_address(first.get());
    const std::size_t open_before = open_descriptors(getpid());
    try {
        open_listener(on(taken));
        FAIL("nothing was thrown");
    } catch (const std::system_error& error) {
        CHECK(error.what() == "bind " + to_string(taken) + ": Address already in use");
        CHECK(error.code() == std::errc::address_in_use);
    }
    CHECK(open_descriptors(getpid()) == open_before);
}

TEST_CASE("open_listener: says that an address is not this machine's") {
    // 192.0.2.0/24 is for examples in documentation (RFC 5737); no machine has one of these.
    CHECK_THROWS_WITH(open_listener(on(parse_address("192.0.2.1", 7007).value())),
                      "bind 192.0.2.1:7007: Cannot assign requested address");
}

TEST_CASE("open_listener: a restart gets its port again although a connection is still in TIME_WAIT") {
    Fd listener = open_listener(any_port());
    CHECK(option(listener, SOL_SOCKET, SO_REUSEADDR) == 1);
    const Address address = local_address(listener.get());
    Client client({address});
    Fd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    accepted.reset(); // who closes first keeps the port in TIME_WAIT
    CHECK(client.receive_all().empty());
    client.close();
    listener.reset();

    CHECK_NOTHROW(listener = open_listener(on(address)));
    CHECK(to_string(local_address(listener.get())) == to_string(address));
}

TEST_CASE("open_listener: the accepted socket inherits TCP_NODELAY") {
    const TcpPair pair = tcp_pair();
    CHECK(option(pair.server, IPPROTO_TCP, TCP_NODELAY) == 1);
}

TEST_CASE("open_listener: lets as many wait as the backlog says") {
    Options options = any_port();
    options.backlog = 17;
    const Fd listener = open_listener(options);
    tcp_info info{}; // of a listening socket the kernel tells here what ss(8) prints as Send-Q
    socklen_t size = sizeof info;
    REQUIRE(getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
    CHECK(info.tcpi_sacked == 17);
}

TEST_CASE("open_listener: is closed on exec") {
    CHECK((fcntl(open_listener(any_port()).get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((fcntl(open_listener(any_port(), Mode::nonblocking).get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("open_listener: waits in accept unless it is asked for Mode::nonblocking") {
    const Fd waiting = open_listener(any_port());
    CHECK((fcntl(waiting.get(), F_GETFL) & O_NONBLOCK) == 0);

    const Fd not_waiting = open_listener(any_port(), Mode::nonblocking);
    REQUIRE((fcntl(not_waiting.get(), F_GETFL) & O_NONBLOCK) != 0);
    const int accepted = accept4(not_waiting.get(), nullptr, nullptr, SOCK_CLOEXEC);
    const int error = errno;
    CHECK(accepted == -1);
    CHECK(error == EAGAIN);
}

TEST_CASE("open_listener: takes IPv6 clients on an IPv6 address") {
    if (!has_ipv6()) {
        skip("this machine has no IPv6");
        return;
    }
    const Fd listener = open_listener(on(parse_address("::1", 0).value()));
    const Client client({local_address(listener.get())});
    Address address;
    const Fd accepted(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC));
    CHECK(accepted);
    CHECK(to_string(address).starts_with("[::1]:"));
    CHECK(to_string(address) == to_string(client.address()));
}

TEST_CASE("announce: prints where to connect, and flushes") {
    const Fd listener = open_listener(any_port());
    const Outcome child = in_child([&] {
        announce(listener.get());
        _exit(0); // what is not flushed is lost
    });
    CHECK(child.out == "listening on " + to_string(local_address(listener.get())) + "\n");
    CHECK(child.err.empty());
}
