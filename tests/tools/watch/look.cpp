#include "tests/tools/watch/look.h"

#include <arpa/inet.h>
#include <sys/select.h>

#include <algorithm>
#include <fstream>
#include <stdexcept>

namespace {

std::string letters(std::size_t number) {
    const std::string last(1, static_cast<char>('A' + number % 26));
    return number < 26 ? last : letters(number / 26 - 1) + last;
}

/// Of a file, a pipe, a socket ...
std::string short_name(const std::string& what) {
    if (what == "anon_inode:[eventpoll]") return "epoll";
    if (what.find(":[") != std::string::npos) return what.substr(0, what.find(':'));
    return what.substr(what.rfind('/') + 1, 12);
}

std::string socket_name(const TcpSocket& socket) {
    return "socket:[" + socket.inode + "]";
}

/// How long ago a thread that sleeps has gone to sleep. Nothing where the kernel does not say it.
std::optional<milliseconds> asleep_for(pid_t thread) {
    // The moment when it was last on the CPU, in the scheduler's own time. We are on the CPU now.
    const auto last = number_in(text("/proc/", thread, "/sched"), "se.exec_start");
    const auto now = number_in("/proc/thread-self/sched", "se.exec_start");
    if (last == 0 || now == 0) return std::nullopt;
    return milliseconds(now > last ? now - last : 0);
}

/// Of a thread that waits in select. The sets are in the memory of its process, and empty where that cannot be read.
Selected selected_by(const Task& in_select) {
    std::ifstream memory(text("/proc/", in_select.thread, "/mem"), std::ios::binary);
    const auto highest = static_cast<int>(std::min<unsigned long>(in_select.arguments[0], FD_SETSIZE));
    const auto read_set = [&](unsigned long address) {
        fd_set set{};
        std::vector<int> descriptors;
        memory.clear();
        memory.seekg(static_cast<std::streamoff>(address));
        if (address == 0 || !memory.read(reinterpret_cast<char*>(&set), sizeof set)) return descriptors;
        for (int fd = 0; fd < highest; ++fd) {
            if (FD_ISSET(fd, &set)) descriptors.push_back(fd);
        }
        return descriptors;
    };
    return {read_set(in_select.arguments[1]), read_set(in_select.arguments[2])};
}

} // namespace

bool Connection::queued() const {
    return server.inode == "0" &&
           (server.state == established || server.state == close_wait || server.state == accepting);
}

std::array<std::uint64_t, 6> Connection::bytes() const {
    const auto ours = [&](std::uint64_t number) { return server.state == 0 ? unseen : number; };
    const auto its = [&](std::uint64_t number) { return client.state == 0 ? unseen : number; };
    return {ours(server.received + client.send_queue),     its(client.send_queue),  ours(server.receive_queue),
            ours(server.acknowledged + server.send_queue), ours(server.send_queue), its(client.receive_queue)};
}

bool Connection::closed() const {
    return server.state == 0 || (server.inode == "0" && !queued());
}

bool Connection::does_not_read() const {
    return !closed() && server.send_queue > 0 && client.receive_queue > 0;
}

std::string Thread::waits_for() const {
    static const std::map<std::string, std::set<std::string>> calls = {
        {"a client",
         {"read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg", "nanosleep",
          "clock_nanosleep"}},
        {"the next client", {"accept", "accept4"}},
        {"what is ready first", {"select", "poll", "epoll_wait", "io_uring_enter"}},
        {"work", {"futex"}}};
    for (const auto& [what, names] : calls) {
        if (names.contains(call)) return what;
    }
    return "";
}

Snapshot Watcher::look() {
    Snapshot now{pid_, port_};
    const std::vector<TcpSocket> sockets = sockets_with_port(port_);
    look_at_processes(sockets);
    for (const auto& [what, descriptor] : open_) now.descriptors[descriptor] = short_name(what);
    look_at_connections(now, sockets);
    look_at_epoll(now);
    if (const std::string why = unreadable(pid_, "fd"); !why.empty()) now.unseen.push_back("descriptors: " + why);
    for (const Thread& thread : threads_) look_at_thread(thread, now);
    return now;
}

/// The processes, their threads and descriptors, when the sockets are not the same as before, or a second has passed;
/// but at most for a twentieth of the time.
void Watcher::look_at_processes(const std::vector<TcpSocket>& sockets) {
    std::string seen;
    for (const TcpSocket& socket : sockets) seen += socket.inode + " ";
    const auto start = Clock::now();
    if (start < look_again_ && seen == seen_sockets_) return;
    seen_sockets_ = seen;
    open_.clear();
    threads_.clear();
    for (const pid_t pid : process_tree(pid_)) {
        if (has_ended(pid)) continue;
        for (const auto& [fd, what] : descriptors_of(pid)) open_.emplace(what, Descriptor{pid, fd});
        for (const pid_t thread : threads_of(pid)) threads_.push_back({pid, thread});
    }
    look_again_ = Clock::now() + std::max<Clock::duration>(milliseconds(1000), 20 * (Clock::now() - start));
}

/// Gives a name to the connections that are new. A client waits when it is in the listen queue, or when what it has
/// sent is not answered, unless it does not read. It waits since its bytes came.
void Watcher::look_at_connections(Snapshot& now, const std::vector<TcpSocket>& sockets) {
    for (const TcpSocket& socket : sockets) {
        if (socket.state == listening && socket.local_port == port_) now.listener = socket;
    }
    const auto all = connections_of(port_, sockets);
    std::erase_if(names_, [&](const auto& known) { return !all.contains(known.first); });
    if (names_.empty()) named_ = 0;
    std::multimap<unsigned long, ClientAddress> by_age; // a younger socket has a higher inode
    for (const auto& [client, ends] : all) {
        by_age.emplace(ends.client.state == 0 ? 0 : std::stoul(ends.client.inode), client);
    }
    for (const auto& [inode, client] : by_age) {
        Connection one{all.at(client)};
        if (one.closed() && !names_.contains(client)) continue; // before our time
        if (!names_.contains(client)) names_[client] = letters(named_++);
        one.name = names_[client];
        one.port = client.second;
        const bool unserved = one.queued() || one.server.receive_queue > 0 || read_and_not_written(one.server) > 0;
        if (unserved && !one.closed() && !one.does_not_read()) one.waits = one.server.since_data;
        for (auto [it, end] = open_.equal_range(socket_name(one.server)); it != end; ++it) {
            one.owner = it->second; // of a process and its child, the child
            now.descriptors[it->second] = one.name;
        }
        now.connections.push_back(one);
    }
    for (auto [it, end] = open_.equal_range(socket_name(now.listener)); it != end; ++it) {
        now.descriptors[it->second] = "listener";
        now.acceptors.insert(it->second.process);
    }
    std::sort(now.connections.begin(), now.connections.end(), [](const Connection& a, const Connection& b) {
        return std::pair(a.name.size(), a.name) < std::pair(b.name.size(), b.name);
    });
}

/// While an epoll instance's fdinfo is read its lock is held, with 10,000 entries for 49 ms. So if there are many, it
/// is read for a hundredth of the time at most.
void Watcher::look_at_epoll(Snapshot& now) {
    const auto start = Clock::now();
    if (start >= epoll_again_) {
        epoll_ = watched_by_epoll(pid_);
        std::sort(epoll_.begin(), epoll_.end(), [](const Watched& a, const Watched& b) { return a.fd < b.fd; });
        if (epoll_.size() > 50) epoll_again_ = start + 100 * (Clock::now() - start);
    }
    now.epoll = epoll_;
}

void Watcher::look_at_thread(Thread is, Snapshot& now) {
    std::optional<Task> task;
    try {
        task = task_of(is.id);
    } catch (const Skipped& why) {
        if (is.id == pid_) now.unseen.push_back(text("system calls: ", why.what()));
        is.call = process_state(is.id) == 'R' ? "" : "?";
        return now.threads.push_back(is);
    }
    if (!task) return;                                    // it has ended
    if (task->call < 0) return now.threads.push_back(is); // it runs
    is.call = call_name(task->call);
    is.number = task->call;
    is.since = asleep_for(is.id);
    const bool has_fd = (is.works() && !is.sleeps()) || is.call.starts_with("accept") || is.call == "epoll_wait";
    if (has_fd) is.fd = static_cast<int>(task->arguments[0]);
    for (std::size_t i = 0; i < now.connections.size(); ++i) {
        const Connection& one = now.connections[i];
        const bool uses = has_fd && one.owner.number == is.fd;
        // What it has read and not sent back is what it thinks about, if it is an echo server.
        const bool thinks = is.sleeps() && read_and_not_written(one.server) > 0 && !one.does_not_read();
        if (one.owner.process == is.process && (uses || thinks)) is.for_clients.push_back(i);
    }
    if (is.call == "select" && is.id == pid_) now.select = selected_by(*task);
    now.threads.push_back(is);
}

Address address_of(const TcpSocket& socket) {
    std::array<char, INET6_ADDRSTRLEN> name{};
    inet_ntop(AF_INET6, socket.local_host.data(), name.data(), name.size());
    const std::string host = name.data(); // one of IPv4 is ::ffff:127.0.0.1
    return parse_address(host.starts_with("::ffff:") ? host.substr(7) : host, socket.local_port).value();
}

std::uint16_t port_of_process(pid_t pid) {
    if (process_state(pid) == '-') throw std::runtime_error(text("there is no process ", pid));
    const std::vector<TcpSocket> sockets = listening_sockets(pid);
    if (!sockets.empty()) return sockets.front().local_port;
    const std::string why = unreadable(pid, "fd");
    if (!why.empty()) throw std::runtime_error(why + ". So its port is not known; name it: PORT=7007");
    throw std::runtime_error(text("process ", pid, " listens on no TCP port of this network namespace"));
}
