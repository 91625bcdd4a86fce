// The two scenes that are played to a server under strace.
#pragma once

#include <string>

#include "tests/tools/trace/traced_server.h"

/// How long the server sleeps for each request in the timeline's scene, and how long a difficult client stays difficult
/// at least after another one has asked.
constexpr milliseconds timeline_think{100};
constexpr milliseconds timeline_hold{200};
/// As many as chapter 06 has by default.
constexpr std::size_t timeline_readers = 4;
constexpr std::size_t timeline_writers = 2;
/// Beside how many idle clients one request is looked at.
constexpr int timeline_idle = 200;

/// The demonstration's scene with two clients: three times B comes and wants its line back, while A is there and 1.
/// says nothing, 2. does not read, 3. asks, too. Each step waits for the one before: the server has answered, or all of
/// it is at rest. Throws Failed.
Recording play_timeline(const std::string& program);

/// B asks once, beside idle clients.
Recording play_round(const std::string& program);

/// The scene of `make trace`: a client connects and says hello; a second connects while the first stays; one sends a
/// message in two halves; one closes its writing side first; one resets. Between two steps the server comes to rest.
Recording play_trace(const std::string& program);

/// Whether the server takes --read-workers.
bool has_workers(const std::string& program);
