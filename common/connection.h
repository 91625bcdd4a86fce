// A non-blocking connection with its unsent bytes. Introduced by chapter 04.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/fd.h"

/// What a connection waits for, and so what select or epoll should be asked about it.
enum class Interest {
    read,  ///< input from the client: nothing waits to be sent
    write, ///< room in the kernel's send buffer: unsent bytes wait, and nothing is read until they are gone
    none,  ///< nothing any more: the client is done or gone; close the connection
};

/// One client's connection. Owns the socket, which must be non-blocking, and the bytes that the client sent and that
/// the kernel has not taken back yet.
///
/// Always: it reads only while nothing is unsent. So the unsent bytes are one piece at most (`piece_size`), and a
/// client that does not take its data is not read from: TCP then makes that client wait. Unsent bytes are on the heap,
/// and only while there are any.
///
/// Not for two threads at the same time.
class Connection {
  public:
    explicit Connection(Fd socket) : socket_(std::move(socket)) {}

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }
    [[nodiscard]] Interest interest() const noexcept { return interest_; }

    /// There is input (or its end): one read(2), `think_time`, and one write(2). What the kernel does not take is kept,
    /// and the interest becomes `write`. The end of input or an error makes it `none`. Gives how many bytes it read.
    std::size_t on_readable(std::chrono::milliseconds think_time);

    /// There is room: one write(2) of what is kept. When all is sent, the interest is `read` again.
    void on_writable();

    /// Closes the socket and gives back the memory now, and not when the connection is destroyed.
    void close() noexcept {
        socket_.reset();
        unsent_ = std::vector<char>();
    }

  private:
    void answer(std::string_view piece);
    void keep(std::string_view rest);
    void end(const char* why);

    Fd socket_;
    Interest interest_ = Interest::read;
    std::vector<char> unsent_;
    std::size_t sent_ = 0; // how much of unsent_ the kernel has taken since
};

/// The connections by their descriptors. An element stays where it is while others come and go.
using Connections = std::unordered_map<int, Connection>;

/// For a stop: sends what is unsent to every client that takes it, and returns when all is sent and acknowledged. Waits
/// with poll(2), and where there is no memory for that a moment; the alarm of `stop_on_signals` bounds it.
void deliver_unsent(Connections& connections);
