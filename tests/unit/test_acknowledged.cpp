#include "common/acknowledged.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"

namespace {

constexpr int small = 4096; // bytes of the client's receive buffer

/// How many bytes the other end's kernel has not acknowledged.
int unacknowledged(int socket) {
    int bytes = 0;
    check(ioctl(socket, SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
    return bytes;
}

/// Writes more than the client has room for, so that some of it stays unacknowledged until the client reads. Gives how
/// many bytes the kernel took.
std::size_t write_much(const Fd& socket) {
    const std::string data(1 << 16, 'x');
    return static_cast<std::size_t>(check(static_cast<int>(write(socket.get(), data.data(), data.size())), "write"));
}

} // namespace

TEST_CASE("wait_until_acknowledged: returns at once when nothing is on its way") {
    const TcpPair pair = tcp_pair();
    wait_until_acknowledged(pair.server.get());
    CHECK(unacknowledged(pair.server.get()) == 0);
}

TEST_CASE("wait_until_acknowledged: waits until the client's kernel has it all") {
    TcpPair pair = tcp_pair(small);
    const std::size_t written = write_much(pair.server);
    REQUIRE(unacknowledged(pair.server.get()) > 0);
    Child server([&] {
        std::cout << "waits" << std::endl;
        wait_until_acknowledged(pair.server.get());
        std::cout << unacknowledged(pair.server.get()) << " left";
    });
    server.wait_until_it_waits("waits");
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

TEST_CASE("wait_until_acknowledged: does not wait on what is no connection") {
    CHECK(in_child([] { wait_until_acknowledged(-1); }).ended == "exit status 0");
}
