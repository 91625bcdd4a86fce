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

constexpr std::pair<const char*, std::uint32_t> epoll_names[] = {
    {"IN", EPOLLIN},   {"OUT", EPOLLOUT}, {"RDHUP", EPOLLRDHUP},    {"HUP", EPOLLHUP},
    {"ERR", EPOLLERR}, {"ET", EPOLLET},   {"ONESHOT", EPOLLONESHOT}};

/// "EPOLLIN|EPOLLONESHOT"
std::uint32_t epoll_bits(std::string names) {
    std::uint32_t bits = 0;
    std::replace(names.begin(), names.end(), '|', ' ');
    for (const std::string& word : words_of(names)) {
        for (const auto& [name, bit] : epoll_names) bits |= word == std::string("EPOLL") + name ? bit : 0;
    }
    return bits;
}

/// "IN OUT"
std::string names_of(std::uint32_t events) {
    std::string names;
    for (const auto& [name, bit] : epoll_names) {
        if ((events & bit & ~EPOLLONESHOT) != 0) names += (names.empty() ? "" : " ") + std::string(name);
    }
    return names;
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
        const std::string name = number_ == 2 ? "parent" : "the server";
        state_["procs"][key_of(tape.server)] = {{"name", name}, {"fds", Json::object()}, {"ended", false}};
        add_thread(tape.server, number_ == 6 ? "main thread" : name);
    }

    Json make();

  private:
    void add_thread(pid_t thread, const std::string& name) {
        state_["threads"][key_of(thread)] = {{"name", name}, {"call", ""}, {"waits", false}, {"about", ""}};
    }
    [[nodiscard]] Json& fds(const Resolved& call) { return state_["procs"][key_of(call.process)]["fds"]; }
    /// A file descriptor that select or epoll watches or reports.
    Json watched(const Resolved& call, int fd, const std::string& events) {
        return {{"fd", fd}, {"name", fds(call).value(key_of(fd), "?")}, {"events", events}};
    }
    Json& conn(char client) { return state_["conns"][name_of(client)]; }
    bool has_conn(char client) const { return state_["conns"].contains(name_of(client)); }

    std::vector<Moment> moments_of(std::size_t segment) const;
    void play_segment(std::size_t which);
    void play_moment(const Moment& moment);
    [[nodiscard]] bool shown(const Moment& moment) const;
    void add_step(const std::string& who, const Words& words, const Stack& stack);
    void act(const Segment& segment);
    void follow_wait(const Moment& moment);
    void follow(const Resolved& call);
    void follow_epoll(const Resolved& call);
    void follow_made(const Resolved& call);
    void follow_bytes(const Resolved& call);
    void follow_owner(const Resolved& call);
    void follow_close();
    void fill_while_writing(char client);
    void split_buffers();
    void check();
    void check_bytes(const std::string& name, const Buffers& buffers) const;
    void expect(const std::string& what, const Json& model, const Json& kernel) const;
    Json source_files() const;

    std::string chapter_;
    std::string folder_;
    int number_;
    const Tape& tape_;
    std::vector<Resolved> calls_;
    Json state_;
    Json steps_ = Json::array();
    std::size_t segment_ = 0;
    std::set<std::string> files_;
    int workers_ = 0;
    long read_before_ = 0;
    std::map<char, long> writing_; // what a write that sleeps has given to the kernel
};

/// What the server did in this segment, in order. A call in which a thread still sleeps at its end is there as well.
std::vector<Moment> Model::moments_of(std::size_t segment) const {
    const Seconds from = segment == 0 ? 0 : tape_.segments[segment].at;
    const Seconds to = segment + 1 < tape_.segments.size() ? tape_.segments[segment + 1].at : tape_.stop;
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

/// What the client itself does to the state.
void Model::act(const Segment& segment) {
    if (segment.action.what == Do::watches) return;
    const char name = segment.action.client;
    Json& client = state_["clients"][name_of(name)];
    if (segment.action.what == Do::connects) {
        client = {{"sent", 0}, {"got", 0}, {"doing", segment.failed.empty() ? "connected" : "tries to connect"}};
        if (!segment.failed.empty()) return;
        conn(name) = {{"up", 0},        {"down", 0},        {"hand", 0},   {"unsent", false},
                      {"upEnd", false}, {"downEnd", false}, {"open", true}};
        state_["queue"].push_back(name_of(name));
    } else if (segment.action.what == Do::leaves) {
        client["doing"] = "has left";
        if (!has_conn(name)) return;
        conn(name)["upEnd"] = true;
        conn(name)["open"] = false;
    } else {
        const bool sends = segment.action.what == Do::sends;
        add(client[sends ? "sent" : "got"], segment.done);
        client["doing"] = (sends ? "has sent " : "has read ") + with_commas(segment.done) + " bytes";
        if (has_conn(name)) add(conn(name)[sends ? "up" : "down"], sends ? segment.done : -segment.done);
    }
}

/// A blocking write that sleeps has given a part of its bytes to the kernel already. How many, no call says, and so
/// they are counted as the reading at the end of this segment has them.
void Model::fill_while_writing(char client) {
    const auto& buffers = tape_.segments[segment_].after.buffers;
    const auto seen = buffers.find(client);
    if (!has_conn(client) || seen == buffers.end()) return;
    Json& one = conn(client);
    const long there = static_cast<long>(seen->second.to_client[0] + seen->second.to_client[1]);
    const long more = std::clamp(there - one["down"].get<long>(), 0L, one["hand"].get<long>());
    add(one["down"], more);
    add(one["hand"], -more);
    writing_[client] += more;
}

/// Where the bytes of each direction are: in the receiver's buffer as far as that has room, else in the sender's. How
/// much room there is, the reading at the end of this segment says.
void Model::split_buffers() {
    const auto split = [](long total, const std::array<std::size_t, 2>& kernel) {
        const long there = kernel[0] > 0 ? std::min(total, static_cast<long>(kernel[1])) : total;
        return Json{total - there, there};
    };
    const auto& seen = tape_.segments[segment_].after.buffers;
    for (auto& [name, one] : state_["conns"].items()) {
        const auto found = seen.find(name[0]);
        const Buffers kernel = found == seen.end() ? Buffers{} : found->second;
        one["upSplit"] = split(one["up"], kernel.to_server);
        one["downSplit"] = split(one["down"], kernel.to_client);
    }
}

void Model::add_step(const std::string& who, const Words& words, const Stack& stack) {
    split_buffers();
    Json frames = Json::array();
    for (const Frame& frame : stack) {
        frames.push_back({frame.function, frame.file, frame.line});
        files_.insert(frame.file);
    }
    steps_.push_back({{"part", tape_.segments[segment_].part},
                      {"segment", segment_},
                      {"who", who},
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
    if (!event.has("FUTEX_WAKE")) return moment.sleeps && segment_ == 0;
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
    follow_wait(moment);
    if (!moment.sleeps) follow(call);
    if (moment.sleeps && call.event.is_one_of({"write", "sendto"})) fill_while_writing(call.client);
    if (!shown(moment)) return;
    add_step(id, words_for(Call{call, before, state_, moment.sleeps, slept, number_}), tape_.stacks[moment.event]);
}

/// select and epoll_wait, from when they begin.
void Model::follow_wait(const Moment& moment) {
    const Resolved& call = calls_[moment.event];
    const TraceEvent& event = call.event;
    if (!event.is_select() && !event.is_epoll_wait()) return;
    Json& wait = state_[event.is_select() ? "select" : "epoll"];
    wait["waits"] = moment.sleeps;
    wait["returned"] = Json::array();
    const auto put = [&](const char* where, const std::vector<int>& descriptors, const char* what) {
        for (const int fd : descriptors) wait[where].push_back(watched(call, fd, what));
    };
    if (event.is_select()) {
        wait["list"] = Json::array();
        put("list", descriptors_in(event.arguments.at(1)), "to read");
        put("list", descriptors_in(event.arguments.at(2)), "to write");
    }
    if (moment.sleeps || event.value <= 0) return;
    if (event.is_select()) {
        put("returned", descriptors_in(event.result, "in ["), "to read");
        put("returned", descriptors_in(event.result, "out ["), "to write");
        return;
    }
    for (const ReportedEvent& one : call.reported) {
        wait["returned"].push_back(watched(call, one.fd, names_of(epoll_bits(one.events))));
        const auto found = wait["list"].find(key_of(one.fd));
        if (found != wait["list"].end() && (*found)["once"] == true) (*found)["armed"] = false;
    }
}

void Model::follow(const Resolved& call) {
    const TraceEvent& event = call.event;
    if (event.kind == TraceEvent::Kind::signal) return;
    if (event.kind == TraceEvent::Kind::exit) state_["threads"].erase(key_of(event.thread));
    if (event.kind == TraceEvent::Kind::exit && call.process != event.thread) return;
    fds(call) = Json::object();
    for (const auto& [fd, name] : call.open) fds(call)[key_of(fd)] = name;
    if (event.kind == TraceEvent::Kind::exit) {
        state_["procs"][key_of(call.process)]["ended"] = true;
        return follow_close();
    }
    if (event.name.starts_with("accept")) take_out(state_["queue"], name_of(call.client));
    follow_epoll(call);
    follow_made(call);
    follow_bytes(call);
    follow_owner(call);
    if (event.is("close")) {
        if (state_.contains("epoll")) state_["epoll"]["list"].erase(key_of(event.number(0)));
        follow_close();
    }
    if (event.is("wait4") && event.value > 0) state_["procs"].erase(key_of(event.value));
}

void Model::follow_epoll(const Resolved& call) {
    const TraceEvent& event = call.event;
    if (event.name.starts_with("epoll_create")) {
        state_["epoll"] = {{"list", Json::object()}, {"returned", Json::array()}};
        if (number_ == 6) state_["queues"] = {{"read", Json::array()}, {"write", Json::array()}};
    }
    if (!event.is("epoll_ctl") || event.value != 0) return;
    const std::string fd = key_of(event.number(2));
    Json& list = state_["epoll"]["list"];
    if (event.has("EPOLL_CTL_DEL")) {
        list.erase(fd);
        return;
    }
    const std::string& what = event.arguments.at(3); // "{events=EPOLLIN, data=0x5}"
    const std::size_t from = what.find('=') + 1;
    const std::uint32_t bits = epoll_bits(what.substr(from, what.find(',') - from));
    list[fd] = watched(call, static_cast<int>(event.number(2)), names_of(bits));
    list[fd]["once"] = (bits & EPOLLONESHOT) != 0;
    list[fd]["armed"] = true;
}

/// fork and clone: a process gets copies of all file descriptors, a thread shares them.
void Model::follow_made(const Resolved& call) {
    const pid_t made = made_by(call.event);
    if (made == 0) return;
    if (makes_thread(call.event)) {
        ++workers_;
        add_thread(made, workers_ <= 2 ? text("read worker ", workers_) : "write worker");
        return;
    }
    std::string name = "child for ?";
    for (const Json& one : fds(call)) {
        if (one != "listener") name = "child for " + one.get<std::string>();
    }
    state_["procs"][key_of(made)] = {{"name", name}, {"fds", fds(call)}, {"ended", false}};
    add_thread(made, name);
}

void Model::follow_bytes(const Resolved& call) {
    const TraceEvent& event = call.event;
    if (!has_conn(call.client)) return;
    Json& one = conn(call.client);
    if (event.is_one_of({"read", "recvfrom"}) && event.value >= 0) {
        add(one["up"], -event.value);
        add(one["hand"], event.value);
        if (event.value == 0) one["upEnd"] = false;
    } else if (event.is_one_of({"write", "sendto"})) {
        const long before = std::exchange(writing_[call.client], 0L); // what it has given while it slept
        const long more = event.value > 0 ? event.value - before : 0;
        add(one["down"], more);
        add(one["hand"], -more);
        one["unsent"] = one["hand"] > 0;
    }
}

/// In chapter 06: which party has a connection. Only its arming is in a file of the kernel; the rest follows from the
/// calls.
void Model::follow_owner(const Resolved& call) {
    if (number_ != 6) return;
    const TraceEvent& event = call.event;
    if (event.is_epoll_wait()) {
        for (const Json& one : state_["epoll"]["returned"]) {
            const std::string name = one["name"];
            if (!state_["conns"].contains(name)) continue;
            const bool out = one["events"].get<std::string>().find("OUT") != std::string::npos;
            state_["queues"][out ? "write" : "read"].push_back(name);
            state_["conns"][name]["owner"] = out ? "write queue" : "read queue";
        }
    }
    if (!has_conn(call.client) || event.name.starts_with("accept")) return;
    for (const char* which : {"read", "write"}) take_out(state_["queues"][which], name_of(call.client));
    const bool arms = event.is("epoll_ctl") && !event.has("EPOLL_CTL_DEL") && event.value == 0;
    conn(call.client)["owner"] = arms ? Json("kernel (armed)") : state_["threads"][key_of(event.thread)]["name"];
}

/// A connection is there as long as any process has a file descriptor for it.
void Model::follow_close() {
    const Json conns = state_["conns"]; // a copy, because what is closed leaves it
    for (const auto& [name, one] : conns.items()) {
        const auto has_it = [&, what = name](const Json& where) {
            return std::find(where.begin(), where.end(), what) != where.end();
        };
        const Json& procs = state_["procs"];
        if (has_it(state_["queue"]) ||
            std::any_of(procs.begin(), procs.end(), [&](const Json& process) { return has_it(process["fds"]); })) {
            continue;
        }
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
    const char client = segment.action.client;
    if (which > 0) {
        const Json before = state_;
        act(segment);
        const auto is_about_it = [&](const Moment& moment) { return calls_[moment.event].client == client; };
        const bool sleeps_on = std::none_of(moments.begin(), moments.end(), is_about_it);
        if (writing_[client] > 0 && sleeps_on) fill_while_writing(client);
        read_before_ += segment.done;
        // A client that reads again and again while the server does nothing: one step, the last one.
        if (moments.empty() && which + 1 < tape_.segments.size() && tape_.segments[which + 1].again) return check();
        Segment all = segment;
        all.done = std::exchange(read_before_, 0);
        add_step(name_of(client), words_for(all, before, number_), {});
    }
    const std::size_t most = segment.after.rests ? moments.size() : 10; // enough to see that it does not rest
    for (std::size_t i = 0; i < moments.size(); ++i) {
        if (i < most) {
            play_moment(moments[i]);
        } else if (!moments[i].sleeps) {
            follow(calls_[moments[i].event]);
        }
    }
    if (moments.size() > most) {
        add_step(key_of(tape_.server), words_for_spin(static_cast<long>(moments.size() - most)), {});
    }
    // What changed after the last step belongs to it, because the checkpoint is there: a worker that has gone to sleep.
    split_buffers();
    if (!steps_.empty()) steps_.back()["state"] = state_;
    check();
}

void Model::expect(const std::string& what, const Json& model, const Json& kernel) const {
    if (model == kernel) return;
    throw Failed{text(chapter_, ": the model of the player, after step ", steps_.size(), " (part \"",
                      tape_.segments[segment_].part, "\")"),
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
    const Reading& reading = tape_.segments[segment_].after;
    if (!reading.rests) return;
    expect("the listen queue", state_["queue"].size(), reading.queue);
    for (const auto& [name, buffers] : reading.buffers) {
        if (has_conn(name)) check_bytes(name_of(name), buffers);
    }
    for (const auto& [pid, open] : reading.descriptors) {
        const Json& process = state_["procs"][key_of(pid)];
        std::set<int> seen;
        std::set<int> known;
        for (const auto& [fd, what] : open) seen.insert(fd);
        for (const auto& [fd, name] : process["fds"].items()) known.insert(std::stoi(fd));
        for (const int fd : {0, 1, 2}) known.insert(fd);
        expect(text("the file descriptors of process ", process["name"]), known, seen);
    }
    Json kernel = Json::object();
    for (const Watched& one : reading.epoll) {
        const std::string once = (one.events & EPOLLONESHOT) != 0 ? " once" : "";
        const std::string names = names_of(one.events & ~(EPOLLERR | EPOLLHUP)); // those it reports always
        kernel[key_of(one.fd)] = (one.events & (EPOLLIN | EPOLLOUT)) != 0 ? names + once : "disarmed";
    }
    Json model = Json::object();
    if (state_.contains("epoll")) {
        for (const auto& [fd, one] : state_["epoll"]["list"].items()) {
            const std::string once = one["once"] == true ? " once" : "";
            model[fd] =
                one["armed"] == true && one["events"] != "" ? one["events"].get<std::string>() + once : "disarmed";
        }
    }
    expect("what epoll watches", model, kernel);
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
    for (std::size_t i = 0; i < tape_.segments.size(); ++i) play_segment(i);
    return {{"chapter", chapter_}, {"steps", steps_}, {"files", source_files()}, {"statements", statements()}};
}

} // namespace

Json make_steps(const std::string& chapter, const Tape& tape, const std::string& folder) {
    return Model(chapter, tape, folder).make();
}
