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
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/descriptor_limit.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/stop.h"
#include "common/write_all.h"

namespace {

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    std::unordered_map<int, Fd> clients{}; // by descriptor
    bool paused = false;                   // no room for another client: leave the listener out of one wait

    bool accept_client();
    void wait(fd_set& readable);
    void run();
    void deliver();
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
    try {
        clients.emplace(fd, std::move(accepted));
    } catch (const std::bad_alloc&) {
        narrate_left(fd, "no memory for it");
    }
    return true;
}

/// Reads into a buffer and sends it back. False when the client is done or gone.
bool echo_buffer(int client, std::chrono::milliseconds think_time) {
    std::array<char, 64 * 1024> buffer; // not initialised: read fills as much of it as is used
    const ssize_t count = read(client, buffer.data(), buffer.size());
    if (count == 0) return narrate_left(client, "end of file");
    if (count < 0) return errno == EINTR || narrate_left(client, std::strerror(errno));

    std::this_thread::sleep_for(think_time);
    const bool sent = write_all(client, {buffer.data(), static_cast<std::size_t>(count)});
    if (!sent) return narrate_left(client, std::strerror(errno));
    narrate("fd ", client, ": echoed ", count, " bytes");
    return true;
}

/// Waits until a client has sent something or wants to connect. `readable` are then the descriptors to look after.
void Server::wait(fd_set& readable) {
    // select overwrites the set with its answer, so we rebuild it before every call.
    FD_ZERO(&readable);
    int highest = listener.get();
    if (!paused) FD_SET(listener.get(), &readable);
    for (const auto& [fd, client] : clients) {
        FD_SET(fd, &readable);
        highest = std::max(highest, fd);
    }
    timeval pause{0, std::chrono::microseconds(accept_pause).count()};
    if (select(highest + 1, &readable, nullptr, nullptr, paused ? &pause : nullptr) < 0) {
        if (errno != EINTR) std::this_thread::sleep_for(accept_pause); // ENOMEM: asking again immediately would spin
        FD_ZERO(&readable);                                            // it holds no answer
    }
    paused = false;
}

/// Serves all clients, one buffer at a time. Meanwhile a client that does not take its data blocks all the others.
void Server::run() {
    while (!stopping) {
        fd_set readable;
        wait(readable);
        for (auto it = clients.begin(); it != clients.end() && !stopping;) {
            const int client = it->first;
            if (!FD_ISSET(client, &readable) || echo_buffer(client, think_time)) {
                ++it;
            } else {
                it = clients.erase(it); // closes it
            }
        }
        if (FD_ISSET(listener.get(), &readable)) accept_client();
    }
    deliver();
}

/// For a stop: waits until each client's kernel has acknowledged all that was written, or the client is gone.
void Server::deliver() {
    for (;;) {
        std::erase_if(clients, [](const auto& client) { return !has_unacknowledged(client.first); }); // closes them
        unanswered = static_cast<int>(clients.size());
        if (clients.empty()) return;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
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
        Server server{open_listener(options), options.think};
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run();
        return stop_status;
    } catch (const std::exception& error) {
        complain(error.what());
        return 1;
    }
}
