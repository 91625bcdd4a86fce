// The scene that the demonstration plays against a server: four kinds of difficult clients, and beside each of them an
// ordinary one.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/client.h"

/// How long a request takes where requests take long: --think.
constexpr milliseconds think_time{200};

/// How long none of a crowd gets an answer, while the server does not work, until nobody is waited for any longer.
constexpr milliseconds crowd_patience{800};

enum class Verdict {
    served,
    late, ///< served, but only after it had waited for somebody else's request
    not_served,
};

/// What became of an ordinary client: one that connects, sends a line and wants it back.
struct Answer {
    Verdict verdict = Verdict::not_served;
    Clock::duration after{}; ///< from connecting to having the line back
};

/// What became of many clients at once, and of an ordinary one that comes when they are all there.
struct CrowdAnswers {
    std::size_t clients = 0;
    std::size_t served = 0;
    Clock::duration after{}; ///< from the first one's connecting to the last line that came back
    Answer one_more;
};

/// What was measured of one server.
struct Scene {
    Answer beside_silent;
    Answer beside_never_reading;
    std::size_t never_reading_sent = 0; ///< bytes
    Answer behind_slow;
    CrowdAnswers crowd;
    std::vector<std::string> troubles; ///< what no server should do: a crash, say
};

/// Plays the scene, each act against a freshly started server, so that none disturbs the next. `crowd` clients come at
/// once in the last act; before each act `say` is told its name.
/// Throws Failed or std::system_error when the server does not start.
Scene play(const std::string& program, std::size_t crowd, const std::function<void(const std::string&)>& say);
