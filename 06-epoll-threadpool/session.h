// A connection and whose it is. Introduced by chapter 06.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cassert>
#include <cstdint>
#include <utility>

#include "common/connection.h"
#include "common/fd.h"

/// Says who has a connection. At any moment one party owns it, and only the owner touches it:
///
///     the kernel --event--> main --push--> a queue --pop--> a worker --let_go--> the kernel
///
/// The baton is a number. While it is 0, the kernel has the connection. Each event adds one, and who finds the event
/// that makes it 1 is the owner. An event that comes later changes the number and not the owner; but it keeps the owner
/// from letting go before it has looked again.
class Baton {
  public:
    /// epoll has reported `event`. True: nobody had the connection, and now the caller has it.
    bool take(std::uint32_t event) {
        if ((event & ~std::uint32_t{EPOLLIN | EPOLLOUT}) != 0) more_than_input_ = true;
        return events_.fetch_add(1) == 0;
    }

    /// For the owner, before it looks at the connection: with that it deals with all the events so far.
    void about_to_look() {
        const int events = events_.exchange(1);
        assert(events > 0); // or the caller is not the owner
    }

    /// The owner has looked. True: the kernel has the connection again; its next event may already have been found, so
    /// do not touch it. False: an event has come since `about_to_look`, and the caller is still the owner.
    [[nodiscard]] bool let_go() {
        int seen = 1;
        if (events_.compare_exchange_strong(seen, 0)) return true;
        assert(seen > 1); // or somebody else has let go of it
        return false;
    }

    /// Whether an event has said that there is something else than input: its end, an error, an urgent mark.
    [[nodiscard]] bool more_than_input() const { return more_than_input_; }

  private:
    std::atomic<int> events_{0};
    std::atomic<bool> more_than_input_{false};
};

/// All that the server keeps of a client.
struct Session {
    explicit Session(Fd socket) : connection(std::move(socket)) {}

    Connection connection; // the owner's
    Baton baton;
    Session* next = nullptr; // the queue's
};
