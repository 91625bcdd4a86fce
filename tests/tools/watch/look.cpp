#include "tests/tools/watch/look.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include <algorithm>
#include <fstream>

namespace {

/// Of a file, a pipe, a socket ...
std::string short_name(const std::string& what) {
    if (what == "anon_inode:[eventpoll]") return "epoll";
    if (what.find(":[") != std::string::npos) return what.substr(0, what.find(':'));
    return what.substr(what.rfind('/') + 1, 12);
}

/// Gives the descriptors their names, and finds the one that each connection has.
void look_at_descriptors(const std::vector<pid_t>& processes, Snapshot& now) {
    std::map<std::string, Connection*> clients;
    for (Connection& one : now.connections) clients["socket:[" + one.server.inode + "]"] = &one;
    for (const pid_t process : processes) {
        for (const auto& [fd, what] : descriptors_of(process)) {
            std::string& name = now.descriptors[{process, fd}] = short_name(what);
            if (what == "socket:[" + now.listener.inode + "]") {
                name = "listener";
                now.acceptors.insert(process);
            }
            const auto client = clients.find(what);
            if (client == clients.end()) continue;
            name = client->second->name;
            client->second->owner = {process, fd}; // of a process and its child, the child
        }
    }
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
    look_at_connections(sockets);
    now.connections = connections_;
    look_at_descriptors(processes_, now);
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

/// A client waits when it is in the listen queue, or when what it has sent is not answered, unless it does not read.
/// It waits since its bytes came.
void Watcher::look_at_connections(const std::vector<TcpSocket>& sockets) {
    auto all = connections_of(port_, sockets);
    std::erase_if(connections_, [&](const Connection& one) { return !all.contains(one.address); });
    for (Connection& one : connections_) one = {all.extract(one.address).mapped(), one.address, one.name};
    if (connections_.empty()) named_ = 0;
    std::multimap<unsigned long, Connection> are_new; // a younger socket has a higher inode
    for (const auto& [address, ends] : all) {
        const Connection one{ends, address};
        if (!one.closed()) are_new.emplace(ends.client.state == 0 ? 0 : std::stoul(ends.client.inode), one);
    }
    for (auto& [inode, one] : are_new) {
        one.name = text(static_cast<char>('A' + named_ % 26), named_ < 26 ? "" : text(named_ / 26 + 1));
        ++named_;
        connections_.push_back(one);
    }
    for (Connection& one : connections_) {
        const bool unserved = one.queued() || one.server.receive_queue > 0 || read_and_not_written(one.server) > 0;
        if (unserved && !one.closed() && !one.does_not_read()) one.waits = one.server.since_data;
    }
}

Address address_of(const TcpSocket& socket) {
    std::array<char, INET6_ADDRSTRLEN> name{};
    inet_ntop(AF_INET6, socket.local_host.data(), name.data(), name.size());
    const std::string host = name.data(); // one of IPv4 is ::ffff:127.0.0.1
    return parse_address(host.starts_with("::ffff:") ? host.substr(7) : host, socket.local_port).value();
}
