// What a step is called, what it says, and what is asked before it. The sentences are in words.txt.

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/support/failed.h"
#include "tests/tools/player/model.h"

namespace {

/// What words.txt has for a case.
struct Entry {
    std::string title, ids, text, ask, wrong, right, why;
};

std::map<std::string, Entry> read_entries() {
    std::map<std::string, Entry> entries;
    Entry* entry = nullptr;
    std::string* field = nullptr; // a line that begins nothing goes on with what was before it
    std::ifstream file("tests/tools/player/words.txt");
    for (std::string line; std::getline(file, line);) {
        const std::string behind = line.substr(std::min<std::size_t>(2, line.size()));
        if (line.starts_with("# ")) {
            std::istringstream parts(behind);
            std::string what;
            std::getline(parts, what, '|');
            entry = &entries[what];
            std::getline(parts, entry->ids, '|');
            std::getline(parts, entry->title);
            field = &entry->text;
            continue;
        }
        if (entry == nullptr || line.empty()) continue;
        const bool goes_on = line.find_first_of("?-+=") != 0;
        if (line[0] == '?') field = &entry->ask;
        if (line[0] == '-') field = &entry->wrong;
        if (line[0] == '+') field = &entry->right;
        if (line[0] == '=') field = &entry->why;
        *field += (field->empty() ? "" : " ") + (goes_on ? line : behind);
    }
    return entries;
}

/// What is said of a step: which case of words.txt it is, and what goes into the braces there.
struct Step {
    std::string what; ///< "read sleeps"
    int chapter;
    std::map<std::string, std::string> values;
    std::vector<std::string> wrong{}; ///< answers that only this step has

    [[nodiscard]] std::string filled(std::string text) const {
        for (const auto& [name, value] : values) {
            const std::string braces = "{" + name + "}";
            for (std::size_t at = 0; (at = text.find(braces, at)) != std::string::npos; at += value.size()) {
                text.replace(at, braces.size(), value);
            }
        }
        return text;
    }
};

Json question(const Step& step, const Entry& entry, const Entry& asked) {
    const std::string right = step.filled(entry.right);
    std::set<std::string> choices(step.wrong.begin(), step.wrong.end()); // a set: sorted, and none of them twice
    choices.insert(right);
    for (const std::string& line : {asked.wrong, entry.wrong}) {
        std::istringstream answers(step.filled(line));
        for (std::string one; std::getline(answers, one, '/');) choices.insert(one);
    }
    return {{"ask", step.filled(asked.ask)}, {"choices", choices}, {"right", right}, {"why", step.filled(entry.why)}};
}

/// A case that the table does not have is that of its outcome: "fcntl fails" is "fails".
Words words_of_step(const Step& step) {
    static const std::map<std::string, Entry> entries = read_entries();
    const auto entry_of = [&](const std::string& what) {
        const auto found = entries.find(what);
        return found == entries.end() ? Entry{} : found->second;
    };
    const Entry call = entry_of(step.what.substr(0, step.what.find(' ')));
    const Entry entry = entry_of(entries.contains(step.what) ? step.what : step.what.substr(step.what.rfind(' ') + 1));
    const Entry here = entry_of(text(step.what, " 0", step.chapter));
    const Entry& said = here.text.empty() ? entry : here;
    const std::string& title = !entry.title.empty()  ? entry.title
                               : !call.title.empty() ? call.title
                                                     : "{call}(){result}";
    return {step.filled(title), step.filled(said.text), step.filled(said.ids),
            entry.right.empty() ? Json() : question(step, entry, entry.ask.empty() ? call : entry)};
}

std::string bytes(long number) {
    return with_commas(number) + (number == 1 ? " byte" : " bytes");
}

/// The connection that a call is about, before it.
Json conn_of(const Call& call) {
    return call.before["conns"].value(name_of(call.call.client), Json::object());
}

void say_accept(const Call& call, Step& step) {
    const Json& queue = call.before["queue"];
    if (!queue.empty()) step.wrong.push_back("a new file descriptor for " + queue.back().get<std::string>());
}

void say_read(const Call& call, Step& step) {
    const long count = call.call.event.value;
    const long left = conn_of(call).value("up", 0L) - count;
    step.values["left"] = bytes(left);
    if (count == 0) step.what = "read end";
    if (count > 0 && left > 0) step.what = "read part";
}

void say_write(const Call& call, Step& step) {
    const long count = call.call.event.value;
    const long left = call.call.event.number(2) - count;
    step.values["left"] = bytes(left);
    if (left == 0 && conn_of(call).value("unsent", false)) step.what = "write unsent";
    if (left == 0 && call.slept) step.what = "write woken";
    if (left > 0 && count > 0) step.what = "write part";
}

std::string join(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& one : words) all += (all.empty() ? "" : ", ") + one;
    return all.empty() ? "none" : all;
}

/// "5 (A) IN" of each, whether or not it is told of it only once.
std::vector<std::string> list(const Json& watched) {
    std::vector<std::string> all;
    for (const Json& one : watched) {
        const std::string events = one["events"];
        all.push_back(text(one["fd"], " (", std::string(one["name"]), ") ", events.substr(0, events.find(" ONESHOT"))));
    }
    return all;
}

/// select and epoll_wait: what they report, and what a reader may expect instead.
void say_ready(const Call& call, Step& step) {
    const TraceEvent& event = call.call.event;
    const Json& now = call.now[event.is_select() ? "select" : "epoll"];
    const std::vector<std::string> all = list(now["list"]);
    const std::vector<std::string> ready = list(now["returned"]);
    const std::string write = event.is_select() ? event.arguments.at(2) : "";
    if (event.is_select()) step.values["sets"] = "read " + event.arguments.at(1);
    if (write.starts_with("[") && write != "[]") step.values["sets"] += ", write " + write;
    step.values["reported"] = join(ready);
    step.values["ready"] = join(ready) + (ready.size() == 1 ? " is" : " are");
    if (event.value >= 0 && !call.sleeps) step.values["result"] = " = " + join(ready);
    step.wrong.push_back("all that it watches: " + join(all));
    if (!call.slept) step.wrong.emplace_back("none yet: it sleeps");
    if (ready.size() > 1) step.wrong.push_back("only one of them: " + ready.front());
    step.wrong.insert(step.wrong.end(), all.begin(), all.end());
    if (step.wrong.size() > 5) step.wrong.resize(5);
    const bool queues = call.chapter == 6 && !ready.empty() && join(ready).find("listener") == std::string::npos;
    if (queues) step.what = "epoll_wait queues";
}

void say_epoll_ctl(const Call& call, Step& step) {
    const TraceEvent& event = call.call.event;
    const std::string fd = std::to_string(event.number(2));
    const std::string name = call.before["procs"][std::to_string(call.call.process)]["fds"].value(fd, "?");
    const std::string operation = event.arguments.at(1).substr(std::string("EPOLL_CTL_").size());
    const Json one = call.now["epoll"]["list"].value(fd, Json::object());
    const std::string events = one.value("events", "");
    const bool once = events.ends_with("ONESHOT");
    const bool out = events.find("OUT") != std::string::npos;
    step.values["operation"] = operation;
    step.values["name"] = text(fd, " (", name, ")");
    step.values["events"] = operation == "DEL" ? "" : ", " + (events.empty() ? "nothing" : events);
    step.values["once"] = once ? " Only once: after that it leaves this client alone until it is armed again." : "";
    step.values["what"] = !out                                     ? "input"
                          : events.find("IN") != std::string::npos ? "input and about room to write"
                                                                   : "room to write, and no longer about input";
    if (event.value == 0) step.what += " " + operation + (name == "listener" ? " listener" : "");
}

void say_close(const Call& call, Step& step) {
    const auto found = call.call.descriptors.find(static_cast<int>(call.call.event.number(0)));
    const std::string what = found == call.call.descriptors.end() ? "?" : found->second;
    std::ptrdiff_t copies = 0;
    for (const Json& process : call.before["procs"]) {
        copies += std::count(process["fds"].begin(), process["fds"].end(), what);
    }
    step.values["name"] = what == "listener" ? "the listener" : what;
    if (copies > 1) step.what = "close copy";
}

/// What words.txt calls it: calls that mean the same to a reader have one name there.
std::string common_name(const TraceEvent& event) {
    if (event.kind == TraceEvent::Kind::exit) return "exit";
    if (event.is_select()) return "select";
    if (event.is_epoll_wait()) return "epoll_wait";
    if (event.is("futex")) return event.has("FUTEX_WAKE") ? "wake" : "worker";
    if (made_by(event) > 0) return "fork";
    static const std::map<std::string, std::string> names{{"accept4", "accept"}, {"recvfrom", "read"},
                                                          {"sendto", "write"},   {"epoll_create1", "epoll_create"},
                                                          {"wait4", "waitpid"},  {"clock_nanosleep", "think"}};
    const auto found = names.find(event.name);
    return found == names.end() ? event.name : found->second;
}

} // namespace

std::string with_commas(long number) {
    std::string digits = std::to_string(number);
    for (long at = static_cast<long>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

Words words_for(const Call& call) {
    const TraceEvent& event = call.call.event;
    const std::string name = common_name(event);
    const bool fails = event.kind == TraceEvent::Kind::call && event.value < 0;
    const bool is_process = name == "fork" || name == "waitpid";
    const std::string value = is_process ? text(event.value) : with_commas(event.value);
    Step step{name, call.chapter, {}};
    step.values = {{"call", event.name},
                   {"who", name_of(call.call.client)},
                   {"fd", text(event.number(0))},
                   {"size", bytes(event.number(2))},
                   {"backlog", text(event.number(1))},
                   {"value", value},
                   {"result", call.sleeps ? " sleeps" : " = " + (fails ? event.error : value)},
                   {"error", event.error},
                   {"T12", call.chapter >= 4 ? ", T12" : ""},
                   {"called", call.slept ? "wakes up" : "is called"}};
    if (fails) step.what += event.error == "EAGAIN" ? " EAGAIN" : " fails";
    if (name == "accept") say_accept(call, step);
    if (name == "read") say_read(call, step);
    if (name == "write") say_write(call, step);
    if (name == "select" || name == "epoll_wait") say_ready(call, step);
    if (name == "epoll_ctl") say_epoll_ctl(call, step);
    if (name == "close") say_close(call, step);
    if (call.sleeps) step.what = name + " sleeps";
    return words_of_step(step);
}

Words words_for(const Segment& segment, const Json& before, int chapter) {
    const std::string who = name_of(segment.action.client);
    const long wanted = static_cast<long>(segment.action.bytes);
    const bool fails = !segment.failed.empty();
    Step step{"time", chapter, {{"who", who}, {"value", bytes(segment.done)}, {"size", bytes(wanted)}}};
    const Do what = segment.action.what;
    if (what == Do::connects) step.what = fails ? "A cannot connect" : "A connects";
    if (what == Do::sends) step.what = fails ? "A cannot send" : segment.done < wanted ? "A sends part" : "A sends";
    if (what == Do::leaves) step.what = "A leaves";
    if (what == Do::reads && segment.done > 0) {
        step.what = before["conns"][who]["down"] > segment.done ? "A reads part" : "A reads";
    } else if (what == Do::reads) {
        step.what = before["clients"][who]["sent"] > before["clients"][who]["got"] ? "A waits" : "A has all";
    }
    return words_of_step(step);
}

Words words_for_spin(long calls) {
    return words_of_step({"spins", 0, {{"value", with_commas(calls)}}});
}
