#include "tests/tools/player/model.h"

#include <sys/epoll.h>

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

std::string key_of(long number) {
    return std::to_string(number);
}

void add(Json& number, long more) {
    number = number.get<long>() + more;
}

void take_out(Json& queue, const std::string& name) {
    queue.erase(std::remove(queue.begin(), queue.end(), Json(name)), queue.end());
}

/// The file descriptors in brackets behind `label`: "in [3 5]".
std::vector<int> descriptors_in(const std::string& text, const std::string& label = "[") {
    std::vector<int> found;
    const std::size_t at = text.find(label);
    if (at == std::string::npos) return found;
    const std::size_t from = at + label.size();
    std::istringstream numbers(text.substr(from, text.find(']', from) - from));
    for (int fd = 0; numbers >> fd;) found.push_back(fd);
    return found;
}

/// "EPOLLIN|EPOLLONESHOT" becomes "IN ONESHOT".
std::string short_events(std::string events) {
    const std::string prefix = "EPOLL";
    for (std::size_t at = 0; (at = events.find(prefix)) != std::string::npos;) events.erase(at, prefix.size());
    std::replace(events.begin(), events.end(), '|', ' ');
    return events == "0" ? "" : events;
}

/// The same from the numbers that the kernel says.
std::string short_events(std::uint32_t bits) {
    constexpr std::pair<const char*, std::uint32_t> names[] = {
        {"IN", EPOLLIN}, {"OUT", EPOLLOUT}, {"RDHUP", EPOLLRDHUP}, {"ONESHOT", EPOLLONESHOT}, {"ET", EPOLLET}};
    std::string events;
    for (const auto& [name, bit] : names) {
        if ((bits & bit) != 0) events += (events.empty() ? "" : " ") + std::string(name);
    }
    return events;
}

/// The file descriptors of the process that makes the call.
Json& fds(Json& state, const Resolved& call) {
    return state["procs"][key_of(call.process)]["fds"];
}

/// A file descriptor that select or epoll watches or reports.
Json watched(Json& state, const Resolved& call, int fd, const std::string& events) {
    return {{"fd", fd}, {"name", fds(state, call).value(key_of(fd), "?")}, {"events", events}};
}

/// The connection of a client; null where it has none.
Json* conn_of(Json& state, char client) {
    const auto found = state["conns"].find(name_of(client));
    return found == state["conns"].end() ? nullptr : &*found;
}

void add_process(Json& state, pid_t pid, const std::string& name) {
    state["procs"][key_of(pid)] = {{"name", name}, {"fds", Json::object()}, {"ended", false}};
}

void add_thread(Json& state, pid_t thread, const std::string& name) {
    state["threads"][key_of(thread)] = {{"name", name}, {"call", ""}, {"waits", false}, {"about", ""}};
}

/// What the client itself does to the state.
void act(Json& state, const Segment& segment) {
    if (segment.action.what == Do::watches) return;
    const std::string name = name_of(segment.action.client);
    Json& client = state["clients"][name];
    Json* const conn = conn_of(state, name[0]);
    if (segment.action.what == Do::connects) {
        client = {{"sent", 0}, {"got", 0}, {"doing", segment.failed.empty() ? "connected" : "tries to connect"}};
        if (!segment.failed.empty()) return;
        state["conns"][name] = {{"up", 0},         {"down", 0},      {"hand", 0},        {"given", 0},
                                {"unsent", false}, {"upEnd", false}, {"downEnd", false}, {"open", true}};
        state["queue"].push_back(name);
    } else if (segment.action.what == Do::leaves) {
        client["doing"] = "has left";
        if (conn != nullptr) conn->update({{"upEnd", true}, {"open", false}});
    } else {
        const bool sends = segment.action.what == Do::sends;
        client["doing"] = (sends ? "has sent " : "has read ") + with_commas(segment.done) + " bytes";
        add(client[sends ? "sent" : "got"], segment.done);
        if (conn != nullptr) add((*conn)[sends ? "up" : "down"], sends ? segment.done : -segment.done);
    }
}

/// A blocking write that sleeps has given a part of its bytes to the kernel already. How many, no call says, and so
/// they are counted as the reading at the end of this segment has them.
void fill_while_writing(Json& state, const Reading& reading, char client) {
    const auto seen = reading.buffers.find(client);
    Json* const conn = conn_of(state, client);
    if (conn == nullptr || seen == reading.buffers.end()) return;
    const long there = static_cast<long>(seen->second.to_client[0] + seen->second.to_client[1]);
    const long more = std::clamp(there - (*conn)["down"].get<long>(), 0L, (*conn)["hand"].get<long>());
    add((*conn)["down"], more);
    add((*conn)["hand"], -more);
    add((*conn)["given"], more);
}

/// Where the bytes of each direction are: in the receiver's buffer as far as that has room, else in the sender's. How
/// much room there is, the reading at the end of this segment says.
void split_buffers(Json& state, const Reading& reading) {
    const auto split = [](long total, const std::array<std::size_t, 2>& kernel) {
        const long there = kernel[0] > 0 ? std::min(total, static_cast<long>(kernel[1])) : total;
        return Json{total - there, there};
    };
    for (auto& [name, conn] : state["conns"].items()) {
        const auto found = reading.buffers.find(name[0]);
        const Buffers kernel = found == reading.buffers.end() ? Buffers{} : found->second;
        conn["upSplit"] = split(conn["up"], kernel.to_server);
        conn["downSplit"] = split(conn["down"], kernel.to_client);
    }
}

/// select and epoll_wait, from when they begin.
void follow_wait(Json& state, const Resolved& call, bool sleeps) {
    const TraceEvent& event = call.event;
    if (!event.is_select() && !event.is_epoll_wait()) return;
    Json& wait = state[event.is_select() ? "select" : "epoll"];
    wait["waits"] = sleeps;
    wait["returned"] = Json::array();
    const auto put = [&](const char* where, const std::vector<int>& descriptors, const char* what) {
        for (const int fd : descriptors) wait[where].push_back(watched(state, call, fd, what));
    };
    if (event.is_select()) {
        wait["list"] = Json::array();
        put("list", descriptors_in(event.arguments.at(1)), "to read");
        put("list", descriptors_in(event.arguments.at(2)), "to write");
    }
    if (sleeps || event.value <= 0) return;
    if (event.is_select()) {
        put("returned", descriptors_in(event.result, "in ["), "to read");
        put("returned", descriptors_in(event.result, "out ["), "to write");
        return;
    }
    for (const ReportedEvent& one : call.reported) {
        wait["returned"].push_back(watched(state, call, one.fd, short_events(one.events)));
        const auto found = wait["list"].find(key_of(one.fd));
        const bool once = found != wait["list"].end() && (*found)["events"].get<std::string>().ends_with("ONESHOT");
        if (once) (*found)["armed"] = false;
    }
}

void follow_epoll(Json& state, const Resolved& call) {
    const TraceEvent& event = call.event;
    if (event.name.starts_with("epoll_create")) {
        state["epoll"] = {{"list", Json::object()}, {"returned", Json::array()}};
    }
    if (!event.is("epoll_ctl") || event.value != 0) return;
    const std::string fd = key_of(event.number(2));
    Json& list = state["epoll"]["list"];
    if (event.has("EPOLL_CTL_DEL")) {
        list.erase(fd);
        return;
    }
    const std::string& what = event.arguments.at(3); // "{events=EPOLLIN, data=0x5}"
    const std::size_t from = what.find('=') + 1;
    const std::string events = short_events(what.substr(from, what.find(',') - from));
    list[fd] = watched(state, call, static_cast<int>(event.number(2)), events);
    list[fd]["armed"] = true;
}

/// fork and clone: a process gets copies of all file descriptors, a thread shares them.
void follow_made(Json& state, const Resolved& call) {
    const pid_t made = made_by(call.event);
    if (made == 0) return;
    if (makes_thread(call.event)) {
        const std::size_t number = state["threads"].size(); // the main thread is there already
        return add_thread(state, made, number <= 2 ? text("read worker ", number) : "write worker");
    }
    std::string name = "child for ?";
    for (const Json& one : fds(state, call)) {
        if (one != "listener") name = "child for " + one.get<std::string>();
    }
    add_process(state, made, name);
    state["procs"][key_of(made)]["fds"] = fds(state, call);
    add_thread(state, made, name);
}

void follow_bytes(Json& state, const Resolved& call) {
    const TraceEvent& event = call.event;
    Json* const found = conn_of(state, call.client);
    if (found == nullptr) return;
    Json& conn = *found;
    if (event.is_one_of({"read", "recvfrom"}) && event.value >= 0) {
        add(conn["up"], -event.value);
        add(conn["hand"], event.value);
        if (event.value == 0) conn["upEnd"] = false;
    } else if (event.is_one_of({"write", "sendto"})) {
        const long more = event.value > 0 ? event.value - conn["given"].get<long>() : 0; // not what it gave asleep
        add(conn["down"], more);
        add(conn["hand"], -more);
        conn.update({{"given", 0}, {"unsent", conn["hand"] > 0}});
    }
}

/// In chapter 06: which party has a connection. Only its arming is in a file of the kernel; the rest follows from the
/// calls.
void follow_owner(Json& state, const Resolved& call) {
    if (!state.contains("queues")) return;
    const TraceEvent& event = call.event;
    if (event.is_epoll_wait()) {
        for (const Json& one : state["epoll"]["returned"]) {
            const std::string name = one["name"];
            Json* const conn = conn_of(state, name.size() == 1 ? name[0] : '\0');
            if (conn == nullptr) continue;
            const bool out = one["events"].get<std::string>().find("OUT") != std::string::npos;
            state["queues"][out ? "write" : "read"].push_back(name);
            (*conn)["owner"] = out ? "write queue" : "read queue";
        }
    }
    Json* const conn = conn_of(state, call.client);
    if (conn == nullptr || event.name.starts_with("accept")) return;
    for (const char* which : {"read", "write"}) take_out(state["queues"][which], name_of(call.client));
    const bool arms = event.is("epoll_ctl") && !event.has("EPOLL_CTL_DEL") && event.value == 0;
    (*conn)["owner"] = arms ? Json("kernel (armed)") : state["threads"][key_of(event.thread)]["name"];
}

/// A connection is there as long as any process has a file descriptor for it.
void follow_close(Json& state) {
    const Json conns = state["conns"]; // a copy, because what is closed leaves it
    for (const auto& [name, one] : conns.items()) {
        const auto has_it = [&, what = name](const Json& where) {
            return std::find(where.begin(), where.end(), what) != where.end();
        };
        const Json& procs = state["procs"];
        if (has_it(state["queue"]) ||
            std::any_of(procs.begin(), procs.end(), [&](const Json& process) { return has_it(process["fds"]); })) {
            continue;
        }
        if (one["open"] == true) {
            state["conns"][name]["downEnd"] = true; // the client has still to notice
        } else {
            state["conns"].erase(name);
        }
    }
}

/// What a call changes when it returns.
void follow(Json& state, const Resolved& call) {
    const TraceEvent& event = call.event;
    if (event.kind == TraceEvent::Kind::signal) return;
    if (event.kind == TraceEvent::Kind::exit) state["threads"].erase(key_of(event.thread));
    if (event.kind == TraceEvent::Kind::exit && call.process != event.thread) return;
    fds(state, call) = Json::object();
    for (const auto& [fd, name] : call.open) fds(state, call)[key_of(fd)] = name;
    if (event.kind == TraceEvent::Kind::exit) {
        state["procs"][key_of(call.process)]["ended"] = true;
        return follow_close(state);
    }
    if (event.name.starts_with("accept")) take_out(state["queue"], name_of(call.client));
    follow_epoll(state, call);
    follow_made(state, call);
    follow_bytes(state, call);
    follow_owner(state, call);
    if (event.is("close")) {
        if (state.contains("epoll")) state["epoll"]["list"].erase(key_of(event.number(0)));
        follow_close(state);
    }
    if (event.is("wait4") && event.value > 0) state["procs"].erase(key_of(event.value));
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
        if (number_ == 6) state_["queues"] = {{"read", Json::array()}, {"write", Json::array()}};
        const std::string name = number_ == 2 ? "parent" : "the server";
        add_process(state_, tape.server, name);
        add_thread(state_, tape.server, number_ == 6 ? "main thread" : name);
    }

    Json make();

  private:
    std::vector<Moment> moments() const;
    void play_segment();
    void play_action(const std::vector<Moment>& moments);
    void play_moment(const Moment& moment);
    [[nodiscard]] bool shown(const Moment& moment) const;
    void add_step(const std::string& who, const Words& words, const Stack& stack);
    void check();
    void check_bytes(const std::string& name, const Buffers& buffers) const;
    void check_epoll(const std::vector<Watched>& seen) const;
    void expect(const std::string& what, const Json& model, const Json& kernel) const;
    Json source_files() const;
    const Segment& segment() const { return tape_.segments[at_]; }

    std::string chapter_;
    std::string folder_;
    int number_;
    const Tape& tape_;
    std::vector<Resolved> calls_;
    Json state_;
    Json steps_ = Json::array();
    std::set<std::string> files_;
    std::size_t at_ = 0;   // the segment
    long read_before_ = 0; // what a client has read in segments that are no steps
};

/// What the server did in this segment, in order. A call in which a thread still sleeps at its end is there as well.
std::vector<Moment> Model::moments() const {
    const Seconds from = at_ == 0 ? 0 : segment().at;
    const Seconds to = at_ + 1 < tape_.segments.size() ? tape_.segments[at_ + 1].at : tape_.stop;
    std::vector<Moment> moments;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
        const TraceEvent& event = calls_[i].event;
        const Seconds when = moment_of(calls_[i]);
        const bool begins = event.begin >= from && event.begin < to;
        if (when >= from && when < to) moments.push_back({when, i, false});
        if (begins && when >= to && event.kind == TraceEvent::Kind::call) moments.push_back({event.begin, i, true});
    }
    std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) { return a.when < b.when; });
    return moments;
}

void Model::add_step(const std::string& who, const Words& words, const Stack& stack) {
    split_buffers(state_, segment().after);
    Json frames = Json::array();
    for (const Frame& frame : stack) {
        frames.push_back({frame.function, frame.file, frame.line});
        files_.insert(frame.file);
    }
    const Json& before = steps_.empty() ? state_ : steps_.back()["state"];
    const Json& threads = (state_["threads"].contains(who) ? state_ : before)["threads"]; // it may just have ended
    steps_.push_back({{"part", segment().part},
                      {"segment", at_},
                      {"who", who},
                      {"thread", threads.value(who, Json::object()).value("name", "")},
                      {"title", words.title},
                      {"text", words.text},
                      {"ids", words.ids},
                      {"question", words.question},
                      {"frames", frames},
                      {"state", state_}});
}

/// Calls that set things up and tell nothing here are no steps, nor is the end of a sleep that stands for slow work.
bool Model::shown(const Moment& moment) const {
    const TraceEvent& event = calls_[moment.event].event;
    if (event.kind == TraceEvent::Kind::signal) return event.name == "SIGCHLD";
    if (event.kind == TraceEvent::Kind::exit) return true;
    if (event.is_one_of({"setsockopt", "getsockname", "getsockopt", "exit_group", "shutdown"})) return false;
    if (event.is("fcntl")) return event.has("F_SETFL");
    if (event.is("wait4")) return event.value > 0;
    if (event.is("write")) return event.number(0) > 2;
    if (event.is("clock_nanosleep")) return moment.sleeps;
    if (makes_thread(event)) return false; // the worker's first sleep is the step
    if (!event.is("futex")) return true;
    // Of the calls that a mutex and a condition variable make: that a worker is woken for a client, and that it sleeps
    // at first.
    if (!event.has("FUTEX_WAKE")) return moment.sleeps && at_ == 0;
    const Stack& stack = tape_.stacks[moment.event];
    return event.value > 0 && event.thread == tape_.server && (stack.empty() || stack[0].function == "wake");
}

void Model::play_moment(const Moment& moment) {
    const Resolved& call = calls_[moment.event];
    const std::string id = key_of(call.event.thread);
    const Json before = state_;
    const bool slept = before["threads"].value(id, Json::object()).value("waits", false);
    if (call.event.kind == TraceEvent::Kind::call) {
        Json& thread = state_["threads"][id];
        thread["call"] = !moment.sleeps ? "" : call.event.is_select() ? "select" : call.event.name;
        thread["waits"] = moment.sleeps;
        thread["about"] = name_of(call.client);
    }
    follow_wait(state_, call, moment.sleeps);
    if (!moment.sleeps) follow(state_, call);
    if (moment.sleeps && call.event.is_one_of({"write", "sendto"})) {
        fill_while_writing(state_, segment().after, call.client);
    }
    if (!shown(moment)) return;
    add_step(id, words_for(Call{call, before, state_, moment.sleeps, slept, number_}), tape_.stacks[moment.event]);
}

/// What the client does in this segment.
void Model::play_action(const std::vector<Moment>& moments) {
    const Json before = state_;
    const char client = segment().action.client;
    act(state_, segment());
    const Json* const conn = conn_of(state_, client);
    const auto is_about_it = [&](const Moment& moment) { return calls_[moment.event].client == client; };
    const bool sleeps_on = std::none_of(moments.begin(), moments.end(), is_about_it);
    if (conn != nullptr && (*conn)["given"] > 0 && sleeps_on) fill_while_writing(state_, segment().after, client);
    // A client that reads again and again while the server does nothing: one step, the last one.
    read_before_ += segment().done;
    if (moments.empty() && at_ + 1 < tape_.segments.size() && tape_.segments[at_ + 1].again) return;
    Segment all = segment();
    all.done = std::exchange(read_before_, 0);
    add_step(name_of(client), words_for(all, before, number_), {});
}

void Model::play_segment() {
    const std::vector<Moment> all = moments();
    if (at_ > 0) play_action(all);
    const std::size_t most = segment().after.rests ? all.size() : 10; // enough to see that it does not rest
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (i < most) {
            play_moment(all[i]);
        } else if (!all[i].sleeps) {
            follow(state_, calls_[all[i].event]);
        }
    }
    if (all.size() > most) {
        add_step(key_of(tape_.server), words_for_spin(static_cast<long>(all.size() - most)), {});
    }
    // What changed after the last step belongs to it, because the checkpoint is there: a worker that has gone to sleep.
    split_buffers(state_, segment().after);
    if (read_before_ == 0 && !steps_.empty()) steps_.back()["state"] = state_;
    check();
}

void Model::expect(const std::string& what, const Json& model, const Json& kernel) const {
    if (model == kernel) return;
    throw Failed{
        text(chapter_, ": the model of the player, after step ", steps_.size(), " (part \"", segment().part, "\")"),
        what + " as the kernel says, " + kernel.dump(), model.dump()};
}

void Model::check_bytes(const std::string& name, const Buffers& buffers) const {
    const Json& one = state_["conns"][name];
    const Json& client = state_["clients"][name];
    // Where an end is on its way or unread, some of the kernel's numbers count it as a byte.
    const auto compare = [&](const std::string& what, const char* way, const std::array<std::size_t, 2>& kernel,
                             bool end) {
        const auto model = one[way].get<std::size_t>();
        const std::size_t there = kernel[0] + kernel[1];
        expect(what + name, model, end && there == model + 1 ? model : there);
    };
    compare("bytes on their way from ", "up", buffers.to_server, one["upEnd"]);
    compare("bytes on their way to ", "down", buffers.to_client, one["downEnd"]);
    const long sum = one["up"].get<long>() + one["hand"].get<long>() + one["down"].get<long>();
    expect("the bytes that " + name + " has sent", sum + client["got"].get<long>(), client["sent"]);
}

/// What the kernel can confirm is confirmed.
void Model::check() {
    const Reading& reading = segment().after;
    if (!reading.rests) return;
    expect("the listen queue", state_["queue"].size(), reading.queue);
    for (const auto& [name, buffers] : reading.buffers) {
        if (conn_of(state_, name) != nullptr) check_bytes(name_of(name), buffers);
    }
    for (const auto& [pid, open] : reading.descriptors) {
        const Json& process = state_["procs"][key_of(pid)];
        std::set<int> seen;
        std::set<int> known{0, 1, 2};
        for (const auto& [fd, what] : open) seen.insert(fd);
        for (const auto& [fd, name] : process["fds"].items()) known.insert(std::stoi(fd));
        expect(text("the file descriptors of process ", process["name"]), known, seen);
    }
    check_epoll(reading.epoll);
    if (read_before_ == 0 && !steps_.empty()) steps_.back()["checked"] = true;
}

void Model::check_epoll(const std::vector<Watched>& seen) const {
    Json kernel = Json::object();
    for (const Watched& one : seen) {
        kernel[key_of(one.fd)] = (one.events & (EPOLLIN | EPOLLOUT)) != 0 ? short_events(one.events) : "disarmed";
    }
    Json model = Json::object();
    if (state_.contains("epoll")) {
        for (const auto& [fd, one] : state_["epoll"]["list"].items()) {
            model[fd] = one["armed"] == true && one["events"] != "" ? one["events"] : "disarmed";
        }
    }
    expect("what epoll watches", model, kernel);
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

/// What each statement of the article says, from the table of the claims.
Json statements() {
    Json found = Json::object();
    std::ifstream table("tests/claims/README.md");
    for (std::string line; std::getline(table, line);) {
        const std::vector<std::string> words = words_of(line);
        if (words.size() < 4 || words[0] != "|") continue;
        const std::size_t from = line.find("| ", 3) + 2;
        found[words[1]] = line.substr(from, line.find(" |", from) - from);
    }
    return found;
}

Json Model::make() {
    for (at_ = 0; at_ < tape_.segments.size(); ++at_) play_segment();
    return {{"chapter", chapter_}, {"steps", steps_}, {"files", source_files()}, {"statements", statements()}};
}

} // namespace

Json make_steps(const std::string& chapter, const Tape& tape, const std::string& folder) {
    return Model(chapter, tape, folder).make();
}
