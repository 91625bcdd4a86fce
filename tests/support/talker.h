// Clients that each play a role beside one another, and know what they must get.
#pragma once

#include <poll.h>

#include <cstddef>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/client.h"

/// What one client does.
struct Role {
    static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

    /// How it goes.
    enum class End {
        closes,      ///< when it has got all back
        half_closes, ///< when it has sent all; then it reads to the end
        leaves,      ///< closes when it has got `leaves_after` bytes, whatever is still on its way
        resets,      ///< the same, with a reset
        stays,       ///< has got all back, and remains connected
    };

    std::string name;
    std::string_view data;            ///< what it sends; it must stay where it is while the role is played
    std::size_t piece = no_limit;     ///< at most so many bytes by one send
    std::size_t ahead = no_limit;     ///< waits while so many bytes are not back yet
    std::size_t read_piece = 1 << 16; ///< at most so many bytes by one recv
    milliseconds pause{0};            ///< before each send
    bool reads_late = false;          ///< reads nothing before all is sent, or no more can be
    End end = End::closes;
    std::size_t leaves_after = 0;
    std::size_t urgent = no_limit; ///< the byte at this place is sent with MSG_OOB
    int receive_buffer = 0;        ///< see Client
    int segment = 0;
};

/// One connection that plays a role. It never waits: `play` asks it what it waits for.
class Talker {
  public:
    /// Connects. Throws Failed.
    Talker(const Endpoint& server, Role role);

    [[nodiscard]] pollfd waits_for() const;
    /// Does what its descriptor is ready for; whether it got any further.
    bool act(short events);
    /// Nothing has moved for a while, with anyone. Who reads late begins now; who would never have read goes.
    bool nothing_moves();

    /// It is through, in one way or another.
    [[nodiscard]] bool done() const { return done_; }
    /// It has got all that it must get (which is nothing certain for one that leaves or resets).
    [[nodiscard]] bool served() const { return done_ && served_; }
    [[nodiscard]] const Role& role() const { return role_; }
    /// Its own address, while it is connected.
    [[nodiscard]] Address address() const { return client_.address(); }
    [[nodiscard]] std::size_t sent() const { return sent_; }
    [[nodiscard]] std::size_t got() const { return got_; }
    [[nodiscard]] Clock::time_point connects_at() const { return connects_at_; }
    [[nodiscard]] Clock::time_point done_at() const { return done_at_; }
    /// A byte that it got was not the next one. Empty when there was no such byte.
    [[nodiscard]] const std::string& wrong() const { return wrong_; }
    /// "small: 40 of 40 bytes sent, 12 back, then: Connection reset by peer"
    [[nodiscard]] std::string story() const;

  private:
    bool send_on();
    bool receive_on();
    void take(std::string_view got);
    void leave_if_it_is_time();
    void finish(bool served, const std::string& how);
    [[nodiscard]] bool may_send() const;
    [[nodiscard]] bool goes_early() const { return role_.end == Role::End::leaves || role_.end == Role::End::resets; }

    Role role_;
    Clock::time_point connects_at_ = Clock::now();
    Clock::time_point done_at_;
    Client client_;
    std::size_t sent_ = 0;
    std::size_t got_ = 0;
    Clock::time_point next_send_;
    bool finished_sending_ = false;
    bool done_ = false;
    bool served_ = false;
    std::string how_ = "waits";
    std::string wrong_;
};

/// What happens meanwhile.
struct Meanwhile {
    std::function<void()> each_time; ///< called again and again; may take from the talkers and add to them
    std::function<void()> on_quiet;  ///< called when nothing has moved for a while, before who reads late begins
};

/// Lets all of them play until everyone is through. False when nobody got any further for `patience`: see who is not
/// `done`. Who reads late begins when nothing has moved for a while.
bool play(std::vector<Talker>& talkers, milliseconds patience, const Meanwhile& meanwhile = {});

/// Lets all of them play. Throws Failed, with what they `did`, unless each gets what it has sent itself.
void play_to_the_end(std::vector<Talker>& talkers, milliseconds patience, const std::string& did);

/// One client that sends `data` as fast as it can, and gets it back meanwhile. It reads so little at a time that the
/// server's send buffer becomes full. Afterwards it is still connected.
std::vector<Talker> exchange(const Endpoint& server, std::string_view data);
