// What the kernel says of a server's sockets: /proc/net/tcp, which ss prints as well, and /proc/PID/fd.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/client.h"

std::uint16_t port_of(const Address& address);

/// The states of a TCP socket that are looked for here, as the kernel numbers them.
enum TcpState { established = 1, connecting = 2, time_wait = 6 };

/// One line of /proc/net/tcp, which ss prints as well.
struct TcpSocket {
    std::uint16_t local_port;
    std::uint16_t remote_port; ///< 0 while it listens
    int state;
    std::size_t send_queue;    ///< bytes that the other kernel has not acknowledged
    std::size_t receive_queue; ///< bytes that the program has not read; while it listens: clients not yet accepted
    std::string inode;
};

/// The sockets with this port at their own end.
std::vector<TcpSocket> tcp_sockets(std::uint16_t local_port);

TcpSocket listening_socket(const Endpoint& server);

/// How many clients wait to be accepted: the Recv-Q that `ss -ltn` shows.
std::size_t accept_queue(const Endpoint& server);

/// The server's end of the client's connection, and the client's end. Throw Failed when there is none.
TcpSocket server_end(const Endpoint& server, const Client& client);
TcpSocket client_end(const Endpoint& server, const Client& client);

/// The descriptor of `pid` itself that the socket with this inode has; -1 when it has none.
int descriptor_of(pid_t pid, const std::string& inode);

/// The descriptor, and the process of the server that has it. Throws Failed when none has.
struct Descriptor {
    pid_t process;
    int number;
};
Descriptor find_descriptor(pid_t root, const std::string& inode);

/// A copy of it: the same socket, open in this process, too (pidfd_getfd). Debuggers and monitoring agents do this.
/// Throws Skipped where one process may not do this to another.
Fd copy_of(const Descriptor& original);
