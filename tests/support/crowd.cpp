#include "tests/support/crowd.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <random>

#include "tests/support/failed.h"

Crowd::Crowd(const Endpoint& server, std::size_t size) : patience_(server.patience) {
    members_.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto now = Clock::now();
        members_.push_back({Client(server), now, text("client ", i, "\n")});
        members_.back().client.send(members_.back().line);
    }
}

bool Crowd::receive_some(milliseconds time) {
    std::vector<pollfd> waiting;
    std::vector<Member*> whose;
    for (Member& member : members_) {
        if (member.served()) continue;
        waiting.push_back({member.client.fd(), POLLIN, 0});
        whose.push_back(&member);
    }
    if (waiting.empty() || poll(waiting.data(), waiting.size(), static_cast<int>(time.count())) == 0) return false;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        if (waiting[i].revents == 0) continue;
        Member& member = *whose[i];
        const std::string piece = member.client.receive_some(member.line.size() - member.back.size());
        member.back += piece;
        if (!member.line.starts_with(member.back) || piece.empty()) {
            throw Failed{"sent '" + member.line + "'", "it back", "'" + member.back + "'"};
        }
        if (!member.served()) continue;
        ++served_;
        member.served_at = last_served_ = Clock::now();
    }
    return true;
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
        std::erase_if(members_, [](const Member& member) { return member.served(); });
        if (members_.empty()) return;
        if (!receive_some(patience_)) {
            throw Failed{"served clients left", "that the waiting ones are served then",
                         text(members_.size(), " of them still wait after ", patience_.count(), " ms")};
        }
    }
}

namespace {

/// One client's stream: the common bytes, begun at a place of its own.
struct Stream {
    Client client;
    std::size_t start;
    std::size_t sent = 0;
    std::size_t received = 0;
};

/// The part of the stream from `position` on that lies in one piece in `bytes`, at most `most` long.
std::string_view part(const std::string& bytes, const Stream& stream, std::size_t position, std::size_t most) {
    const std::size_t at = (stream.start + position) % bytes.size();
    return std::string_view(bytes).substr(at, std::min(most, bytes.size() - position));
}

void send_piece(Stream& stream, const std::string& bytes, std::size_t most) {
    const long count = stream.client.send_some(part(bytes, stream, stream.sent, most));
    if (count < 0) throw Failed{"sent data", "a server that reads it", std::strerror(errno)};
    stream.sent += static_cast<std::size_t>(count);
}

void receive_and_compare(Stream& stream, const std::string& bytes) {
    std::array<char, 1 << 16> piece{};
    const ssize_t count = recv(stream.client.fd(), piece.data(), piece.size(), 0);
    if (count == 0) throw Failed{"sent data", "all of it back", text("the end after ", stream.received, " bytes")};
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        throw Failed{"sent data", "all of it back", std::strerror(errno)};
    }
    std::string_view got(piece.data(), static_cast<std::size_t>(count));
    while (!got.empty()) {
        const std::string_view expected = part(bytes, stream, stream.received, got.size());
        if (expected != got.substr(0, expected.size()) || expected.empty()) {
            throw Failed{"sent data", "the same bytes, in order",
                         text("from byte ", stream.received, " on: ", difference(expected, got))};
        }
        stream.received += expected.size();
        got.remove_prefix(expected.size());
    }
}

} // namespace

void exchange_at_once(const Endpoint& server, std::size_t clients, std::size_t size) {
    const std::string bytes = random_bytes(size, clients);
    std::mt19937 random(static_cast<unsigned>(clients));
    std::uniform_int_distribution<std::size_t> piece_sizes(1, 100000);
    std::vector<Stream> streams;
    for (std::size_t i = 0; i < clients; ++i) streams.push_back({Client(server), i * 7919 % size});

    for (;;) {
        std::vector<pollfd> waiting;
        for (const Stream& stream : streams) {
            const short events = stream.sent < size ? POLLIN | POLLOUT : POLLIN;
            waiting.push_back({stream.received < size ? stream.client.fd() : -1, events, 0});
        }
        if (std::all_of(waiting.begin(), waiting.end(), [](const pollfd& one) { return one.fd < 0; })) return;
        if (poll(waiting.data(), waiting.size(), static_cast<int>(server.patience.count())) == 0) {
            throw Failed{text(clients, " clients sent data"), "all of it back",
                         text("nothing more in ", server.patience.count(), " ms")};
        }
        for (std::size_t i = 0; i < streams.size(); ++i) {
            if ((waiting[i].revents & POLLOUT) != 0) send_piece(streams[i], bytes, piece_sizes(random));
            if ((waiting[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive_and_compare(streams[i], bytes);
        }
    }
}
