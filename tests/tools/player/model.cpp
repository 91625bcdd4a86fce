#include "tests/tools/player/model.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include "tests/support/failed.h"

namespace {

/// What a call that does not wait does, it does when it begins; what a call that waits brings, it brings at its end.
Seconds moment_of(const Resolved& call) {
    return call.waits == Waits::nothing ? call.event.begin : call.event.end;
}

/// What turns `from` into `to`, as a merge patch.
Json patch_between(const Json& from, const Json& to) {
    if (!from.is_object() || !to.is_object()) return to;
    Json patch = Json::object();
    for (const auto& [key, value] : to.items()) {
        if (!from.contains(key)) patch[key] = value;
        if (from.contains(key) && from[key] != value) patch[key] = patch_between(from[key], value);
    }
    for (const auto& [key, value] : from.items()) {
        if (!to.contains(key)) patch[key] = nullptr;
    }
    return patch;
}

std::string key_of(long number) {
    return std::to_string(number);
}

/// Something that becomes a step, or only changes the state.
struct Moment {
    Seconds when;
    std::size_t event;
    bool sleeps;
};

class Model {
  public:
    Model(const std::string& chapter, const Tape& tape, const std::string& folder)
        : chapter_(chapter), folder_(folder), number_(std::stoi(chapter.substr(0, 2))), tape_(tape),
          calls_(resolve(tape.events, tape.clients)) {
        for (const char* key : {"conns", "clients", "procs", "threads"}) state_[key] = Json::object();
        state_["queue"] = Json::array();
        add_process(tape.server, number_ == 2 ? "parent" : "the server");
        add_thread(tape.server, tape.server, number_ == 6 ? "main thread" : number_ == 2 ? "parent" : "the server");
    }

    Json make();

  private:
    void add_process(pid_t pid, const std::string& name) {
        state_["procs"][key_of(pid)] = {{"name", name}, {"fds", Json::object()}, {"ended", false}};
    }
    void add_thread(pid_t thread, pid_t process, const std::string& name) {
        state_["threads"][key_of(thread)] = {
            {"name", name}, {"proc", key_of(process)}, {"call", ""}, {"waits", false}, {"about", ""}};
    }

    std::vector<Moment> moments_of(std::size_t segment) const;
    [[nodiscard]] Seconds end_of(std::size_t segment) const;
    void play_segment(std::size_t segment);
    void act(const Segment& segment);
    void play_moment(const Moment& moment);
    [[nodiscard]] bool shown(const Moment& moment) const;
    void follow(const Resolved& call);
    void follow_bytes(const Resolved& call);
    void follow_new_descriptor(const Resolved& call);
    void follow_epoll(const Resolved& call);
    void follow_made(const Resolved& call);
    void follow_close(const Resolved& call);
    void leave_epoll(const std::string& name);
    void follow_owner(const Resolved& call);
    void fill_while_writing(char client);
    void split_buffers(const Reading& reading);
    void add_step(const std::string& who, const Words& words, const Stack& stack, char about);
    void check(const Segment& segment);
    void expect(const Segment& segment, const std::string& what, const Json& model, const Json& kernel) const;
    [[nodiscard]] Json& fds(const Resolved& call) { return state_["procs"][key_of(call.process)]["fds"]; }
    Json& conn(char client) { return state_["conns"][std::string(1, client)]; }
    bool has_conn(char client) { return client != 0 && state_["conns"].contains(std::string(1, client)); }
    Json source_files() const;
    Json statements() const;

    std::string chapter_;
    std::string folder_;
    int number_;
    const Tape& tape_;
    std::vector<Resolved> calls_;
    Json state_;
    Json last_ = Json::object(); // the state at the last step, and at the one before it
    Json previous_ = Json::object();
    Json steps_ = Json::array();
    std::size_t segment_ = 0;
    std::set<std::string> files_;
    std::map<std::string, std::string> watched_; // what epoll gives back: the file descriptor
    int workers_ = 0;
    std::size_t read_before_ = 0;
    std::map<char, long> writing_; // what a write that sleeps has given to the kernel
};

Seconds Model::end_of(std::size_t segment) const {
    return segment + 1 < tape_.segments.size() ? tape_.segments[segment + 1].at : tape_.stop;
}

/// What the server did in this segment, in order. A call in which a thread still sleeps at its end is there as well.
std::vector<Moment> Model::moments_of(std::size_t segment) const {
    const Seconds from = segment == 0 ? 0 : tape_.segments[segment].at;
    const Seconds to = end_of(segment);
    std::vector<Moment> moments;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        const Resolved& call = calls_[i];
        const Seconds when = moment_of(call);
        const bool begins = call.event.begin >= from && call.event.begin < to;
        if (when >= from && when < to) moments.push_back({when, i, false});
        if (begins && when >= to && call.event.kind == TraceEvent::Kind::call) {
            moments.push_back({call.event.begin, i, true});
        }
    }
    std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) { return a.when < b.when; });
    return moments;
}

/// What the client itself does to the state.
void Model::act(const Segment& segment) {
    const std::string name(1, segment.action.client);
    Json& client = state_["clients"][name];
    switch (segment.action.what) {
    case Do::connects:
        client = {{"sent", 0}, {"got", 0}, {"doing", segment.failed.empty() ? "connected" : "tries to connect"}};
        if (!segment.failed.empty()) break;
        state_["conns"][name] = {{"up", 0},        {"down", 0},        {"hand", 0},   {"unsent", false},
                                 {"upEnd", false}, {"downEnd", false}, {"open", true}};
        state_["queue"].push_back(name);
        break;
    case Do::sends:
        client["sent"] = client["sent"].get<std::size_t>() + segment.done;
        client["doing"] = "has sent " + with_commas(static_cast<long>(segment.done)) + " bytes";
        if (has_conn(name[0])) conn(name[0])["up"] = conn(name[0])["up"].get<std::size_t>() + segment.done;
        break;
    case Do::reads:
        client["got"] = client["got"].get<std::size_t>() + segment.done;
        client["doing"] = "has read " + with_commas(static_cast<long>(segment.done)) + " bytes";
        if (has_conn(name[0]))
            conn(name[0])["down"] = conn(name[0])["down"].get<long>() - static_cast<long>(segment.done);
        break;
    case Do::ends:
    case Do::leaves:
    case Do::resets:
        client["doing"] = segment.action.what == Do::ends ? "has closed its writing side" : "has left";
        if (has_conn(name[0])) conn(name[0])["upEnd"] = true;
        if (has_conn(name[0]) && segment.action.what != Do::ends) conn(name[0])["open"] = false;
        break;
    case Do::watches:
        state_["clients"].erase(name);
        break;
    }
}

/// A blocking write that sleeps has given a part of its bytes to the kernel already. How many, no call says, and so
/// they are counted as the reading at the end of this segment has them.
void Model::fill_while_writing(char client) {
    const auto seen = tape_.segments[segment_].after.buffers.find(client);
    if (!has_conn(client) || seen == tape_.segments[segment_].after.buffers.end()) return;
    Json& one = conn(client);
    const long there = static_cast<long>(seen->second.to_client[0] + seen->second.to_client[1]);
    const long more = std::clamp(there - one["down"].get<long>(), 0L, one["hand"].get<long>());
    one["down"] = one["down"].get<long>() + more;
    one["hand"] = one["hand"].get<long>() - more;
    writing_[client] += more;
}

/// Where the bytes of each direction are: in the receiver's buffer as far as that has room, else in the sender's. How
/// much room there is, the reading at the end of this segment says.
void Model::split_buffers(const Reading& reading) {
    for (auto& [name, one] : state_["conns"].items()) {
        const auto seen = reading.buffers.find(name[0]);
        const auto split = [&](long total, const std::array<std::size_t, 2>* kernel) {
            const long room = kernel != nullptr && (*kernel)[0] > 0 ? static_cast<long>((*kernel)[1]) : total;
            const long there = std::min(total, room);
            return Json{total - there, there};
        };
        const bool known = seen != reading.buffers.end();
        one["upSplit"] = split(one["up"], known ? &seen->second.to_server : nullptr);
        one["downSplit"] = split(one["down"], known ? &seen->second.to_client : nullptr);
    }
}

void Model::add_step(const std::string& who, const Words& words, const Stack& stack, char about) {
    split_buffers(tape_.segments[segment_].after);
    Json frames = Json::array();
    for (const Frame& frame : stack) {
        frames.push_back({frame.function, frame.file, frame.line});
        files_.insert(frame.file);
    }
    Json step = {{"part", tape_.segments[segment_].part},
                 {"segment", segment_},
                 {"who", who},
                 {"title", words.title},
                 {"text", words.text},
                 {"ids", words.ids},
                 {"frames", frames},
                 {"about", about == 0 ? "" : std::string(1, about)},
                 {"patch", patch_between(last_, state_)}};
    if (!words.question.is_null()) step["question"] = words.question;
    previous_ = std::exchange(last_, state_);
    steps_.push_back(std::move(step));
}

/// Calls that set things up and tell nothing here.
bool Model::shown(const Moment& moment) const {
    const TraceEvent& event = calls_[moment.event].event;
    if (event.kind == TraceEvent::Kind::signal) return event.name == "SIGCHLD";
    if (event.kind == TraceEvent::Kind::exit) return true;
    if (event.is_one_of({"setsockopt", "getsockname", "getsockopt", "exit_group", "shutdown"})) return false;
    if (event.is("fcntl")) return event.has("F_SETFL");
    if (event.is("wait4")) return event.value > 0;
    if (event.is("write") && event.number(0) <= 2) return false;
    if (!event.is("futex")) return true;
    // Of the calls that a mutex and a condition variable make: that a worker is woken for a client, and that it sleeps
    // at first.
    if (!event.has("FUTEX_WAKE")) return moment.sleeps && segment_ == 0;
    const Stack& stack = tape_.stacks[moment.event];
    return event.value > 0 && event.thread == tape_.server && (stack.empty() || stack[0].function == "push");
}

void Model::play_moment(const Moment& moment) {
    const Resolved& call = calls_[moment.event];
    Json& thread = state_["threads"][key_of(call.event.thread)];
    const Json before = state_;
    if (call.event.kind == TraceEvent::Kind::call) {
        thread["call"] = call.event.is_select() ? "select" : call.event.name;
        thread["waits"] = moment.sleeps;
        thread["about"] = call.client == 0 ? "" : std::string(1, call.client);
        if (!moment.sleeps) thread["call"] = "";
    }
    if (moment.sleeps && call.event.is_epoll_wait()) state_["epoll"]["returned"] = Json::array();
    if (state_.contains("epoll") && call.event.is_epoll_wait()) state_["epoll"]["waits"] = moment.sleeps;
    if (call.event.is_select()) {
        state_["select"] = {{"read", descriptors_in(call.event.arguments.at(1), "")},
                            {"write", descriptors_in(call.event.arguments.at(2), "")},
                            {"gotRead", Json::array()},
                            {"gotWrite", Json::array()},
                            {"waits", moment.sleeps}};
    }
    if (!moment.sleeps) follow(call);
    if (moment.sleeps && call.event.is_one_of({"write", "sendto"})) fill_while_writing(call.client);
    const auto& segments = tape_.segments;
    if (!shown(moment)) return;
    const Words words = words_for(Call{call, before, moment.sleeps, number_});
    const Stack& stack = tape_.stacks[moment.event];
    add_step(key_of(call.event.thread), words, stack,
             call.client != 0 ? call.client : segments[segment_].action.client);
}

void Model::follow(const Resolved& call) {
    const TraceEvent& event = call.event;
    if (event.kind == TraceEvent::Kind::exit) {
        state_["threads"].erase(key_of(event.thread));
        if (call.process == event.thread) {
            Json& process = state_["procs"][key_of(call.process)];
            process["fds"] = Json::object();
            process["ended"] = true;
        }
    }
    if (event.kind != TraceEvent::Kind::call) return;
    if (event.is_select() && event.value > 0) {
        state_["select"]["gotRead"] = descriptors_in(event.result, "in [");
        state_["select"]["gotWrite"] = descriptors_in(event.result, "out [");
    }
    follow_new_descriptor(call);
    follow_epoll(call);
    follow_made(call);
    follow_bytes(call);
    follow_owner(call);
    follow_close(call);
    if (event.is("wait4") && event.value > 0) state_["procs"].erase(key_of(event.value));
}

void Model::follow_new_descriptor(const Resolved& call) {
    const TraceEvent& event = call.event;
    const std::string fd = key_of(event.value);
    if (event.value < 0) return;
    if (event.is("socket")) fds(call)[fd] = "socket";
    if (event.is("listen")) fds(call)[key_of(event.number(0))] = "listener";
    if (event.name.starts_with("epoll_create")) fds(call)[fd] = "epoll";
    if (!event.name.starts_with("accept")) return;
    const std::string name(1, call.client);
    fds(call)[fd] = name;
    Json& queue = state_["queue"];
    queue.erase(std::remove(queue.begin(), queue.end(), Json(name)), queue.end());
}

void Model::follow_epoll(const Resolved& call) {
    const TraceEvent& event = call.event;
    if (event.name.starts_with("epoll_create")) {
        state_["epoll"] = {{"list", Json::object()}, {"returned", Json::array()}};
        if (number_ == 6) state_["queues"] = {{"read", Json::array()}, {"write", Json::array()}};
    }
    if (event.is("epoll_ctl") && event.value == 0) {
        const std::string fd = key_of(event.number(2));
        if (event.has("EPOLL_CTL_DEL")) {
            state_["epoll"]["list"].erase(fd);
            return;
        }
        const auto events = events_in(event.arguments.at(3));
        if (events.empty()) return;
        watched_[events[0].second] = fd;
        state_["epoll"]["list"][fd] = {{"events", epoll_events(events[0].first)},
                                       {"armed", true},
                                       {"name", fds(call).value(fd, "?")},
                                       {"data", events[0].second}};
    }
    if (event.is_epoll_wait() && event.value >= 0) {
        state_["epoll"]["returned"] = Json::array();
        for (const auto& [what, data] : events_in(event.arguments.at(1))) {
            const std::string fd = watched_[data];
            state_["epoll"]["returned"].push_back({fd, epoll_events(what), fds(call).value(fd, "?")});
            Json& list = state_["epoll"]["list"];
            if (list.contains(fd) && list[fd]["events"].get<std::string>().ends_with("once")) list[fd]["armed"] = false;
        }
    }
}

/// fork and clone: a process gets copies of all file descriptors, a thread shares them.
void Model::follow_made(const Resolved& call) {
    const pid_t made = made_by(call.event);
    if (made == 0) return;
    if (makes_thread(call.event)) {
        ++workers_;
        add_thread(made, call.process, workers_ <= 2 ? text("read worker ", workers_) : "write worker");
        return;
    }
    std::string whose = "?";
    for (const auto& [fd, name] : fds(call).items()) {
        if (name != "listener") whose = name;
    }
    const Json copies = fds(call);
    add_process(made, "child for " + whose);
    state_["procs"][key_of(made)]["fds"] = copies;
    add_thread(made, made, "child for " + whose);
}

void Model::follow_bytes(const Resolved& call) {
    const TraceEvent& event = call.event;
    if (!has_conn(call.client)) return;
    Json& one = conn(call.client);
    const auto change = [&](const char* what, long by) { one[what] = one[what].get<long>() + by; };
    if (event.is_one_of({"read", "recvfrom"}) && event.value >= 0) {
        change("up", -event.value);
        change("hand", event.value);
        if (event.value == 0) one["upEnd"] = false;
    } else if (event.is_one_of({"write", "sendto"})) {
        const long before = std::exchange(writing_[call.client], 0L); // what it has given while it slept
        if (event.value > 0) change("down", event.value - before);
        if (event.value > 0) change("hand", before - event.value);
        one["unsent"] = one["hand"].get<long>() > 0;
    }
}

/// In chapter 06: which party has a connection. Only its arming is in a file of the kernel; the rest follows from the
/// calls.
void Model::follow_owner(const Resolved& call) {
    if (number_ != 6) return;
    const TraceEvent& event = call.event;
    if (event.is_epoll_wait()) {
        for (const Json& one : state_["epoll"]["returned"]) {
            const std::string name = one[2];
            if (!state_["conns"].contains(name)) continue;
            const bool out = one[1].get<std::string>().find("OUT") != std::string::npos;
            state_["queues"][out ? "write" : "read"].push_back(name);
            state_["conns"][name]["owner"] = out ? "write queue" : "read queue";
        }
    }
    if (!has_conn(call.client) || event.name.starts_with("accept")) return;
    const std::string name(1, call.client);
    for (const char* which : {"read", "write"}) {
        Json& queue = state_["queues"][which];
        queue.erase(std::remove(queue.begin(), queue.end(), Json(name)), queue.end());
    }
    const bool arms = event.is("epoll_ctl") && !event.has("EPOLL_CTL_DEL") && event.value == 0;
    conn(call.client)["owner"] = arms ? Json("kernel (armed)") : state_["threads"][key_of(event.thread)]["name"];
}

/// When the last file descriptor of a socket is closed, the kernel takes the socket out of epoll.
void Model::leave_epoll(const std::string& name) {
    if (!state_.contains("epoll")) return;
    const Json list = state_["epoll"]["list"];
    for (const auto& [fd, one] : list.items()) {
        if (one["name"] == name) state_["epoll"]["list"].erase(fd);
    }
}

/// A connection is there as long as any process has a file descriptor for it.
void Model::follow_close(const Resolved& call) {
    if (!call.event.is("close") && !(call.event.kind == TraceEvent::Kind::exit)) return;
    if (call.event.is("close")) fds(call).erase(key_of(call.event.number(0)));
    const Json conns = state_["conns"]; // a copy, because what is closed leaves it
    for (const auto& [name, one] : conns.items()) {
        bool open = std::find(state_["queue"].begin(), state_["queue"].end(), name) != state_["queue"].end();
        for (const auto& [pid, process] : state_["procs"].items()) {
            for (const auto& [fd, is] : process["fds"].items()) open = open || is == name;
        }
        if (open) continue;
        leave_epoll(name);
        if (one["open"] == true) {
            state_["conns"][name]["downEnd"] = true; // the client has still to notice
        } else {
            state_["conns"].erase(name);
        }
    }
}

void Model::play_segment(std::size_t which) {
    segment_ = which;
    const Segment& segment = tape_.segments[which];
    const std::vector<Moment> moments = moments_of(which);
    if (which > 0) {
        const Json before = state_;
        act(segment);
        const auto sleeps_on = std::none_of(moments.begin(), moments.end(), [&](const Moment& moment) {
            return calls_[moment.event].client == segment.action.client;
        });
        if (writing_[segment.action.client] > 0 && sleeps_on) fill_while_writing(segment.action.client);
        read_before_ += segment.done;
        // A client that reads again and again while the server does nothing: one step, the last one.
        const bool goes_on = which + 1 < tape_.segments.size() && segment.action.what == Do::reads && moments.empty() &&
                             tape_.segments[which + 1].action.what == Do::reads &&
                             tape_.segments[which + 1].action.client == segment.action.client;
        if (goes_on) {
            segment_ = which;
            return check(segment);
        }
        Segment all = segment;
        all.done = std::exchange(read_before_, 0);
        add_step(segment.action.client == 0 ? "" : std::string(1, segment.action.client), words_for(all, before), {},
                 segment.action.client);
    }
    constexpr std::size_t most = 10; // of a server that does not come to rest, that is enough to see it
    for (std::size_t i = 0; i < moments.size(); ++i) {
        if (segment.after.rests || i < most) {
            play_moment(moments[i]);
        } else if (!moments[i].sleeps) {
            follow(calls_[moments[i].event]);
        }
    }
    if (!segment.after.rests && moments.size() > most) {
        add_step(key_of(tape_.server),
                 {"and so on",
                  "It goes on like this and does not come to rest: " +
                      with_commas(static_cast<long>(moments.size() - most)) + " more calls so far.",
                  "",
                  {}},
                 {}, 0);
    }
    // What changed after the last step belongs to it, for the checkpoint is there: a worker that has gone to sleep.
    split_buffers(segment.after);
    if (!steps_.empty()) steps_.back()["patch"] = patch_between(previous_, state_);
    last_ = state_;
    check(segment);
}

void Model::expect(const Segment& segment, const std::string& what, const Json& model, const Json& kernel) const {
    if (model == kernel) return;
    throw Failed{
        text(chapter_, ": the model of the player, after step ", steps_.size(), " (part \"", segment.part, "\")"),
        what + " as the kernel says, " + kernel.dump(), model.dump()};
}

/// What the kernel can confirm is confirmed.
void Model::check(const Segment& segment) {
    const Reading& reading = segment.after;
    if (!reading.rests) return;
    expect(segment, "the listen queue", state_["queue"].size(), reading.queue);
    for (const auto& [name, buffers] : reading.buffers) {
        const std::string letter(1, name);
        if (!state_["conns"].contains(letter)) continue;
        const Json& one = state_["conns"][letter];
        // Where an end is on its way or unread, some of the kernel's numbers count it as a byte.
        const auto compare = [&](const std::string& what, const char* way, std::size_t kernel, bool end) {
            const auto model = one[way].get<std::size_t>();
            expect(segment, what + letter, model, end && kernel == model + 1 ? model : kernel);
        };
        compare("bytes on their way from ", "up", buffers.to_server[0] + buffers.to_server[1], one["upEnd"]);
        compare("bytes on their way to ", "down", buffers.to_client[0] + buffers.to_client[1], one["downEnd"]);
        expect(segment, "the bytes that " + letter + " has sent",
               one["up"].get<long>() + one["hand"].get<long>() + one["down"].get<long>() +
                   state_["clients"][letter]["got"].get<long>(),
               state_["clients"][letter]["sent"]);
    }
    for (const auto& [pid, open] : reading.descriptors) {
        Json seen = Json::array();
        for (const auto& [fd, what] : open) {
            if (fd > 2) seen.push_back(fd);
        }
        Json known = Json::array();
        std::set<int> numbers;
        for (const auto& [fd, name] : state_["procs"][key_of(pid)]["fds"].items()) numbers.insert(std::stoi(fd));
        for (const int fd : numbers) known.push_back(fd);
        expect(segment, text("the file descriptors of process ", state_["procs"][key_of(pid)]["name"]), known, seen);
    }
    Json watched = Json::object();
    for (const Watched& one : reading.epoll) {
        const bool once = (one.events & (1U << 30)) != 0;
        const bool armed = (one.events & 5) != 0;
        std::string events = (one.events & 1) != 0 ? "IN" : "";
        if ((one.events & 4) != 0) events += events.empty() ? "OUT" : " OUT";
        if ((one.events & 0x2000) != 0) events += events.empty() ? "RDHUP" : " RDHUP";
        if ((one.events & (1U << 31)) != 0) events += " ET";
        watched[key_of(one.fd)] = armed ? events + (once ? " once" : "") : "disarmed";
    }
    Json list = Json::object();
    if (state_.contains("epoll")) {
        for (const auto& [fd, one] : state_["epoll"]["list"].items()) {
            list[fd] = one["armed"] == true && one["events"] != "" ? one["events"] : "disarmed";
        }
    }
    expect(segment, "what epoll watches", list, watched);
    if (!steps_.empty()) steps_.back()["checked"] = true;
}

/// The lines of the files that the steps are in.
Json Model::source_files() const {
    Json files = Json::object();
    for (const std::string& name : files_) {
        std::ifstream file(folder_ + "/" + name);
        for (std::string line; std::getline(file, line);) files[name].push_back(line);
    }
    return files;
}

/// What the statements say that the steps name, from the table of the claims.
Json Model::statements() const {
    Json found = Json::object();
    std::ifstream table("tests/claims/README.md");
    for (std::string line; std::getline(table, line);) {
        const std::vector<std::string> words = words_of(line);
        if (words.size() < 4 || words[0] != "|") continue;
        const bool named = std::any_of(steps_.begin(), steps_.end(), [&](const Json& step) {
            return (", " + step["ids"].get<std::string>() + ",").find(", " + words[1] + ",") != std::string::npos;
        });
        const std::size_t from = line.find("| ", 3) + 2;
        if (named) found[words[1]] = line.substr(from, line.find(" |", from) - from);
    }
    return found;
}

Json Model::make() {
    for (std::size_t i = 0; i < tape_.segments.size(); ++i) play_segment(i);
    return {{"chapter", chapter_},
            {"steps", steps_},
            {"files", source_files()},
            {"statements", statements()},
            {"last", state_}};
}

} // namespace

std::vector<int> descriptors_in(const std::string& text, const std::string& label) {
    std::vector<int> found;
    const std::size_t at = text.find(label.empty() ? "[" : label);
    if (at == std::string::npos) return found;
    const std::size_t from = at + (label.empty() ? 1 : label.size());
    std::istringstream numbers(text.substr(from, text.find(']', from) - from));
    for (int fd = 0; numbers >> fd;) found.push_back(fd);
    return found;
}

std::vector<std::pair<std::string, std::string>> events_in(const std::string& text) {
    std::vector<std::pair<std::string, std::string>> found;
    for (std::size_t at = 0; (at = text.find("{events=", at)) != std::string::npos;) {
        const std::size_t comma = text.find(", data=", at);
        const std::size_t end = text.find('}', comma);
        found.emplace_back(text.substr(at + 8, comma - at - 8), text.substr(comma + 7, end - comma - 7));
        at = end;
    }
    return found;
}

std::string epoll_events(const std::string& strace) {
    std::string events;
    for (const char* word : {"IN", "OUT", "RDHUP", "HUP", "ERR", "ET", "ONESHOT"}) {
        const std::string name = std::string("EPOLL") + word;
        const std::size_t at = strace.find(name);
        const bool there =
            at != std::string::npos && (at + name.size() == strace.size() || strace[at + name.size()] == '|');
        if (there) events += (events.empty() ? "" : " ") + std::string(word == std::string("ONESHOT") ? "once" : word);
    }
    return events;
}

Json make_steps(const std::string& chapter, const Tape& tape, const std::string& folder) {
    return Model(chapter, tape, folder).make();
}
