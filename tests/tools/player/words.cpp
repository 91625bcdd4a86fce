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
    std::string ids, text, ask, wrong, right, why;
};

std::map<std::string, Entry> read_entries() {
    std::map<std::string, Entry> entries;
    Entry* entry = nullptr;
    std::string* field = nullptr; // a line that begins nothing goes on with what was before it
    std::ifstream file("tests/tools/player/words.txt");
    for (std::string line; std::getline(file, line);) {
        const std::string behind = line.substr(std::min<std::size_t>(2, line.size()));
        if (line.starts_with("# ")) {
            const std::size_t bar = std::min(behind.find(" | "), behind.size());
            entry = &entries[behind.substr(0, bar)];
            if (bar < behind.size()) entry->ids = behind.substr(bar + 3);
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
    std::string title;
    std::string what; ///< "read sleeps"
    int chapter = 0;
    std::map<std::string, std::string> values{};
    std::vector<std::string> wrong{}; ///< answers that only this step has
    std::string result{};             ///< of the call, for the title
};

std::string fill_in(std::string text, const Step& step) {
    for (const auto& [name, value] : step.values) {
        const std::string braces = "{" + name + "}";
        for (std::size_t at = 0; (at = text.find(braces, at)) != std::string::npos; at += value.size()) {
            text.replace(at, braces.size(), value);
        }
    }
    return text;
}

Json question(const Entry& entry, const Entry& call, const Step& step) {
    const Entry& asked = entry.ask.empty() ? call : entry;
    const std::string right = fill_in(entry.right, step);
    std::set<std::string> choices(step.wrong.begin(), step.wrong.end()); // a set: sorted, and none of them twice
    choices.insert(right);
    for (const std::string& line : {asked.wrong, entry.wrong}) {
        std::istringstream answers(fill_in(line, step));
        for (std::string one; std::getline(answers, one, '/');) choices.insert(one);
    }
    return {
        {"ask", fill_in(asked.ask, step)}, {"choices", choices}, {"right", right}, {"why", fill_in(entry.why, step)}};
}

/// A case that the table does not have is that of its outcome: "fcntl fails" is "fails".
Words words_of_step(const Step& step) {
    static const std::map<std::string, Entry> entries = read_entries();
    const auto entry_of = [&](const std::string& what) {
        const auto found = entries.find(what);
        return found == entries.end() ? Entry{} : found->second;
    };
    Entry entry = entry_of(entries.contains(step.what) ? step.what : step.what.substr(step.what.rfind(' ') + 1));
    if (const Entry here = entry_of(text(step.what, " 0", step.chapter)); !here.text.empty()) {
        entry.ids = here.ids;
        entry.text = here.text;
    }
    const Entry call = entry_of(step.what.substr(0, step.what.find(' ')));
    return {step.title, fill_in(entry.text, step), fill_in(entry.ids, step),
            entry.right.empty() ? Json() : question(entry, call, step)};
}

std::string bytes(long number) {
    return with_commas(number) + (number == 1 ? " byte" : " bytes");
}

/// "5 (A)"
std::string named(const Call& call, long fd) {
    const Json& process = call.before["procs"][std::to_string(call.call.process)];
    return text(fd, " (", process["fds"].value(std::to_string(fd), "?"), ")");
}

void say_read(const Call& call, Step& step) {
    const TraceEvent& event = call.call.event;
    step.title = text("read(", event.number(0), ", up to ", with_commas(event.number(2)), " bytes)");
    const long left = call.before["conns"].value(step.values["who"], Json::object()).value("up", 0L) - event.value;
    step.values["left"] = bytes(left);
    if (event.value == 0) step.what = "read end";
    if (event.value > 0 && left > 0) step.what = "read part";
}

void say_write(const Call& call, Step& step) {
    const TraceEvent& event = call.call.event;
    const long size = event.number(2);
    step.title = text("write(", event.number(0), ", ", bytes(size), ")");
    step.values["size"] = bytes(size);
    step.values["left"] = bytes(size - event.value);
    const Json conn = call.before["conns"].value(step.values["who"], Json::object());
    if (event.value == size && conn.value("unsent", false)) step.what = "write unsent";
    if (event.value == size && call.slept) step.what = "write woken";
    if (event.value > 0 && event.value < size) step.what = "write part";
}

std::string join(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& one : words) all += (all.empty() ? "" : ", ") + one;
    return all.empty() ? "none" : all;
}

/// "5 (A) IN" of each.
std::vector<std::string> list(const Json& watched) {
    std::vector<std::string> all;
    for (const Json& one : watched) {
        all.push_back(text(one["fd"], " (", std::string(one["name"]), ") ", std::string(one["events"])));
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
    step.title = event.is_select() ? "select(read " + event.arguments.at(1) : text("epoll_wait(", event.number(0));
    step.title += (write.starts_with("[") && write != "[]" ? ", write " + write : "") + ")";
    step.result = join(ready);
    step.values["reported"] = join(ready);
    step.values["ready"] = join(ready) + (ready.size() == 1 ? " is" : " are");
    step.wrong.push_back("all that it watches: " + join(all));
    if (!call.slept) step.wrong.emplace_back("none yet: it sleeps");
    if (ready.size() > 1) step.wrong.push_back("only one of them: " + ready.front());
    step.wrong.insert(step.wrong.end(), all.begin(), all.end());
    if (step.wrong.size() > 5) step.wrong.resize(5);
    const bool queues = call.chapter == 6 && !ready.empty() && join(ready).find("listener") == std::string::npos;
    if (queues) step.what += " queues";
}

void say_epoll_ctl(const Call& call, Step& step) {
    const TraceEvent& event = call.call.event;
    const std::string operation = event.arguments.at(1).substr(std::string("EPOLL_CTL_").size());
    const std::string name = named(call, event.number(2));
    const Json one = call.now["epoll"]["list"].value(std::to_string(event.number(2)), Json::object());
    const std::string events = one.value("events", "");
    const bool once = one.value("once", false);
    const bool out = events.find("OUT") != std::string::npos;
    step.title = "epoll_ctl(" + operation + ", " + name;
    if (operation != "DEL") step.title += ", " + (events.empty() ? "nothing" : events) + (once ? " once" : "");
    step.title += ")";
    step.values["name"] = name;
    step.values["once"] = once ? " Only once: after that it leaves this client alone until it is armed again." : "";
    step.values["what"] = !out                                     ? "input"
                          : events.find("IN") != std::string::npos ? "input and about room to write"
                                                                   : "room to write, and no longer about input";
    if (event.value < 0) return;
    step.what += " " + operation;
    if (operation == "ADD" && name.find("listener") != std::string::npos) step.what += " listener";
}

void say_close(const Call& call, Step& step) {
    const long fd = call.call.event.number(0);
    const auto found = call.call.descriptors.find(static_cast<int>(fd));
    const std::string what = found == call.call.descriptors.end() ? "?" : found->second;
    int copies = 0;
    for (const Json& process : call.before["procs"]) {
        for (const Json& name : process["fds"]) copies += name == what ? 1 : 0;
    }
    step.title = text("close(", fd, ")");
    step.values["name"] = what == "listener" ? "the listener" : what;
    if (copies > 1) step.what = "close copy";
}

/// The names of the calls that all mean the same to a reader, as words.txt has them.
std::string common_name(const TraceEvent& event) {
    if (event.kind == TraceEvent::Kind::exit) return "exit";
    if (event.is_select()) return "select";
    if (event.is_epoll_wait()) return "epoll_wait";
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
    Step step{(name == "fork" || name == "waitpid" ? name : event.name) + "()", name, call.chapter};
    step.values = {{"who", name_of(call.call.client)},        {"fd", text(event.number(0))},
                   {"value", with_commas(event.value)},       {"error", event.error},
                   {"T12", call.chapter >= 4 ? ", T12" : ""}, {"called", call.slept ? "wakes up" : "is called"}};
    if (event.kind != TraceEvent::Kind::call) {
        step.title = event.kind == TraceEvent::Kind::signal ? event.name : event.text();
        return words_of_step(step);
    }
    if (name == "think" || name == "futex") {
        step.what = name == "think" ? "think" : event.has("FUTEX_WAKE") ? "wake" : "worker";
        step.title = name == "think" ? "the request takes its time"
                     : call.sleeps   ? "futex(WAIT) sleeps"
                                     : "futex(WAKE)";
        return words_of_step(step);
    }
    step.result = event.value < 0                       ? event.error
                  : name == "fork" || name == "waitpid" ? text(event.value)
                                                        : with_commas(event.value);
    if (!call.sleeps && event.value < 0) step.what += event.error == "EAGAIN" ? " EAGAIN" : " fails";
    if (name == "accept" || name == "bind") step.title = text(event.name, "(", event.number(0), ")");
    if (name == "listen") step.title = text("listen(", event.number(0), ", ", event.arguments.at(1), ")");
    if (name == "fcntl") step.title = text("fcntl(", event.number(0), ", O_NONBLOCK)");
    if (name == "accept" && !call.before["queue"].empty()) {
        step.wrong.push_back("a new file descriptor for " + call.before["queue"].back().get<std::string>());
    }
    if (name == "read") say_read(call, step);
    if (name == "write") say_write(call, step);
    if (name == "select" || name == "epoll_wait") say_ready(call, step);
    if (name == "epoll_ctl") say_epoll_ctl(call, step);
    if (name == "close") say_close(call, step);
    if (call.sleeps) {
        step.title += " sleeps";
        step.what = name + " sleeps";
    } else if (event.value != 0 || name == "read" || !step.wrong.empty()) {
        step.title += " = " + step.result;
    }
    return words_of_step(step);
}

Words words_for(const Segment& segment, const Json& before, int chapter) {
    const std::string who = name_of(segment.action.client);
    const std::string done = bytes(segment.done);
    const bool fails = !segment.failed.empty();
    Step step{"", "", chapter};
    step.values = {{"who", who}, {"value", done}, {"size", bytes(static_cast<long>(segment.action.bytes))}};
    switch (segment.action.what) {
    case Do::connects:
        step.title = who + (fails ? " tries to connect" : " connects");
        step.what = fails ? "A cannot connect" : "A connects";
        break;
    case Do::sends:
        step.title = who + (fails ? " wants to send" : " sends " + done);
        step.what = fails                                                    ? "A cannot send"
                    : segment.done < static_cast<long>(segment.action.bytes) ? "A sends part"
                                                                             : "A sends";
        break;
    case Do::reads:
        if (segment.done > 0) {
            step.title = who + " reads " + done;
            step.what = before["conns"][who]["down"] > segment.done ? "A reads part" : "A reads";
        } else {
            step.title = who + " looks for an answer";
            step.what = before["clients"][who]["sent"] > before["clients"][who]["got"] ? "A waits" : "A has all";
        }
        break;
    case Do::leaves:
        step.title = who + " closes its connection";
        step.what = "A leaves";
        break;
    case Do::watches:
        step.title = "time passes";
        step.what = "time";
        break;
    }
    return words_of_step(step);
}

Words words_for_spin(long calls) {
    Step step{"and so on", "spins"};
    step.values = {{"value", with_commas(calls)}};
    return words_of_step(step);
}
