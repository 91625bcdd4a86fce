// The load generator must notice a server that does not keep the contract.

#include "tests/tools/bench/load.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "common/listener.h"
#include "tests/catch.h"
#include "tests/support/tcp_pair.h"

namespace {

/// What a server sends back for the piece that has come from client `number`.
using Answer = std::function<std::string(std::size_t number, std::string piece)>;

std::string unchanged(std::size_t, std::string piece) {
    return piece;
}

/// An echo server in a thread, for so many clients, that answers as told. It ends when all of them have left.
class Server {
  public:
    Server(std::size_t clients, Answer answer, std::string last_words = "")
        : listener_(open_listener(any_port())), address_(local_address(listener_.get())), clients_(clients),
          answer_(std::move(answer)), last_words_(std::move(last_words)), thread_(&Server::run, this) {}
    ~Server() {
        shutdown(listener_.get(), SHUT_RD);
        thread_.join();
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    [[nodiscard]] const Address& address() const { return address_; }

  private:
    Fd listener_;
    Address address_;
    std::size_t clients_;
    Answer answer_;
    std::string last_words_;
    std::thread thread_;

    void run() const {
        std::vector<Fd> clients;
        std::vector<pollfd> waiting{{listener_.get(), POLLIN, 0}};
        while (clients.size() < clients_ ||
               std::any_of(clients.begin(), clients.end(), [](auto& fd) { return !!fd; })) {
            poll(waiting.data(), waiting.size(), -1);
            for (std::size_t i = 0; i < clients.size(); ++i) {
                if (waiting[i + 1].revents != 0 && !serve(i, clients[i])) {
                    clients[i].reset();
                    waiting[i + 1].fd = -1;
                }
            }
            if (waiting[0].revents == 0) continue;
            Fd client(accept(listener_.get(), nullptr, nullptr));
            if (!client) return;
            waiting.push_back({client.get(), POLLIN, 0});
            clients.push_back(std::move(client));
        }
    }

    [[nodiscard]] bool serve(std::size_t number, const Fd& client) const {
        std::string piece(65536, '\0');
        const ssize_t count = recv(client.get(), piece.data(), piece.size(), 0);
        if (count > 0) piece.resize(static_cast<std::size_t>(count));
        const std::string back = count > 0 ? answer_(number, piece) : last_words_;
        ::send(client.get(), back.data(), back.size(), MSG_NOSIGNAL);
        return count > 0;
    }
};

/// What the load generator says about 500 messages of three clients.
std::string verdict(const Server& server, LoadOptions options = {}) {
    options.connections = 3;
    options.patience = milliseconds(300);
    try {
        Load load(server.address(), options);
        load.run_count(500);
        load.finish();
    } catch (const Failed& failed) {
        return failed.what();
    }
    return "all right";
}

bool contains(const std::string& all, const std::string& part) {
    INFO(all);
    return all.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("Load: finds nothing wrong with a right server") {
    CHECK(verdict(Server(3, unchanged)) == "all right");
    const LoadOptions streaming{.message = 3000, .in_flight = 4};
    CHECK(verdict(Server(3, unchanged), streaming) == "all right");
}

TEST_CASE("Load: counts the messages, and a latency for each") {
    const Server server(5, unchanged);
    const LoadOptions options{.connections = 3, .idle = 2};
    Load load(server.address(), options);
    const LoadResult result = load.run_count(200);
    CHECK(result.messages == 200);
    CHECK(result.latency.count() == 200);
    CHECK(result.latency.percentile(50) > 0);
    load.finish();
}

TEST_CASE("Load: with a rate sends so many, and no more") {
    const Server server(3, unchanged);
    const LoadOptions options{.connections = 3, .rate = 1000};
    Load load(server.address(), options);
    const LoadResult result = load.run_for(0.1);
    CHECK(result.messages > 10);
    CHECK(result.messages <= 101);
    load.finish();
}

TEST_CASE("Load: with a rate a server that halts delays all messages that were due meanwhile") {
    const auto begin = Clock::now();
    bool halted = false;
    const Server server(1, [&](std::size_t, std::string piece) {
        if (!halted && Clock::now() - begin > milliseconds(50)) {
            halted = true;
            std::this_thread::sleep_for(milliseconds(300));
        }
        return piece;
    });
    const LoadOptions options{.connections = 1, .rate = 1000};
    Load load(server.address(), options);
    const LoadResult result = load.run_for(0.6);
    load.finish();
    CHECK(result.latency.percentile(85) > 20'000'000); // without the schedule only one message would have been late
}

TEST_CASE("Load: makes a new connection for each message when told to") {
    const Server server(50, unchanged);
    const LoadOptions options{.connections = 3, .churn = true};
    Load load(server.address(), options);
    CHECK(load.run_count(50).messages == 50);
    load.finish();
}

TEST_CASE("Load: notices an altered byte") {
    int pieces = 0;
    const std::string said = verdict(Server(3, [&](std::size_t, std::string piece) {
        if (++pieces == 100) piece[17] = static_cast<char>(piece[17] ^ 1);
        return piece;
    }));
    CHECK(contains(said, "compared the echo"));
    CHECK(contains(said, "nothing that anybody sent"));
}

TEST_CASE("Load: notices a lost byte") {
    int pieces = 0;
    const std::string said = verdict(
        Server(3, [&](std::size_t, const std::string& piece) { return ++pieces == 100 ? piece.substr(1) : piece; }));
    CHECK(contains(said, "a later part, so some is lost"));
}

TEST_CASE("Load: notices that the end of the last message is lost") {
    int pieces = 0;
    const std::string said = verdict(
        Server(3, [&](std::size_t, const std::string& piece) { return ++pieces > 480 ? piece.substr(0, 10) : piece; }));
    CHECK(contains(said, "nothing for"));
}

TEST_CASE("Load: notices a repeated piece") {
    int pieces = 0;
    const std::string said = verdict(
        Server(3, [&](std::size_t, const std::string& piece) { return ++pieces == 100 ? piece + piece : piece; }));
    CHECK(contains(said, "so many, and no more"));
    CHECK(contains(said, "repeated"));
}

TEST_CASE("Load: notices pieces of two clients that are mixed up") {
    std::string others;
    const std::string said = verdict(Server(3, [&](std::size_t number, const std::string& piece) {
        if (number == 0) others = piece;
        return number == 1 && !others.empty() ? others : piece;
    }));
    CHECK(contains(said, "what was sent on connection 0"));
}

TEST_CASE("Load: notices a byte too many at the end") {
    CHECK(contains(verdict(Server(3, unchanged, "x")), "a byte more"));
}

namespace {

void echo(const Fd& client, int messages) {
    std::string piece(64, '\0');
    for (int i = 0; i < messages; ++i) {
        const ssize_t count = recv(client.get(), piece.data(), piece.size(), MSG_WAITALL);
        if (count > 0) ::send(client.get(), piece.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL);
    }
}

/// What the load generator says about a server that has one idle client and one with 10 messages, and then does this.
std::string verdict_after(const std::function<void(Fd& idle, Fd& active)>& fault) {
    const Fd listener = open_listener(any_port());
    const Address address = local_address(listener.get());
    std::thread server([&] {
        Fd idle(accept(listener.get(), nullptr, nullptr));
        echo(idle, 1);
        Fd active(accept(listener.get(), nullptr, nullptr));
        echo(active, 1 + 10); // the first one is sent when it connects
        fault(idle, active);
        char byte = 0;
        while (active && recv(active.get(), &byte, 1, 0) > 0) {
        }
    });
    std::string said = "all right";
    try {
        const LoadOptions options{.connections = 1, .idle = 1, .patience = milliseconds(300)};
        Load load(address, options);
        load.run_count(9);
        load.run_count(1);
        std::this_thread::sleep_for(milliseconds(20)); // the fault
        load.finish();
    } catch (const Failed& failed) {
        said = failed.what();
    }
    server.join();
    return said;
}

} // namespace

TEST_CASE("Load: notices a byte on a connection that said nothing") {
    CHECK(verdict_after([](Fd&, Fd&) {}) == "all right");
    const std::string said = verdict_after([](Fd& idle, Fd&) { ::send(idle.get(), "x", 1, 0); });
    CHECK(contains(said, "idle connection 0"));
}

TEST_CASE("Load: notices that an idle connection is closed") {
    CHECK(contains(verdict_after([](Fd& idle, Fd&) { idle.reset(); }), "the server closed"));
}
