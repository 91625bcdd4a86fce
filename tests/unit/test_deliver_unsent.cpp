#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <atomic>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/connection.h"
#include "common/piece.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"
#include "tests/unit/counted_memory.h"

namespace {

constexpr int small = 4096; // bytes of a buffer that is soon full
constexpr int big = 200000; // bytes of a buffer with room for a piece

/// Adds the server's end, which has then read what the client sent and written what there was room for.
Connection& add(Connections& connections, TcpPair& pair, int send_buffer) {
    setsockopt(pair.server.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    const int fd = pair.server.get();
    Connection& connection = connections.emplace(fd, std::move(pair.server)).first->second;
    pollfd readable{fd, POLLIN, 0};
    check(poll(&readable, 1, -1), "poll");
    connection.on_readable(milliseconds(0));
    return connection;
}

int unacknowledged(const Connection& connection) {
    int bytes = 0;
    check(ioctl(connection.fd(), SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
    return bytes;
}

} // namespace

TEST_CASE("deliver_unsent: returns at once when there is nobody") {
    Connections connections;
    deliver_unsent(connections);
    CHECK(connections.empty());
}

TEST_CASE("deliver_unsent: sends everybody what is unsent, and waits until they have it") {
    const std::string data = random_bytes(piece_size, 1);
    std::vector<TcpPair> pairs;
    for (int i = 0; i < 3; ++i) {
        pairs.push_back(tcp_pair(small));
        pairs.back().client.send(data);
    }
    Child server([&] {
        Connections connections;
        for (TcpPair& pair : pairs) {
            if (add(connections, pair, small).interest() != Interest::write)
                std::cout << "all is sent, so nothing is tested";
        }
        std::cout << "delivers" << std::endl;
        deliver_unsent(connections);
        for (const auto& [fd, connection] : connections) {
            std::cout << (connection.interest() == Interest::read) << ' ' << unacknowledged(connection) << " left\n";
        }
    });
    server.wait_until_it_waits("delivers");
    for (TcpPair& pair : pairs) CHECK(difference(data, pair.client.receive(data.size())) == "the same");
    CHECK(server.outcome().out == "delivers\n1 0 left\n1 0 left\n1 0 left\n");
}

TEST_CASE("deliver_unsent: waits for what the kernel had taken before") {
    const std::string data = random_bytes(piece_size, 2);
    TcpPair pair = tcp_pair(small);
    pair.client.send(data);
    Child server([&] {
        Connections connections;
        const Connection& connection = add(connections, pair, big);
        std::cout << (connection.interest() == Interest::read) << (unacknowledged(connection) > 0) << std::endl;
        deliver_unsent(connections);
        std::cout << unacknowledged(connection) << " left";
    });
    server.wait_until_it_waits("\n");
    CHECK(difference(data, pair.client.receive(data.size())) == "the same");
    CHECK(server.outcome().out == "11\n0 left");
}

TEST_CASE("deliver_unsent: where there is no memory for the list of clients, tries again until there is") {
    const std::string data = random_bytes(piece_size, 4);
    TcpPair pair = tcp_pair(small);
    pair.client.send(data);
    Child server([&] {
        Connections connections;
        const Connection& connection = add(connections, pair, small);
        std::cout << "delivers" << std::endl;
        std::optional<NoMemoryFor> none;
        std::atomic<bool> begun = false;
        std::thread later([&] {
            begun.wait(false);
            std::this_thread::sleep_for(milliseconds(20)); // sooner or later is the same to the test
            none.reset();
        });
        none.emplace(sizeof(pollfd));
        begun = true;
        begun.notify_one();
        deliver_unsent(connections);
        later.join();
        std::cout << (connection.interest() == Interest::read);
    });
    CHECK(difference(data, pair.client.receive(data.size())) == "the same");
    const Outcome outcome = server.outcome();
    CHECK(outcome.out == "delivers\n1");
    CHECK(outcome.ended == "exit status 0");
}

TEST_CASE("deliver_unsent: gives up a client that is gone, and still serves the others") {
    const std::string data = random_bytes(piece_size, 3);
    TcpPair gone = tcp_pair(small);
    TcpPair here = tcp_pair(small);
    gone.client.send(data);
    here.client.send(data);
    Child server([&] {
        gone.client.close(); // the forked copy
        Connections connections;
        const Connection& lost = add(connections, gone, small);
        const Connection& kept = add(connections, here, small);
        std::cout << "delivers" << std::endl;
        deliver_unsent(connections);
        std::cout << (lost.interest() == Interest::none) << (kept.interest() == Interest::read);
    });
    server.wait_until_it_waits("delivers");
    gone.client.reset();
    CHECK(difference(data, here.client.receive(data.size())) == "the same");
    const Outcome outcome = server.outcome();
    CHECK(outcome.out == "delivers\n11");
    CHECK(outcome.ended == "exit status 0");
}
