// Chapter 01: a TCP server at all. It accepts one client, echoes until that client is done, and only then looks for
// the next one.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <iostream>

#include "common/accept_failure.h"
#include "common/acknowledged.h"
#include "common/address.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/piece.h"
#include "common/signals.h"
#include "common/think.h"
#include "common/write_all.h"

namespace {

/// Waits for the next client. No descriptor when there is none to be had now.
Fd accept_client(int listener) {
    Address address;
    Fd client(accept4(listener, address.raw(), &address.size, SOCK_CLOEXEC));
    if (client) {
        narrate_connected(client.get(), address);
    } else if (after_failed_accept(errno) == AfterFailedAccept::pause) {
        think(accept_pause_time);
    }
    return client;
}

/// Reads a piece of data and sends it back. False when the client is done or gone.
bool echo_piece(int client, std::chrono::milliseconds think_time) {
    std::array<char, piece_size> piece; // not initialised: read fills as much of it as is used
    const ssize_t count = read(client, piece.data(), piece.size());
    if (count == 0) {
        narrate_left(client, stopping() ? "the server stops" : "it closed");
        return false;
    }
    if (count < 0) {
        if (errno == EINTR) return true;
        narrate_left(client, std::strerror(errno));
        return false;
    }

    think(think_time);

    if (!write_all(client, piece.data(), static_cast<std::size_t>(count))) {
        narrate_left(client, std::strerror(errno));
        return false;
    }
    narrate("fd ", client, ": echoed ", count, " bytes");
    return true;
}

/// Serves one client until it is done. Meanwhile nobody else is served.
void serve(int client, std::chrono::milliseconds think_time) {
    wake_on_stop(client);
    while (echo_piece(client, think_time) && !stopping()) {
    }
    if (stopping()) wait_until_acknowledged(client);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const Options options = parse_options(argc, argv);
        verbose = options.verbose;

        ignore_sigpipe();
        const Fd listener = open_listener(options);
        stop_on_signals(listener.get());
        announce(listener.get());

        while (!stopping()) {
            wake_on_stop(listener.get());
            const Fd client = accept_client(listener.get());
            if (client) serve(client.get(), options.think);
        } // here `client` is closed
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
