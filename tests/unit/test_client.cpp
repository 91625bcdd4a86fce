#include "tests/support/client.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/write_all.h"
#include "tests/catch.h"
#include "tests/support/failed.h"
#include "tests/support/process.h"
#include "tests/support/tcp_pair.h"

namespace {

void answer(const TcpPair& pair, std::string_view data) {
    REQUIRE(write_all(pair.server.get(), data.data(), data.size()));
}

/// What the call complains about.
template <typename Call>
Failed failure(Call call) {
    try {
        call();
    } catch (const Failed& failed) {
        return failed;
    }
    return {"", "", "nothing failed"};
}

} // namespace

TEST_CASE("Client: takes the right echo") {
    TcpPair pair = tcp_pair();
    answer(pair, "hello");
    pair.client.expect_echo("hello");
    answer(pair, random_bytes(10000, 1));
    pair.client.exchange(random_bytes(10000, 1));
}

TEST_CASE("Client: notices a wrong echo") {
    TcpPair pair = tcp_pair();
    answer(pair, "hullo");
    CHECK(failure([&] { pair.client.expect_echo("hello"); }).got == "'hullo'");
    answer(pair, "abXd");
    CHECK(failure([&] { pair.client.exchange("abcd"); }).got == "from byte 0 on: byte 2 is 88 and not 99");
}

TEST_CASE("Client: notices that the server closed too early") {
    TcpPair pair = tcp_pair();
    answer(pair, "abc");
    shutdown(pair.server.get(), SHUT_WR);
    CHECK(failure([&] { pair.client.receive(4); }).got == "the end of file after 3");
}

TEST_CASE("Client: does not wait longer than its patience") {
    const Fd listener = open_listener(any_port());
    Client client({local_address(listener.get()), milliseconds(1)});
    CHECK(failure([&] { client.receive(1); }).got == "0 bytes, then nothing in 1 ms");
    CHECK_FALSE(client.hears_within(milliseconds(1)));
}

TEST_CASE("Client: says that nobody listens") {
    Fd listener = open_listener(any_port());
    const Address address = local_address(listener.get());
    listener.reset();
    CHECK(failure([&] { Client client({address}); }).got == "Connection refused");
}

TEST_CASE("Client: receives up to the end") {
    TcpPair pair = tcp_pair();
    answer(pair, "abc");
    pair.server.reset();
    CHECK(pair.client.receive_all() == "abc");
}

TEST_CASE("Client: finish_sending is the end of file, reset is a reset") {
    std::array<char, 10> piece{};
    TcpPair finished = tcp_pair();
    finished.client.finish_sending();
    CHECK(eventually([&] { return read(finished.server.get(), piece.data(), piece.size()) == 0; }));
    answer(finished, "still there");
    CHECK(finished.client.receive(11) == "still there");

    TcpPair gone = tcp_pair();
    gone.client.reset();
    CHECK(eventually([&] { return read(gone.server.get(), piece.data(), piece.size()) < 0 && errno == ECONNRESET; }));
}
