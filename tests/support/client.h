// A client to test servers with: it waits for events, never longer than its patience, and says what it missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/check.h"
#include "common/fd.h"
#include "tests/support/eventually.h"

/// The address that `socket` is bound to, with the real port where 0 was asked for. Throws std::system_error.
inline Address local_address(int socket) {
    Address address;
    check(getsockname(socket, &address.any, &address.size), "getsockname");
    return address;
}

/// Where a server listens, and how long its clients wait for anything before they say that it does not come. Without
/// any patience they wait for nothing, not even for the connection.
struct Endpoint {
    Address address;
    milliseconds patience = long_enough;
    std::uint32_t ports = 0; ///< those of its clients: first | last << 16 (IP_LOCAL_PORT_RANGE, Linux 6.3); 0: any
    bool has_room = false;   ///< a client that waits a second because the server's queue is full is a failure
    std::size_t overflown_before = 0; ///< what overflown_queues() said when the server was started
};

/// `size` bytes that look random and depend on `seed` only; every byte value occurs.
std::string random_bytes(std::size_t size, std::uint64_t seed);

/// The bytes over and over again, `size` of them.
std::string repeated(const std::string& bytes, std::size_t size);

/// What differs between the two, for people: the first place, counted from `first` on, or the sizes.
std::string difference(std::string_view expected, std::string_view got, std::size_t first = 0);

/// One connection. Every call that waits throws Failed when it has waited for the endpoint's patience in vain.
class Client {
  public:
    /// Connects. `receive_buffer` (bytes, 0: the kernel's own choice) is set before, so that it bounds the window.
    /// So is `segment`, the most bytes that the server may send in one packet; a small one makes its send buffer small.
    explicit Client(const Endpoint& server, int receive_buffer = 0, int segment = 0);

    /// Sends all of it, waiting while there is no room.
    void send(std::string_view data);

    /// Sends as much as there is room for now, and gives how much that was; -1 when the connection is broken. `flags`
    /// are those of send(2).
    long send_some(std::string_view data, int flags = 0);

    /// Sends `data`, over and over, until the server has taken nothing for `quiet`; gives how many bytes went. Throws
    /// Failed when it has taken `most` and would take more.
    std::size_t send_until_stuck(std::string_view data, milliseconds quiet = milliseconds(100),
                                 std::size_t most = 128 << 20);

    /// Receives until the server closes or resets the connection.
    std::string receive_rest() { return receive_to_end(true); }

    /// How many of the bytes sent the server's kernel has not acknowledged yet (SIOCOUTQ).
    [[nodiscard]] std::size_t unacknowledged() const;

    /// Closes the writing side only: the server reads the end of file.
    void finish_sending();

    /// Waits for exactly `size` bytes.
    std::string receive(std::size_t size);

    /// Receives so many, which must be those of `data`, over and over, from place `from` on. Throws Failed, with `did`.
    void expect_repeated(std::string_view data, std::size_t from, std::size_t size, const std::string& did);

    /// What has arrived now, at most `size` bytes; waits for at least one. Empty: the server has closed.
    std::string receive_some(std::size_t size) { return receive_some(size, "data", false); }

    /// Receives until the server closes.
    std::string receive_all() { return receive_to_end(false); }

    /// Sends `line`, waits for its echo.
    void expect_echo(std::string_view line);

    /// Whether anything (data, or the end) arrives within `time`.
    [[nodiscard]] bool hears_within(milliseconds time) const;

    /// Closes with a reset (RST) instead of the ordinary end.
    void reset();
    void close() { socket_.reset(); }

    [[nodiscard]] int fd() const { return socket_.get(); }
    /// The client's own address, as the server sees it.
    [[nodiscard]] Address address() const { return local_address(fd()); }
    /// Where it has connected to.
    [[nodiscard]] const Address& server() const { return server_; }

  private:
    std::string receive_some(std::size_t size, const std::string& for_what, bool reset_is_an_end);
    std::string receive_to_end(bool reset_is_an_end);
    void wait_for_connection(const Endpoint& server) const;
    bool wait_for(short events, milliseconds time) const;
    void wait_or_fail(short events, const std::string& for_what) const;

    Fd socket_;
    Address server_;
    milliseconds patience_;
};

/// Clients that connect and say nothing. (Each thousandth says a line, so that they do not overflow the queue.)
std::vector<Client> connect_clients(const Endpoint& server, std::size_t count);
