#include "06-epoll-threadpool/workers.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <system_error>
#include <utility>

#include "common/accept_failure.h"
#include "common/think.h"

std::uint32_t one_event(Interest interest) {
    switch (interest) {
    case Interest::read:
        return EPOLLIN | EPOLLONESHOT;
    case Interest::write:
        return EPOLLOUT | EPOLLONESHOT;
    case Interest::none:
        break;
    }
    return EPOLLONESHOT;
}

Workers::Workers(int count, int epoll, std::function<void(Connection&)> task) : epoll_(epoll), task_(std::move(task)) {
    try {
        for (int i = 0; i < count; ++i) threads_.emplace_back(&Workers::work, this);
    } catch (const std::system_error& error) {
        stop();
        throw std::system_error(error.code(), "starting a worker thread");
    }
}

void Workers::stop() {
    queue_.close();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
}

/// What each thread does: take a connection off the queue, do the task, hand the connection back.
void Workers::work() {
    while (const auto connection = queue_.pop()) {
        task_(**connection);
        hand_back(**connection);
    }
}

/// Gives the connection back to the kernel. With that it is no longer ours: its next event may already be in another
/// thread's hands.
void Workers::hand_back(Connection& connection) const {
    // Shut down in both directions it is hung up, and that is the event with which main closes it.
    if (connection.interest() == Interest::none) shutdown(connection.fd(), SHUT_RDWR);

    epoll_event event{};
    event.events = one_event(connection.interest());
    event.data.ptr = &connection;
    // Nobody else would ever look at it again; so where the kernel has no room for this (ENOMEM), again in a moment.
    while (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd(), &event) < 0) think(accept_pause_time);
}
