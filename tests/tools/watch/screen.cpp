#include "tests/tools/watch/screen.h"

#include <algorithm>
#include <iomanip>

namespace {

using Items = std::vector<std::string>;
using Bytes = std::array<std::optional<std::uint64_t>, 6>; // nothing where that end is not to be seen

/// Sent by the client, still in its Send-Q, in our Recv-Q; sent by the server, in our Send-Q, in its Recv-Q.
Bytes bytes_of(const Connection& one) {
    const auto& [ours, its] = static_cast<const TcpConnection&>(one);
    Bytes bytes{ours.received + its.send_queue,      its.send_queue,  ours.receive_queue,
                ours.acknowledged + ours.send_queue, ours.send_queue, its.receive_queue};
    if (ours.state == 0) bytes[0] = bytes[2] = bytes[3] = bytes[4] = {};
    if (its.state == 0) bytes[1] = bytes[5] = {};
    return bytes;
}

std::string state_name(const Connection& one) {
    static const Items names{"?",         "ESTABLISHED", "SYN_SENT",   "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
                             "TIME_WAIT", "CLOSE",       "CLOSE_WAIT", "LAST_ACK", "LISTEN",    "CLOSING"};
    if (one.queued()) return "queued";
    return names.at(static_cast<std::size_t>(one.server.state == 0 ? one.client.state : one.server.state));
}

/// A row of the table. The numbers are those of ss; only what would not fit is shortened.
std::string row(const std::string& client, const std::string& fd, const Bytes& bytes, const std::string& state) {
    std::string line = text(' ', std::left, std::setw(9), client, std::right, std::setw(4), fd);
    for (const auto& some : bytes) {
        line += text(std::setw(9), !some ? "?" : *some < 100'000'000 ? text(*some) : text(*some / 1'000'000, " MB"));
    }
    return line + ' ' + state;
}

/// A row for each client. If there are too many, those that wait or do not read come first and those that have left
/// come last, and what has no room is summed up.
void add_table(Lines& all, const Snapshot& now, std::size_t most) {
    std::vector<Connection> order = now.connections;
    if (order.empty()) return all.push_back({text(" No client is connected. Try:  nc 127.0.0.1 ", now.port)});
    all.push_back({"                sent by      its      our  sent by      our      its", Style::strong});
    all.push_back({" client     fd   client   Send-Q   Recv-Q   server   Send-Q   Recv-Q state", Style::strong});
    const auto rank = [](const Connection& one) { return one.waits || one.does_not_read() ? 0 : one.closed() ? 2 : 1; };
    if (order.size() > most) std::ranges::stable_sort(order, {}, rank);
    const auto shown = order.begin() + static_cast<long>(order.size() > most ? most - 1 : order.size());
    for (auto one = order.begin(); one != shown; ++one) {
        const std::string fd = one->owner.number < 0 ? "-" : text(one->owner.number);
        const Style style = one->waits ? Style::waits : one->does_not_read() ? Style::works : Style::plain;
        all.push_back({row(text(one->name, " :", one->address.second), fd, bytes_of(*one), state_name(*one)), style});
    }
    Bytes sums;
    for (auto one = shown; one != order.end(); ++one) {
        const Bytes bytes = bytes_of(*one);
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = sums[i].value_or(0) + bytes[i].value_or(0);
    }
    if (shown != order.end()) all.push_back({row(text(order.end() - shown, " more"), "", sums, "together")});
}

/// "in read(4), for A"; if brief, so that all who read do the same: "in read, each for its client".
std::string doing(const Thread& thread, const Snapshot& now, bool brief) {
    static const std::set<std::string> waits{"select", "poll", "epoll_wait", "io_uring_enter"};
    if (thread.call.empty()) return "running";
    if (thread.call == "?") return "asleep";
    const std::string call = "in " + thread.call + (thread.fd >= 0 && !brief ? text("(", thread.fd, ")") : "");
    if (thread.call.starts_with("accept")) return call + ", for the next client";
    if (thread.call == "futex") return call + ", for work";
    if (waits.contains(thread.call)) return call + ", for what is ready first";
    if (!thread.works() || (thread.sleeps() && thread.clients.empty())) return call;
    return call + (brief ? ", each for its client" : ", for " + whom(thread.clients, now));
}

/// A line for each thread. Those that do the same are counted, and if there are too many, so are those in one call.
void add_threads(Lines& all, const Snapshot& now, std::size_t most, bool brief = false) {
    std::map<std::string, std::vector<Thread>> groups;
    for (const Thread& thread : now.threads) groups[doing(thread, now, brief)].push_back(thread);
    if (groups.size() > most && !brief) return add_threads(all, now, most, true);
    for (const auto& [what, group] : groups) {
        const Thread& first = *std::ranges::max_element(group, {}, &Thread::since); // it sleeps for longest
        const bool one = group.size() == 1;
        const std::string kind = first.id == first.process ? "process" : "thread";
        const std::string many = text(group.size(), " ", kind, kind == "process" ? "es" : "s");
        std::string time = text(std::fixed, std::setprecision(1), first.since.count(), " s");
        time = first.since.count() == 0 ? "" : (one ? ", for " : ", for up to ") + time;
        all.push_back({text(' ', std::left, std::setw(16), one ? text(kind, " ", first.id) : many, what, time),
                       first.works() && !first.call.empty() ? Style::works : Style::plain});
    }
}

/// A title and items, and how many more there are, in at most `most` lines.
void add_list(Lines& all, const std::string& title, const Items& items, std::size_t width, std::size_t most) {
    if (!items.empty()) all.push_back({text(' ', std::left, std::setw(14), title)});
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::size_t needed = 2 + items[i].size() + (most > 1 ? 0 : 14); // for "  and 1000 more"
        const bool full = i > 0 && all.back().text.size() + needed > width;
        if (full && most-- == 1) {
            all.back().text += text("  and ", items.size() - i, " more");
            return;
        }
        if (full) all.push_back({std::string(15, ' ')});
        all.back().text += "  " + items[i];
    }
}

Items queue(const Snapshot& now) {
    if (now.listener.state == 0) return {"nothing listens on this port any more"};
    Items items{text(now.listener.receive_queue, " of ", now.listener.send_queue)};
    for (const Connection& one : now.connections) {
        if (one.queued()) items.push_back(text(one.name, " :", one.address.second));
    }
    return items;
}

Items descriptors(const Snapshot& now) {
    Items items;
    pid_t process = now.pid;
    for (const auto& [descriptor, name] : now.descriptors) {
        if (descriptor.number <= 2 && descriptor.process != now.pid) continue; // a child's are its parent's
        const std::string whose = descriptor.process == process ? "" : text("of ", descriptor.process, ": ");
        items.push_back(text(whose, descriptor.number, descriptor.number <= 2 ? "" : " " + name));
        process = descriptor.process;
    }
    return items;
}

/// What select or epoll has been asked to report; those of which the same is asked are together.
Items interest(const Snapshot& now) {
    std::map<Descriptor, std::string> names = now.descriptors;
    Items items;
    for (auto [what, fds] : now.interest) {
        if (!fds.empty()) items.push_back(what + (fds.size() > 9 ? text(" (", fds.size(), "):") : ":"));
        std::ranges::sort(fds);
        for (const int fd : fds) items.push_back(text(fd, " ", names[{now.pid, fd}]));
    }
    return items;
}

/// The system's own tools, which show the same.
Items commands(const Snapshot& now) {
    const std::string folder = text("/proc/", now.pid);
    Items all{text("ss -tn '( sport = :", now.port, " or dport = :", now.port, " )'"), text("strace -fp ", now.pid),
              text("ss -ltn 'sport = :", now.port, "'"), "ls -l " + folder + "/fd", "cat " + folder + "/syscall"};
    if (now.epoll >= 0) all.push_back(text("cat ", folder, "/fdinfo/", now.epoll));
    return all;
}

} // namespace

Lines lay_out(const Snapshot& now, const std::string& title, const Items& own, std::size_t width, std::size_t height) {
    const std::string where = now.listener.state == 0 ? text("port ", now.port) : text(address_of(now.listener));
    const std::string keys = height == 0 ? "" : "   c h n x  ? help  q quit"; // a terminal that has keys
    const std::string asked = now.epoll < 0 ? "select's sets" : text("epoll ", now.epoll);
    const Items waits = who_waits(now);
    const Style style = waits[0].find("Nobody waits") != std::string::npos ? Style::strong : Style::waits;
    Lines all;
    // Each part may have so many lines. If that is more than there are, each gets less.
    for (std::size_t most = height == 0 ? 1000 : height / 4 + 2; most > 1; --most) {
        all = {{text(" ", title, "   pid ", now.pid, "   ", where, keys), Style::strong}, {""}};
        const std::size_t told = waits.size() > most ? most - 1 : waits.size();
        for (std::size_t i = 0; i < told; ++i) all.push_back({" " + waits[i], style});
        if (told < waits.size()) all.push_back({text(" and ", waits.size() - told, " more"), style});
        for (const std::string& what : now.unseen) all.push_back({" not seen: " + what, Style::works});
        all.push_back({""});
        add_threads(all, now, most);
        add_list(all, "listen queue", queue(now), width, 1);
        all.push_back({""});
        add_table(all, now, 2 * most);
        add_list(all, "descriptors", descriptors(now), width, (most + 1) / 2);
        add_list(all, asked, interest(now), width, (most + 1) / 2);
        add_list(all, "your clients", own, width, (most + 1) / 2);
        all.push_back({""});
        add_list(all, "the same:", commands(now), width, 4);
        if (height == 0 || all.size() <= height) break;
    }
    for (Line& line : all) line.text.resize(std::min(line.text.size(), width));
    return all;
}
