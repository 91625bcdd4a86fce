// T1 to T15: the steps of the full server, found in strace's record, one behind the other.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "common/check.h"
#include "tests/claims/claim.h"
#include "tests/claims/epoll.h"
#include "tests/claims/record.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"

namespace {

/// Worker threads that wait at the same place in memory: at the same queue.
struct Pool {
    std::set<pid_t> threads;
    long queue = 0;                          ///< the address that they wait at
    std::optional<std::size_t> first_thread; ///< where the first of them was started

    [[nodiscard]] bool is_at(long address) const { return std::abs(address - queue) <= 16; }
};

/// Where each step stands in the record, as far as the server takes it.
struct Steps {
    const Record& record;
    std::optional<std::size_t> socket, nonblocking, bind, listen, epoll_create, watch_listener, wait;
    long listener = -1;
    long epoll = -1;
    Pool readers, writers;
    std::set<long> clients; ///< the descriptors that accept has given

    explicit Steps(const Record& of);

    [[nodiscard]] Finding found(std::optional<std::size_t> step) const;
    [[nodiscard]] bool handed_on(const Pool& pool, const char* event, const char* call) const;

  private:
    void find_setup();
    void find_pools();
};

Steps::Steps(const Record& of) : record(of) {
    find_setup();
    if (watch_listener) find_pools();
    for (const TraceEvent& call : record.calls) {
        if (call.is("accept4") && call.value >= 0) clients.insert(call.value);
    }
}

/// T1 to T6, and T11.
void Steps::find_setup() {
    const auto next = [&](std::optional<std::size_t> from, const Record::Wanted& wanted) {
        return from ? record.find(wanted, *from + 1) : std::nullopt;
    };
    socket = record.find([](const TraceEvent& call) { return call.is("socket") && call.has("AF_INET, SOCK_STREAM"); });
    if (socket) listener = record.calls[*socket].value;
    const auto about_listener = [&](const char* name) {
        return [this, name](const TraceEvent& call) { return call.is(name) && call.number(0) == listener; };
    };
    bind = next(socket, about_listener("bind"));
    const bool asked_for = socket && record.calls[*socket].has("SOCK_NONBLOCK"); // T1 and T2 in one call
    nonblocking = asked_for ? socket : next(socket, [&](const TraceEvent& call) {
        return about_listener("fcntl")(call) && call.has("F_SETFL") && call.has("O_NONBLOCK");
    });
    if (nonblocking > bind) nonblocking.reset(); // too late
    listen = next(bind, about_listener("listen"));
    epoll_create = next(listen, [](const TraceEvent& call) { return call.is("epoll_create1"); });
    if (epoll_create) epoll = record.calls[*epoll_create].value;
    watch_listener = next(epoll_create, [&](const TraceEvent& call) {
        return call.is("epoll_ctl") && call.number(0) == epoll && call.has(text("EPOLL_CTL_ADD, ", listener, ","));
    });
    wait = next(watch_listener, [](const TraceEvent& call) { return call.is_epoll_wait(); });
}

/// The threads, and the queues that they wait at: each begins with a wait on its queue's condition variable.
void Steps::find_pools() {
    for (std::size_t i = *watch_listener; i < record.calls.size(); ++i) {
        const TraceEvent& start = record.calls[i];
        if (!start.name.starts_with("clone") || !start.has("CLONE_THREAD")) continue;
        const auto waits = record.find([&](const TraceEvent& call) {
            return call.thread == start.value && call.is("futex") && call.has("FUTEX_WAIT_BITSET");
        });
        if (!waits) continue;
        const long queue = record.calls[*waits].number(0);
        Pool& pool = readers.threads.empty() || readers.is_at(queue) ? readers : writers;
        if (pool.threads.empty()) {
            pool.queue = queue;
            pool.first_thread = i;
        }
        if (pool.is_at(queue)) pool.threads.insert(static_cast<pid_t>(start.value));
    }
}

/// The call as it stands in the record is the figure.
Finding Steps::found(std::optional<std::size_t> step) const {
    return {step.has_value(), step ? code(record.calls[*step].text()) : ""};
}

/// Whether main, told of the event, wakes a thread at the pool's queue, and then one of these makes the call for a
/// client.
bool Steps::handed_on(const Pool& pool, const char* event, const char* call_name) const {
    const auto told = record.find(
        [&](const TraceEvent& call) { return call.thread == record.main && call.is_epoll_wait() && call.has(event); });
    if (!told) return false;
    const auto wakes = record.find(
        [&](const TraceEvent& call) {
            return call.thread == record.main && call.is("futex") && call.has("FUTEX_WAKE") &&
                   pool.is_at(call.number(0));
        },
        *told);
    const auto by_pool = record.find(
        [&](const TraceEvent& call) {
            return call.is(call_name) && clients.contains(call.number(0)) && pool.threads.contains(call.thread);
        },
        *told);
    return wakes && by_pool;
}

/// Whether only these threads make the call for clients.
bool only_by(const Steps& steps, const char* name, const std::set<pid_t>& threads) {
    return std::all_of(steps.record.calls.begin(), steps.record.calls.end(), [&](const TraceEvent& call) {
        return !call.is(name) || !steps.clients.contains(call.number(0)) || threads.contains(call.thread);
    });
}

// --- T1 to T10: setting up, queues and threads ----------------------------------------------------------------------

/// A step that is one call.
Finding step_is_taken(const Steps& steps, std::optional<std::size_t> Steps::*step) {
    return steps.found(steps.*step);
}

/// A queue is memory: it shows in that threads wait at it.
Finding has_queue(const Steps& steps, Pool Steps::*pool) {
    return {(steps.*pool).threads.size() > 1, ""};
}

Finding starts_threads(const Steps& steps, Pool Steps::*pool) {
    const std::size_t count = (steps.*pool).threads.size();
    const auto before = pool == &Steps::readers ? steps.watch_listener : steps.readers.first_thread;
    return {count > 0 && (steps.*pool).first_thread > before, count > 0 ? text(count, " threads") : ""};
}

// --- T11 to T15: events ---------------------------------------------------------------------------------------------

Finding t11_wait(const Steps& steps) {
    const auto waits = std::count_if(steps.record.calls.begin(), steps.record.calls.end(), [&](const TraceEvent& call) {
        return call.is_epoll_wait() && call.thread == steps.record.main;
    });
    const bool after_the_threads = !steps.writers.first_thread || steps.wait > steps.writers.first_thread;
    return {steps.wait && after_the_threads && waits > 4, ""};
}

Finding t12_connect(const Steps& steps) {
    const Record& record = steps.record;
    for (const std::uint16_t port : record.clients) {
        const auto accepted = record.find(
            [&](const TraceEvent& call) { return call.is("accept4") && call.has(text("htons(", port, ")")); });
        if (!accepted || steps.epoll < 0) return {false, ""};
        const TraceEvent& accept = record.calls[*accepted];
        const std::string addition = text("EPOLL_CTL_ADD, ", accept.value, ",");
        const auto added =
            record.find([&](const TraceEvent& call) { return call.is("epoll_ctl") && call.has(addition); }, *accepted);
        if (!accept.has("SOCK_NONBLOCK") || !added) return {false, ""};
    }
    return {true, ""};
}

Finding t13_read_event(const Steps& steps) {
    return {steps.handed_on(steps.readers, "EPOLLIN", "read") && only_by(steps, "read", steps.readers.threads), ""};
}

Finding t14_write_event(const Steps& steps) {
    std::set<pid_t> workers = steps.readers.threads; // they answer immediately where there is room
    workers.insert(steps.writers.threads.begin(), steps.writers.threads.end());
    return {steps.handed_on(steps.writers, "EPOLLOUT", "write") && only_by(steps, "write", workers), ""};
}

/// A connection that epoll watches and that has something to read is closed: whether an event for it still comes.
bool event_after_close(TcpPair& pair) {
    const int number = pair.server.get();
    const Fd epoll = epoll_watching(number, EPOLLIN);
    pair.client.send("a word\n");
    wait_until("that the word arrives", [&] { return pair.client.unacknowledged() == 0; });
    pair.server.reset();

    epoll_event event{};
    const bool comes = epoll_wait(epoll.get(), &event, 1, 0) == 1 && event.data.fd == number;
    const bool cannot_be_taken_out = epoll_ctl(epoll.get(), EPOLL_CTL_DEL, number, nullptr) < 0; // EBADF
    return comes && cannot_be_taken_out;
}

/// Whether close takes a descriptor out of epoll only where there is no copy of it: a dup, the one that a forked child
/// has, or one that another process makes for a moment.
bool close_is_not_enough() {
    TcpPair alone = tcp_pair();
    const bool alone_goes_on = event_after_close(alone);

    TcpPair duplicated = tcp_pair();
    const Fd copy(check(fcntl(duplicated.server.get(), F_DUPFD_CLOEXEC, 0), "dup"));
    const bool duplicated_goes_on = event_after_close(duplicated);

    TcpPair forked = tcp_pair();
    const Child child([] { pause(); });
    const bool forked_goes_on = event_after_close(forked);
    return !alone_goes_on && duplicated_goes_on && forked_goes_on;
}

Finding t15_close(const Steps& steps) {
    static const bool as_said = close_is_not_enough();
    if (steps.epoll < 0) return {false, ""};
    std::set<std::pair<pid_t, long>> taken_out; // by which thread, and which descriptor
    std::size_t closed = 0;
    for (const TraceEvent& call : steps.record.calls) {
        if (call.is("epoll_ctl") && call.has("EPOLL_CTL_DEL, ")) taken_out.emplace(call.thread, call.number(2));
        if (!call.is("close") || !steps.clients.contains(call.number(0))) continue;
        if (taken_out.erase({call.thread, call.number(0)}) == 0) return {false, ""};
        ++closed;
    }
    return {as_said && closed == steps.record.clients.size(), ""};
}

} // namespace

std::vector<Claim> structure() {
    // In all six, so that the table shows which chapter brings which step.
    const auto claim = [](const char* id, const char* sentence, const auto& measure, auto... which) {
        const auto in_record = [=](const Chapter& chapter) { return measure(Steps(record_of(chapter)), which...); };
        return Claim{id, sentence, {1, 2, 3, 4, 5, 6}, "", in_record};
    };
    return {
        claim("T1", "Creates a socket", step_is_taken, &Steps::socket),
        claim("T2", "Makes it non-blocking, so that not even `accept` waits", step_is_taken, &Steps::nonblocking),
        claim("T3", "Binds it to an address", step_is_taken, &Steps::bind),
        claim("T4", "Listens", step_is_taken, &Steps::listen),
        claim("T5", "Creates an epoll instance", step_is_taken, &Steps::epoll_create),
        claim("T6", "Has it watch the listening socket", step_is_taken, &Steps::watch_listener),
        claim("T7", "Has a queue for read events, at which threads wait", has_queue, &Steps::readers),
        claim("T8", "Starts the threads that take from it", starts_threads, &Steps::readers),
        claim("T9", "Has a queue for write events, at which others wait", has_queue, &Steps::writers),
        claim("T10", "Starts the threads that take from that", starts_threads, &Steps::writers),
        claim("T11", "Waits for epoll's events in a loop, in its main thread", t11_wait),
        claim("T12", "A client connects: it is accepted, made non-blocking, and watched", t12_connect),
        claim("T13", "A read event goes into the read queue, and a thread there reads", t13_read_event),
        claim("T14", "A write event goes into the write queue, and a thread there writes", t14_write_event),
        claim("T15", "A client leaves: it is taken out of epoll, and then closed", t15_close),
    };
}
