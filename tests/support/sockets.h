// What the kernel says of a server's sockets: /proc/net/tcp and tcp6, which ss prints as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/proc.h"

std::uint16_t port_of(const Address& address);

/// The states of a TCP socket that are looked for here, as the kernel numbers them.
enum TcpState { established = 1, connecting = 2, accepting = 3, time_wait = 6, close_wait = 8, listening = 10 };

/// One line of /proc/net/tcp.
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

/// How many bytes the server has written to the client that the client has not read: they are in the two kernels'
/// buffers, unacknowledged on one side or unread on the other.
std::size_t written_and_unread(const Client& client);

/// Whether all that clients have done so far has reached the server with this port: no byte of theirs and no end of
/// theirs is still on its way.
bool nothing_is_under_way(std::uint16_t server_port);

/// All sockets of this machine that listen.
std::vector<TcpSocket> listening_sockets();

TcpSocket listening_socket(const Endpoint& server);

/// How many clients wait to be accepted: the Recv-Q that `ss -ltn` shows.
std::size_t accept_queue(const Endpoint& server);

/// The server's end of the client's connection, and the client's end. Throw Failed when there is none.
TcpSocket server_end(const Client& client);
TcpSocket client_end(const Client& client);

/// A copy of it: the same socket, open in this process, too (pidfd_getfd). Debuggers and monitoring agents do this.
/// Throws Skipped where one process may not do this to another.
Fd copy_of(const Descriptor& original);
