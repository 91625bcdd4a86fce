// Many clients at once.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/client.h"

/// Clients that have each connected and sent a line of their own, and wait for it to come back.
class Crowd {
  public:
    Crowd(const Endpoint& server, std::size_t size);

    /// Waits until everyone has their line, or nobody has got anything for `quiet`. Gives how many have been served.
    /// Throws Failed when a line is not the client's own, or the server closed on someone.
    std::size_t wait_for_lines(milliseconds quiet);

    /// Who has been served leaves, at once, until nobody is left. Throws Failed when someone is not served.
    void serve_and_leave();

    [[nodiscard]] std::size_t served() const { return served_; }

  private:
    struct Member {
        Client client;
        std::string line;
        std::string back;
        [[nodiscard]] bool served() const { return back.size() == line.size(); }
    };

    /// Waits until someone gets something, or for `time`; whether someone did.
    bool receive_some(milliseconds time);

    std::vector<Member> members_;
    milliseconds patience_;
    std::size_t served_ = 0;
};

/// `clients` connections at once, each sending `size` bytes of every value in pieces of random size and comparing every
/// byte of the echo. Throws Failed at the first that is wrong, missing or too late.
void exchange_at_once(const Endpoint& server, std::size_t clients, std::size_t size);
