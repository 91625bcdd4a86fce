// A listener for the peers that have no library to open one.
#pragma once

#include <netinet/tcp.h>

#include "tests/tools/bench/peers/peer.h"

/// As open_listener in common/: SO_REUSEADDR, TCP_NODELAY, the longest queue there may be. -1 when that fails.
inline int open_plain_listener(int argc, char* argv[]) {
    const sockaddr_in address = address_option(argc, argv);
    const int on = 1;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) return -1;
    return listen(listener, SOMAXCONN) < 0 ? -1 : listener;
}
