// What can be seen of a server from outside without slowing it: sock_diag(7) and /proc, and nothing that stops a
// process.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/proc.h"
#include "tests/support/sockets.h"

/// A client's connection: both of its ends, as far as they are on this machine.
struct Connection {
    std::string name; ///< A, B, ... in the order in which the clients came
    std::uint16_t port = 0;
    std::optional<TcpSocket> server{};
    std::optional<TcpSocket> client{};
    Descriptor owner{0, -1};             ///< the server's descriptor, if it is to be seen
    std::optional<milliseconds> waits{}; ///< since when it waits for the server

    /// The kernel has made the connection, and the server has not accepted it yet.
    [[nodiscard]] bool queued() const;
    /// Sent by the client, still in its Send-Q, in our Recv-Q; sent by the server, in our Send-Q, in its Recv-Q.
    [[nodiscard]] std::array<std::uint64_t, 6> bytes() const;
    /// What the server's program has read and has not sent back, if it is an echo server.
    [[nodiscard]] std::uint64_t unanswered() const;
    /// The client's program leaves what has arrived, so that the server's kernel cannot send more.
    [[nodiscard]] bool does_not_read() const;
};

/// What a thread does, as far as its system call says it.
enum class Doing { runs, reads, writes, accepts, waits_for_many, waits_for_work, sleeps, other, unknown };

struct Thread {
    pid_t process;
    pid_t id;
    Doing doing;
    std::string call{};                     ///< "read"; empty while it runs
    long number = -1;                       ///< of the call
    int fd = -1;                            ///< what it reads, writes, accepts from or waits on
    std::optional<milliseconds> since{};    ///< since when it sleeps in there
    std::vector<std::size_t> for_clients{}; ///< in Snapshot::connections: the one, or one of these
};

struct Snapshot {
    pid_t pid;
    std::uint16_t port;
    std::optional<TcpSocket> listener{};
    std::vector<Connection> connections{};
    std::vector<Connection> closed{}; ///< by the server; only the kernel remembers them
    std::vector<Thread> threads{};
    std::vector<std::pair<Descriptor, std::string>>
        descriptors{}; ///< and what each of them is: "listener", "A", "pipe"
    std::vector<Watched> epoll{};
    std::optional<std::array<std::vector<int>, 2>> select{}; ///< to read and to write, while it is in it
    std::vector<std::string> unseen{};                       ///< what cannot be seen, and why
};

/// Looks at one server again and again. What costs much is looked at only when the connections have changed.
class Watcher {
  public:
    Watcher(pid_t pid, std::uint16_t port) : pid_(pid), port_(port) {}
    Snapshot look();

  private:
    struct Process {
        pid_t pid;
        std::map<int, std::string> descriptors;
        std::vector<pid_t> threads;
    };
    using Client = std::pair<std::array<std::uint32_t, 4>, std::uint16_t>; // address and port

    void look_at_connections(Snapshot& now, const std::vector<TcpSocket>& sockets);
    void look_at_processes(const std::vector<TcpSocket>& sockets);
    void look_at_descriptors(Snapshot& now);
    void look_at_thread(pid_t process, pid_t thread, Snapshot& now);

    pid_t pid_;
    std::uint16_t port_;
    std::map<Client, std::string> names_;
    std::size_t named_ = 0;
    std::vector<Process> processes_;
    std::string seen_sockets_;
    std::vector<Watched> epoll_;
    Clock::time_point look_again_;
    Clock::time_point epoll_again_;
};

/// An address as it is written.
std::string to_string(const std::array<std::uint32_t, 4>& host);

/// The first port on which the process, or one that it has started, listens. Throws what() says why there is none.
std::uint16_t port_of_process(pid_t pid);

/// Who waits, since when, and because of whom: a sentence for each, the longest first.
std::vector<std::string> who_waits(const Snapshot& now);

/// For whom the thread works: "A", "A or B", "one of 17 clients".
std::string whom(const Thread& thread, const Snapshot& now);

/// What epoll has been asked to report: "IN", "OUT once"; "disarmed" when EPOLLONESHOT has reported and is not armed.
std::string asked_for(const Watched& watched);

/// What the descriptor of the main process is; empty when that is not to be seen.
std::string name_of(int fd, const Snapshot& now);

/// "3.2 s"
std::string seconds(milliseconds time);
