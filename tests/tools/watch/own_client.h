// The clients whose part the keys play. They never block.
#pragma once

#include <poll.h>

#include <cerrno>
#include <cstring>
#include <iomanip>

#include "tests/tools/watch/look.h"

class OwnClient {
  public:
    /// c: silent. h: says hello. n: sends and never reads.
    OwnClient(int role, const Address& server)
        : role_(role), socket_(socket(server.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        check(socket_.get(), "socket");
        if (connect(socket_.get(), server.raw(), server.size) < 0 && errno != EINPROGRESS) end_ = std::strerror(errno);
    }

    [[nodiscard]] pollfd waits_for() const {
        const bool sends = sent_ < (role_ == 'h' ? 1 : role_ == 'n' ? most : 0);
        return {end_.empty() ? socket_.get() : -1, static_cast<short>(sends ? POLLOUT : role_ == 'n' ? 0 : POLLIN), 0};
    }

    void act(short events) {
        if ((events & POLLOUT) != 0) {
            if (sent_ == 0) asked_ = Clock::now();
            const ssize_t count = send(socket_.get(), much_.data(), role_ == 'h' ? 6 : much_.size(), MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN) end_ = std::strerror(errno);
            if (count > 0) sent_ += static_cast<std::size_t>(count);
        } else if (events != 0) {
            std::array<char, 64> answer;
            const ssize_t count = recv(socket_.get(), answer.data(), answer.size(), 0);
            if (count <= 0) end_ = count == 0 ? "closed by the server" : std::strerror(errno);
            if (count > 0 && !answered_) answered_ = Clock::now() - asked_;
        }
    }

    /// "B: hello came back after 0.08 ms"
    [[nodiscard]] std::string story(const Snapshot& now) const {
        std::string name = "-";
        for (const Connection& one : now.connections) {
            if (one.port == port_of(local_address(socket_.get()))) name = one.name;
        }
        if (!end_.empty()) return name + ": " + end_;
        if (role_ != 'h') return name + (role_ == 'c' ? ": silent" : ": never reads");
        const std::chrono::duration<double, std::milli> time = answered_.value_or(Clock::now() - asked_);
        return text(name, answered_ ? ": hello came back after " : ": no answer for ", std::fixed, std::setprecision(2),
                    time.count(), " ms");
    }

  private:
    static constexpr std::size_t most = 64 << 20; // to a server that keeps it all
    inline static const std::string much_ = "hello\n" + std::string(64 * 1024, 'n');

    int role_;
    Fd socket_;
    std::size_t sent_ = 0;
    Clock::time_point asked_ = Clock::now();
    std::optional<Clock::duration> answered_{};
    std::string end_{}; // why it is of no more use
};
