#include "tests/support/client.h"

#include <unistd.h>

#include <cerrno>

#include "common/write_all.h"
#include "tests/catch.h"
#include "tests/support/tcp_pair.h"

// That a client sends and receives what it should, each case sees. Here is what it must notice.

namespace {

void answer(const TcpPair& pair, std::string_view data) {
    REQUIRE(write_all(pair.server.get(), data));
}

} // namespace

TEST_CASE("Client: notices a wrong echo") {
    TcpPair pair = tcp_pair();
    answer(pair, "hullo");
    CHECK_THROWS_WITH(pair.client.expect_echo("hello"), EndsWith(", got 'hullo'"));
    answer(pair, "abXd");
    CHECK_THROWS_WITH(pair.client.expect_repeated("abcd", 0, 4, "sent it"), EndsWith(", got byte 2 is 88 and not 99"));
}

TEST_CASE("Client: notices that the server closed too early") {
    TcpPair pair = tcp_pair();
    answer(pair, "abc");
    shutdown(pair.server.get(), SHUT_WR);
    CHECK_THROWS_WITH(pair.client.receive(4), EndsWith(", got the end of file after 3"));
}

TEST_CASE("Client: does not wait longer than its patience") {
    const Fd listener = open_listener(any_port());
    Client client({local_address(listener.get()), milliseconds(1)});
    CHECK_THROWS_WITH(client.receive(1), EndsWith(", got 0 bytes, then nothing in 1 ms"));
    CHECK_FALSE(client.hears_within(milliseconds(1)));
}

TEST_CASE("Client: reset is a reset, and not the end of file") {
    TcpPair pair = tcp_pair();
    pair.client.reset();
    char byte = 0;
    CHECK(eventually([&] { return read(pair.server.get(), &byte, 1) < 0 && errno == ECONNRESET; }));
}
