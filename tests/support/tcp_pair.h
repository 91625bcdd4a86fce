// Both ends of a TCP connection, for what is tested without a server.
#pragma once

#include <sys/socket.h>

#include <utility>

#include "common/check.h"
#include "common/listener.h"
#include "tests/support/client.h"

/// 127.0.0.1 with a port of the kernel's choice.
inline Options any_port() {
    return {parse_address("127.0.0.1", 0).value(), SOMAXCONN, {}};
}

/// A client, and the connected socket that a server has for it.
struct TcpPair {
    Client client;
    Fd server;
};

/// `receive_buffer` (bytes, 0: the kernel's own choice) is the client's. The server's end does not wait.
inline TcpPair tcp_pair(int receive_buffer = 0) {
    const Fd listener = open_listener(any_port());
    Client client(Endpoint{local_address(listener.get())}, receive_buffer);
    Fd server(check(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), "accept"));
    return {std::move(client), std::move(server)};
}
