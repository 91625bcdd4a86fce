// Chapter 04: sockets that do not wait. What a client does not take is kept, and select says when there is room for it.

#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/connection.h"
#include "common/descriptor_limit.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/nonblocking.h"
#include "common/options.h"
#include "common/signals.h"
#include "common/think.h"

namespace {

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    Connections connections; // by descriptor
    AcceptPause pause;

    void accept_client();
    void wait(fd_set& readable, fd_set& writable);
    void run();
};

/// Takes the client that waits first in the queue. Where there is no memory for it, it is closed again.
void Server::accept_client() try {
    Address address;
    Fd client(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC));
    if (client) {
        narrate_connected(client.get(), address);
        if (set_nonblocking(client.get()) < 0) return narrate_left(client.get(), std::strerror(errno));
        const int fd = client.get();
        connections.emplace(fd, std::move(client));
    } else if (after_failed_accept(errno) == AfterFailedAccept::pause) {
        pause.begin();
    }
} catch (const std::bad_alloc& error) {
    narrate("a client is lost: ", error.what());
}

/// Waits until somebody has sent something, takes data again or wants to connect, and leaves those in the sets.
void Server::wait(fd_set& readable, fd_set& writable) {
    // select overwrites the sets with its answer, so they are built anew each time.
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    int highest = listener.get();
    if (!pause.active()) FD_SET(listener.get(), &readable);
    for (const auto& [fd, connection] : connections) {
        FD_SET(fd, connection.interest() == Interest::read ? &readable : &writable);
        highest = std::max(highest, fd);
    }
    const int milliseconds = pause.timeout_ms();
    timeval timeout{milliseconds / 1000, milliseconds % 1000 * 1000};
    if (select(highest + 1, &readable, &writable, nullptr, milliseconds < 0 ? nullptr : &timeout) < 0) {
        if (errno != EINTR) think(accept_pause_time); // ENOMEM: to ask again at once would spin
        FD_ZERO(&readable);
        FD_ZERO(&writable);
    }
}

/// Serves all clients, one piece of data at a time. None of them makes it wait.
void Server::run() {
    while (!stopping()) {
        fd_set readable;
        fd_set writable;
        wait(readable, writable);
        for (auto it = connections.begin(); it != connections.end() && !stopping();) {
            auto& [fd, connection] = *it;
            if (FD_ISSET(fd, &readable)) connection.on_readable(think_time);
            if (FD_ISSET(fd, &writable)) connection.on_writable();
            if (connection.interest() != Interest::none) {
                ++it;
            } else {
                it = connections.erase(it); // closes it
                pause.end();
            }
        }
        if (FD_ISSET(listener.get(), &readable)) accept_client();
    }
    deliver_unsent(connections);
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
        Server server{open_listener(options, Mode::nonblocking), options.think, {}, {}};
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
