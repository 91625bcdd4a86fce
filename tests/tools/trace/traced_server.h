// A server that runs under strace, and the clients that a scene lets it meet.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/idle.h"
#include "tests/support/strace_reader.h"
#include "tests/support/straced.h"

/// What a client did, and when.
struct Mark {
    Seconds time;
    char client;      ///< 'A', 'B'; 0: the scene itself, `what` is then the name of its next part
    std::string what; ///< "connects", "asks", "has its answer", "reads", "leaves"
};

/// What is known after a scene: strace's record, and the clients' side of it.
struct Recording {
    std::vector<TraceEvent> events;        ///< from the server's first socket call on
    std::vector<Mark> marks;               ///< in the order of time
    std::map<std::uint16_t, char> clients; ///< who came from which port
    std::uint16_t port = 0;                ///< the server's own
    std::string raw;                       ///< strace's own words
    bool clock_was_set = false;            ///< meanwhile; then its times are not to be trusted
};

/// A state of the server that was over before the scene had seen it, as it can happen on a busy machine. To be played
/// again.
struct Missed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class TracedServer {
  public:
    /// Starts it with these options behind `--port 0`. Throws Skipped when strace is missing or may not trace.
    TracedServer(const std::string& program, const std::vector<std::string>& options);

    /// A client of that name connects. For the buffers see `Client`.
    Client connect(char name, int receive_buffer = 0, int segment = 0);
    void mark(char client, const std::string& what);

    /// Waits until all that the clients did has reached the server's kernel, and then until every thread of the server
    /// sleeps in a call that only somebody else can end.
    void wait_for_rest();
    /// The same, but the client's request has arrived; and no longer than until the client has an answer.
    void wait_for_rest_or_answer(const Client& client);
    /// Waits until some thread sleeps in --think. Throws Missed when the client has its answer before that is seen.
    void wait_for_thinking(const Client& client);

    /// Stops it with SIGTERM and gives what was recorded.
    Recording finish();

  private:
    [[nodiscard]] bool thinks() const;

    Straced traced_;
    Recording recording_;
    Seconds offset_;
};

/// The time now as strace writes it.
Seconds now();
