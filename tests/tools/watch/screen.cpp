#include "tests/tools/watch/screen.h"

#include <unistd.h>

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace {

const std::vector<std::string> help = {"c connects a silent client; h one that says hello; n one that sends and never",
                                       "reads. x closes the last one, q quits, and ? brings the server back.",
                                       "",
                                       "Follow a client's bytes from left to right. What it has sent is in its kernel",
                                       "(its Send-Q), in the server's kernel (our Recv-Q), or else the server has read",
                                       "it. What the server has sent is in our Send-Q, its Recv-Q, or has been read.",
                                       "The end (FIN) counts as a byte. If the client is on another machine, you see ?",
                                       "for it.",
                                       "",
                                       "A client waits while it is in the listen queue, or while not all that it has",
                                       "sent has come back. The server is the reason if it is in a call for another.",
                                       "For whom a sleeping thread works is concluded from what it has read and not",
                                       "sent back, which is right only for an echo server.",
                                       "",
                                       "epoll: IN and OUT are asked for. With EPOLLONESHOT it is once, and afterwards",
                                       "the descriptor is disarmed. What the server keeps in its own memory (unsent",
                                       "bytes, the queues of chapter 06) cannot be seen from outside."};

std::string state_name(int state) {
    static const std::vector<std::string> names{"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                                "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                                "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};
    return names[state > 0 && state < 12 ? static_cast<std::size_t>(state) : 0];
}

/// A row of the table. The numbers are those of ss; only what would not fit is shortened.
std::string row(const std::string& client, const std::string& fd, const std::array<std::uint64_t, 6>& bytes,
                const std::string& state, bool sees_client = true) {
    std::ostringstream out;
    out << ' ' << std::left << std::setw(9) << client << std::right << std::setw(4) << fd;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool its = i == 1 || i == 5;
        const bool large = bytes[i] >= 100'000'000;
        out << std::setw(9) << (its && !sees_client ? "?" : large ? text(bytes[i] / 1'000'000, " MB") : text(bytes[i]));
    }
    out << ' ' << state;
    return out.str();
}

Lines table(const Snapshot& now, std::size_t most) {
    Lines lines{{"                sent by      its      our  sent by      our      its", Style::faint},
                {" client     fd   client   Send-Q   Recv-Q   server   Send-Q   Recv-Q state", Style::faint}};
    std::vector<Connection> order = now.connections;
    if (order.empty()) return {{text(" No client is connected. In another terminal:  nc 127.0.0.1 ", now.port)}};
    const std::size_t shown = order.size() > most ? most - 1 : order.size();
    const auto is_special = [](const Connection& one) { return one.waits || one.does_not_read(); };
    if (shown < order.size()) std::stable_partition(order.begin(), order.end(), is_special);
    std::array<std::uint64_t, 6> sums{};
    for (std::size_t i = 0; i < order.size(); ++i) {
        const Connection& one = order[i];
        const auto bytes = one.bytes();
        for (std::size_t j = 0; j < bytes.size(); ++j) sums[j] += i < shown ? 0 : bytes[j];
        if (i >= shown) continue;
        lines.push_back({row(text(one.name, " :", one.port), one.owner.number < 0 ? "-" : text(one.owner.number), bytes,
                             one.queued() ? "queued" : state_name(one.server->state), one.client.has_value()),
                         one.waits             ? Style::waits
                         : one.does_not_read() ? Style::works
                                               : Style::plain});
    }
    if (shown < order.size()) lines.push_back({row(text(order.size() - shown, " more"), "", sums, "together")});
    return lines;
}

std::string doing(const Thread& thread, const Snapshot& now, bool brief) {
    const std::string call = "in " + thread.call + (thread.fd >= 0 && !brief ? text("(", thread.fd, ")") : "");
    const std::string whose = brief ? ", each for its client" : ", for " + whom(thread, now);
    const std::map<Doing, std::string> texts = {{Doing::runs, "running"},
                                                {Doing::unknown, "asleep"},
                                                {Doing::reads, call + whose},
                                                {Doing::writes, call + whose},
                                                {Doing::sleeps, call + (thread.for_clients.empty() ? "" : whose)},
                                                {Doing::accepts, call + ", for the next client"},
                                                {Doing::waits_for_many, call + ", for what is ready first"},
                                                {Doing::waits_for_work, call + ", for work"},
                                                {Doing::other, call}};
    return texts.at(thread.doing);
}

/// A line for each thread. Those that do the same are counted, and if there are too many, so are those that do the
/// like.
Lines thread_lines(const Snapshot& now, std::size_t most, bool brief = false) {
    std::vector<std::pair<std::string, std::vector<const Thread*>>> groups; // in the order of the first ones
    for (const Thread& thread : now.threads) {
        const std::string what = doing(thread, now, brief);
        auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& one) { return one.first == what; });
        if (group == groups.end()) group = groups.insert(group, {what, {}});
        group->second.push_back(&thread);
    }
    if (groups.size() > most && !brief) return thread_lines(now, most, true);
    Lines lines;
    for (const auto& [what, threads] : groups) {
        const Thread& first = *threads.front();
        const std::string kind = first.id == first.process ? "process" : "thread";
        milliseconds since{0};
        for (const Thread* thread : threads) since = std::max(since, thread->since.value_or(since));
        std::ostringstream line;
        line << ' ' << std::left << std::setw(16)
             << (threads.size() == 1 ? text(kind, " ", first.id)
                                     : text(threads.size(), " ", kind, kind == "process" ? "es" : "s"))
             << what;
        if (since.count() > 0) line << (threads.size() == 1 ? ", for " : ", for up to ") << seconds(since);
        const bool works = first.doing == Doing::reads || first.doing == Doing::writes || first.doing == Doing::sleeps;
        lines.push_back({line.str(), works ? Style::works : Style::plain});
    }
    return lines;
}

/// A title and items, and how many more there are, in at most `most` lines.
Lines list(const std::string& title, const std::vector<std::string>& items, std::size_t width, std::size_t most) {
    std::string line = " " + title + std::string(16 - std::min<std::size_t>(16, title.size()), ' ');
    Lines lines;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const std::string more = text("  and ", items.size() - i, " more");
        const bool last_line = lines.size() + 1 >= most;
        const bool last_item = i + 1 == items.size();
        if (line.size() + 2 + items[i].size() + (last_line && !last_item ? more.size() : 0) > width &&
            line.size() > 17) {
            lines.push_back({line + (last_line ? more : "")});
            if (last_line) return lines;
            line = std::string(17, ' ');
        }
        line += (line.size() > 17 ? "  " : "") + items[i];
    }
    lines.push_back({line});
    return lines;
}

std::vector<std::string> descriptors(const Snapshot& now) {
    std::vector<std::string> items;
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
Lines interest(const Snapshot& now, std::size_t width, std::size_t most) {
    std::map<std::string, std::vector<int>> groups;
    for (const Watched& one : now.epoll) groups[asked_for(one)].push_back(one.fd);
    if (now.select) groups = {{"to read", (*now.select)[0]}, {"to write", (*now.select)[1]}};
    std::vector<std::string> items;
    for (const auto& [what, fds] : groups) {
        if (!fds.empty()) items.push_back(what + (fds.size() > 9 ? text(" (", fds.size(), "):") : ":"));
        for (const int fd : fds) items.push_back(text(fd, " ", name_of(fd, now)));
    }
    if (items.empty()) return {};
    return list(now.select ? "select's sets" : text("epoll ", now.epoll[0].epoll), items, width, most);
}

Lines queue(const Snapshot& now, std::size_t width) {
    if (!now.listener) return {{" listen queue    nothing listens on this port any more", Style::strong}};
    std::vector<std::string> items{text(now.listener->receive_queue, " of ", now.listener->send_queue)};
    for (const Connection& one : now.connections) {
        if (one.queued()) items.push_back(text(one.name, " :", one.port));
    }
    return list("listen queue", items, width, 1);
}

Lines closed(const Snapshot& now, std::size_t width) {
    std::vector<std::string> items;
    for (const Connection& one : now.closed) {
        const TcpSocket& end = one.client ? *one.client : *one.server;
        items.push_back(text(one.name, " :", one.port, " ", state_name(end.state), " at the ",
                             one.client ? "client's" : "server's", " end",
                             end.state == time_wait ? ", " + seconds(end.expires) + " to go" : ""));
    }
    return items.empty() ? Lines{} : list("closed", items, width, 1);
}

Lines commands(const Snapshot& now) {
    const std::string folder = text("/proc/", now.pid);
    std::string in;
    if (!now.threads.empty() && now.threads[0].number >= 0) {
        const Thread& main = now.threads[0];
        in = text("   (", main.number, " is ", main.call,
                  main.fd >= 0 ? text(", 0x", std::hex, main.fd, " its fd") : "", ")");
    }
    if (!now.epoll.empty()) in = text(" ", folder, "/fdinfo/", now.epoll[0].epoll);
    return {{text(" the same:  ss -tn '( sport = :", now.port, " or dport = :", now.port, " )'   strace -fp ", now.pid),
             Style::faint},
            {text("            ss -ltn 'sport = :", now.port, "'   ls -l ", folder, "/fd"), Style::faint},
            {"            cat " + folder + "/syscall" + in, Style::faint}};
}

/// All that is below the table; each list in at most so many lines.
Lines lists(const Snapshot& now, const Around& around, std::size_t width, std::size_t each) {
    Lines all = closed(now, width);
    const auto append = [&](const Lines& more) { all.insert(all.end(), more.begin(), more.end()); };
    append(list("descriptors", descriptors(now), width, each));
    append(interest(now, width, each + 1));
    if (!around.own.empty()) append(list("your clients", around.own, width, each));
    all.push_back({""});
    append(commands(now));
    return all;
}

} // namespace

Lines screen(const Snapshot& now, const Around& around, std::size_t width, std::size_t height) {
    const std::string host = now.listener ? to_string(now.listener->local_host) : "port";
    const std::string where = host.find(':') == std::string::npos ? host : "[" + host + "]";
    const std::string left = text(" ", around.title, "   pid ", now.pid, "   ", where, ":", now.port);
    const std::size_t used = left.size() + around.keys.size();
    Lines all{{left + std::string(width > used ? width - used : 1, ' ') + around.keys, Style::strong}, {""}};
    const auto append = [&](const Lines& more) { all.insert(all.end(), more.begin(), more.end()); };
    const std::size_t most = height == 0 ? 1000 : height; // lines there are
    const std::size_t few = std::max<std::size_t>(most / 6, 1);

    const std::vector<std::string> waits = who_waits(now);
    const std::size_t told = waits.size() > few ? few - 1 : waits.size();
    for (std::size_t i = 0; i < told && !around.help; ++i) {
        all.push_back({" " + waits[i], waits[i].find(" waits ") == std::string::npos ? Style::strong : Style::waits});
    }
    if (told < waits.size() && !around.help) all.push_back({text(" and ", waits.size() - told, " more"), Style::waits});
    for (const std::string& line : now.unseen) all.push_back({" not seen: " + line, Style::works});
    all.push_back({""});
    for (const std::string& line : help) {
        if (around.help) all.push_back({" " + line});
    }
    if (!around.help) {
        append(thread_lines(now, few));
        append(queue(now, width));
        all.push_back({""});
        // As much of the lists as leaves room for the table.
        Lines below;
        std::size_t room = 0; // for the table's rows
        std::size_t each = few;
        do {
            below = lists(now, around, width, each);
            const std::size_t other = all.size() + 2 + below.size();
            room = std::max<std::size_t>(most > other ? most - other : 0, 2);
        } while (room < now.connections.size() && --each > 0);
        append(table(now, room));
        append(below);
    }
    for (Line& line : all) line.text.resize(std::min(line.text.size(), width));
    if (height > 0 && all.size() > height) all.resize(height);
    return all;
}
