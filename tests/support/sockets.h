// What the kernel says of a server's sockets: sock_diag(7), which ss asks as well.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/proc.h"

std::uint16_t port_of(const Address& address);

/// The states of a TCP socket that are looked for here, as the kernel numbers them.
enum TcpState { established = 1, connecting = 2, accepting = 3, time_wait = 6, close_wait = 8, listening = 10 };

/// One TCP socket: one end of a connection, or a listener.
struct TcpSocket {
    std::uint16_t local_port;
    std::uint16_t remote_port; ///< 0 while it listens
    int state;
    std::size_t send_queue;    ///< bytes that the other kernel has not acknowledged
    std::size_t receive_queue; ///< bytes that the program has not read; while it listens: clients not yet accepted
    std::string inode;         ///< "0" when no program has it: it is not yet accepted, or already closed
    std::array<std::uint32_t, 4> local_host{};
    std::array<std::uint32_t, 4> remote_host{};
    std::uint64_t received = 0;     ///< bytes that have arrived here so far, read or not
    std::uint64_t acknowledged = 0; ///< bytes that have arrived at the other end so far, read or not
    milliseconds since_data{0};     ///< since bytes have last arrived; since it is connected when none have
};

/// The sockets with this port at one of their ends.
std::vector<TcpSocket> sockets_with_port(std::uint16_t port);

/// The sockets with this port at their own end.
std::vector<TcpSocket> tcp_sockets(std::uint16_t local_port);

/// How many bytes the server has written to the client that the client has not read: they are in the two kernels'
/// buffers, unacknowledged on one side or unread on the other.
std::size_t written_and_unread(const Client& client);

/// How many bytes the server's program has read from the client and not written to it, as an echo server must.
/// The client's end of file is not counted.
std::size_t read_and_not_written(const TcpSocket& server);

/// All sockets of this machine that listen.
std::vector<TcpSocket> listening_sockets();

/// Those that the process listens on, or one that it has started.
std::vector<TcpSocket> listening_sockets(pid_t root);

TcpSocket listening_socket(const Endpoint& server);

/// How many clients wait to be accepted: the Recv-Q that `ss -ltn` shows.
std::size_t accept_queue(const Endpoint& server);

/// How many clients on this machine have found a queue full so far (ListenOverflows in `nstat -az`).
std::size_t overflown_queues();

/// The server's end of the client's connection, and the client's end. Throw Failed when there is none.
TcpSocket server_end(const Client& client);
TcpSocket client_end(const Client& client);

/// A copy of it: the same socket, open in this process, too (pidfd_getfd). Debuggers and monitoring agents do this.
/// Throws Skipped where one process may not do this to another.
Fd copy_of(const Descriptor& original);
