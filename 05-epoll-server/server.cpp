// Chapter 05: ask the kernel who is ready. epoll keeps the list of descriptors, and a wait costs as much as there are
// ready ones, however many are watched.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <new>
#include <unordered_map>
#include <utility>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/check.h"
#include "common/connection.h"
#include "common/descriptor_limit.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/stop.h"

namespace {

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    Fd epoll;
    std::unordered_map<int, Connection> clients{}; // by descriptor; an element stays where it is
    bool paused = false;                           // no room for another client: leave the listener out of one wait

    int watch(int operation, int fd, uint32_t events, Connection* client);
    bool accept_client();
    void accept_clients();
    void serve(Connection& client);
    void close_client(int fd);
    void run();
};

/// Adds `fd` to what epoll watches, or changes what it is watched for. `client` comes back with its events; null stands
/// for the listener. Returns 0, or -1 with errno.
int Server::watch(int operation, int fd, uint32_t events, Connection* client) {
    epoll_event event{.events = events, .data = {.ptr = client}};
    return epoll_ctl(epoll.get(), operation, fd, &event);
}

/// Takes the next client from the queue. False when there is none to be had now.
bool Server::accept_client() {
    Address address;
    Fd accepted(accept4(listener.get(), &address.any, &address.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!accepted) {
        paused = handle_failed_accept(errno);
        if (paused) watch(EPOLL_CTL_MOD, listener.get(), 0, nullptr);
        return false;
    }
    const int fd = accepted.get();
    narrate("fd ", fd, ": ", address, " connected");
    try {
        Connection& client = clients.emplace(fd, std::move(accepted)).first->second;
        if (watch(EPOLL_CTL_ADD, fd, EPOLLIN, &client) < 0) {
            narrate_left(fd, std::strerror(errno));
            close_client(fd);
        }
    } catch (const std::bad_alloc&) {
        narrate_left(fd, "no memory for it");
    }
    return true;
}

/// Takes clients until the queue is empty, but 64 at most: then the others get their turn.
void Server::accept_clients() {
    for (int left = 64; left > 0 && accept_client(); --left) continue;
}

/// Does what the client was ready for, and tells epoll when it waits for something else from now on.
void Server::serve(Connection& client) {
    const int fd = client.fd();
    const bool had_unsent = client.has_unsent();
    const bool open = had_unsent ? client.send_unsent() : client.echo_buffer(think_time);
    if (!open) return close_client(fd);
    if (client.has_unsent() == had_unsent) return;
    if (watch(EPOLL_CTL_MOD, fd, client.has_unsent() ? EPOLLOUT : EPOLLIN, &client) < 0) {
        narrate_left(fd, std::strerror(errno));
        close_client(fd);
    }
}

/// First out of epoll, then closed. `close` alone would leave it there while another process holds a copy of the
/// descriptor, and its next event would reach a client that is no more.
void Server::close_client(int fd) {
    watch(EPOLL_CTL_DEL, fd, 0, nullptr);
    clients.erase(fd); // closes it
}

/// Serves all clients, one buffer at a time. No client makes it wait.
void Server::run() {
    constexpr int most = 64;
    epoll_event events[most];
    while (!stopping) {
        const int ready = epoll_wait(epoll.get(), events, most, paused ? accept_pause.count() : -1);
        if (paused) paused = watch(EPOLL_CTL_MOD, listener.get(), EPOLLIN, nullptr) < 0;
        for (int i = 0; i < ready && !stopping; ++i) {
            auto* client = static_cast<Connection*>(events[i].data.ptr);
            if (client != nullptr) {
                serve(*client);
            } else if ((events[i].events & EPOLLHUP) != 0) {
                handle_failed_accept(EINVAL); // what accept would fail with
            } else {
                accept_clients();
            }
        }
    }
    deliver(clients);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        fill_standard_descriptors();
        ignore_write_signals();
        const Options options = parse_options(argc, argv);

        limit_descriptors(RLIM_INFINITY);
        Server server{open_listener(options, SOCK_NONBLOCK), options.think,
                      Fd(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"))};
        check(server.watch(EPOLL_CTL_ADD, server.listener.get(), EPOLLIN, nullptr), "epoll_ctl");
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run();
        return stop_status;
    } catch (const std::exception& error) {
        complain(error.what());
        return 1;
    }
}
