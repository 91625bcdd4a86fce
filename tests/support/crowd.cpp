#include "tests/support/crowd.h"

#include <poll.h>

#include <algorithm>
#include <random>

#include "tests/support/failed.h"
#include "tests/support/sockets.h"

Crowd::Crowd(const Endpoint& server, std::size_t size, bool may_be_refused)
    : patience_(server.patience), may_be_refused_(may_be_refused) {
    members_.reserve(size);
    bool paced = server.has_room;
    for (std::size_t i = 0; i < size; ++i) {
        const auto now = Clock::now();
        members_.push_back({Client(server), now, text("client ", i, "\n")});
        try {
            members_.back().client.send(members_.back().line);
        } catch (const Failed&) {
            if (!may_be_refused) throw; // else its first receive fails as well
        }
        // In portions that fit into a queue of ordinary length, while the server takes them.
        constexpr std::size_t portion = 32;
        if (!paced || members_.size() % portion != 0) continue;
        paced = eventually([&] { return accept_queue(server) == 0; }, milliseconds(1000));
    }
}

bool Crowd::receive_some(milliseconds time) {
    std::vector<pollfd> waiting;
    std::vector<Member*> whose;
    for (Member& member : members_) {
        if (!member.waits()) continue;
        waiting.push_back({member.client.fd(), POLLIN, 0});
        whose.push_back(&member);
    }
    if (waiting.empty() || poll(waiting.data(), waiting.size(), static_cast<int>(time.count())) == 0) return false;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i].revents == 0) continue;
        receive(*whose[i]);
    }
    return true;
}

void Crowd::receive(Member& member) {
    std::string piece;
    try {
        piece = member.client.receive_some(member.line.size() - member.back.size());
    } catch (const Failed&) {
        if (!may_be_refused_) throw;
    }
    member.back += piece;
    if (may_be_refused_ && member.back.empty()) {
        member.refused = true;
        ++refused_;
    } else if (!member.line.starts_with(member.back) || piece.empty()) {
        throw Failed{"sent '" + member.line + "'", "it back", "'" + member.back + "'"};
    } else if (member.served()) {
        ++served_;
        member.served_at = last_served_ = Clock::now();
    }
}

std::optional<Clock::duration> Crowd::time_of(std::size_t number) const {
    const Member& member = members_.at(number);
    return member.served() ? std::optional(member.served_at - member.connects) : std::nullopt;
}

std::size_t Crowd::wait_for_lines(milliseconds quiet) {
    while (receive_some(quiet)) {
    }
    return served_;
}

void Crowd::serve_and_leave() {
    for (;;) {
        std::erase_if(members_, [](const Member& member) { return !member.waits(); });
        if (members_.empty()) return;
        if (!receive_some(patience_)) {
            throw Failed{"served clients left", "that the waiting ones are served then",
                         text(members_.size(), " of them still wait after ", patience_.count(), " ms")};
        }
    }
}

void all_get_their_line_back(std::vector<Client>& clients) {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send(text("client ", i, "\n"));
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const std::string line = text("client ", i, "\n");
        const std::string back = clients[i].receive(line.size());
        if (back != line) throw Failed{"sent '" + line + "'", "the same back", "'" + back + "'"};
    }
}

void reset_all(std::vector<Client>& clients) {
    for (Client& client : clients) client.reset();
}

void exchange_at_once(const Endpoint& server, std::size_t clients, std::size_t size) {
    const std::string bytes = random_bytes(size, clients);
    std::mt19937 random(static_cast<unsigned>(clients));
    std::uniform_int_distribution<std::size_t> piece_sizes(1, 100000);
    std::vector<Client> all = connect_clients(server, clients);
    std::vector<Exchange> exchanges;
    for (Client& client : all) exchanges.emplace_back(client, bytes, exchanges.size() * 7919 % size);

    while (!std::all_of(exchanges.begin(), exchanges.end(), [](const Exchange& one) { return one.done(); })) {
        std::vector<pollfd> waiting;
        for (const Exchange& one : exchanges) waiting.push_back(one.waits_for());
        if (poll(waiting.data(), waiting.size(), static_cast<int>(server.patience.count())) == 0) {
            throw Failed{text(clients, " clients sent data"), "all of it back",
                         text("nothing more in ", server.patience.count(), " ms")};
        }
        for (std::size_t i = 0; i < exchanges.size(); ++i) exchanges[i].act(waiting[i].revents, piece_sizes(random));
    }
}
