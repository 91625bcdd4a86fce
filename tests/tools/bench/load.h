// Many clients at once, from one thread: the load that the servers are measured under.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "common/fd.h"
#include "tests/support/client.h"
#include "tests/support/failed.h"
#include "tests/tools/bench/statistics.h"

/// What the clients do.
struct LoadOptions {
    std::size_t connections = 100; ///< the active ones
    std::size_t message = 64;      ///< bytes
    std::size_t in_flight = 1;     ///< messages on their way in each connection: 1 is ping-pong, more is streaming
    std::size_t idle = 0;          ///< connections beside them that have sent one message and then say nothing
    double rate = 0;               ///< messages a second, all connections together; 0: as many as the server answers
    bool churn = false;            ///< each message on a new connection, which is closed in both directions after it
    milliseconds patience{10000};  ///< no answer on any connection for so long is a failure
};

/// What came of it. Only messages that came back whole, byte for byte, are counted.
struct LoadResult {
    std::uint64_t messages = 0;
    double seconds = 0;
    Histogram latency; ///< from a message's time to be sent until its last byte is back
    [[nodiscard]] double per_second() const { return seconds > 0 ? static_cast<double>(messages) / seconds : 0; }
};

/// Set by a signal handler: whatever runs ends soon, with what it has.
inline std::atomic<bool> interrupted = false;

/// The clients of one server. Each connection sends a stream of its own; every byte that comes back is compared, and
/// the first that is lost, repeated, altered or another connection's throws Failed. So does an answer that does not
/// come, and a connection that the server closes.
///
/// About coordinated omission: without `rate` a connection sends its next message when one has come back. A server that
/// halts for a second so delays few messages, and the percentiles are those of a client that waits. With `rate` each
/// message has a time to be sent, whatever became of those before it, and its latency counts from that time.
class Load {
  public:
    /// Connects all, and waits until each connection has had a first message answered.
    Load(const Address& server, const LoadOptions& options);

    /// Sends messages for `seconds`. Those that are still on their way at the end go on; the next call counts them.
    LoadResult run_for(double seconds);

    /// Sends so many messages (no more than that, and no fewer) and waits for all of them.
    LoadResult run_count(std::uint64_t messages);

    /// Waits for what is still on its way, closes the writing side of each active connection, and waits for the server
    /// to close: anything that comes before that is a failure, and so is a byte on an idle connection.
    void finish();

  private:
    struct Flow {
        Fd socket{-1};
        std::uint64_t place = 0;                 ///< where in the pattern its stream begins
        std::uint64_t due = 0;                   ///< bytes of the messages whose time has come
        std::uint64_t sent = 0;                  ///< how many of them are sent
        std::uint64_t received = 0;              ///< and how many have come back
        std::deque<Clock::time_point> started{}; ///< of each message that has not come back yet
        bool waits_for_room = false;
    };

    Address server_;
    LoadOptions options_;
    Fd epoll_;
    std::vector<Flow> flows_;
    std::vector<Flow> idle_;
    std::vector<char> buffer_;
    std::size_t opened_ = 0;
    std::size_t unanswered_ = 0; ///< messages on their way
    bool endless_ = false;       ///< the next message follows when one is back
    std::uint64_t to_start_ = 0; ///< when not endless: how many may still start
    LoadResult result_;

    void open(Flow& flow);
    void open_all(std::vector<Flow>& flows, std::size_t count);
    void start(Flow& flow, std::size_t messages, Clock::time_point when);
    void send(Flow& flow);
    void receive(Flow& flow);
    void compare(const Flow& flow, std::size_t count) const;
    [[nodiscard]] std::string whose(const Flow& flow, std::uint64_t position, const char* bytes,
                                    std::size_t count) const;
    void completed(Flow& flow, Clock::time_point now);
    void end_of_life(Flow& flow);
    void first_messages();
    void start_due(Clock::time_point begin, std::uint64_t& started);
    bool serve_events(std::chrono::nanoseconds most);
    void wait_until_answered();
    [[nodiscard]] bool is_active(const Flow& flow) const;
    [[nodiscard]] std::string name(const Flow& flow) const;
};
