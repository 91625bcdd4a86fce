#include "tests/support/crowd.h"

#include <random>

#include "tests/support/failed.h"
#include "tests/support/sockets.h"

Crowd::Crowd(const Endpoint& server, std::size_t size, bool may_be_refused)
    : patience_(server.patience), may_be_refused_(may_be_refused) {
    members_.reserve(size);
    bool paced = server.has_room;
    for (std::size_t i = 0; i < size; ++i) {
        const std::string name = text("client ", i);
        members_.emplace_back(server,
                              Role{.name = name, .data = lines_.emplace_back(name + "\n"), .end = Role::End::stays});
        members_.back().act(POLLOUT); // its line goes before the next one connects
        // In portions that fit into a queue of ordinary length, while the server takes them.
        constexpr std::size_t portion = 32;
        if (!paced || members_.size() % portion != 0) continue;
        paced = eventually([&] { return accept_queue(server) == 0; }, milliseconds(1000));
    }
}

void Crowd::judge() {
    const auto failed = [](const Talker& member) { return member.done() && !member.served(); };
    for (const Talker& member : members_) {
        const bool is_wrong = !member.wrong().empty();
        if (!is_wrong && (!failed(member) || (may_be_refused_ && member.got() == 0))) continue;
        const std::string line(member.role().data);
        throw Failed{"sent '" + line + "'", "it back",
                     is_wrong ? member.wrong() : "'" + line.substr(0, member.got()) + "'"};
    }
    refused_ += std::erase_if(members_, failed);
}

std::optional<Clock::duration> Crowd::time_of(std::size_t number) const {
    const Talker& member = members_.at(number);
    return member.served() ? std::optional(member.done_at() - member.connects_at()) : std::nullopt;
}

Clock::duration Crowd::time_of_all() const {
    Clock::time_point last = first_connects_;
    for (const Talker& member : members_) last = std::max(last, member.done_at());
    return last - first_connects_;
}

std::size_t Crowd::wait_for_lines(milliseconds quiet) {
    play(members_, quiet);
    judge();
    return served();
}

void Crowd::serve_and_leave() {
    const auto leave = [&] {
        judge();
        std::erase_if(members_, is_served);
    };
    if (play(members_, patience_, {leave, {}})) return;
    throw Failed{"served clients left", "that the waiting ones are served then",
                 text(members_.size(), " of them still wait after ", patience_.count(), " ms")};
}

void all_get_their_line_back(std::vector<Client>& clients) {
    for (std::size_t i = 0; i < clients.size(); ++i) clients[i].send(text("client ", i, "\n"));
    for (std::size_t i = 0; i < clients.size(); ++i) {
        const std::string line = text("client ", i, "\n");
        clients[i].expect_repeated(line, 0, line.size(), "sent '" + line + "'");
    }
}

void exchange_at_once(const Endpoint& server, std::size_t clients, std::size_t size) {
    const std::string bytes = random_bytes(size, clients);
    const std::string twice = bytes + bytes; // each begins at a place of its own, and has them all
    std::mt19937 random(static_cast<unsigned>(clients));
    std::uniform_int_distribution<std::size_t> piece_sizes(1000, 100000);
    std::vector<Talker> all;
    for (std::size_t i = 0; i < clients; ++i) {
        all.emplace_back(server, Role{.name = text("client ", i),
                                      .data = std::string_view(twice).substr(i * 7919 % size, size),
                                      .piece = piece_sizes(random),
                                      .end = Role::End::stays}); // so nobody is served only because another has left
    }
    play_to_the_end(all, server.patience, text(clients, " clients sent data"));
}
