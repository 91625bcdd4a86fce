// The scenes of the player: clients that act one after the other, and what the kernel says between their actions.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "tests/support/proc.h"
#include "tests/support/strace_reader.h"
#include "tests/tools/trace/resolve.h"

enum class Do {
    connects,
    sends,   ///< so many bytes, or as many as its kernel takes
    reads,   ///< once, what has arrived; with `bytes`, again and again as long as something is there
    leaves,  ///< closes
    watches, ///< nothing, until the requests that a thread sleeps for (--think) are done
};

/// What a client does next. It acts when the server rests, so the clock decides nothing.
struct Action {
    std::string client; ///< "A"; empty where nobody acts
    Do what;
    std::size_t bytes = 0;
    std::size_t thinking = 0; ///< so many threads then sleep in --think
};

struct Part {
    std::string name;
    std::vector<Action> actions;
};

/// The scene of a chapter, and the server's options for it.
struct Scene {
    std::vector<std::string> options;
    std::vector<Part> parts;
};
Scene scene_of(const std::string& chapter);

/// The bytes in the four buffers of a connection.
struct Buffers {
    std::array<std::size_t, 2> to_server{}; ///< the client's send buffer, the server's receive buffer
    std::array<std::size_t, 2> to_client{}; ///< the server's send buffer, the client's receive buffer
    bool operator==(const Buffers&) const = default;
};

/// What the kernel says at a checkpoint: the server rests, and two looks some time apart have seen the same.
struct Reading {
    bool rests = true; ///< false: the server does not stop making calls, and nothing below is to be trusted
    std::size_t queue = 0;
    std::map<std::string, Buffers> buffers; ///< of the clients that have a connection at both ends
    std::map<pid_t, std::map<int, std::string>> descriptors;
    std::vector<Watched> epoll;
    bool operator==(const Reading&) const = default;
};

/// One action, and what there was when all that it caused was over.
struct Segment {
    Action action;
    std::string part;
    Seconds at;           ///< from when on the calls belong to it
    bool again = false;   ///< it goes on reading
    long done = 0;        ///< bytes that went or came
    std::string failed{}; ///< why it could not be done
    Reading after{};
};

struct Tape {
    std::vector<Resolved> calls;   ///< from the server's first socket call on; with stacks where strace has -k
    std::vector<Segment> segments; ///< the first one is the server's start
    pid_t server = 0;
    Seconds stop = 0; ///< what is later belongs to the stop
};

/// Throws Skipped where strace is missing or may not trace.
Tape play(const Scene& scene, const std::string& program);
