#include "tests/support/sockets.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "common/check.h"
#include "tests/support/failed.h"
#include "tests/support/process.h"

namespace fs = std::filesystem;

std::uint16_t port_of(const Address& address) {
    const std::string name = to_string(address);
    return static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
}

namespace {

/// "0100007F:1B5F": the part behind the colon, as a number.
unsigned long behind_colon(const std::string& word) {
    return std::stoul(word.substr(word.find(':') + 1), nullptr, 16);
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
    std::array<char, 8> port{};
    std::snprintf(port.data(), port.size(), ":%04X ", local_port);
    std::ifstream table("/proc/net/tcp");
    std::vector<TcpSocket> sockets;
    for (std::string line; std::getline(table, line);) {
        if (line.find(port.data()) == std::string::npos) continue; // there may be thousands
        // slot, local address, remote address, state, tx_queue:rx_queue, timer, retransmits, user, timeout, inode
        std::istringstream fields(line);
        const std::vector<std::string> words{std::istream_iterator<std::string>(fields), {}};
        if (words.size() < 10 || behind_colon(words[1]) != local_port) continue;
        sockets.push_back(
            {local_port, static_cast<std::uint16_t>(behind_colon(words[2])), std::stoi(words[3], nullptr, 16),
             std::stoul(words[4].substr(0, words[4].find(':')), nullptr, 16), behind_colon(words[4]), words[9]});
    }
    return sockets;
}

TcpSocket listening_socket(const Endpoint& server) {
    return find_socket(port_of(server.address), 0);
}

std::size_t accept_queue(const Endpoint& server) {
    return listening_socket(server).receive_queue;
}

TcpSocket server_end(const Endpoint& server, const Client& client) {
    return find_socket(port_of(server.address), port_of(client.address()));
}

TcpSocket client_end(const Endpoint& server, const Client& client) {
    return find_socket(port_of(client.address()), port_of(server.address));
}

int descriptor_of(pid_t pid, const std::string& inode) {
    std::error_code error;
    for (fs::directory_iterator it(text("/proc/", pid, "/fd"), error), end; !error && it != end; it.increment(error)) {
        std::error_code unreadable;
        if (fs::read_symlink(it->path(), unreadable) == "socket:[" + inode + "]")
            return std::stoi(it->path().filename());
    }
    return -1;
}

Descriptor find_descriptor(pid_t root, const std::string& inode) {
    for (const pid_t pid : process_tree(root)) {
        const int fd = descriptor_of(pid, inode);
        if (fd >= 0) return {pid, fd};
    }
    throw Failed{"looked for the server's descriptor of a connection", "one", "none"};
}

Fd copy_of(const Descriptor& original) {
    const Fd process(check(static_cast<int>(syscall(SYS_pidfd_open, original.process, 0)), "pidfd_open"));
    const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), original.number, 0));
    if (copy < 0 && (errno == EPERM || errno == ENOSYS)) {
        throw Skipped{text("no process may copy another's descriptor here: ", std::strerror(errno))};
    }
    return Fd(check(copy, "pidfd_getfd"));
}
