#include "tests/tools/watch/look.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>
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

Doing doing_of(const std::string& call) {
    static const std::map<Doing, std::set<std::string>> calls = {
        {Doing::reads, {"read", "readv", "recvfrom", "recvmsg"}},
        {Doing::writes, {"write", "writev", "sendto", "sendmsg"}},
        {Doing::accepts, {"accept", "accept4"}},
        {Doing::waits_for_many, {"select", "poll", "epoll_wait", "io_uring_enter"}},
        {Doing::waits_for_work, {"futex"}},
        {Doing::sleeps, {"nanosleep", "clock_nanosleep"}}};
    for (const auto& [doing, names] : calls) {
        if (names.contains(call)) return doing;
    }
    return Doing::other;
}

/// The descriptors in an fd_set in the memory of the process: select(2) was called with its address.
std::vector<int> read_set(pid_t pid, unsigned long address, unsigned long highest) {
    std::vector<int> set;
    std::vector<char> bits(std::min(highest, 65536UL) / 8 + 1);
    std::ifstream memory("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
    memory.seekg(static_cast<std::streamoff>(address));
    if (address == 0 || !memory.read(bits.data(), static_cast<std::streamsize>(bits.size()))) return set;
    for (unsigned long fd = 0; fd < std::min(highest, 65536UL); ++fd) {
        if ((bits[fd / 8] >> (fd % 8) & 1) != 0) set.push_back(static_cast<int>(fd));
    }
    return set;
}

/// Empty when the file may be read; else which it is, and why not.
std::string unreadable(pid_t pid, const char* file) {
    const std::string path = text("/proc/", pid, "/", file);
    if (access(path.c_str(), R_OK) != 0) return path + " cannot be read: " + std::strerror(errno);
    return std::ifstream(path).get() == EOF && !path.ends_with("/fd") ? path + " is empty here" : "";
}

} // namespace

bool Connection::queued() const {
    return server && server->inode == "0" &&
           (server->state == established || server->state == close_wait || server->state == accepting);
}

std::array<std::uint64_t, 6> Connection::bytes() const {
    const TcpSocket ours = server.value_or(TcpSocket{});
    const TcpSocket its = client.value_or(TcpSocket{});
    return {ours.received + its.send_queue,      its.send_queue,  ours.receive_queue,
            ours.acknowledged + ours.send_queue, ours.send_queue, its.receive_queue};
}

std::uint64_t Connection::unanswered() const {
    if (!server) return 0;
    const std::uint64_t end = server->state == close_wait ? 1 : 0; // the client's FIN counts as a byte
    const std::uint64_t not_read = server->receive_queue + end;
    const std::uint64_t read = server->received - std::min(server->received, not_read);
    return read - std::min(read, bytes()[3]);
}

bool Connection::does_not_read() const {
    return server && server->send_queue > 0 && client && client->receive_queue > 0;
}

Snapshot Watcher::look() {
    Snapshot now{pid_, port_};
    const std::vector<TcpSocket> sockets = sockets_with_port(port_);
    look_at_processes(sockets);
    look_at_connections(now, sockets);
    look_at_descriptors(now);
    for (const Process& process : processes_) {
        for (const pid_t thread : process.threads) look_at_thread(process.pid, thread, now);
    }
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
    processes_.clear();
    for (const pid_t pid : process_tree(pid_)) {
        if (!has_ended(pid)) processes_.push_back({pid, descriptors_of(pid), threads_of(pid)});
    }
    look_again_ = Clock::now() + std::max<Clock::duration>(milliseconds(1000), 20 * (Clock::now() - start));
}

/// Brings the two ends of each connection together, and gives a name to those that are new. A client waits when it is
/// in the listen queue, or when what it has sent is not answered, unless it does not read. It waits since its bytes
/// came.
void Watcher::look_at_connections(Snapshot& now, const std::vector<TcpSocket>& sockets) {
    std::map<Client, Connection> all;
    for (const TcpSocket& socket : sockets) {
        const bool is_server = socket.local_port == port_;
        const auto host = is_server ? socket.remote_host : socket.local_host;
        const auto port = is_server ? socket.remote_port : socket.local_port;
        if (socket.state == listening && is_server) now.listener = socket;
        if (socket.state != listening) (is_server ? all[{host, port}].server : all[{host, port}].client) = socket;
    }
    std::erase_if(names_, [&](const auto& known) { return !all.contains(known.first); });
    if (names_.empty()) named_ = 0;
    std::vector<std::pair<std::size_t, Client>> by_age; // a younger socket has a higher inode
    for (auto& [client, one] : all) by_age.emplace_back(one.client ? std::stoul(one.client->inode) : 0, client);
    std::sort(by_age.begin(), by_age.end());
    for (const auto& [inode, client] : by_age) {
        Connection& one = all[client];
        const bool closed = !one.server || (one.server->inode == "0" && !one.queued());
        if (closed && !names_.contains(client)) continue; // before our time
        if (!names_.contains(client)) names_[client] = letters(named_++);
        one.name = names_[client];
        one.port = client.second;
        const bool unserved = !closed && (one.queued() || one.server->receive_queue > 0 || one.unanswered() > 0);
        if (unserved && !one.does_not_read()) one.waits = one.server->since_data;
        (closed ? now.closed : now.connections).push_back(std::move(one));
    }
    std::sort(now.connections.begin(), now.connections.end(), [](const Connection& a, const Connection& b) {
        return std::pair(a.name.size(), a.name) < std::pair(b.name.size(), b.name);
    });
}

void Watcher::look_at_descriptors(Snapshot& now) {
    std::map<std::string, Connection*> by_socket;
    for (Connection& one : now.connections) by_socket[socket_name(*one.server)] = &one;
    for (const Process& process : processes_) {
        for (const auto& [fd, what] : process.descriptors) {
            std::string name = now.listener && what == socket_name(*now.listener) ? "listener" : short_name(what);
            if (const auto found = by_socket.find(what); found != by_socket.end()) {
                found->second->owner = {process.pid, fd};
                name = found->second->name;
            }
            now.descriptors.push_back({{process.pid, fd}, name});
        }
    }
    if (const std::string why = unreadable(pid_, "fd"); !why.empty()) now.unseen.push_back("descriptors: " + why);
    // While an epoll instance's fdinfo is read its lock is held, with 10,000 entries for 49 ms. So if there are many,
    // it is read for a hundredth of the time at most.
    const auto start = Clock::now();
    if (start >= epoll_again_) {
        epoll_ = watched_by_epoll(pid_);
        std::sort(epoll_.begin(), epoll_.end(), [](const Watched& a, const Watched& b) { return a.fd < b.fd; });
        if (epoll_.size() > 50) epoll_again_ = start + 100 * (Clock::now() - start);
    }
    now.epoll = epoll_;
}

void Watcher::look_at_thread(pid_t process, pid_t thread, Snapshot& now) {
    std::optional<Task> task;
    try {
        task = task_of(thread);
    } catch (const Skipped&) {
        if (thread == pid_) now.unseen.push_back("system calls: " + unreadable(pid_, "syscall"));
        now.threads.push_back({process, thread, process_state(thread) == 'R' ? Doing::runs : Doing::unknown});
        return;
    }
    if (!task) return; // it has ended
    if (task->call < 0) return now.threads.push_back({process, thread, Doing::runs});

    const std::string call = call_name(task->call);
    Thread is{process, thread, doing_of(call), call, task->call, -1, asleep_for(thread)};
    if (is.doing == Doing::reads || is.doing == Doing::writes || is.doing == Doing::accepts || call == "epoll_wait") {
        is.fd = static_cast<int>(task->arguments[0]);
    }
    for (std::size_t i = 0; i < now.connections.size(); ++i) {
        const Connection& one = now.connections[i];
        const bool uses = is.fd >= 0 && one.owner.number == is.fd;
        // What it has read and not sent back is what it thinks about, if it is an echo server.
        const bool thinks = is.doing == Doing::sleeps && one.unanswered() > 0 && !one.does_not_read();
        if (one.owner.process == process && (uses || thinks)) is.for_clients.push_back(i);
    }
    if (call == "select" && thread == pid_) {
        now.select = {read_set(pid_, task->arguments[1], task->arguments[0]),
                      read_set(pid_, task->arguments[2], task->arguments[0])};
    }
    now.threads.push_back(is);
}

std::string to_string(const std::array<std::uint32_t, 4>& host) {
    std::array<char, INET6_ADDRSTRLEN> name{};
    inet_ntop(AF_INET6, host.data(), name.data(), name.size());
    const std::string all = name.data();
    return all.starts_with("::ffff:") ? all.substr(7) : all;
}

std::uint16_t port_of_process(pid_t pid) {
    if (process_state(pid) == '-') throw std::runtime_error(text("there is no process ", pid));
    for (const pid_t one : process_tree(pid)) {
        const auto open = descriptors_of(one);
        for (const TcpSocket& socket : listening_sockets()) {
            const auto is_it = [&](const auto& descriptor) { return descriptor.second == socket_name(socket); };
            if (std::any_of(open.begin(), open.end(), is_it)) return socket.local_port;
        }
    }
    const std::string why = unreadable(pid, "fd");
    if (!why.empty()) throw std::runtime_error(why + ". So its port is not known; name it: PORT=7007");
    throw std::runtime_error(text("process ", pid, " listens on no TCP port of this network namespace"));
}
