// What the peers have in common: their command line and their first line.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

/// A peer holds at most so much for a connection, and reads at most so much at once: as in common/piece.h.
constexpr std::size_t most_held = 64 * 1024;

/// The number behind `option` on the command line.
inline int number_option(int argc, char* argv[], const char* option, int otherwise) {
    for (int i = 1; i + 1 < argc; ++i) {
        if (std::strcmp(argv[i], option) == 0) return std::atoi(argv[i + 1]);
    }
    return otherwise;
}

/// 127.0.0.1 with the port behind --port.
inline sockaddr_in address_option(int argc, char* argv[]) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(number_option(argc, argv, "--port", 7007)));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/// The port that the listener has in fact, for whoever started it with port 0.
inline void announce(int listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
}
