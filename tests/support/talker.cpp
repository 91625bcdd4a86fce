#include "tests/support/talker.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "tests/support/failed.h"

Talker::Talker(const Endpoint& server, Role role)
    : role_(std::move(role)), client_(server, role_.receive_buffer, role_.segment) {}

bool Talker::may_send() const {
    if (sent_ == role_.data.size() || Clock::now() < next_send_) return false;
    return sent_ < role_.ahead || sent_ - role_.ahead < got_;
}

pollfd Talker::waits_for() const {
    if (done_) return {-1, 0, 0};
    const bool reads = !role_.reads_late || sent_ == role_.data.size();
    const int events = (may_send() ? POLLOUT : 0) | (reads ? POLLIN : 0);
    return {client_.fd(), static_cast<short>(events), 0};
}

bool Talker::act(short events) {
    bool moved = false;
    if ((events & POLLOUT) != 0 && may_send()) moved = send_on();
    // An error or the end is found by reading: there may be bytes before it.
    if (!done_ && (events & (POLLIN | POLLHUP | POLLERR)) != 0) moved = receive_on() || moved;
    return moved;
}

bool Talker::send_on() {
    std::string_view piece = role_.data.substr(sent_, role_.piece);
    const bool urgent_now = sent_ == role_.urgent;
    if (urgent_now) piece = piece.substr(0, 1);
    if (sent_ < role_.urgent) piece = piece.substr(0, role_.urgent - sent_);
    const long count = client_.send_some(piece, urgent_now ? MSG_OOB : 0);
    if (count < 0) {
        // The connection is broken; what came before that is still to be read.
        role_.reads_late = false;
        how_ = text("sending: ", std::strerror(errno));
        return receive_on();
    }
    if (count == 0) return false;
    sent_ += static_cast<std::size_t>(count);
    if (role_.pause.count() > 0) next_send_ = Clock::now() + role_.pause;
    if (sent_ == role_.data.size() && role_.end == Role::End::half_closes && !finished_sending_) {
        client_.finish_sending();
        finished_sending_ = true;
    }
    leave_if_it_is_time();
    return true;
}

bool Talker::receive_on() {
    std::array<char, 1 << 16> piece{};
    const ssize_t count = recv(client_.fd(), piece.data(), std::min(piece.size(), role_.read_piece), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    if (count < 0) {
        finish(goes_early() && got_ >= role_.leaves_after, std::strerror(errno));
    } else if (count == 0) {
        finish(finished_sending_ && got_ == role_.data.size(), "the end");
    } else {
        take(std::string_view(piece.data(), static_cast<std::size_t>(count)));
    }
    return true;
}

void Talker::take(std::string_view got) {
    const std::string_view next = role_.data.substr(got_, got.size());
    if (next != got) {
        wrong_ = text("from byte ", got_, " on: ", difference(next, got), " (", role_.name, ")");
        return finish(false, "a wrong byte");
    }
    got_ += got.size();
    leave_if_it_is_time();
}

void Talker::leave_if_it_is_time() {
    const bool has_all = got_ == role_.data.size() && sent_ == role_.data.size();
    if (has_all && (role_.end == Role::End::closes || role_.end == Role::End::stays)) {
        finish(true, "got all");
    } else if (goes_early() && got_ >= role_.leaves_after && sent_ > 0) {
        finish(true, "left");
    }
}

bool Talker::nothing_moves() {
    if (done_ || !role_.reads_late || sent_ == role_.data.size()) return false;
    if (!goes_early()) {
        role_.reads_late = false;
    } else {
        finish(true, "left without having read");
    }
    return true;
}

void Talker::finish(bool served, const std::string& how) {
    done_ = true;
    done_at_ = Clock::now();
    served_ = served;
    how_ = how;
    if (served && role_.end == Role::End::stays) return;
    served&& role_.end == Role::End::resets ? client_.reset() : client_.close();
}

std::string Talker::story() const {
    return text(role_.name, ": ", sent_, " of ", role_.data.size(), " bytes sent, ", got_, " back, then: ", how_);
}

bool play(std::vector<Talker>& talkers, milliseconds patience, const Meanwhile& meanwhile) {
    constexpr int quiet_ms = 25;
    auto last_move = Clock::now();
    for (;;) {
        expect_time_left();
        if (meanwhile.each_time) meanwhile.each_time();
        if (std::all_of(talkers.begin(), talkers.end(), [](const Talker& one) { return one.done(); })) return true;
        std::vector<pollfd> waiting;
        waiting.reserve(talkers.size());
        for (const Talker& one : talkers) waiting.push_back(one.waits_for());
        const int ready = poll(waiting.data(), waiting.size(), quiet_ms);
        if (ready == 0 && meanwhile.on_quiet) meanwhile.on_quiet();
        bool moved = false;
        for (std::size_t i = 0; i < talkers.size(); ++i) {
            if (ready > 0 && waiting[i].revents != 0) moved = talkers[i].act(waiting[i].revents) || moved;
            if (ready == 0) moved = talkers[i].nothing_moves() || moved;
        }
        if (moved) {
            last_move = Clock::now();
        } else if (Clock::now() - last_move > patience) {
            return false;
        }
    }
}

void play_to_the_end(std::vector<Talker>& talkers, milliseconds patience, const std::string& did) {
    const bool all_move = play(talkers, patience);
    const std::string stuck = all_move ? "" : text("; nothing more in ", patience.count(), " ms");
    for (const Talker& one : talkers) {
        if (one.served() && one.wrong().empty()) continue;
        throw Failed{did, "that each gets what it has sent itself",
                     one.wrong().empty() ? one.story() + stuck : one.wrong()};
    }
}

std::vector<Talker> exchange(const Endpoint& server, std::string_view data) {
    std::vector<Talker> one;
    one.emplace_back(server, Role{.name = "it", .data = data, .read_piece = 4096, .end = Role::End::stays});
    play_to_the_end(one, server.patience, text("a client sent ", data.size(), " bytes"));
    return one;
}
