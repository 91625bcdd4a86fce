// What can be seen of a server from outside without slowing it: sock_diag(7) and /proc, and nothing that stops a
// process.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "tests/support/sockets.h"

/// A client's connection.
struct Connection : TcpConnection {
    std::string name{}; ///< A, B, ... in the order in which the clients came
    std::uint16_t port = 0;
    Descriptor owner{0, -1};             ///< the server's descriptor, if it is to be seen
    std::optional<milliseconds> waits{}; ///< since when it waits for the server

    /// The kernel has made the connection, and the server has not accepted it yet.
    [[nodiscard]] bool queued() const;
    /// Sent by the client, still in its Send-Q, in our Recv-Q; sent by the server, in our Send-Q, in its Recv-Q.
    [[nodiscard]] std::array<std::uint64_t, 6> bytes() const;
    static constexpr std::uint64_t unseen = UINT64_MAX; ///< among the bytes: that end is not to be seen
    /// The server has closed it; only the kernel remembers it.
    [[nodiscard]] bool closed() const;
    /// The client's program leaves what has arrived, so that the server's kernel cannot send more.
    [[nodiscard]] bool does_not_read() const;
};

struct Thread {
    pid_t process;
    pid_t id;
    std::string call{};                     ///< "read"; empty while it runs, "?" where that is not to be seen
    long number = -1;                       ///< of the call
    int fd = -1;                            ///< what it reads, writes, accepts from or waits on
    std::optional<milliseconds> since{};    ///< since when it sleeps in there
    std::vector<std::size_t> for_clients{}; ///< in Snapshot::connections: the one, or one of these

    /// What it waits for: "the next client", "work" ... "a client" when it is one client's turn; empty for other calls.
    [[nodiscard]] std::string waits_for() const;
    /// It is busy: whoever else needs it has to wait.
    [[nodiscard]] bool works() const { return call.empty() || waits_for() == "a client"; }
    [[nodiscard]] bool reads() const { return call.starts_with("re"); } ///< read, readv, recvfrom, recvmsg
    [[nodiscard]] bool sleeps() const { return call.ends_with("sleep"); }
};

/// What select(2) has been asked about.
struct Selected {
    std::vector<int> to_read;
    std::vector<int> to_write;
};

struct Snapshot {
    pid_t pid;
    std::uint16_t port;
    TcpSocket listener{}; ///< its state is 0 when there is none
    std::vector<Connection> connections{};
    std::vector<Thread> threads{};
    std::map<Descriptor, std::string> descriptors{}; ///< and what each of them is: "listener", "A", "pipe"
    std::set<pid_t> acceptors{};                     ///< the processes that have the listener
    std::vector<Watched> epoll{};
    std::optional<Selected> select{};  ///< while it is in it
    std::vector<std::string> unseen{}; ///< what cannot be seen, and why
};

/// Looks at one server again and again. What costs much is looked at only when the connections have changed.
class Watcher {
  public:
    Watcher(pid_t pid, std::uint16_t port) : pid_(pid), port_(port) {}
    Snapshot look();

  private:
    void look_at_connections(Snapshot& now, const std::vector<TcpSocket>& sockets);
    void look_at_processes(const std::vector<TcpSocket>& sockets);
    void look_at_epoll(Snapshot& now);
    void look_at_thread(Thread thread, Snapshot& now);

    pid_t pid_;
    std::uint16_t port_;
    std::map<ClientAddress, std::string> names_;
    std::size_t named_ = 0;
    std::multimap<std::string, Descriptor> open_; // "socket:[4711]"
    std::vector<Thread> threads_;                 // what they do is not known yet
    std::string seen_sockets_;
    std::vector<Watched> epoll_;
    Clock::time_point look_again_;
    Clock::time_point epoll_again_;
};

/// The first port on which the process, or one that it has started, listens. Throws what() says why there is none.
std::uint16_t port_of_process(pid_t pid);

/// The socket's own address and port.
Address address_of(const TcpSocket& socket);

// --- what follows from a snapshot (why.cpp) ------------------------------------------------------------------------

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
