#include "tests/tools/trace/trace.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/failed.h"
#include "tests/tools/trace/resolve.h"

namespace {

/// "[3 5]" becomes "[3<listener> 5<B>]", also in "1 (in [5])".
std::string name_sets(const std::string& sets, const std::map<int, std::string>& names) {
    std::string named;
    bool inside = false;
    for (std::size_t i = 0; i < sets.size(); ++i) {
        if (sets[i] == '[' || sets[i] == ']') inside = sets[i] == '[';
        named += sets[i];
        const bool digit = sets[i] >= '0' && sets[i] <= '9';
        const bool last = i + 1 == sets.size() || sets[i + 1] < '0' || sets[i + 1] > '9';
        if (!inside || !digit || !last) continue;
        const std::size_t start = sets.find_last_not_of("0123456789", i) + 1;
        const auto name = names.find(std::stoi(sets.substr(start)));
        if (name != names.end() && !name->second.empty()) named += "<" + name->second + ">";
    }
    return named;
}

/// `data=` in what epoll is told and gives back: instead of a pointer the name of what it stands for.
std::string name_data(const std::string& events, const std::vector<std::string>& names) {
    static const std::regex data(R"(data=(\{[^}]*\}|0x[0-9a-f]+|[0-9]+|NULL))");
    std::string named;
    std::size_t number = 0;
    auto from = events.begin();
    for (std::sregex_iterator it(events.begin(), events.end(), data), end; it != end; ++it) {
        named.append(from, events.begin() + it->position());
        named += "data=" + (number < names.size() ? names[number++] : "?");
        from = events.begin() + it->position() + it->length();
    }
    return named.append(from, events.end());
}

/// The record for people.
class Writer {
  public:
    Writer(const std::string& chapter, const Recording& recording)
        : chapter_(chapter), recording_(recording), calls_(resolve(recording.events, recording.clients)) {
        name_threads();
    }
    std::string write();

  private:
    void name_threads();
    void write_step(const std::string& heading, Seconds from, Seconds to);
    void write_call(const Resolved& call);
    void write_waits(Seconds at);
    [[nodiscard]] std::string call_text(const Resolved& call) const;
    [[nodiscard]] std::string argument_text(const Resolved& call, std::size_t which) const;
    [[nodiscard]] std::string result_text(const Resolved& call) const;
    [[nodiscard]] std::string descriptor(const Resolved& call, long number) const;
    [[nodiscard]] std::string remark(const Resolved& call) const;
    [[nodiscard]] std::string remark_on_data(const Resolved& call) const;
    [[nodiscard]] static std::string waits_for(const Resolved& call);

    const std::string& chapter_;
    const Recording& recording_;
    std::vector<Resolved> calls_;
    std::vector<pid_t> order_;           // of the threads that are shown
    std::map<pid_t, std::string> names_; // of all
    std::set<std::string> said_;         // remarks; each is made once
    std::ostringstream out_;
};

void Writer::name_threads() {
    const pid_t main = calls_.front().event.thread;
    names_[main] = "server";
    order_.push_back(main);
    for (const Resolved& call : calls_) {
        const pid_t thread = call.event.thread;
        const bool works = call.client != 0 && (call.event.is("read") || call.event.is("write"));
        if (call.process != calls_.front().process) names_[main] = "parent";
        if (thread != main && call.process == calls_.front().process) names_[main] = "main";
        if (!works || names_.contains(thread)) continue;
        const bool child = call.process != calls_.front().process;
        names_[thread] = child ? text(call.client, "'s child") : call.event.is("read") ? "reader" : "writer";
        order_.push_back(thread);
    }
}

std::string Writer::descriptor(const Resolved& call, long number) const {
    const auto name = call.descriptors.find(static_cast<int>(number));
    if (name == call.descriptors.end() || name->second.empty()) return std::to_string(number);
    return text(number, "<", name->second, ">");
}

std::string Writer::argument_text(const Resolved& call, std::size_t which) const {
    const TraceEvent& event = call.event;
    const std::string& argument = event.arguments[which];
    if (event.name.starts_with("clone")) { // what the new task shares with its maker
        static const std::regex flags("flags=([A-Z_|]+)");
        std::smatch found;
        const std::string all = event.all_arguments();
        return which == 0 && std::regex_search(all, found, flags) ? "flags=" + found[1].str() : "";
    }
    if (event.is("epoll_ctl") && which == 2) return descriptor(call, event.number(2));
    if (event.is("epoll_ctl") && which == 3) {
        return name_data(argument, {call.descriptors.contains(static_cast<int>(event.number(2)))
                                        ? call.descriptors.at(static_cast<int>(event.number(2)))
                                        : "?"});
    }
    if (event.name.starts_with("epoll_") && which == 1 && !event.is("epoll_ctl")) {
        std::vector<std::string> names;
        for (const char one : call.ready) names.push_back(one == '*' ? "listener" : std::string(1, one));
        return argument.starts_with("0x") ? "..." : name_data(argument, names);
    }
    if (event.is_select() && which > 0) return name_sets(argument, call.descriptors);
    if (which == 0 && !event.is_select() && event.number(0) >= 0) return descriptor(call, event.number(0));
    if (event.is("listen") && which == 1) return "BACKLOG";
    if (argument.find("sin_port") != std::string::npos)
        return event.name.starts_with("accept") ? text(call.client, "'s address") : "127.0.0.1:PORT";
    if (argument.starts_with("0x")) return "...";
    return argument;
}

std::string Writer::result_text(const Resolved& call) const {
    const TraceEvent& event = call.event;
    if (const pid_t made = made_by(event); made > 0) {
        const auto name = names_.find(made);
        return name != names_.end() ? name->second : makes_thread(event) ? "a thread" : "a child";
    }
    if (event.is("wait4") && event.value > 0) {
        const auto name = names_.find(static_cast<pid_t>(event.value));
        return name != names_.end() ? name->second : "a child";
    }
    if (event.is_select()) return name_sets(event.result, call.descriptors);
    if (event.name.starts_with("accept") || event.is("socket") || event.name.starts_with("epoll_create")) {
        if (event.value >= 0) return descriptor(call, event.value);
    }
    return event.error.empty() ? event.result : (event.result[0] == '?' ? "? " : "-1 ") + event.error;
}

std::string Writer::call_text(const Resolved& call) const {
    const TraceEvent& event = call.event;
    if (event.kind != TraceEvent::Kind::call) return event.text();
    std::string words;
    for (std::size_t i = 0; i < event.arguments.size(); ++i) {
        const std::string one = argument_text(call, i);
        if (!one.empty()) words += (words.empty() ? "" : ", ") + one;
    }
    // The server's own port, where it says that it listens.
    const std::string port = ":" + std::to_string(recording_.port);
    if (const std::size_t at = words.find(port); at != std::string::npos) words.replace(at, port.size(), ":PORT");
    return event.name + "(" + words + ") = " + result_text(call);
}

/// What a read or write shows.
std::string Writer::remark_on_data(const Resolved& call) const {
    const std::string who(1, call.client);
    if (call.event.error == "ECONNRESET") return "a reset ends this one connection, never the server (P1)";
    if (call.event.error == "EAGAIN") return "not now, and that is no error (P3)";
    if (call.event.is("write")) {
        return call.waits == Waits::client
                   ? "returns when the bytes are in the send buffer, which does not prove that they arrived (S9)"
                   : "takes what there is room for, and does not block (S9, S10)";
    }
    if (call.event.value == 0) return "0, end of file: the client will send no more, but it may still read (P4)";
    if (call.event.has("good ")) return "returns what has arrived, because one read is not one message (S5)";
    return "";
}

std::string Writer::remark(const Resolved& call) const {
    const TraceEvent& event = call.event;
    const bool six = chapter_.starts_with("06");
    const auto step = [&](const char* in_six) { return six ? std::string(", ") + in_six : std::string(); };
    if (event.is("socket")) return "a socket, which has no address yet (S1" + step("T1") + ")";
    if (event.is("fcntl") && event.has("F_SETFL")) return "from here on no call on it blocks (S10" + step("T2") + ")";
    if (event.is("bind")) return "gives the socket its address, if that is free (S2" + step("T3") + ")";
    if (event.is("listen")) return "the kernel now queues clients (S3" + step("T4") + ")";
    if (event.name.starts_with("epoll_create"))
        return "a list of what to watch, which needs no size (S12" + step("T5") + ")";
    if (event.is("epoll_ctl") && event.has("EPOLL_CTL_ADD"))
        return "watched from now on, without being told again (S13" + step("T6, T12") + ")";
    if (event.is("epoll_ctl") && event.has("ONESHOT"))
        return "given back to the kernel, which watches it again for one event";
    if (event.is("epoll_ctl")) return "watched for something else from now on (S13)";
    if (event.name.starts_with("epoll_")) return "returns only what is ready (S14" + step("T11") + ")";
    if (event.is_select()) return "all descriptors go in, and those that are ready come out (S11)";
    if (event.name.starts_with("accept") && event.error == "EAGAIN") return "not now: the queue is empty (P3, S10)";
    if (event.name.starts_with("accept") && event.value >= 0)
        return "the first client in the queue, with a socket of its own (S4" + step("T12") + ")";
    if (made_by(event) > 0) {
        return makes_thread(event) ? "a thread, which shares memory and descriptors (S8, T8, T10)"
                                   : "the child has copies of all descriptors (S6)";
    }
    if (event.is("wait4") && event.value > 0) return "no longer a zombie (S6, P7)";
    if (event.is("close") && names_.at(event.thread) == "parent" && call.client != 0)
        return "this was the parent's copy, and the child still has its own (S6)";
    if (event.is("close") && call.client != 0)
        return six ? "gone, and epoll no longer watches it (T15)"
                   : "gone, and the next client may get this number (P9)";
    if (call.client != 0 && (event.is("read") || event.is("write"))) return remark_on_data(call);
    return "";
}

std::string Writer::waits_for(const Resolved& call) {
    switch (call.waits) {
    case Waits::anyone:
        return "for anyone";
    case Waits::client:
        return text("for ", call.client, " alone");
    case Waits::work:
        return "for work";
    case Waits::time:
        return "until the request is worked on";
    case Waits::child:
        return "for a child to exit";
    case Waits::nothing:
        break;
    }
    return "";
}

void Writer::write_call(const Resolved& call) {
    std::string words = call_text(call);
    const std::string why = remark(call);
    out_ << "  " << names_.at(call.event.thread)
         << std::string(10 - std::min<std::size_t>(9, names_.at(call.event.thread).size()), ' ') << words << '\n';
    if (!why.empty() && said_.insert(why).second) out_ << std::string(16, ' ') << "^ " << why << '\n';
}

/// In which call each thread is now, and for whom it waits there.
void Writer::write_waits(Seconds at) {
    for (const pid_t thread : order_) {
        const auto last = std::find_if(calls_.rbegin(), calls_.rend(), [&](const Resolved& call) {
            return call.event.thread == thread && call.event.begin < at;
        });
        if (last == calls_.rend() || last->event.end < at || last->waits == Waits::nothing) continue;
        out_ << "  " << names_.at(thread) << std::string(10 - std::min<std::size_t>(9, names_.at(thread).size()), ' ')
             << "... waits in " << last->event.name;
        if (last->waits != Waits::work && !last->event.is_select() && !last->event.arguments.empty()) {
            out_ << "(" << descriptor(*last, last->event.number(0)) << ")";
        }
        out_ << ", " << waits_for(*last) << '\n';
    }
}

void Writer::write_step(const std::string& heading, Seconds from, Seconds to) {
    out_ << "\n" << heading << "\n";
    for (const pid_t thread : order_) {
        for (const Resolved& call : calls_) {
            const bool now = call.event.end >= from && call.event.end < to && call.event.thread == thread;
            const bool shown = !call.event.is("futex") && call.event.result != "?";
            if (now && shown) write_call(call);
        }
    }
    write_waits(to);
}

std::string Writer::write() {
    out_ << chapter_ << ": its system calls, and what the clients do meanwhile\n";
    std::vector<Mark> steps;
    for (const Mark& mark : recording_.marks) {
        if (mark.client == 0) steps.push_back(mark);
    }
    write_step("The server starts", 0, steps.front().time);
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool last = i + 1 == steps.size();
        write_step(last ? "SIGTERM: the server stops" : steps[i].what, steps[i].time, last ? 1e300 : steps[i + 1].time);
    }
    return out_.str();
}

} // namespace

std::string annotated_trace(const std::string& chapter, const Recording& recording) {
    return Writer(chapter, recording).write();
}
