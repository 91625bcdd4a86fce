#include "common/listener.h"

#include <fcntl.h>
#include <sched.h>

#include <iostream>

#include "tests/catch.h"
#include "tests/report.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"
#include "tests/support/tcp_pair.h"

namespace {

int get_option(const Fd& socket, int level, int name) {
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

/// Whether this machine has IPv6 at all; many containers do not.
bool has_ipv6() {
    const Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address = parse_address("::1", 0).value();
    return socket && bind(socket.get(), address.raw(), address.size) == 0;
}

} // namespace

TEST_CASE("open_listener: clients can connect to it, over IPv4 and IPv6") {
    const std::string host = GENERATE("127.0.0.1", "::1");
    if (host == "::1" && !has_ipv6()) return skip("this machine has no IPv6");
    const Fd listener = open_listener(on(parse_address(host, 0).value()));
    const Client client({local_address(listener.get())});
    Address address;
    const Fd accepted(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC));
    CHECK(accepted);
    CHECK_THAT(to_string(address), ContainsSubstring(host));
    CHECK(to_string(address) == to_string(client.address()));
}

TEST_CASE("open_listener: port 0 takes a free one, another one each time") {
    const Fd one = open_listener(any_port());
    const Fd other = open_listener(any_port());
    CHECK(to_string(local_address(one.get())) != "127.0.0.1:0");
    CHECK(to_string(local_address(one.get())) != to_string(local_address(other.get())));
}

TEST_CASE("open_listener: says that a port is taken, and which") {
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

TEST_CASE("set_option: says which option it was") {
    CHECK_THROWS_WITH(set_option(-1, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"),
                      "setsockopt SO_KEEPALIVE: Bad file descriptor");
}

TEST_CASE("open_listener: a restart gets its port again although a connection is still in TIME_WAIT") {
    Fd listener = open_listener(any_port());
    const Address address = local_address(listener.get());
    Client client({address});
    Fd accepted(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    accepted.reset(); // the end that closes first keeps the port in TIME_WAIT
    CHECK(client.receive_all().empty());
    client.close();
    listener.reset();

    CHECK_NOTHROW(listener = open_listener(on(address)));
    CHECK(to_string(local_address(listener.get())) == to_string(address));
}

TEST_CASE("open_listener: an accepted socket inherits TCP_NODELAY, and the search for clients that have vanished") {
    const TcpPair pair = tcp_pair();
    CHECK(get_option(pair.server, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(get_option(pair.server, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(get_option(pair.server, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(get_option(pair.server, IPPROTO_TCP, TCP_KEEPINTVL) == 10);
    CHECK(get_option(pair.server, IPPROTO_TCP, TCP_KEEPCNT) == 6);
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

TEST_CASE("open_listener: is closed on exec, and blocks in accept unless SOCK_NONBLOCK is asked for") {
    const int flags = GENERATE(0, SOCK_NONBLOCK);
    const Fd listener = open_listener(any_port(), flags);
    CHECK((fcntl(listener.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK((fcntl(listener.get(), F_GETFL) & O_NONBLOCK) == (flags != 0 ? O_NONBLOCK : 0));
}

TEST_CASE("open_listener: on :: it is there for IPv4 clients, too, where the system would have it otherwise") {
    const Outcome child = in_child([] {
        unshare(CLONE_NEWUSER | CLONE_NEWNET); // a network of its own, whose settings we may change
        const Fd setting(open("/proc/sys/net/ipv6/bindv6only", O_WRONLY | O_CLOEXEC));
        if (write(setting.get(), "1", 1) != 1) return;
        const Fd plain(check(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
        const Fd listener = open_listener(on(parse_address("::", 0).value()));
        std::cout << get_option(plain, IPPROTO_IPV6, IPV6_V6ONLY) << get_option(listener, IPPROTO_IPV6, IPV6_V6ONLY);
    });
    if (child.out.empty() && child.err.empty()) return skip("no network namespaces here");
    CHECK(child.out == "10");
}

TEST_CASE("announce: prints immediately where to connect, or throws") {
    const Fd listener = open_listener(any_port());
    const Outcome child = in_child([&] {
        announce(listener.get());
        dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
        announce(listener.get());
    });
    CHECK(child.out == "listening on " + to_string(local_address(listener.get())) + "\n");
    CHECK(child.err == "thrown: write standard output: No space left on device\n");
}
