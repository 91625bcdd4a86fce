// Chapter 06: read and write queues with threads. The main thread waits for events and puts each ready client into a
// queue; the workers behind it read, think and write. T1 to T15 are the steps of the article's server.

#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "06-epoll-threadpool/queue.h"
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

/// A connection that threads pass on. At any moment exactly one party owns it: the kernel (it is armed), a queue, or
/// the worker that took it from the queue. Only the owner touches it or closes it.
struct Client : Connection {
    using Connection::Connection;
    bool armed = false;
};

struct Server {
    Fd listener;
    std::chrono::milliseconds think_time;
    Fd epoll;
    std::unordered_map<int, Client> clients{}; // by descriptor; an element stays where it is
    std::mutex clients_mutex{};  // guards the table and each `armed`: so what one owner has written, the next one sees
    bool paused = false;         // no room for another client: leave the listener out of one wait
    Queue<Client> read_queue{};  // T7
    Queue<Client> write_queue{}; // T9
    std::vector<std::thread> workers{}; // T8, T10

    ~Server() { stop_workers(); }
    int watch(int operation, int fd, uint32_t events, Client* client);
    void arm(int operation, Client& client);
    void take(Client& client);
    bool accept_client();
    void accept_clients();
    void close_client(int fd);
    void push(Queue<Client>& queue, Client& client);
    void process_read_queue();
    void process_write_queue();
    void start_workers(int readers, int writers);
    void stop_workers();
    void run();
};

/// Adds `fd` to what epoll watches, or changes what it is watched for. `client` comes back with its events; null stands
/// for the listener. Returns 0, or -1 with errno.
int Server::watch(int operation, int fd, uint32_t events, Client* client) {
    epoll_event event{.events = events, .data = {.ptr = client}};
    return epoll_ctl(epoll.get(), operation, fd, &event);
}

/// Gives a client to the kernel, which reports it once (EPOLLONESHOT) and then leaves it alone until it is armed again.
/// Once it is armed, another thread may own it, or may have closed it. So look at it before.
void Server::arm(int operation, Client& client) {
    const int fd = client.fd();
    const uint32_t events = (client.has_unsent() ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT;
    {
        const std::lock_guard lock(clients_mutex);
        client.armed = true;
        if (watch(operation, fd, events, &client) == 0) return;
        client.armed = false; // the kernel does not want it, so it is still ours
    }
    narrate_left(fd, std::strerror(errno));
    close_client(fd);
}

/// The kernel has reported a client: now it is the caller's.
void Server::take(Client& client) {
    const std::lock_guard lock(clients_mutex);
    assert(client.armed);
    client.armed = false;
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
        std::unique_lock lock(clients_mutex);
        Client& client = clients.try_emplace(fd, std::move(accepted)).first->second;
        lock.unlock();
        arm(EPOLL_CTL_ADD, client);
    } catch (const std::bad_alloc&) {
        narrate_left(fd, "no memory for it");
    }
    return true;
}

/// Takes clients until the queue is empty, but 64 at most: then the others get their turn.
void Server::accept_clients() {
    for (int left = 64; left > 0 && accept_client(); --left) continue;
}

/// T15: first out of epoll, then closed, as in chapter 05. Both under the lock: once it is closed, the next client may
/// get the same number.
void Server::close_client(int fd) {
    const std::lock_guard lock(clients_mutex);
    watch(EPOLL_CTL_DEL, fd, 0, nullptr);
    clients.erase(fd); // closes it
}

/// Puts a client that the caller owns into a queue, which owns it then. Without memory for that the client is closed:
/// the kernel would never report it again.
void Server::push(Queue<Client>& queue, Client& client) {
    if (queue.push(client)) return;
    narrate_left(client.fd(), "no memory to queue it");
    close_client(client.fd());
}

void Server::process_read_queue() {
    while (Client* const client = read_queue.pop()) {
        if (!client->echo_buffer(think_time)) {
            close_client(client->fd());
        } else if (client->had_input() && !client->has_unsent()) {
            push(read_queue, *client); // More may have come by now. It waits behind the others; this worker pops next.
        } else {
            arm(EPOLL_CTL_MOD, *client);
        }
    }
    --unanswered;
}

void Server::process_write_queue() {
    while (Client* const client = write_queue.pop()) {
        client->send_unsent() ? arm(EPOLL_CTL_MOD, *client) : close_client(client->fd());
    }
    --unanswered;
}

void Server::start_workers(int readers, int writers) {
    try {
        for (int i = 0; i < readers; ++i) workers.emplace_back(&Server::process_read_queue, this);  // T8
        for (int i = 0; i < writers; ++i) workers.emplace_back(&Server::process_write_queue, this); // T10
    } catch (const std::system_error& error) {
        throw std::system_error(error.code(), "starting a worker thread");
    }
}

/// Each worker ends when it has done what it is doing. Then all clients are the main thread's.
void Server::stop_workers() {
    unanswered = static_cast<int>(workers.size()); // each takes itself off when it ends, a busy one later
    {
        const std::lock_guard lock(clients_mutex);
        for (const auto& [fd, client] : clients) unanswered += client.armed && client.has_unsent() ? 1 : 0;
    }
    read_queue.close();
    write_queue.close();
    for (std::thread& worker : workers) worker.join();
    workers.clear();
}

/// Waits for events, and puts each ready client into the queue of those who do the work.
void Server::run() {
    constexpr int most = 64;
    epoll_event events[most];
    while (!stopping) { // T11
        const int ready = epoll_wait(epoll.get(), events, most, paused ? accept_pause.count() : -1);
        if (paused) paused = watch(EPOLL_CTL_MOD, listener.get(), EPOLLIN, nullptr) < 0;
        for (int i = 0; i < ready; ++i) {
            auto* client = static_cast<Client*>(events[i].data.ptr);
            if (client != nullptr) {
                take(*client);
                push(client->has_unsent() ? write_queue : read_queue, *client); // T14, T13
            } else if ((events[i].events & EPOLLHUP) != 0) {
                handle_failed_accept(EINVAL); // what accept would fail with
            } else {
                accept_clients(); // T12
            }
        }
        read_queue.wake();
        write_queue.wake();
    }
    stop_workers();
    deliver(clients);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        fill_standard_descriptors();
        ignore_write_signals();
        int readers = 4, writers = 2;
        const Options options =
            parse_options(argc, argv,
                          {{"read-workers", 1, 256, &readers, "N    threads that read and answer (default 4)"},
                           {"write-workers", 1, 256, &writers, "N   threads that send what had no room (default 2)"}});

        limit_descriptors(RLIM_INFINITY);
        Server server{open_listener(options, SOCK_NONBLOCK), options.think,                       // T1 to T4
                      Fd(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"))};                  // T5
        check(server.watch(EPOLL_CTL_ADD, server.listener.get(), EPOLLIN, nullptr), "epoll_ctl"); // T6
        // No thread that wakes up interrupts another, sched(7), so each finds more to do: 10 to 20 percent less CPU.
        const sched_param no_priority{}; // the workers inherit it; a policy that was chosen with chrt(1) stays
        if (sched_getscheduler(0) == SCHED_OTHER) sched_setscheduler(0, SCHED_BATCH, &no_priority);
        stop_on_signals(server.listener.get());
        server.start_workers(readers, writers);
        announce(server.listener.get());
        server.run();
        return stop_status;
    } catch (const std::exception& error) {
        complain(error.what());
        return 1;
    }
}
