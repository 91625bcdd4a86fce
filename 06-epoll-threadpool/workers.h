// The two queues and the threads behind them. Introduced by chapter 06.
#pragma once

#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

#include "06-epoll-threadpool/queue.h"
#include "06-epoll-threadpool/session.h"
#include "common/connection.h"

/// What epoll shall report about a connection: each arrival once (EPOLLET), and not again and again until it is dealt
/// with.
std::uint32_t events_for(const Session& session);

/// The read queue, the write queue, and the threads that work on them. They own a session from `push` on.
class Workers {
  public:
    /// Starts the threads. `epoll` is where the connections are watched. Throws std::system_error.
    Workers(int read_workers, int write_workers, int epoll, std::chrono::milliseconds think_time);
    ~Workers() { stop(); }
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;

    /// Hands a session over to the threads. The caller owned it, and does no longer.
    void push(Session& session);

    /// Wakes the threads for what has been pushed. Once for many: to wake a thread costs more than to serve a client.
    void wake();

    /// The sessions whose connections the threads have closed since the last call, linked by `next`; or null. They are
    /// the caller's.
    Session* finished() { return finished_.take_all(); }

    /// Ends the threads, each after the task in hand. All sessions are the caller's then.
    void stop();

  private:
    void read_and_answer();
    void send_rest();
    Queue<Session>& queue_for(const Session& session);
    void queue_again(Session& session);
    void hand_back(Session& session, bool took_all);
    void finish(Session& session);

    int epoll_;
    std::chrono::milliseconds think_time_;
    Queue<Session> read_queue_;  // T7
    Queue<Session> write_queue_; // T9
    Queue<Session> finished_;
    std::vector<std::thread> threads_;
};
