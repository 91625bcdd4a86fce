// A server's connections, each with both of its ends.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "tests/support/sockets.h"

/// A client's connection, both ends of it. An end that is gone, or is not on this machine, has the state 0.
struct TcpConnection {
    TcpSocket server{};
    TcpSocket client{};
};

/// The client's address and port.
using ClientAddress = std::pair<std::array<std::uint32_t, 4>, std::uint16_t>;

/// The connections of the server with this port, of whose sockets these are.
inline std::map<ClientAddress, TcpConnection> connections_of(std::uint16_t server_port,
                                                             const std::vector<TcpSocket>& sockets) {
    std::map<ClientAddress, TcpConnection> all;
    for (const TcpSocket& socket : sockets) {
        if (socket.state == listening) continue;
        if (socket.local_port == server_port) {
            all[{socket.remote_host, socket.remote_port}].server = socket;
        } else {
            all[{socket.local_host, socket.local_port}].client = socket;
        }
    }
    return all;
}
