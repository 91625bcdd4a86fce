// From strace's numbers to names: whose descriptor it is, which client a call is about, what it waits for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/support/strace_reader.h"

/// What a call waits for, if it has to wait.
enum class Waits {
    nothing, ///< it returns at once
    anyone,  ///< until any client wants something: accept, select, epoll_wait
    client,  ///< until one particular client sends, or takes what it is sent
    work,    ///< until another thread wakes this one
    time,    ///< --think
    child,   ///< until a child process ends
};

/// What epoll_wait reports: 5, "A", "EPOLLIN|EPOLLHUP".
struct ReportedEvent {
    int fd;
    std::string name;
    std::string events;
};

/// A call, a signal or an exit, and what it is about.
struct Resolved {
    TraceEvent event;
    pid_t process = 0;                      ///< of the thread
    char client = 0;                        ///< the call is about this client's connection
    std::map<int, std::string> descriptors; ///< names of those that occur in it: 3 "listener", 4 "A"
    Waits waits = Waits::nothing;
    std::string ready; ///< select, epoll_wait: the clients that it said are ready, "AB"; * is the listener
    std::vector<ReportedEvent> reported{}; ///< epoll_wait
    std::map<int, std::string> open{};     ///< all that the process has open after a call
};

/// `clients`: who came from which port.
std::vector<Resolved> resolve(const std::vector<TraceEvent>& events, const std::map<std::uint16_t, char>& clients);

/// The thread or process that a call of fork, clone or clone3 made; 0 for other calls.
pid_t made_by(const TraceEvent& event);
bool makes_thread(const TraceEvent& event);
