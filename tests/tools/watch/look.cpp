#include "tests/tools/watch/look.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include <algorithm>
#include <fstream>
#include <tuple>

namespace {

/// Of a file, a pipe, a socket ...
std::string short_name(const std::string& what) {
    if (what == "anon_inode:[eventpoll]") return "epoll";
    if (what.starts_with("anon_inode:")) return what.substr(what.find(':') + 1); // [eventfd]
    if (what.find(":[") != std::string::npos) return what.substr(0, what.find(':'));
    return what.substr(what.rfind('/') + 1, 12);
}

/// Gives the descriptors by what they are; of a process and its child, the child's comes last.
std::multimap<std::string, Descriptor> look_at_descriptors(const std::vector<pid_t>& processes, Snapshot& now) {
    std::multimap<std::string, Descriptor> all;
    for (const pid_t process : processes) {
        for (const auto& [fd, what] : descriptors_of(process)) {
            now.descriptors[{process, fd}] = short_name(what);
            all.emplace(what, Descriptor{process, fd});
        }
    }
    return all;
}

/// "IN", "OUT|ONESHOT"; "disarmed" when EPOLLONESHOT has reported and is not armed.
std::string asked_for(std::uint32_t events) {
    static const std::map<std::uint32_t, std::string> bits{
        {EPOLLIN, "IN"}, {EPOLLOUT, "OUT"}, {EPOLLRDHUP, "RDHUP"}, {EPOLLONESHOT, "ONESHOT"}, {EPOLLET, "ET"}};
    std::string names; // EPOLLERR and EPOLLHUP need not be asked for
    for (const auto& [bit, name] : bits) {
        if ((events & bit) != 0) names += (names.empty() ? "" : "|") + name;
    }
    return names.empty() ? "nothing" : names == "ONESHOT" ? "disarmed" : names;
}

/// One of select's sets, which is in the memory of the process. Empty where that cannot be read.
std::vector<int> set_at(unsigned long address, pid_t process) {
    fd_set set{};
    std::ifstream memory(text("/proc/", process, "/mem"), std::ios::binary);
    memory.seekg(static_cast<std::streamoff>(address));
    memory.read(reinterpret_cast<char*>(&set), sizeof set);
    std::vector<int> descriptors;
    for (int fd = 0; fd < FD_SETSIZE; ++fd) {
        if (FD_ISSET(fd, &set)) descriptors.push_back(fd);
    }
    return descriptors;
}

void look_at_thread(Thread is, Snapshot& now) {
    std::optional<Task> task;
    try {
        task = task_of(is.id);
    } catch (const Skipped& why) {
        if (is.id == now.pid) now.unseen.push_back(text("system calls: ", why.what()));
        is.call = process_state(is.id) == 'R' ? "" : "?";
        return now.threads.push_back(is);
    }
    if (!task) return;                                    // it has ended
    if (task->call < 0) return now.threads.push_back(is); // it runs
    is.call = call_name(task->call);
    // When it was last on the CPU, in the scheduler's own time. We are on the CPU now.
    const std::size_t last = number_in(text("/proc/", is.id, "/sched"), "se.exec_start");
    is.since = milliseconds(std::max(last, number_in("/proc/thread-self/sched", "se.exec_start")) - last);
    const bool has_fd = is.reads() || is.writes() || is.call.starts_with("accept") || is.call == "epoll_wait";
    if (has_fd) is.fd = static_cast<int>(task->arguments[0]);
    for (std::size_t i = 0; i < now.connections.size(); ++i) {
        const Connection& one = now.connections[i];
        const bool uses = has_fd && one.owner.number == is.fd;
        // What it has read and not sent back is what it thinks about, if it is an echo server.
        const bool thinks = is.sleeps() && read_and_not_written(one.server) > 0 && !one.does_not_read();
        if (one.owner.process == is.process && (uses || thinks)) is.clients.insert(i);
    }
    const bool selects = is.call == "select" && is.id == now.pid;
    if (selects) now.interest["to read"] = set_at(task->arguments[1], now.pid);
    if (selects) now.interest["to write"] = set_at(task->arguments[2], now.pid);
    now.threads.push_back(is);
}

} // namespace

Snapshot Watcher::look() {
    Snapshot now{pid_, port_};
    const std::vector<TcpSocket> sockets = sockets_with_port(port_);
    for (const TcpSocket& socket : sockets) {
        if (socket.state == listening && socket.local_port == port_) now.listener = socket;
    }
    if (Clock::now() > search_again_) { // rarely, because all processes are asked for their parents
        processes_ = process_tree(pid_);
        search_again_ = Clock::now() + milliseconds(500);
    }
    look_at_connections(sockets, now);
    for (const Watched& one : watched_by_epoll(pid_)) {
        now.epoll = one.epoll;
        now.interest[asked_for(one.events)].push_back(one.fd);
    }
    if (const std::string why = unreadable(pid_, "fd"); !why.empty()) now.unseen.push_back("descriptors: " + why);
    for (const pid_t process : processes_) {
        for (const pid_t thread : threads_of(process)) look_at_thread({process, thread}, now);
    }
    return now;
}

void Watcher::look_at_connections(const std::vector<TcpSocket>& sockets, Snapshot& now) {
    auto all = connections_of(port_, sockets);
    std::erase_if(connections_, [&](const Connection& one) { return !all.contains(one.address); });
    for (Connection& one : connections_) one = {all.extract(one.address).mapped(), one.address, one.name};
    if (connections_.empty()) named_ = 0;
    const auto old = static_cast<std::ptrdiff_t>(connections_.size());
    for (const auto& [address, ends] : all) {
        if (const Connection one{ends, address}; !one.closed()) connections_.push_back(one);
    }
    const auto files = look_at_descriptors(processes_, now);
    const auto descriptors_of = [&](const TcpSocket& socket) {
        return files.equal_range("socket:[" + socket.inode + "]");
    };
    for (Connection& one : connections_) {
        for (auto [it, last] = descriptors_of(one.server); it != last; ++it) one.owner = it->second;
    }
    // In the order in which the server has accepted them, and then those in the queue. Of these a younger one has a
    // higher inode, if both were made on the same CPU; nothing better is to be seen.
    std::ranges::sort(connections_.begin() + old, connections_.end(), {}, [](const Connection& one) {
        return std::tuple(one.owner.number < 0, one.owner, one.client.state == 0 ? 0 : std::stoul(one.client.inode));
    });
    for (Connection& one : connections_) {
        if (one.name.empty()) {
            one.name = text(static_cast<char>('A' + named_ % 26), named_ < 26 ? "" : text(named_ / 26 + 1));
            ++named_;
        }
        for (auto [it, last] = descriptors_of(one.server); it != last; ++it) now.descriptors[it->second] = one.name;
        // It waits when it is in the listen queue, or when what it has sent is not answered, unless it does not read;
        // and since its bytes came.
        const bool unserved = one.queued() || one.server.receive_queue > 0 || read_and_not_written(one.server) > 0;
        if (unserved && !one.closed() && !one.does_not_read()) one.waits = one.server.since_data;
    }
    for (auto [it, last] = descriptors_of(now.listener); it != last; ++it) {
        now.descriptors[it->second] = "listener";
        now.acceptors.insert(it->second.process);
    }
    now.connections = connections_;
}

Address address_of(const TcpSocket& socket) {
    std::array<char, INET6_ADDRSTRLEN> name{};
    inet_ntop(AF_INET6, socket.local_host.data(), name.data(), name.size());
    const std::string host = name.data(); // one of IPv4 is ::ffff:127.0.0.1
    return parse_address(host.starts_with("::ffff:") ? host.substr(7) : host, socket.local_port).value();
}
