#include "common/connection.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <new>

#include "common/accept_failure.h"
#include "common/acknowledged.h"
#include "common/narrate.h"
#include "common/piece.h"
#include "common/think.h"

namespace {

/// "Not now" and "again" are no errors: select or epoll will say when it is worth another try.
bool try_later(int error) {
    return error == EAGAIN || error == EINTR;
}

/// One write(2): how many bytes the kernel took, which is 0 when it has no room; -1 when the connection is broken.
ssize_t write_some(int fd, const char* data, std::size_t size) {
    const ssize_t taken = write(fd, data, size);
    return taken < 0 && try_later(errno) ? 0 : taken;
}

/// Waits until some of the clients with unsent bytes have room, and sends to those. False when there are none left.
bool send_more(Connections& connections) try {
    std::vector<pollfd> unfinished;
    for (const auto& [fd, connection] : connections) {
        if (connection.interest() == Interest::write) unfinished.push_back({fd, POLLOUT, 0});
    }
    if (unfinished.empty()) return false;
    if (poll(unfinished.data(), unfinished.size(), -1) < 0) {
        if (errno != EINTR) think(accept_pause_time); // ENOMEM: to ask again at once would spin
        return true;
    }
    for (const pollfd& client : unfinished) {
        if (client.revents != 0) connections.at(client.fd).on_writable();
    }
    return true;
} catch (const std::bad_alloc&) {
    think(accept_pause_time); // the same without the kernel
    return true;
}

} // namespace

std::size_t Connection::on_readable(std::chrono::milliseconds think_time) {
    std::array<char, piece_size> piece; // not initialised: read fills as much of it as is used
    const ssize_t count = read(fd(), piece.data(), piece.size());
    if (count <= 0) {
        if (count == 0) end("it closed");
        if (count < 0 && !try_later(errno)) end(std::strerror(errno));
        return 0;
    }

    think(think_time);
    answer(std::string_view(piece.data(), static_cast<std::size_t>(count)));
    return static_cast<std::size_t>(count);
}

/// Sends what the kernel has room for, and keeps the rest.
void Connection::answer(std::string_view piece) {
    const ssize_t taken = write_some(fd(), piece.data(), piece.size());
    if (taken < 0) return end(std::strerror(errno));
    narrate("fd ", fd(), ": echoed ", taken, " of ", piece.size(), " bytes");
    if (static_cast<std::size_t>(taken) < piece.size()) keep(piece.substr(static_cast<std::size_t>(taken)));
}

void Connection::on_writable() {
    const ssize_t taken = write_some(fd(), unsent_.data() + sent_, unsent_.size() - sent_);
    if (taken < 0) return end(std::strerror(errno));
    sent_ += static_cast<std::size_t>(taken);
    narrate("fd ", fd(), ": room for ", taken, " bytes more, ", unsent_.size() - sent_, " still kept");
    if (sent_ == unsent_.size()) {
        unsent_ = std::vector<char>(); // gives the memory back; clear() and = {} would not
        interest_ = Interest::read;
    }
}

/// Keeps what the kernel had no room for until it has.
void Connection::keep(std::string_view rest) {
    try {
        unsent_.assign(rest.begin(), rest.end());
    } catch (const std::bad_alloc&) {
        return end("no memory for its unsent bytes");
    }
    sent_ = 0;
    interest_ = Interest::write;
    narrate("fd ", fd(), ": send buffer full, ", rest.size(), " bytes kept until there is room");
}

void Connection::end(const char* why) {
    interest_ = Interest::none;
    narrate_left(fd(), why);
}

void deliver_unsent(Connections& connections) {
    while (send_more(connections)) continue;
    for (const auto& [fd, connection] : connections) {
        if (connection.interest() != Interest::none) wait_until_acknowledged(fd);
    }
}
