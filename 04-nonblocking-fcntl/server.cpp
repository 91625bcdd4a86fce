// Chapter 04: sockets that do not wait. What a client does not take is kept, and select says when there is room for it.

#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/connection.h"
#include "common/descriptor_limit.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/nonblocking.h"
#include "common/options.h"
#include "common/stop.h"

namespace {

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    std::unordered_map<int, Connection> clients{}; // by descriptor
    bool paused = false;                           // no room for another client: leave the listener out of one wait

    bool accept_client();
    void accept_clients();
    void wait(fd_set& readable, fd_set& writable);
    void run();
};

/// Takes the next client from the queue. False when there is none to be had now.
bool Server::accept_client() {
    Address address;
    Fd accepted(accept4(listener.get(), &address.any, &address.size, SOCK_CLOEXEC));
    if (!accepted) {
        paused = handle_failed_accept(errno);
        return false;
    }
    const int fd = accepted.get();
    narrate("fd ", fd, ": ", address, " connected");
    if (fd >= FD_SETSIZE) { // somebody has raised our limit since, prlimit(1)
        narrate_left(fd, "select cannot hold it");
        return true;
    }
    if (set_nonblocking(fd) < 0) {
        narrate_left(fd, std::strerror(errno));
        return true;
    }
    try {
        clients.emplace(fd, std::move(accepted));
    } catch (const std::bad_alloc&) {
        narrate_left(fd, "no memory for it");
    }
    return true;
}

/// Takes clients until the queue is empty, but 64 at most: then the others get their turn.
void Server::accept_clients() {
    for (int left = 64; left > 0 && accept_client(); --left) continue;
}

/// Waits until a client has sent something, has room again or wants to connect. The sets are then the descriptors to
/// look after.
void Server::wait(fd_set& readable, fd_set& writable) {
    // select overwrites the sets with its answer, so we rebuild them before every call.
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    int highest = listener.get();
    if (!paused) FD_SET(listener.get(), &readable);
    for (const auto& [fd, client] : clients) {
        FD_SET(fd, client.has_unsent() ? &writable : &readable);
        highest = std::max(highest, fd);
    }
    timeval pause{0, std::chrono::microseconds(accept_pause).count()};
    if (select(highest + 1, &readable, &writable, nullptr, paused ? &pause : nullptr) < 0) {
        if (errno != EINTR) std::this_thread::sleep_for(accept_pause); // ENOMEM: asking again immediately would spin
        FD_ZERO(&readable);                                            // they hold no answer
        FD_ZERO(&writable);
    }
    paused = false;
}

/// Serves all clients, one buffer at a time. No client makes it wait.
void Server::run() {
    while (!stopping) {
        fd_set readable;
        fd_set writable;
        wait(readable, writable);
        for (auto it = clients.begin(); it != clients.end() && !stopping;) {
            auto& [fd, client] = *it;
            bool open = true;
            if (FD_ISSET(fd, &readable)) open = client.echo_buffer(think_time);
            if (FD_ISSET(fd, &writable)) open = client.send_unsent();
            if (open) {
                ++it;
            } else {
                it = clients.erase(it); // closes it
            }
        }
        if (FD_ISSET(listener.get(), &readable)) accept_clients();
    }
    deliver(clients);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        fill_standard_descriptors();
        ignore_write_signals();
        const Options options = parse_options(argc, argv);

        // An fd_set has a bit for each descriptor from 0 to FD_SETSIZE - 1; FD_SET past it writes over other memory.
        // With this limit there is no such descriptor: accept fails with EMFILE first, and that is provided for.
        limit_descriptors(FD_SETSIZE);
        Server server{open_listener(options, SOCK_NONBLOCK), options.think};
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run();
        return stop_status;
    } catch (const std::exception& error) {
        complain(error.what());
        return 1;
    }
}
