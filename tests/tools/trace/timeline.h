// Who waits for whom: the recording of the timeline's scene, laid out in lanes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/tools/trace/traced_server.h"

enum class State {
    connected,     ///< a client that neither asks nor is served
    unserved,      ///< a client that has asked, and nobody works for it
    served,        ///< a client that is worked for; a thread of the server that works or thinks for `client`
    works,         ///< a thread of the server, for nobody in particular
    waits_for_one, ///< a thread of the server, for `client` alone
    waits_for_any,
    waits_for_work,
};

struct Span {
    Seconds from;
    Seconds to;
    State state;
    char client = 0;   ///< whom it is about
    std::string calls; ///< the system calls, a line each, with their arguments and how long they took
};

struct Lane {
    enum class Kind { client, server, queue };
    Kind kind;
    std::string name;
    std::vector<Span> spans;
    std::string waits_in = ""; ///< the call in which it waits for anyone
};

/// In one of the three parts of the scene: how B fared.
struct Part {
    std::string name; ///< "A says nothing"
    Seconds from;
    Seconds to;
    Seconds asked; ///< B
    Seconds answered;
    bool held = false; ///< B waited because the server waited for A, or worked for A
    Seconds held_from = 0, held_to = 0;
    Seconds served = 0;     ///< how long a thread worked for B; the rest of the time B waited
    std::size_t holder = 0; ///< the lane that B waited for
    std::string held_in;    ///< what the server was in: "read", "write", "think"
};

/// A client's way from the thread that heard of it, through a queue, to the thread that works for it.
struct HandOver {
    Seconds heard;
    Seconds taken;
    std::size_t from, queue, to; ///< lanes
    char client;
};

/// One round of the loop: about how many descriptors the server asks the kernel, and how many are ready.
struct Round {
    std::string call;
    std::size_t asked;
    std::size_t ready;
};

struct Timeline {
    std::vector<Lane> lanes;
    std::vector<Part> parts;
    std::vector<HandOver> hand_overs;
    std::string server; ///< "one process", "a process for each client", "1 + 6 threads"
    std::optional<Round> round = std::nullopt;
};

Timeline lay_out(const Recording& recording);

/// The round in which B's request is noticed; nothing for a server that asks about no more than one client at a time.
std::optional<Round> find_round(const Recording& recording);

/// The finding, in one sentence, from what was measured.
std::string finding(const Timeline& timeline);

/// What happened, without times: the lanes, and for each part who waited for whom. Two runs tell the same story.
std::string story(const Timeline& timeline);
