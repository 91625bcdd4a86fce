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
#include <memory>
#include <new>
#include <thread>
#include <unordered_map>
#include <utility>

#include "06-epoll-threadpool/session.h"
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
    // By address, as the number of a descriptor that a worker has closed may already be the next client's. Only main
    // puts in and takes out.
    std::unordered_map<Session*, std::unique_ptr<Session>> sessions;
    AcceptPause pause;
    Fd epoll;

    int watch(int operation, int fd, std::uint32_t events, Session* session);
    void accept_client();
    void delete_finished(Workers& workers);
    void run(Workers& workers);
    void deliver();
};

/// Adds `fd` to what epoll watches, or changes what it is watched for. `session` comes back with its events; null
/// stands for the listener. Gives 0, or -1 with errno.
int Server::watch(int operation, int fd, std::uint32_t events, Session* session) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = session;
    return epoll_ctl(epoll.get(), operation, fd, &event);
}

/// Takes the client that waits first in the queue. Where there is no memory for it, it is closed again.
void Server::accept_client() try {
    Address address;
    Fd client(accept4(listener.get(), address.raw(), &address.size, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client) {
        narrate_connected(client.get(), address);
        const int fd = client.get();
        auto session = std::make_unique<Session>(std::move(client));
        Session* const key = session.get();
        sessions.emplace(key, std::move(session));
        if (watch(EPOLL_CTL_ADD, fd, events_for(*key), key) < 0) {
            narrate_left(fd, std::strerror(errno));
            sessions.erase(key);
        }
    } else if (after_failed_accept(errno) == AfterFailedAccept::pause) {
        pause.begin();
        watch(EPOLL_CTL_MOD, listener.get(), 0, nullptr);
    }
} catch (const std::bad_alloc& error) {
    narrate("a client is lost: ", error.what());
}

/// Deletes the clients whose connections the workers have closed.
void Server::delete_finished(Workers& workers) {
    for (Session* session = workers.finished(); session != nullptr;) {
        sessions.erase(std::exchange(session, session->next));
        pause.end();
    }
}

/// Hands each event to those who do the work.
void Server::run(Workers& workers) {
    constexpr int most = 64;
    epoll_event events[most];
    while (!stopping()) { // T11
        const int ready = epoll_wait(epoll.get(), events, most, pause.timeout_ms());
        bool pushed = false;
        for (int i = 0; i < ready; ++i) {
            auto* session = static_cast<Session*>(events[i].data.ptr);
            if (session == nullptr) {
                accept_client(); // T12
            } else if (session->baton.take(events[i].events)) {
                workers.push(*session);
                pushed = true;
            }
        }
        if (pushed) {
            workers.wake();
            std::this_thread::yield(); // a hint: let them begin, and find with one wait what arrives meanwhile
        }
        delete_finished(workers); // here, where no event of theirs is left in `events`
        if (pause.over() && watch(EPOLL_CTL_MOD, listener.get(), EPOLLIN, nullptr) < 0) pause.begin();
    }
    workers.stop();
    delete_finished(workers);
    deliver();
}

/// Sends what is left to be sent.
void Server::deliver() {
    Connections connections;
    for (auto& [address, session] : sessions) {
        connections.emplace(session->connection.fd(), std::move(session->connection));
    }
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
        Workers workers(read_workers, write_workers, server.epoll.get(), options.think);          // T7 to T10
        stop_on_signals(server.listener.get());
        announce(server.listener.get());
        server.run(workers);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
