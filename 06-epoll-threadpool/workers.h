// Worker threads behind a queue. Introduced by chapter 06.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "06-epoll-threadpool/queue.h"
#include "common/connection.h"

// The baton: at any moment one party owns a connection, and only the owner touches it.
//
//     the kernel --epoll_wait--> main --push--> a queue --pop--> a worker --hand_back--> the kernel
//
// EPOLLONESHOT makes it so: with the event that epoll_wait gives, the kernel lets go of the connection and reports
// nothing more about it until hand_back arms it again. Only main closes, so nobody else ever holds a pointer to a
// connection that is gone.

/// What epoll shall report next about a connection that waits for `interest`: once, and then nothing until it is armed
/// again. A hang-up is reported in any case.
std::uint32_t one_event(Interest interest);

/// A queue of connections and the threads that do one task with each.
class Workers {
  public:
    /// Starts `count` threads. `epoll` is where they hand the connections back to. Throws std::system_error.
    Workers(int count, int epoll, std::function<void(Connection&)> task);
    ~Workers() { stop(); }
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Hands `connection` over: the caller owns it no longer.
    void push(Connection& connection) { queue_.push(&connection); }

    /// Ends the threads, each after the task in hand. The connections left in the queue are the caller's again.
    void stop();

  private:
    void work();
    void hand_back(Connection& connection) const;

    int epoll_;
    std::function<void(Connection&)> task_;
    Queue<Connection*> queue_;
    std::vector<std::thread> threads_;
};
