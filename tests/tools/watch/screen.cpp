#include "tests/tools/watch/screen.h"

#include <unistd.h>

#include <algorithm>
#include <iomanip>

namespace {

using Items = std::vector<std::string>;

void append(Lines& lines, const Lines& more) {
    lines.insert(lines.end(), more.begin(), more.end());
}

std::string state_name(const Connection& one) {
    static const Items names{"?",         "ESTABLISHED", "SYN_SENT",   "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
                             "TIME_WAIT", "CLOSE",       "CLOSE_WAIT", "LAST_ACK", "LISTEN",    "CLOSING"};
    if (one.queued()) return "queued";
    return names.at(static_cast<std::size_t>(one.server.state == 0 ? one.client.state : one.server.state));
}

/// A row of the table. The numbers are those of ss; only what would not fit is shortened.
std::string row(const std::string& client, const std::string& fd, const std::array<std::uint64_t, 6>& bytes,
                const std::string& state) {
    std::string line = text(' ', std::left, std::setw(9), client, std::right, std::setw(4), fd);
    for (const std::uint64_t some : bytes) {
        const std::string number = some < 100'000'000 ? text(some) : text(some / 1'000'000, " MB");
        line += text(std::setw(9), some == Connection::unseen ? "?" : number);
    }
    return line + ' ' + state;
}

/// A row for each client. If there are too many, those that wait or do not read come first and those that have left
/// come last, and what has no room is summed up.
Lines table(const Snapshot& now, std::size_t most) {
    if (now.connections.empty())
        return {{text(" No client is connected. In another terminal:  nc 127.0.0.1 ", now.port)}};
    Lines lines{{"                sent by      its      our  sent by      our      its", Style::strong},
                {" client     fd   client   Send-Q   Recv-Q   server   Send-Q   Recv-Q state", Style::strong}};
    std::vector<const Connection*> order;
    for (const Connection& one : now.connections) order.push_back(&one);
    const auto rank = [](const Connection* one) {
        return one->waits || one->does_not_read() ? 0 : one->closed() ? 2 : 1;
    };
    if (order.size() > most) {
        std::stable_sort(order.begin(), order.end(), [&](auto* a, auto* b) { return rank(a) < rank(b); });
    }
    const std::size_t shown = order.size() > most ? most - 1 : order.size();
    for (std::size_t i = 0; i < shown; ++i) {
        const Connection& one = *order[i];
        const std::string fd = one.owner.number < 0 ? "-" : text(one.owner.number);
        const Style style = one.waits ? Style::waits : one.does_not_read() ? Style::works : Style::plain;
        lines.push_back({row(text(one.name, " :", one.port), fd, one.bytes(), state_name(one)), style});
    }
    std::array<std::uint64_t, 6> sums{};
    for (std::size_t i = shown; i < order.size(); ++i) {
        const auto bytes = order[i]->bytes();
        for (std::size_t j = 0; j < sums.size(); ++j) sums[j] += bytes[j] == Connection::unseen ? 0 : bytes[j];
    }
    if (shown < order.size()) lines.push_back({row(text(order.size() - shown, " more"), "", sums, "together")});
    return lines;
}

/// "in read(4), for A"; if brief, so that all who read do the same: "in read, each for its client".
std::string doing(const Thread& thread, const Snapshot& now, bool brief) {
    if (thread.call.empty()) return "running";
    if (thread.call == "?") return "asleep";
    const std::string call = "in " + thread.call + (thread.fd >= 0 && !brief ? text("(", thread.fd, ")") : "");
    if (!thread.works()) return call + (thread.waits_for().empty() ? "" : ", for " + thread.waits_for());
    if (thread.sleeps() && thread.for_clients.empty()) return call;
    return call + (brief ? ", each for its client" : ", for " + whom(thread, now));
}

/// A line for each thread. Those that do the same are counted, and if there are too many, so are those that do the
/// like.
Lines threads(const Snapshot& now, std::size_t most, bool brief = false) {
    std::map<std::string, std::vector<const Thread*>> groups;
    for (const Thread& thread : now.threads) groups[doing(thread, now, brief)].push_back(&thread);
    if (groups.size() > most && !brief) return threads(now, most, true);
    Lines lines;
    for (const auto& [what, group] : groups) {
        const Thread& first = *group.front();
        const std::string kind = first.id == first.process ? "process" : "thread";
        const std::string many = text(group.size(), " ", kind, kind == "process" ? "es" : "s");
        const bool one = group.size() == 1;
        milliseconds since{0};
        for (const Thread* thread : group) since = std::max(since, thread->since.value_or(since));
        const std::string time = since.count() == 0 ? "" : (one ? ", for " : ", for up to ") + seconds(since);
        lines.push_back({text(' ', std::left, std::setw(16), one ? text(kind, " ", first.id) : many, what, time),
                         first.works() && !first.call.empty() ? Style::works : Style::plain});
    }
    return lines;
}

/// A title and items, and how many more there are, in at most `most` lines.
Lines list(const std::string& title, const Items& items, std::size_t width, std::size_t most) {
    Lines lines{{text(' ', std::left, std::setw(14), title)}};
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool may_be_last = lines.size() < most || i + 1 == items.size();
        const std::size_t needed = 2 + items[i].size() + (may_be_last ? 0 : 14); // for "  and 1000 more"
        const bool full = i > 0 && lines.back().text.size() + needed > width;
        if (full && lines.size() >= most) {
            lines.back().text += text("  and ", items.size() - i, " more");
            break;
        }
        if (full) lines.push_back({std::string(15, ' ')});
        lines.back().text += "  " + items[i];
    }
    return lines;
}

Items queue(const Snapshot& now) {
    if (now.listener.state == 0) return {"nothing listens on this port any more"};
    Items items{text(now.listener.receive_queue, " of ", now.listener.send_queue)};
    for (const Connection& one : now.connections) {
        if (one.queued()) items.push_back(text(one.name, " :", one.port));
    }
    return items;
}

Items descriptors(const Snapshot& now) {
    Items items;
    pid_t process = now.pid;
    for (const auto& [descriptor, name] : now.descriptors) {
        const bool standard = descriptor.number <= STDERR_FILENO;
        if (standard && descriptor.process != now.pid) continue; // a child's are its parent's
        const std::string whose = descriptor.process == process ? "" : text("of ", descriptor.process, ": ");
        items.push_back(whose + text(descriptor.number) + (standard ? "" : " " + name));
        process = descriptor.process;
    }
    return items;
}

/// What select or epoll has been asked to report; those of which the same is asked are together.
Items interest(const Snapshot& now) {
    std::map<std::string, std::vector<int>> groups;
    for (const Watched& one : now.epoll) groups[asked_for(one)].push_back(one.fd);
    if (now.select) groups = {{"to read", now.select->to_read}, {"to write", now.select->to_write}};
    Items items;
    for (const auto& [what, fds] : groups) {
        if (!fds.empty()) items.push_back(what + (fds.size() > 9 ? text(" (", fds.size(), "):") : ":"));
        for (const int fd : fds) items.push_back(text(fd, " ", name_of(fd, now)));
    }
    return items;
}

/// The system's own tools, which show the same.
Items commands(const Snapshot& now) {
    const std::string folder = text("/proc/", now.pid);
    Items all{text("ss -tn '( sport = :", now.port, " or dport = :", now.port, " )'"), text("strace -fp ", now.pid),
              text("ss -ltn 'sport = :", now.port, "'"), "ls -l " + folder + "/fd"};
    if (!now.epoll.empty()) all.push_back(text("cat ", folder, "/fdinfo/", now.epoll[0].epoll));
    all.push_back("cat " + folder + "/syscall");
    if (now.threads.empty() || now.threads[0].number < 0) return all;
    const Thread& main = now.threads[0];
    const std::string fd = main.fd < 0 ? "" : text(", 0x", std::hex, main.fd, " its fd");
    all.back() += text(" (", main.number, " is ", main.call, fd, ")");
    return all;
}

} // namespace

Lines screen(const Snapshot& now, const std::string& title, const Items& own, std::size_t width, std::size_t height) {
    const std::string where = now.listener.state == 0 ? text("port ", now.port) : to_string(address_of(now.listener));
    const std::string keys = height == 0 ? "" : "   c h n x  ? help  q quit"; // a terminal that has keys
    const Items waits = who_waits(now);
    const Style style = waits[0].find("Nobody waits") != std::string::npos ? Style::strong : Style::waits;
    const std::string asked = now.select          ? "select's sets"
                              : now.epoll.empty() ? ""
                                                  : text("epoll ", now.epoll[0].epoll);
    const std::vector<std::pair<std::string, Items>> lists{
        {"descriptors", descriptors(now)}, {asked, interest(now)}, {"your clients", own}};
    Lines all;
    // Each part may have so many lines. If that is more than there are, each gets less.
    for (std::size_t most = height == 0 ? 1000 : height / 4 + 2; most > 1; --most) {
        all = {{text(" ", title, "   pid ", now.pid, "   ", where, keys), Style::strong}, {""}};
        const std::size_t told = waits.size() > most ? most - 1 : waits.size();
        for (std::size_t i = 0; i < told; ++i) all.push_back({" " + waits[i], style});
        if (told < waits.size()) all.push_back({text(" and ", waits.size() - told, " more"), style});
        for (const std::string& what : now.unseen) all.push_back({" not seen: " + what, Style::works});
        all.push_back({""});
        append(all, threads(now, most));
        append(all, list("listen queue", queue(now), width, 1));
        all.push_back({""});
        append(all, table(now, 2 * most));
        for (const auto& [name, items] : lists) {
            if (!items.empty()) append(all, list(name, items, width, (most + 1) / 2));
        }
        all.push_back({""});
        append(all, list("the same:", commands(now), width, 4));
        if (height == 0 || all.size() <= height) break;
    }
    for (Line& line : all) line.text.resize(std::min(line.text.size(), width));
    if (height > 0) all.resize(std::min(all.size(), height));
    return all;
}
