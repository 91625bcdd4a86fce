// What can be seen of a server from outside without slowing or stopping it: sock_diag(7) and /proc.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "tests/tools/connections.h"

using Seconds = std::chrono::duration<double>;

/// A client's connection.
struct Connection : TcpConnection {
    ClientAddress address{};
    std::string name{};             ///< A to Z, A2, B2 ... in the order in which the clients came
    Descriptor owner{0, -1};        ///< the server's descriptor, if it is to be seen
    std::optional<Seconds> waits{}; ///< since when it waits for the server

    /// The kernel has made the connection, and the server has not accepted it yet.
    [[nodiscard]] bool queued() const {
        const bool open = server.state == established || server.state == close_wait || server.state == accepting;
        return open && server.inode == "0";
    }
    /// The server has closed it; only the kernel remembers it. (Where the queue is full, the kernel knows nothing yet.)
    [[nodiscard]] bool closed() const {
        return client.state != connecting && (server.state == 0 || (server.inode == "0" && !queued()));
    }
    /// The client's program leaves what has arrived, so that the server's kernel cannot send more.
    [[nodiscard]] bool does_not_read() const { return !closed() && server.send_queue > 0 && client.receive_queue > 0; }
};

struct Thread {
    pid_t process;
    pid_t id;
    std::string call{};              ///< "read"; empty while it runs, "?" where that is not to be seen
    int fd = -1;                     ///< what it reads, writes, accepts from or waits on
    Seconds since{0};                ///< since when it sleeps in there; 0 where the kernel does not say it
    std::set<std::size_t> clients{}; ///< in Snapshot::connections: it works for this one, or for one of these

    [[nodiscard]] bool reads() const { return call.starts_with("re"); } ///< read, readv, recvfrom, recvmsg
    [[nodiscard]] bool writes() const { return call.starts_with("write") || call.starts_with("send"); }
    [[nodiscard]] bool sleeps() const { return call.ends_with("sleep"); }
    /// It is busy: a client that needs it has to wait.
    [[nodiscard]] bool works() const { return call.empty() || reads() || writes() || sleeps(); }
};

struct Snapshot {
    pid_t pid;
    std::uint16_t port;
    TcpSocket listener{}; ///< its state is 0 when there is none
    std::vector<Connection> connections{};
    std::vector<Thread> threads{};
    std::map<Descriptor, std::string> descriptors{}; ///< and what each of them is: "listener", "A", "pipe"
    std::set<pid_t> acceptors{};                     ///< the processes that have the listener
    int epoll = -1;
    std::map<std::string, std::vector<int>> interest{}; ///< what epoll or select is to report ("IN once"), and of which
    std::vector<std::string> unseen{};                  ///< what cannot be seen, and why
};

/// Looks at one server again and again.
class Watcher {
  public:
    Watcher(pid_t pid, int port) : pid_(pid), port_(static_cast<std::uint16_t>(port)) {}
    Snapshot look();

  private:
    void look_at_connections(const std::vector<TcpSocket>& sockets, Snapshot& now);

    pid_t pid_;
    std::uint16_t port_;
    std::vector<Connection> connections_; // in the order in which the clients came
    std::size_t named_ = 0;
    std::vector<pid_t> processes_;
    Clock::time_point search_again_;
};

/// The socket's own address and port.
Address address_of(const TcpSocket& socket);

// --- what follows from a snapshot (why.cpp) ------------------------------------------------------------------------

/// Who waits, since when, and because of whom: a sentence for each, the longest first.
std::vector<std::string> who_waits(const Snapshot& now);

/// For whom a thread works: "A", "A or B", "one of 17 clients".
std::string whom(const std::set<std::size_t>& clients, const Snapshot& now);
