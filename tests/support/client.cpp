#include "tests/support/client.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>

#include "common/check.h"
#include "tests/support/failed.h"
#include "tests/support/sockets.h"

std::string random_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    for (std::size_t i = 0; i < std::min<std::size_t>(size, 256); ++i) bytes[i] = static_cast<char>(i);
    return bytes;
}

std::string repeated(const std::string& bytes, std::size_t size) {
    std::string all;
    while (all.size() < size) all += bytes.substr(0, size - all.size());
    return all;
}

std::string difference(std::string_view expected, std::string_view got, std::size_t first) {
    const auto [e, g] = std::mismatch(expected.begin(), expected.end(), got.begin(), got.end());
    const std::size_t at = first + static_cast<std::size_t>(e - expected.begin());
    if (e == expected.end() && g == got.end()) return "the same";
    if (g == got.end()) return text("only the first ", got.size(), " of ", expected.size(), " bytes");
    if (e == expected.end()) return text(got.size() - expected.size(), " bytes too many");
    return text("byte ", at, " is ", int(static_cast<unsigned char>(*g)), " and not ",
                int(static_cast<unsigned char>(*e)));
}

namespace {

/// Patience is for one wait. A server that never stops to send, or sends a byte now and then, would never try it.
void expect_an_end(std::size_t received, Clock::time_point start) {
    constexpr std::size_t most = 128 << 20;
    constexpr std::chrono::seconds longest(120);
    if (received < most && Clock::now() < std::min(start + longest, time_is_up_at)) return;
    throw Failed{"read to the end of file", "that it comes some time", text(received, " bytes, and more are coming")};
}

/// Gives the socket an address, 127.x.y.z, that hardly any has had before. For the kernel remembers how connections
/// between two addresses went (tcp_metrics), and where packets once came out of order the next send buffers are larger.
void bind_to_address_without_a_past(int socket) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(0x7f010101 | (std::random_device()() & 0x7e7e7e));
    check(bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
}

} // namespace

Client::Client(const Endpoint& server, int receive_buffer, int segment)
    : socket_(check(socket(server.address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket")),
      server_(server.address), patience_(server.patience) {
    if (receive_buffer > 0) setsockopt(fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (segment > 0) {
        setsockopt(fd(), IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
        if (server.address.any.sa_family == AF_INET) bind_to_address_without_a_past(fd());
    }
    if (server.ports != 0) {
        constexpr int ip_local_port_range = 51; // not in every system's headers
        check(setsockopt(fd(), IPPROTO_IP, ip_local_port_range, &server.ports, sizeof server.ports),
              "setsockopt IP_LOCAL_PORT_RANGE");
    }
    if (connect(fd(), &server.address.any, server.address.size) < 0 && errno != EINPROGRESS) {
        throw Failed{"connected", "a connection", std::strerror(errno)};
    }
    if (patience_ > milliseconds(0)) wait_for_connection(server);
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) throw Failed{"connected", "a connection", std::strerror(error)};
}

/// A client that finds the server's queue full is not refused: its kernel tries again, for the first time after a
/// second. A queue of 128, as many languages have it, is full for a moment only, on a busy machine.
void Client::wait_for_connection(const Endpoint& server) const {
    constexpr milliseconds second_try(900);
    constexpr std::size_t long_queue = 128;
    if (wait_for(POLLOUT, second_try)) return;
    const std::size_t backlog = server.has_room ? listening_socket(server).send_queue : 0;
    if (server.has_room && backlog < long_queue && overflown_queues() > server.overflown_before) {
        throw Failed{"connected", "a connection",
                     text("none in a second, because the queue of clients that wait to be accepted was full (backlog ",
                          backlog, ")")};
    }
    wait_or_fail(POLLOUT, "the connection");
}

bool Client::wait_for(short events, milliseconds time) const {
    const auto until = std::min(Clock::now() + time, time_is_up_at);
    for (;;) {
        const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
        pollfd waiting{fd(), events, 0};
        const int ready = poll(&waiting, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
        if (ready > 0) return true;
        if (ready == 0) return false;
    }
}

void Client::wait_or_fail(short events, const std::string& for_what) const {
    if (wait_for(events, patience_)) return;
    expect_time_left();
    throw Failed{text("waited for ", for_what), for_what, text("nothing in ", patience_.count(), " ms")};
}

long Client::send_some(std::string_view data, int flags) {
    expect_time_left();
    const ssize_t sent = ::send(fd(), data.data(), data.size(), MSG_NOSIGNAL | flags);
    if (sent < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    return sent;
}

void Client::send(std::string_view data) {
    std::size_t sent = 0;
    while (sent < data.size()) {
        const long count = send_some(data.substr(sent));
        if (count < 0) {
            throw Failed{text("sent ", data.size(), " bytes"), "a server that reads them", std::strerror(errno)};
        }
        sent += static_cast<std::size_t>(count);
        if (count == 0) wait_or_fail(POLLOUT, text("room to send the last ", data.size() - sent, " bytes"));
    }
}

std::size_t Client::send_until_stuck(std::string_view data, milliseconds quiet, std::size_t most) {
    std::size_t sent = 0;
    while (wait_for(POLLOUT, quiet)) {
        const long count = send_some(data.substr(sent % data.size()));
        if (count < 0) throw Failed{"sent without reading", "a server that waits", std::strerror(errno)};
        sent += static_cast<std::size_t>(count);
        if (sent >= most) {
            throw Failed{text("sent ", sent, " bytes without reading one"), "a server that stops reading before that",
                         "it took them all: it keeps them, or throws them away"};
        }
    }
    return sent;
}

std::size_t Client::unacknowledged() const {
    int bytes = 0;
    check(ioctl(fd(), SIOCOUTQ, &bytes), "ioctl SIOCOUTQ");
    return static_cast<std::size_t>(bytes);
}

void Client::finish_sending() {
    shutdown(fd(), SHUT_WR);
}

std::string Client::receive_some(std::size_t size, const std::string& for_what, bool reset_is_an_end) {
    expect_time_left();
    std::string data(std::min<std::size_t>(size, 1 << 16), '\0');
    for (;;) {
        const ssize_t count = recv(fd(), data.data(), data.size(), 0);
        if (count >= 0) {
            data.resize(static_cast<std::size_t>(count));
            return data;
        }
        if (errno == EAGAIN || errno == EINTR) {
            wait_or_fail(POLLIN, for_what);
        } else if (reset_is_an_end) {
            return "";
        } else {
            throw Failed{"waited for data", "data, or an orderly end", std::strerror(errno)};
        }
    }
}

std::string Client::receive(std::size_t size) {
    std::string data;
    while (data.size() < size) {
        std::string more;
        try {
            more = receive_some(size - data.size());
        } catch (const Failed& failed) {
            throw Failed{failed.did, text(size, " bytes back"), text(data.size(), " bytes, then ", failed.got)};
        }
        if (more.empty()) {
            throw Failed{text("waited for ", size, " bytes"), text(size, " bytes back"),
                         text("the end of file after ", data.size())};
        }
        data += more;
    }
    return data;
}

void Client::expect_repeated(std::string_view data, std::size_t from, std::size_t size, const std::string& did) {
    for (const std::size_t end = from + size; from < end;) {
        const std::string_view expected = data.substr(from % data.size(), end - from);
        const std::string piece = receive_some(expected.size());
        if (piece.empty()) throw Failed{did, "all that was sent", text("the end of file after ", from, " of ", end)};
        if (!expected.starts_with(piece)) {
            throw Failed{did, "the same bytes, in order", difference(expected.substr(0, piece.size()), piece, from)};
        }
        from += piece.size();
    }
}

std::string Client::receive_to_end(bool reset_is_an_end) {
    std::string data;
    for (const auto start = Clock::now();;) {
        expect_an_end(data.size(), start);
        const std::string piece =
            receive_some(1 << 16, text("the end, after ", data.size(), " bytes"), reset_is_an_end);
        if (piece.empty()) return data;
        data += piece;
    }
}

void Client::expect_echo(std::string_view line) {
    send(line);
    std::string back;
    say_first(text("sent '", line, "', then "), [&] { back = receive(line.size()); });
    if (back != line) throw Failed{text("sent '", line, "'"), "the same back", text("'", back, "'")};
}

bool Client::hears_within(milliseconds time) const {
    return wait_for(POLLIN, time);
}

void Client::reset() {
    const linger at_once{1, 0};
    setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
}

std::vector<Client> connect_clients(const Endpoint& server, std::size_t count) {
    std::vector<Client> clients;
    clients.reserve(count);
    while (clients.size() < count) {
        clients.emplace_back(server);
        if (clients.size() % 1000 == 0) clients.back().expect_echo("is there still room?\n");
    }
    return clients;
}
