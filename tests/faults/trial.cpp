#include "tests/faults/trial.h"

#include <algorithm>
#include <csignal>
#include <exception>
#include <thread>
#include <utility>

#include "tests/support/idle.h"
#include "tests/support/strace_reader.h"
#include "tests/support/straced.h"
#include "tests/support/talker.h"

namespace {

/// strace, attached to a server that runs, and what it injects.
class Injector {
  public:
    Injector(pid_t server, const Fault& fault)
        : fault_(fault), threads_(threads(server, fault)), strace_(options(fault, threads_.front()), threads_) {
        // strace's coming has interrupted the worker's wait, and the kernel makes that call again: this is the first.
        if (fault.in_a_worker) static_cast<void>(eventually([&] { return hits() > 0; }, milliseconds(500)));
    }

    /// Lets the server go on without it.
    void detach() { strace_.detach(); }

    /// How many times it has done what it was told to do.
    [[nodiscard]] std::size_t hits() const {
        return count([&](const TraceEvent& event) { return is_hit(event); });
    }

    /// Whether it has told the server to stop. (A SIGTERM to a child that the server has forked does not.)
    [[nodiscard]] bool has_stopped() const {
        const auto stops = [&](const TraceEvent& event) {
            return event.kind == TraceEvent::Kind::signal && event.name == "SIGTERM" &&
                   std::find(threads_.begin(), threads_.end(), event.thread) != threads_.end();
        };
        return fault_.ends_it ? hits() > 0 : count(stops) > 0;
    }

    /// How many bytes all the calls of that name have given: read or write.
    [[nodiscard]] std::size_t bytes(const std::string& call) const {
        std::size_t sum = 0;
        for (const TraceEvent& event : read_strace(strace_.record())) {
            if (event.is(call) && event.value > 0) sum += static_cast<std::size_t>(event.value);
        }
        return sum;
    }

  private:
    template <typename Wanted>
    [[nodiscard]] std::size_t count(Wanted wanted) const {
        const std::vector<TraceEvent> events = read_strace(strace_.record());
        return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), wanted));
    }

    /// A signal of strace's comes from the kernel, so the record says. Those that come anyway do not: SIGCHLD tells how
    /// the child ended (CLD_EXITED), and SIGPIPE comes from the process itself, as SIGTERM does from us (SI_USER). An
    /// error counts if it is that of the fault's own call: the brk of `no_heap` is marked, too.
    [[nodiscard]] bool is_hit(const TraceEvent& event) const {
        if (event.kind == TraceEvent::Kind::signal) {
            return fault_.what == "signal=" + event.name && event.result.find("si_code=SI_KERNEL") != std::string::npos;
        }
        const bool marked = event.result.ends_with(fault_.what.starts_with("delay") ? "(DELAYED)" : "(INJECTED)");
        return marked && ("," + fault_.calls + ",").find("," + event.name + ",") != std::string::npos;
    }

    /// Those to attach to: all, or chapter 06's first worker.
    static std::vector<pid_t> threads(pid_t server, const Fault& fault) {
        if (fault.in_a_worker) wait_for_rest(server); // it may still be on its way to its wait
        const std::vector<pid_t> all = threads_of(server);
        return fault.in_a_worker ? std::vector<pid_t>{all.at(1)} : all;
    }

    static std::vector<std::string> options(const Fault& fault, pid_t first_thread) {
        std::string calls = "?"; // before each name, because not every machine has every call
        for (const char one : fault.calls) calls += one == ',' ? ",?" : std::string(1, one);
        const bool counts_bytes = fault.stops() || fault.ends_it || fault.at_stop;
        const std::string more = text(fault.no_heap() ? ",brk" : "", counts_bytes ? ",read,write" : "");
        std::vector<std::string> words{"-qq", "-p", std::to_string(first_thread), "-e", "trace=" + calls + more};
        words.insert(words.end(), {"-e", "inject=" + calls + ":" + fault.what + ":when=" + fault.when});
        if (fault.no_heap()) words.insert(words.end(), {"-e", "inject=brk:retval=0:when=1+"});
        if (!fault.in_a_worker) words.emplace_back("-f");
        return words;
    }

    Fault fault_;
    std::vector<pid_t> threads_;
    AttachedStrace strace_;
};

using enum Role::End;

/// Those who talk while the fault comes.
const std::string bytes = random_bytes(1 << 23, 1);
const std::string_view all = bytes;
const std::vector<Role> conversation = {
    {.name = "lines by turns", .data = all.substr(1000, 40), .piece = 8, .ahead = 8},
    {.name = "other lines by turns", .data = all.substr(2000, 60), .piece = 10, .ahead = 10},
    {.name = "a megabyte before it reads",
     .data = all.substr(0, 1 << 20),
     .reads_late = true,
     .receive_buffer = 4096,
     .segment = 536},
    {.name = "half a megabyte, then the end of file", .data = all.substr(0, 1 << 19), .end = half_closes},
    {.name = "leaves", .data = all.substr(3000, 200000), .end = leaves, .leaves_after = 1000},
    {.name = "resets", .data = all.substr(4000, 200000), .end = resets, .leaves_after = 1000},
};

/// What came of the roles.
struct Result {
    std::size_t lost = 0;
    std::string stories; // of those who lost
};

/// Lets them play, and adds to the result. Throws Failed at what no error excuses: a wrong byte, or that nothing moves
/// any more.
void play_and_judge(std::vector<Talker>& talkers, Result& result, const Meanwhile& meanwhile = {}) {
    const bool in_time = play(talkers, long_enough, meanwhile);
    for (const Talker& one : talkers) {
        if (!one.wrong().empty()) throw Failed{"talked", "each client its own bytes", one.wrong()};
        if (!in_time && !one.done()) throw Failed{"talked", "that everyone gets on", one.story() + " (forever)"};
        if (one.served()) continue;
        ++result.lost;
        result.stories += (result.stories.empty() ? "" : "; ") + one.story();
    }
}

/// Those who come play at the same time, beside those who are there already; or one after the other, where a server can
/// no more.
Result talk(const Endpoint& server, const std::vector<Role>& roles, bool by_turns, std::vector<Talker> talkers = {}) {
    Result result;
    for (const Role& role : roles) {
        talkers.emplace_back(server, role);
        if (!by_turns) continue;
        play_and_judge(talkers, result);
        talkers.clear();
    }
    play_and_judge(talkers, result);
    return result;
}

Role line(const std::string& name) {
    return {.name = name, .data = "and a late one\n"};
}

/// Throws Failed unless the clients got all that the server has read.
void expect_delivered(std::size_t read, std::size_t written, std::size_t got) {
    if (read == written && written == got) return;
    throw Failed{"stopped the server at that call", "that the clients get what it has read",
                 text(read, " bytes read, ", written, " written, ", got, " with the clients")};
}

/// What strace makes fail again and again is not asked for all the time.
void expect_pauses(const Injector& injector, const std::string& what) {
    constexpr milliseconds look(200);
    constexpr std::size_t few = 20;
    const std::size_t before = injector.hits();
    std::this_thread::sleep_for(look);
    const std::size_t asked = injector.hits() - before;
    if (asked > few) {
        throw Failed{what + " lasts", text("a server that tries again at most every now and then"),
                     text("it spins: ", asked, " calls in ", look.count(), " ms")};
    }
}

/// Many who are connected, and need memory.
std::vector<Talker> crowd(RunningServer& server, std::size_t size) {
    std::vector<Talker> talkers;
    for (std::size_t i = 0; i < size; ++i) {
        talkers.emplace_back(server.endpoint(), line(text("one of the crowd, ", i)));
    }
    // Who has not been accepted by then waits until there is room.
    const auto all_in = [&] { return !server.process().running() || open_descriptors(server.pid()) > size; };
    static_cast<void>(eventually(all_in, milliseconds(3000)));
    expect_running(server);
    return talkers;
}

/// SIGTERM at a certain call, or a loss of the listener, while clients talk that take all they are sent. Throws Failed
/// unless the server ends as it should, and whatever it had read has reached them. strace's record says how much that
/// was.
TrialResult stop_and_judge(RunningServer& server, const Fault& fault) {
    Injector injector(server.pid(), fault);
    std::vector<Talker> talkers;
    try {
        for (const Role& role : conversation) {
            const bool takes_all = role.end == closes || role.end == half_closes;
            if (takes_all) talkers.emplace_back(server.endpoint(), role);
        }
    } catch (const Failed&) {
        if (!injector.has_stopped()) throw; // otherwise it has stopped already, and takes nobody any more
    }
    Result lost; // the stop has cut some of them short, which is no fault
    play_and_judge(talkers, lost);
    if (fault.ends_it) wait_for_rest(server.pid()); // or it may be about to make that call
    const bool told = injector.has_stopped();       // or else the call has not come, or only in a child
    if (!told) server.process().signal(SIGTERM);
    (told && fault.ends_it) ? expect_end_by_lost_listener(server, "failed accept for good") : expect_good_end(server);
    injector.detach();
    if (injector.hits() == 0) return {Verdict::not_reached, ""};
    std::size_t got = 0;
    for (const Talker& one : talkers) got += one.got();
    const std::size_t said = server.process().standard_error().size(); // written, too, but to no client
    expect_delivered(injector.bytes("read"), injector.bytes("write") - said, got);
    return {Verdict::served, ""};
}

/// SIGTERM while a client has not taken all its data, with strace still there. Throws Failed unless the server ends in
/// good order and has delivered what it has read.
void stop_and_count(RunningServer& server, Injector& injector, const Fault& fault) {
    static const Role role{
        .name = "still there at the stop", .data = all, .reads_late = true, .receive_buffer = 4096, .segment = 536};
    const std::size_t read = injector.bytes("read");
    const std::size_t written = injector.bytes("write");
    std::vector<Talker> last;
    last.emplace_back(server.endpoint(), role);
    bool told = false;
    const auto tell = [&] {
        if (!std::exchange(told, true)) server.process().signal(SIGTERM);
    };
    Result ignored;
    play_and_judge(last, ignored, {{}, tell});
    tell(); // if it was never quiet
    expect_good_end(server);
    injector.detach();
    if (fault.may_lose) return;
    expect_delivered(injector.bytes("read") - read, injector.bytes("write") - written, last.front().got());
}

TrialResult try_it(const Target& target, const Fault& fault) {
    const auto server = start_server(target.server, fault.options);
    const bool ours = target.chapter > 0;
    const bool by_turns = target.chapter == 1;
    const bool lasting = fault.when.ends_with("+");
    if (!ours) { // what it opens with its first client, it may keep
        talk(server->endpoint(), {line("a first client")}, false);
        static_cast<void>(eventually([&] { return idle(server->pid()).processes == 1; }, milliseconds(500)));
    }
    if (fault.stops() || fault.ends_it) return stop_and_judge(*server, fault);
    const Idle before = idle(server->pid());
    if (fault.in_a_worker && before.threads < 2) return {Verdict::not_reached, ""};
    Injector injector(server->pid(), fault);
    Result result;
    if (lasting && !fault.may_lose) {
        // While it lasts nobody may be served. So nobody talks before it is over; but the server must not spin.
        std::vector<Talker> talkers;
        for (const Role& role : conversation) talkers.emplace_back(server->endpoint(), role);
        play(talkers, milliseconds(100));
        expect_running(*server);
        expect_pauses(injector, fault.what);
        injector.detach();
        play_and_judge(talkers, result);
    } else {
        result = talk(server->endpoint(), conversation, by_turns, crowd(*server, fault.crowd));
    }
    expect_running(*server);
    if (fault.at_stop) {
        expect_given_back(*server, before); // so nothing more is read for those who have left
        stop_and_count(*server, injector, fault);
    } else {
        injector.detach(); // then a late client is served, and all is as it was before the first one
        const Result late = talk(server->endpoint(), {line("a later client")}, by_turns);
        if (late.lost > 0) throw Failed{"connected afterwards", "an echo", late.stories};
        if (ours) expect_given_back(*server, before);
        expect_no_spin(server->pid(), "everyone has left");
        server->process().signal(SIGTERM);
        if (ours) expect_good_end(*server);
    }
    const std::size_t hits = injector.hits();
    const bool excused = fault.may_lose && !fault.at_stop; // at a stop the conversation was over before
    if (result.lost > (excused ? hits : 0)) {
        throw Failed{text(hits, " times ", fault.what),
                     excused ? "as many connections lost at most" : "that everyone is served", result.stories};
    }
    if (hits == 0) return {Verdict::not_reached, ""};
    return {result.lost > 0 ? Verdict::one_lost : Verdict::served, ""};
}

} // namespace

TrialResult try_fault(const Target& target, const Fault& fault) {
    try {
        return try_it(target, fault);
    } catch (const Skipped& skipped) {
        return {Verdict::skipped, skipped.what()};
    } catch (const std::exception& error) {
        return {Verdict::failed, error.what()};
    }
}
