// Chapter 03: one process, many clients. select says who has sent something, and only those are read from.

#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>
#include <unordered_map>
#include <utility>

#include "common/accept_failure.h"
#include "common/acknowledged.h"
#include "common/address.h"
#include "common/descriptor_limit.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/piece.h"
#include "common/signals.h"
#include "common/think.h"
#include "common/write_all.h"

namespace {

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    std::unordered_map<int, Fd> clients; // by descriptor
    AcceptPause pause;

    void accept_client();
    void wait(fd_set& readable);
    void run();
};

/// Takes the client that waits first in the queue. Where there is no memory for it, it is closed again.
void Server::accept_client() try {
    Address address;
    Fd client(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC));
    if (client) {
        narrate_connected(client.get(), address);
        const int fd = client.get();
        clients.emplace(fd, std::move(client));
    } else if (after_failed_accept(errno) == AfterFailedAccept::pause) {
        pause.begin();
    }
} catch (const std::bad_alloc& error) {
    narrate("a client is lost: ", error.what());
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

/// Waits until somebody has sent something or wants to connect, and leaves those in `readable`.
void Server::wait(fd_set& readable) {
    // select overwrites the set with its answer, so it is built anew each time.
    FD_ZERO(&readable);
    int highest = listener.get();
    if (!pause.active()) FD_SET(listener.get(), &readable);
    for (const auto& [fd, client] : clients) {
        FD_SET(fd, &readable);
        highest = std::max(highest, fd);
    }
    const int milliseconds = pause.timeout_ms();
    timeval timeout{milliseconds / 1000, milliseconds % 1000 * 1000};
    if (select(highest + 1, &readable, nullptr, nullptr, milliseconds < 0 ? nullptr : &timeout) < 0) {
        if (errno != EINTR) think(accept_pause_time); // ENOMEM: to ask again at once would spin
        FD_ZERO(&readable);
    }
}

/// Serves all clients, one piece of data at a time. Meanwhile one that does not take its data holds all the others.
void Server::run() {
    while (!stopping()) {
        fd_set readable;
        wait(readable);
        for (auto it = clients.begin(); it != clients.end() && !stopping();) {
            const int client = it->first;
            if (!FD_ISSET(client, &readable) || echo_piece(client, think_time)) {
                ++it;
            } else {
                it = clients.erase(it); // closes it
                pause.end();
            }
        }
        if (FD_ISSET(listener.get(), &readable)) accept_client();
    }
    for (const auto& [fd, client] : clients) wait_until_acknowledged(fd);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const Options options = parse_options(argc, argv);
        verbose = options.verbose;

        ignore_sigpipe();
        // An fd_set has a bit for each descriptor from 0 to FD_SETSIZE - 1; FD_SET past it writes over other memory.
        // With this limit there is no such descriptor: accept fails with EMFILE first, and that is provided for.
        limit_descriptors(FD_SETSIZE);
        Server server{open_listener(options), options.think, {}, {}};
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
