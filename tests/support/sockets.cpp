#include "tests/support/sockets.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <optional>

#include "common/check.h"
#include "tests/support/failed.h"

std::uint16_t port_of(const Address& address) {
    const std::string name = to_string(address);
    return static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
}

namespace {

/// "0100007F:1B5F": the part behind the colon, as a number.
unsigned long behind_colon(const std::string& word) {
    return std::stoul(word.substr(word.find(':') + 1), nullptr, 16);
}

/// Both tables: the sockets that have this port at one of their ends, or all. There may be thousands of others.
std::vector<TcpSocket> read_tables(std::optional<std::uint16_t> port) {
    std::array<char, 8> sign{};
    if (port) std::snprintf(sign.data(), sign.size(), ":%04X ", *port);
    std::vector<TcpSocket> sockets;
    for (const char* name : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream table(name);
        std::string line;
        std::getline(table, line); // the titles
        while (std::getline(table, line)) {
            if (line.find(sign.data()) == std::string::npos) continue;
            // slot, local address, remote address, state, tx_queue:rx_queue, timer, retransmits, user, timeout, inode
            const std::vector<std::string> words = words_of(line);
            if (words.size() < 10) continue;
            sockets.push_back({static_cast<std::uint16_t>(behind_colon(words[1])),
                               static_cast<std::uint16_t>(behind_colon(words[2])), std::stoi(words[3], nullptr, 16),
                               std::stoul(words[4], nullptr, 16), behind_colon(words[4]), words[9]});
        }
    }
    return sockets;
}

TcpSocket find_socket(std::uint16_t local_port, std::uint16_t remote_port) {
    for (const TcpSocket& socket : tcp_sockets(local_port)) {
        if (socket.remote_port == remote_port) return socket;
    }
    throw Failed{"looked into /proc/net/tcp", text("a socket of port ", local_port, " with port ", remote_port),
                 "none"};
}

} // namespace

std::vector<TcpSocket> tcp_sockets(std::uint16_t local_port) {
    std::vector<TcpSocket> sockets = read_tables(local_port);
    std::erase_if(sockets, [&](const TcpSocket& socket) { return socket.local_port != local_port; });
    return sockets;
}

std::vector<TcpSocket> listening_sockets() {
    std::vector<TcpSocket> sockets = read_tables({});
    std::erase_if(sockets, [](const TcpSocket& socket) { return socket.state != TcpState::listening; });
    return sockets;
}

bool nothing_is_under_way(std::uint16_t server_port) {
    const std::vector<TcpSocket> sockets = read_tables(server_port);
    const auto is_established = [&](std::uint16_t local_port) {
        return std::any_of(sockets.begin(), sockets.end(), [&](const TcpSocket& client) {
            return client.local_port == local_port && client.send_queue == 0 &&
                   (client.state == TcpState::established || client.state == TcpState::close_wait);
        });
    };
    return std::all_of(sockets.begin(), sockets.end(), [&](const TcpSocket& socket) {
        if (socket.local_port != server_port) return socket.state != TcpState::connecting;
        if (socket.state != TcpState::established) return socket.state != TcpState::accepting;
        return is_established(socket.remote_port);
    });
}

TcpSocket listening_socket(const Endpoint& server) {
    return find_socket(port_of(server.address), 0);
}

std::size_t accept_queue(const Endpoint& server) {
    return listening_socket(server).receive_queue;
}

TcpSocket server_end(const Client& client) {
    return find_socket(port_of(client.server()), port_of(client.address()));
}

TcpSocket client_end(const Client& client) {
    return find_socket(port_of(client.address()), port_of(client.server()));
}

std::size_t written_and_unread(const Client& client) {
    return server_end(client).send_queue + client_end(client).receive_queue;
}

Fd copy_of(const Descriptor& original) {
    const Fd process(check(static_cast<int>(syscall(SYS_pidfd_open, original.process, 0)), "pidfd_open"));
    const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), original.number, 0));
    if (copy < 0 && (errno == EPERM || errno == ENOSYS)) {
        throw Skipped{text("no process may copy another's descriptor here: ", std::strerror(errno))};
    }
    return Fd(check(copy, "pidfd_getfd"));
}
