// Many clients at once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/talker.h"

/// Clients that have each connected and sent a line of their own, and wait for it to come back.
class Crowd {
  public:
    /// With `may_be_refused`, a server may close someone who has not got anything: that one has left, then.
    Crowd(const Endpoint& server, std::size_t size, bool may_be_refused = false);

    /// Waits until everyone has their line, or nobody has got anything for `quiet`. Gives how many have been served.
    /// Throws Failed when a line is not the client's own, or the server closed on someone.
    std::size_t wait_for_lines(milliseconds quiet);

    /// Who has been served leaves, at once, until nobody is left. Throws Failed when someone is not served.
    void serve_and_leave();

    [[nodiscard]] std::size_t served() const {
        return static_cast<std::size_t>(std::count_if(members_.begin(), members_.end(), is_served));
    }
    [[nodiscard]] std::size_t refused() const { return refused_; }

    /// From connecting to having the line back; of the client with this number, counted from 0, or of all that have
    /// been served. Nothing for one that has not.
    [[nodiscard]] std::optional<Clock::duration> time_of(std::size_t number) const;
    [[nodiscard]] Clock::duration time_of_all() const;

  private:
    static bool is_served(const Talker& member) { return member.served(); }

    /// Throws Failed as wait_for_lines says it, and lets those go who are refused.
    void judge();

    std::deque<std::string> lines_; // the members point to them
    std::vector<Talker> members_;
    milliseconds patience_;
    bool may_be_refused_;
    std::size_t refused_ = 0;
    Clock::time_point first_connects_ = Clock::now();
};

/// Each of them sends a line of its own; there may be so many that a Crowd would be too slow. Throws Failed when one
/// gets anything else back.
void all_get_their_line_back(std::vector<Client>& clients);

/// `clients` connections at once, each sending `size` bytes of every value in pieces of random size and comparing every
/// byte of the echo. Throws Failed at the first that is wrong, missing or too late.
void exchange_at_once(const Endpoint& server, std::size_t clients, std::size_t size);
