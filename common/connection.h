// A non-blocking connection with its unsent bytes. Introduced by chapter 04.
#pragma once

#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <new>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "common/fd.h"
#include "common/narrate.h"
#include "common/stop.h"

/// One client's connection. Owns the socket, which must be non-blocking, and the bytes that the client sent and that
/// the kernel has not taken back yet. They are on the heap, and only while there are any.
/// Always: it reads only while nothing is unsent. So it never keeps more than one read(2) brings, a client that does
/// not take its data is not read from, and TCP makes that client wait. Not for two threads at the same time.
class Connection {
  public:
    explicit Connection(Fd socket) : socket_(std::move(socket)) {}

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

    /// Whether bytes are waiting for room in the kernel's send buffer. If so, ask select or epoll about room to write,
    /// otherwise about input.
    [[nodiscard]] bool has_unsent() const noexcept { return !unsent_.empty(); }

    /// Whether the last read brought bytes. Then more may have come by now.
    [[nodiscard]] bool had_input() const noexcept { return had_input_; }

    /// Reads into a buffer and sends it back; what the kernel does not take becomes unsent. False when the client is
    /// done or gone: then close the connection.
    [[nodiscard]] bool echo_buffer(std::chrono::milliseconds think_time) {
        assert(!has_unsent());
        std::array<char, 64 * 1024> buffer; // not initialised: read fills as much of it as is used
        const ssize_t count = read(fd(), buffer.data(), buffer.size());
        had_input_ = count > 0;
        if (count == 0) return narrate_left(fd(), "end of file");
        if (count < 0) return is_temporary(errno) || narrate_left(fd(), std::strerror(errno));

        std::this_thread::sleep_for(think_time);
        return send({buffer.data(), static_cast<std::size_t>(count)});
    }

    /// There is room: sends more of the unsent bytes. False when the client is gone: then close the connection.
    [[nodiscard]] bool send_unsent() {
        const ssize_t count = write(fd(), unsent_.data(), unsent_.size());
        if (count < 0) return is_temporary(errno) || narrate_left(fd(), std::strerror(errno));
        unsent_.erase(unsent_.begin(), unsent_.begin() + count);
        if (unsent_.empty()) unsent_.shrink_to_fit(); // gives the memory back
        narrate("fd ", fd(), ": room for ", count, " more bytes, ", unsent_.size(), " still unsent");
        return true;
    }

  private:
    /// One write(2). It may take only a part, and with EAGAIN nothing: the kernel's send buffer is full. We keep the
    /// bytes that are left over and send them when there is room.
    bool send(std::string_view bytes) {
        const ssize_t count = write(fd(), bytes.data(), bytes.size());
        if (count < 0 && !is_temporary(errno)) return narrate_left(fd(), std::strerror(errno));
        const std::size_t sent = count < 0 ? 0 : static_cast<std::size_t>(count);
        narrate("fd ", fd(), ": echoed ", sent, " of ", bytes.size(), " bytes");
        if (sent == bytes.size()) return true;
        try {
            unsent_.assign(bytes.begin() + sent, bytes.end());
        } catch (const std::bad_alloc&) {
            return narrate_left(fd(), "no memory for its unsent bytes");
        }
        return true;
    }

    /// EAGAIN ("not now") and EINTR ("again") are no errors: select or epoll tells us when to try again.
    static bool is_temporary(int error) { return error == EAGAIN || error == EINTR; }

    Fd socket_;
    std::vector<char> unsent_;
    bool had_input_ = false;
};

/// For a stop: sends what is still unsent, and waits until each client's kernel has acknowledged everything. `clients`
/// is the table by descriptor; a client that has everything, or is gone, is erased, which closes it. Needs no memory.
template <typename Clients>
void deliver(Clients& clients) {
    for (;;) {
        for (auto it = clients.begin(); it != clients.end();) {
            Connection& client = it->second;
            const bool gone = client.has_unsent() && !client.send_unsent();
            const bool waits = !gone && (client.has_unsent() || has_unacknowledged(client.fd()));
            it = waits ? std::next(it) : clients.erase(it);
        }
        unanswered = static_cast<int>(clients.size());
        if (clients.empty()) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}
