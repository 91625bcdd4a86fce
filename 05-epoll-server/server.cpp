// Chapter 05: ask the kernel who is ready. The connections to watch are told to it once; epoll_wait gives only those
// that are ready, however many there are.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/check.h"
#include "common/connection.h"
#include "common/descriptor_limit.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/signals.h"

namespace {

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    Connections connections; // by descriptor
    AcceptPause pause;
    Fd epoll;

    int watch(int operation, int fd, std::uint32_t events, Connection* connection);
    void accept_client();
    void serve(Connection& connection);
    void run();
};

/// Adds `fd` to what epoll watches, or changes what it is watched for. `connection` comes back with its events; null
/// stands for the listener. Gives 0, or -1 with errno.
int Server::watch(int operation, int fd, std::uint32_t events, Connection* connection) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = connection;
    return epoll_ctl(epoll.get(), operation, fd, &event);
}

/// Takes the client that waits first in the queue. Where there is no memory for it, it is closed again.
void Server::accept_client() try {
    Address address;
    Fd client(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client) {
        narrate_connected(client.get(), address);
        const int fd = client.get();
        Connection& connection = connections.emplace(fd, std::move(client)).first->second;
        if (watch(EPOLL_CTL_ADD, fd, EPOLLIN, &connection) < 0) {
            narrate_left(fd, std::strerror(errno));
            connections.erase(fd);
        }
    } else if (after_failed_accept(errno) == AfterFailedAccept::pause) {
        pause.begin();
        watch(EPOLL_CTL_MOD, listener.get(), 0, nullptr);
    }
} catch (const std::bad_alloc& error) {
    narrate("a client is lost: ", error.what());
}

/// Does what the connection was ready for, and tells epoll when it waits for something else from now on.
void Server::serve(Connection& connection) {
    const int fd = connection.fd();
    const Interest before = connection.interest();
    if (before == Interest::read) {
        connection.on_readable(think_time);
    } else {
        connection.on_writable();
    }

    const Interest after = connection.interest();
    if (after == before) return;
    if (after != Interest::none) {
        if (watch(EPOLL_CTL_MOD, fd, after == Interest::read ? EPOLLIN : EPOLLOUT, &connection) == 0) return;
        narrate_left(fd, std::strerror(errno));
    }
    connections.erase(fd); // closes it, and what is closed epoll forgets
    pause.end();
}

/// Serves all clients, one piece of data at a time. None of them makes it wait.
void Server::run() {
    constexpr int most = 64;
    epoll_event events[most];
    while (!stopping()) {
        const int ready = epoll_wait(epoll.get(), events, most, pause.timeout_ms());
        for (int i = 0; i < ready && !stopping(); ++i) {
            auto* connection = static_cast<Connection*>(events[i].data.ptr);
            if (connection != nullptr) {
                serve(*connection);
            } else {
                accept_client();
            }
        }
        if (pause.over() && watch(EPOLL_CTL_MOD, listener.get(), EPOLLIN, nullptr) < 0) pause.begin();
    }
    deliver_unsent(connections);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const Options options = parse_options(argc, argv);
        verbose = options.verbose;

        ignore_sigpipe();
        limit_descriptors(RLIM_INFINITY);
        Server server{open_listener(options, Mode::nonblocking), options.think, {}, {}, {}};
        server.epoll = Fd(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
        check(server.watch(EPOLL_CTL_ADD, server.listener.get(), EPOLLIN, nullptr), "epoll_ctl");
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
