#include "tests/support/sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "common/check.h"
#include "tests/support/failed.h"

std::uint16_t port_of(const Address& address) {
    const std::string name = text(address);
    return static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
}

namespace {

/// But those that are only bound (the 13th, Linux 6.8): the kernel has them in a table of their own, which takes as
/// long again.
constexpr std::uint32_t all_states = (1U << 13) - 1;

/// Makes the kernel send us its TCP sockets, sock_diag(7). This is the older of two ways to ask. It gets those of IPv4
/// and of IPv6 in one answer, so that the kernel walks through its table, which takes milliseconds, only once.
void ask_for_sockets(int netlink, std::uint32_t states, std::optional<std::uint16_t> port) {
    // A little program that the kernel runs for each socket. The numbers say how many bytes to go on if so, and if not.
    // It accepts a socket by ending exactly at its end, and so refuses it by going 4 too far.
    const std::uint16_t wanted = port.value_or(0);
    const std::array<inet_diag_bc_op, 5> either_port = {{{INET_DIAG_BC_S_EQ, 8, 12}, // its own port is ...
                                                         {0, 0, wanted},             // ... this one? Else skip the jump
                                                         {INET_DIAG_BC_JMP, 4, 12},  // to the end: accepted
                                                         {INET_DIAG_BC_D_EQ, 8, 12}, // the other end's port is ...
                                                         {0, 0, wanted}}};           // ... this one?
    struct {
        nlmsghdr header{};
        inet_diag_req request{};
        rtattr attribute{sizeof(rtattr) + sizeof either_port, INET_DIAG_REQ_BYTECODE};
        std::array<inet_diag_bc_op, 5> program{};
    } message;
    message.program = either_port;
    message.header.nlmsg_len = static_cast<std::uint32_t>(sizeof message - (port ? 0 : message.attribute.rta_len));
    message.header.nlmsg_type = TCPDIAG_GETSOCK;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.request.idiag_ext = 1 << (INET_DIAG_INFO - 1);
    message.request.idiag_states = states;
    check(static_cast<int>(send(netlink, &message, message.header.nlmsg_len, 0)), "send to sock_diag");
}

/// An address as IPv6 has it; one of IPv4 as ::ffff:a.b.c.d, because it may be at the other end of such a socket.
std::array<std::uint32_t, 4> host_of(int family, const std::uint32_t* address) {
    if (family == AF_INET) return {0, 0, htonl(0xffff), address[0]};
    return {address[0], address[1], address[2], address[3]};
}

/// One socket of the answer.
TcpSocket read_socket(nlmsghdr* header) {
    auto* message = static_cast<inet_diag_msg*>(NLMSG_DATA(header));
    const inet_diag_sockid& id = message->id;
    TcpSocket socket{ntohs(id.idiag_sport),
                     ntohs(id.idiag_dport),
                     message->idiag_state,
                     message->idiag_wqueue,
                     message->idiag_rqueue,
                     std::to_string(message->idiag_inode),
                     host_of(message->idiag_family, id.idiag_src),
                     host_of(message->idiag_family, id.idiag_dst)};
    auto length = static_cast<unsigned>(header->nlmsg_len - NLMSG_LENGTH(sizeof *message));
    for (auto* attribute = reinterpret_cast<rtattr*>(message + 1); RTA_OK(attribute, length);
         attribute = RTA_NEXT(attribute, length)) {
        if (attribute->rta_type != INET_DIAG_INFO) continue;
        tcp_info info{}; // an older kernel has less of it
        std::memcpy(&info, RTA_DATA(attribute), std::min<std::size_t>(sizeof info, RTA_PAYLOAD(attribute)));
        socket.received = info.tcpi_bytes_received;
        socket.acknowledged = info.tcpi_bytes_acked;
        socket.since_data = milliseconds(info.tcpi_last_data_recv);
    }
    return socket;
}

/// The sockets in these states that have this port at one of their ends, or all. There may be thousands of others.
std::vector<TcpSocket> read_sockets(std::uint32_t states, std::optional<std::uint16_t> port) {
    const Fd netlink(check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), "socket for sock_diag"));
    alignas(nlmsghdr) std::array<char, 1 << 15> buffer; // not initialised: recv fills as much of it as is used
    std::vector<TcpSocket> sockets;
    ask_for_sockets(netlink.get(), states, port);
    for (bool done = false; !done;) {
        long left = check(static_cast<int>(recv(netlink.get(), buffer.data(), buffer.size(), 0)), "recv sock_diag");
        auto* header = reinterpret_cast<nlmsghdr*>(buffer.data());
        for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
            done = header->nlmsg_type == NLMSG_DONE;
            if (header->nlmsg_type == NLMSG_ERROR) {
                errno = -static_cast<nlmsgerr*>(NLMSG_DATA(header))->error;
                check(-1, "sock_diag the kernel's list of TCP sockets");
            }
            if (!done) sockets.push_back(read_socket(header));
        }
    }
    return sockets;
}

TcpSocket find_socket(std::uint16_t local_port, std::uint16_t remote_port) {
    for (const TcpSocket& socket : tcp_sockets(local_port)) {
        if (socket.remote_port == remote_port) return socket;
    }
    throw Failed{"looked at the kernel's sockets", text("a socket of port ", local_port, " with port ", remote_port),
                 "none"};
}

} // namespace

std::vector<TcpSocket> sockets_with_port(std::uint16_t port) {
    return read_sockets(all_states, port);
}

std::vector<TcpSocket> tcp_sockets(std::uint16_t local_port) {
    std::vector<TcpSocket> sockets = sockets_with_port(local_port);
    std::erase_if(sockets, [&](const TcpSocket& socket) { return socket.local_port != local_port; });
    return sockets;
}

std::vector<TcpSocket> listening_sockets() {
    return read_sockets(1U << TcpState::listening, {});
}

std::vector<TcpSocket> listening_sockets(pid_t root) {
    const std::vector<pid_t> tree = process_tree(root);
    std::vector<TcpSocket> sockets = listening_sockets();
    std::erase_if(sockets, [&](const TcpSocket& socket) {
        return std::none_of(tree.begin(), tree.end(), [&](pid_t pid) { return descriptor_of(pid, socket.inode) >= 0; });
    });
    return sockets;
}

TcpSocket listening_socket(const Endpoint& server) {
    return find_socket(port_of(server.address), 0);
}

std::size_t accept_queue(const Endpoint& server) {
    return listening_socket(server).receive_queue;
}

std::size_t overflown_queues() {
    std::ifstream file("/proc/net/netstat"); // a line of names, then a line of numbers
    std::string names, numbers;
    while (std::getline(file, names) && std::getline(file, numbers)) {
        const std::vector<std::string> name = words_of(names), number = words_of(numbers);
        const auto found = std::find(name.begin(), name.end(), "ListenOverflows");
        if (found != name.end()) return std::stoul(number.at(static_cast<std::size_t>(found - name.begin())));
    }
    return 0;
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

std::size_t read_and_not_written(const TcpSocket& server) {
    const std::uint64_t end = server.state == close_wait ? 1 : 0; // the kernel counts the client's FIN as a byte
    const std::uint64_t not_read = server.receive_queue + end;
    const std::uint64_t written = server.acknowledged + server.send_queue;
    return server.received - std::min(server.received, not_read + written);
}

Fd copy_of(const Descriptor& original) {
    const Fd process(check(static_cast<int>(syscall(SYS_pidfd_open, original.process, 0)), "pidfd_open"));
    const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), original.number, 0));
    if (copy < 0 && (errno == EPERM || errno == ENOSYS)) {
        throw Skipped{text("no process may copy another's descriptor here: ", std::strerror(errno))};
    }
    return Fd(check(copy, "pidfd_getfd"));
}
