// Chapter 06: read and write queues with threads. The main thread waits for events and puts each ready connection into
// a queue; the workers behind it read, think and write. T1 to T15 are the steps of the article's server.

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>

#include "06-epoll-threadpool/workers.h"
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
    Connections connections; // by descriptor; only the main thread looks in here, puts in and takes out
    AcceptPause pause;
    Fd epoll;

    int watch(int operation, int fd, std::uint32_t events, Connection* connection);
    void accept_client();
    void close_connection(Connection& connection);
    void run(Workers& readers, Workers& writers);
};

/// Adds `fd` to what epoll watches, or changes what it is watched for. `connection` comes back with its events; null
/// stands for the listener. Gives 0, or -1 with errno.
int Server::watch(int operation, int fd, std::uint32_t events, Connection* connection) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = connection;
    return epoll_ctl(epoll.get(), operation, fd, &event);
}

/// Takes the client that waits first in the queue.
void Server::accept_client() {
    Address address;
    Fd client(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client) {
        narrate_connected(client.get(), address);
        const int fd = client.get();
        Connection& connection = connections.emplace(fd, std::move(client)).first->second;
        if (watch(EPOLL_CTL_ADD, fd, one_event(Interest::read), &connection) < 0) close_connection(connection);
    } else if (after_failed_accept(errno) == AfterFailedAccept::pause) {
        pause.begin();
        watch(EPOLL_CTL_MOD, listener.get(), 0, nullptr);
    }
}

/// Hung up: by the client's reset, or by a worker when the client is done.
void Server::close_connection(Connection& connection) {
    if (connection.interest() != Interest::none) narrate_left(connection.fd(), "hung up");
    connections.erase(connection.fd()); // closes it, and what is closed epoll forgets
    pause.end();
}

/// Hands each event to those who do the work. Nothing makes it wait but epoll_wait.
void Server::run(Workers& readers, Workers& writers) {
    constexpr int most = 64;
    std::array<epoll_event, most> events;
    while (!stopping()) { // T11
        const int ready = epoll_wait(epoll.get(), events.data(), most, pause.timeout_ms());
        for (int i = 0; i < ready; ++i) {
            auto* connection = static_cast<Connection*>(events[i].data.ptr);
            if (connection == nullptr) {
                accept_client(); // T12
            } else if ((events[i].events & (EPOLLHUP | EPOLLERR)) != 0) {
                close_connection(*connection); // T15
            } else if ((events[i].events & EPOLLIN) != 0) {
                readers.push(*connection); // T13
            } else {
                writers.push(*connection); // T14
            }
        }
        if (pause.over() && watch(EPOLL_CTL_MOD, listener.get(), EPOLLIN, nullptr) < 0) pause.begin();
    }
    readers.stop();
    writers.stop();
    deliver_unsent(connections);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        int read_workers = 4;
        int write_workers = 2;
        const Options options = parse_options(
            argc, argv,
            std::array{
                NumberOption{"read-workers", "threads that read and answer", 1, 256, &read_workers},
                NumberOption{"write-workers", "threads that send what had no room", 1, 256, &write_workers},
            });
        verbose = options.verbose;

        ignore_sigpipe();
        limit_descriptors(RLIM_INFINITY);
        Server server{open_listener(options, Mode::nonblocking), {}, {}, {}};                     // T1 to T4
        server.epoll = Fd(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));                  // T5
        check(server.watch(EPOLL_CTL_ADD, server.listener.get(), EPOLLIN, nullptr), "epoll_ctl"); // T6
        Workers readers(read_workers, server.epoll.get(),
                        [&](Connection& connection) { connection.on_readable(options.think); }); // T7, T8
        Workers writers(write_workers, server.epoll.get(),
                        [](Connection& connection) { connection.on_writable(); }); // T9, T10
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run(readers, writers);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
