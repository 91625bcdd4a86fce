#include "tests/tools/trace/timeline.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <optional>
#include <set>

#include "tests/support/failed.h"
#include "tests/tools/trace/resolve.h"
#include "tests/tools/trace/scene.h"

namespace {

/// A wait shorter than this is not drawn as one: the call only had to be made, and strace makes every call slow.
constexpr Seconds shortest_wait = 0.02;

std::string duration(Seconds time) {
    std::array<char, 32> buffer{};
    std::snprintf(buffer.data(), buffer.size(), "%.1f ms", time * 1000);
    return buffer.data();
}

bool reads(const Resolved& call) {
    return call.client != 0 && (call.event.is("read") || call.event.is("recvfrom"));
}

bool writes(const Resolved& call) {
    return call.client != 0 && (call.event.is("write") || call.event.is("sendto"));
}

/// A thread or process of the server, and its calls while the scene was played.
struct Thread {
    pid_t id;
    pid_t process;
    std::vector<const Resolved*> calls;
    std::optional<std::size_t> lane; ///< none: it has nothing to do

    /// Its first read or write for a client, null when there is none.
    [[nodiscard]] const Resolved* first_work() const {
        const auto first = std::find_if(calls.begin(), calls.end(),
                                        [](const Resolved* call) { return reads(*call) || writes(*call); });
        return first == calls.end() ? nullptr : *first;
    }
};

/// An event of `client` that one thread heard of and another one took care of.
struct Passed {
    const Resolved* heard;
    const Resolved* taken;
    char client;
};

class Layout {
  public:
    explicit Layout(const Recording& recording)
        : recording_(recording), resolved_(resolve(recording.events, recording.clients)) {}

    Timeline make();

  private:
    void find_threads();
    void find_passed();
    [[nodiscard]] bool at_work(pid_t thread, char client, Seconds when) const;
    void add_children();
    void add_workers();
    void lay_out_server(const Thread& thread);
    void lay_out_client(std::size_t lane, char client);
    void lay_out_request(std::size_t lane, char client, Seconds asks, Seconds answered);
    void add_hand_overs();
    void find_parts();
    void find_holder(Part& part);
    std::size_t lane(const std::string& name, Lane::Kind kind);
    [[nodiscard]] const Thread& thread_of(const Resolved& call) const;
    [[nodiscard]] Seconds time_of(char client, const std::string& what, Seconds from, Seconds otherwise) const;
    [[nodiscard]] Seconds start() const { return recording_.marks.front().time; }
    [[nodiscard]] Seconds stop() const { return recording_.marks.back().time; }

    const Recording& recording_;
    std::vector<Resolved> resolved_;
    std::vector<Thread> threads_;
    std::vector<Passed> passed_;
    Timeline timeline_;
};

void Layout::find_threads() {
    for (const Resolved& call : resolved_) {
        const auto same = [&](const Thread& thread) { return thread.id == call.event.thread; };
        auto thread = std::find_if(threads_.begin(), threads_.end(), same);
        if (thread == threads_.end()) {
            threads_.push_back({call.event.thread, call.process, {}, {}});
            thread = std::prev(threads_.end());
        }
        const bool played = call.event.end > start() && call.event.begin < stop();
        if (call.event.kind == TraceEvent::Kind::call && played) thread->calls.push_back(&call);
    }
}

const Thread& Layout::thread_of(const Resolved& call) const {
    return *std::find_if(threads_.begin(), threads_.end(),
                         [&](const Thread& thread) { return thread.id == call.event.thread; });
}

/// Whether the thread was at work for this client already when the event was heard: then nothing is handed to it, it
/// goes on.
bool Layout::at_work(pid_t thread, char client, Seconds when) const {
    const auto last = std::find_if(resolved_.rbegin(), resolved_.rend(), [&](const Resolved& call) {
        const bool tells = reads(call) || writes(call) || call.waits == Waits::work || call.waits == Waits::anyone;
        return call.event.thread == thread && call.event.begin < when && tells;
    });
    return last != resolved_.rend() && last->client == client;
}

/// What one thread heard of in select or epoll_wait, and another one read or wrote next.
void Layout::find_passed() {
    for (auto heard = resolved_.begin(); heard != resolved_.end(); ++heard) {
        for (const char client : heard->ready) {
            const auto next = std::find_if(std::next(heard), resolved_.end(), [&](const Resolved& call) {
                const bool about = reads(call) || writes(call) || call.event.is("close");
                return call.client == client && call.event.begin >= heard->event.end && about;
            });
            if (next == resolved_.end() || next->event.thread == heard->event.thread) continue;
            if (at_work(next->event.thread, client, heard->event.end)) continue;
            if (next->event.value > 0) passed_.push_back({&*heard, &*next, client});
        }
    }
}

std::size_t Layout::lane(const std::string& name, Lane::Kind kind) {
    std::vector<Lane>& lanes = timeline_.lanes;
    const auto found = std::find_if(lanes.begin(), lanes.end(), [&](const Lane& one) { return one.name == name; });
    if (found != lanes.end()) return static_cast<std::size_t>(found - lanes.begin());
    lanes.push_back({kind, name, {}});
    return lanes.size() - 1;
}

/// A lane for each client's child; a client that comes three times has three children, one after the other.
void Layout::add_children() {
    threads_.front().lane = lane("parent", Lane::Kind::server);
    for (const char client : {'A', 'B'}) {
        for (Thread& thread : threads_) {
            const Resolved* first = thread.first_work();
            if (!thread.lane && first != nullptr && first->client == client) {
                thread.lane = lane(text(client, "'s child"), Lane::Kind::server);
            }
        }
    }
}

/// Between main and the readers their queue, then the readers, in the order in which they were first at work, and then
/// those that had nothing to do; in the same way the writers. The readers are made first.
void Layout::add_workers() {
    threads_.front().lane = lane("main", Lane::Kind::server);
    std::vector<Thread*> workers;
    for (Thread& thread : threads_) {
        if (!thread.lane) workers.push_back(&thread);
    }
    std::sort(workers.begin(), workers.end(), [](const Thread* a, const Thread* b) { return a->id < b->id; });
    const auto writers = workers.begin() + static_cast<std::ptrdiff_t>(std::min(timeline_readers, workers.size()));
    const auto earlier = [](const Thread* a, const Thread* b) {
        if (a->first_work() == nullptr || b->first_work() == nullptr)
            return b->first_work() == nullptr && a->first_work() != nullptr;
        return a->first_work()->event.begin < b->first_work()->event.begin;
    };
    std::stable_sort(workers.begin(), writers, earlier);
    std::stable_sort(writers, workers.end(), earlier);
    int number = 0;
    for (auto worker = workers.begin(); worker != workers.end(); ++worker) {
        const bool reading = worker < writers;
        if (worker == writers) number = 0;
        if (!passed_.empty()) lane(reading ? "read queue" : "write queue", Lane::Kind::queue);
        (*worker)->lane = lane(text(reading ? "reader " : "writer ", ++number), Lane::Kind::server);
    }
}

/// Puts a span behind those of the lane; together with the last one, if it is the same again.
void append(Lane& lane, const Span& span) {
    if (span.to <= span.from) return;
    if (!lane.spans.empty()) {
        Span& last = lane.spans.back();
        if (last.state == span.state && last.client == span.client && span.from - last.to < shortest_wait) {
            last.to = span.to;
            if (!span.calls.empty()) last.calls += (last.calls.empty() ? "" : "\n") + span.calls;
            return;
        }
    }
    lane.spans.push_back(span);
}

void Layout::lay_out_server(const Thread& thread) {
    Lane& lane = timeline_.lanes[*thread.lane];
    const bool is_main = &thread == &threads_.front();
    char client = 0; // whom it works for
    std::optional<Seconds> last_end;
    for (const Resolved* call : thread.calls) {
        const Seconds from = std::max(call->event.begin, start());
        const Seconds to = std::min(call->event.end, stop());
        if (last_end) append(lane, {*last_end, from, client != 0 ? State::served : State::works, client, ""});
        last_end = to;
        if (call->client != 0) client = call->client;
        const bool long_enough = to - from >= shortest_wait;
        State state = client != 0 ? State::served : State::works;
        if (call->waits == Waits::client && long_enough) state = State::waits_for_one;
        if (call->waits == Waits::anyone || (call->waits == Waits::work && !is_main)) {
            client = 0;
            state = !long_enough                              ? State::works
                    : is_main || call->waits == Waits::anyone ? State::waits_for_any
                                                              : State::waits_for_work;
        }
        if (state == State::waits_for_any) lane.waits_in = call->event.name;
        append(lane,
               {from, to, state, client, call->event.text() + "   " + duration(call->event.end - call->event.begin)});
    }
}

Seconds Layout::time_of(char client, const std::string& what, Seconds from, Seconds otherwise) const {
    for (const Mark& mark : recording_.marks) {
        if (mark.time >= from && mark.client == client && mark.what == what) return mark.time;
    }
    return otherwise;
}

/// From asking to having the answer a client is served whenever a thread works for it. For the rest it waits; or it is
/// its answer that waits for it, when it does not read.
void Layout::lay_out_request(std::size_t lane, char client, Seconds asks, Seconds answered) {
    const Seconds not_reading = time_of(client, "is known not to read", asks, answered);
    const Seconds reads_again = time_of(client, "reads", asks, answered);
    std::vector<Span> served;
    for (const Lane& one : timeline_.lanes) {
        for (const Span& span : one.spans) {
            const bool about = one.kind == Lane::Kind::server && span.state == State::served && span.client == client;
            if (about && span.from < answered && span.to > asks) served.push_back(span);
        }
    }
    std::sort(served.begin(), served.end(), [](const Span& a, const Span& b) { return a.from < b.from; });
    Seconds last = asks;
    const auto rest = [&](Seconds to) {
        const bool unread = not_reading < answered && to > not_reading && last < reads_again;
        append(timeline_.lanes[lane], {last, to, unread ? State::connected : State::unserved, client, ""});
    };
    for (const Span& span : served) {
        rest(span.from);
        last = std::max(last, span.from);
        append(timeline_.lanes[lane], {last, std::min(span.to, answered), State::served, client, span.calls});
        last = std::min(span.to, answered);
    }
    rest(answered);
}

void Layout::lay_out_client(std::size_t lane, char client) {
    for (const Mark& mark : recording_.marks) {
        if (mark.client != client || mark.what != "connects") continue;
        const Seconds leaves = time_of(client, "leaves", mark.time, stop());
        const Seconds asks = std::min(leaves, time_of(client, "asks", mark.time, leaves));
        const Seconds answered = std::min(leaves, time_of(client, "has its answer", mark.time, leaves));
        append(timeline_.lanes[lane], {mark.time, asks, State::connected, client, ""});
        if (asks < answered) lay_out_request(lane, client, asks, answered);
        append(timeline_.lanes[lane], {answered, leaves, State::connected, client, ""});
    }
}

void Layout::add_hand_overs() {
    for (const Passed& one : passed_) {
        const auto from = thread_of(*one.heard).lane;
        const auto to = thread_of(*one.taken).lane;
        if (!from || !to || one.heard->event.end > stop()) continue;
        const std::size_t queue = lane(reads(*one.taken) ? "read queue" : "write queue", Lane::Kind::queue);
        timeline_.hand_overs.push_back({one.heard->event.end, std::max(one.taken->event.begin, one.heard->event.end),
                                        *from, queue, *to, one.client});
    }
}

void Layout::find_parts() {
    for (const Mark& mark : recording_.marks) {
        if (mark.client != 0) continue;
        if (!timeline_.parts.empty()) timeline_.parts.back().to = mark.time;
        if (mark.what == "stop") break;
        const Seconds asked = time_of('B', "asks", mark.time, stop());
        Part part;
        part.name = mark.what;
        part.from = mark.time;
        part.asked = asked;
        part.answered = time_of('B', "has its answer", asked, stop());
        timeline_.parts.push_back(part);
    }
    for (Part& part : timeline_.parts) {
        // From here on nothing happens that the picture is about; the rest was waiting for the server to come to rest.
        const Seconds last =
            std::max(time_of('A', "leaves", part.from, stop()), time_of('B', "leaves", part.from, stop()));
        part.to = std::min(part.to, last + 0.02);
        for (const Span& span : timeline_.lanes[1].spans) { // B's
            if (span.state != State::served || span.to < part.asked || span.from > part.answered) continue;
            part.served += std::min(span.to, part.answered) - std::max(span.from, part.asked);
        }
        find_holder(part);
    }
}

/// What was the thread that at last read B's request doing when B asked? If it was with A: that is what B waited for.
void Layout::find_holder(Part& part) {
    for (const Resolved& call : resolved_) {
        if (call.client != 'B' || !reads(call) || call.event.end < part.asked) continue;
        const Thread& thread = thread_of(call);
        if (!thread.lane) return;
        for (const Span& span : timeline_.lanes[*thread.lane].spans) {
            if (span.client != 'A' || span.from > part.asked || span.to < part.asked) continue;
            part.held = true;
            part.holder = *thread.lane;
            part.held_from = part.asked;
            part.held_to = call.event.begin;
            part.held_in = span.state == State::waits_for_one ? span.calls.substr(0, span.calls.find('(')) : "think";
        }
        return;
    }
}

Timeline Layout::make() {
    find_threads();
    find_passed();
    const std::size_t a = lane("A", Lane::Kind::client);
    const std::size_t b = lane("B", Lane::Kind::client);
    const pid_t process = threads_.front().process;
    if (std::any_of(threads_.begin(), threads_.end(), [&](const Thread& one) { return one.process != process; })) {
        timeline_.server = "a process for each client";
        add_children();
    } else if (threads_.size() > 1) {
        timeline_.server = text("one process, ", threads_.size(), " threads");
        add_workers();
    } else {
        timeline_.server = "one process, one thread";
        threads_.front().lane = lane("server", Lane::Kind::server);
    }
    for (const Thread& thread : threads_) {
        if (thread.lane) lay_out_server(thread);
    }
    lay_out_client(a, 'A');
    lay_out_client(b, 'B');
    add_hand_overs();
    find_parts();
    return std::move(timeline_);
}

/// What A did in a part.
std::string predicate(const Part& part) {
    return part.name == "both ask" ? "is served" : part.name.substr(2); // "A says nothing"
}

/// The lane's name without the number: which of several readers took a request is chance.
std::string kind_of(const Lane& lane) {
    const bool numbered = lane.name.back() >= '0' && lane.name.back() <= '9';
    return numbered ? "a " + lane.name.substr(0, lane.name.rfind(' ')) : lane.name;
}

/// Who worked for B in this part.
std::set<std::string> who_served(const Timeline& timeline, const Part& part) {
    std::set<std::string> who;
    for (const Lane& lane : timeline.lanes) {
        for (const Span& span : lane.spans) {
            const bool served = lane.kind == Lane::Kind::server && span.state == State::served && span.client == 'B';
            const bool thought = span.calls.find("nanosleep") != std::string::npos;
            if (served && thought && span.from < part.answered && span.to > part.asked) who.insert(kind_of(lane));
        }
    }
    return who;
}

} // namespace

Timeline lay_out(const Recording& recording) {
    return Layout(recording).make();
}

std::optional<Round> find_round(const Recording& recording) {
    const auto asks = std::find_if(recording.marks.begin(), recording.marks.end(),
                                   [](const Mark& mark) { return mark.what == "asks"; });
    for (const Resolved& call : resolve(recording.events, recording.clients)) {
        if (call.event.end < asks->time || call.ready.find('B') == std::string::npos) continue;
        Round round{call.event.is_select() ? "select" : "epoll_wait", 0, static_cast<std::size_t>(call.event.value)};
        if (call.event.is_select()) {
            for (std::size_t set = 1; set <= 2; ++set) { // for reading and for writing
                const std::string& numbers = call.event.arguments[set];
                if (!numbers.starts_with('[') || numbers == "[]") continue; // else "[3 4 5]"
                round.asked += 1 + static_cast<std::size_t>(std::count(numbers.begin(), numbers.end(), ' '));
            }
        }
        return round;
    }
    return std::nullopt;
}

std::string finding(const Timeline& timeline) {
    std::string all;
    std::size_t held = 0;
    for (const Part& part : timeline.parts) {
        if (!part.held) continue;
        all += (held == 0 ? "" : " or ") + predicate(part);
        ++held;
    }
    if (held == 0) return "B never waits for A";
    if (held == timeline.parts.size()) return "B waits for A, whatever A does";
    return "B waits " + std::string(held == 1 ? "only " : "") + "while A " + all;
}

std::string story(const Timeline& timeline) {
    std::string words = "Lanes:";
    for (const Lane& one : timeline.lanes) words += (&one == &timeline.lanes.front() ? " " : ", ") + one.name;
    words += ".\n";
    for (const Part& part : timeline.parts) {
        words += part.name + ": B asks, ";
        if (part.held) words += "waits for A (" + timeline.lanes[part.holder].name + " is in " + part.held_in + "), ";
        words += "is served by";
        for (const std::string& name : who_served(timeline, part)) words += " " + name;
        std::set<std::string> queues;
        for (const HandOver& one : timeline.hand_overs) {
            if (one.heard < part.from || one.heard > part.to) continue;
            queues.insert(text("; ", one.client, " went through the ", timeline.lanes[one.queue].name));
        }
        for (const std::string& queue : queues) words += queue;
        words += ".\n";
    }
    if (timeline.round) {
        words += text("One request beside ", timeline_idle, " idle clients: ", timeline.round->call, " asks about ",
                      timeline.round->asked, " descriptors, and ", timeline.round->ready, " is ready.\n");
    }
    return words;
}
