// T1 to T15: the steps of the full server, found in strace's record, one behind the other.
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "tests/claims/claim.h"
#include "tests/claims/epoll.h"
#include "tests/claims/record.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"

namespace {

/// Worker threads that wait at the same place in memory: at the same queue.
struct Pool {
    std::set<pid_t> threads;
    long queue = 0;                           ///< the address that they wait at
    const TraceEvent* first_thread = nullptr; ///< the call that started the first of them

    [[nodiscard]] bool is_at(long address) const { return std::abs(address - queue) <= 16; }
};

/// Where each step stands in the record, as far as the server takes it. All six are asked for each, so that the table
/// shows which chapter brings which step.
struct Steps {
    const Record& record;
    const TraceEvent *socket, *nonblocking, *bind, *listen, *epoll_create, *watch_listener, *wait;
    long epoll;
    Pool readers, writers;
    std::set<long> clients; ///< the descriptors that accept has given

    /// T1 to T6, and T11.
    explicit Steps(const Chapter& chapter) : record(record_of(chapter)) {
        const auto next = [&](const TraceEvent* after, const std::string& beginning, const std::string& part = "") {
            return after ? record.find(beginning, part, after) : nullptr;
        };
        socket = record.find("socket(AF_INET, SOCK_STREAM");
        const long listener = socket ? socket->value : -1;
        const bool asked_for = socket && socket->has("SOCK_NONBLOCK"); // T1 and T2 in one call
        nonblocking = asked_for ? socket : next(socket, text("fcntl(", listener, ", F_SETFL"), "O_NONBLOCK");
        bind = next(socket, text("bind(", listener, ","));
        if (nonblocking > bind) nonblocking = nullptr; // too late
        listen = next(bind, text("listen(", listener, ","));
        epoll_create = next(listen, "epoll_create1(");
        epoll = epoll_create ? epoll_create->value : -1;
        watch_listener = next(epoll_create, text("epoll_ctl(", epoll, ", EPOLL_CTL_ADD, ", listener, ","));
        wait = next(watch_listener, "epoll_");
        while (wait && !wait->is_epoll_wait()) wait = next(wait, "epoll_");
        if (watch_listener) find_pools();
        for (const TraceEvent& call : record.calls) {
            if (call.is("accept4") && call.value >= 0) clients.insert(call.value);
        }
    }

    /// Whether main, told of the event, wakes a thread at the pool's queue, and then one of these makes the call for a
    /// client.
    [[nodiscard]] bool handed_on(const Pool& pool, const char* event, const char* name) const {
        const TraceEvent* told = record.find([&](const TraceEvent& call) {
            return call.thread == record.main && call.is_epoll_wait() && call.has(event);
        });
        const auto wakes_one = [&](const TraceEvent& call) {
            return call.thread == record.main && call.is("futex") && call.has("FUTEX_WAKE") &&
                   pool.is_at(call.number(0));
        };
        const auto by_pool = [&](const TraceEvent& call) {
            return call.is(name) && clients.contains(call.number(0)) && pool.threads.contains(call.thread);
        };
        return told && record.find(wakes_one, told) && record.find(by_pool, told);
    }

    /// Whether only these threads make the call for clients.
    [[nodiscard]] bool only_by(const std::set<pid_t>& threads, const char* name) const {
        return std::all_of(record.calls.begin(), record.calls.end(), [&](const TraceEvent& call) {
            return !call.is(name) || !clients.contains(call.number(0)) || threads.contains(call.thread);
        });
    }

  private:
    /// The threads, and the queues that they wait at: each begins with a wait on its queue's condition variable.
    void find_pools() {
        const auto starts_thread = [](const TraceEvent& call) {
            return call.name.starts_with("clone") && call.has("CLONE_THREAD");
        };
        for (const TraceEvent* start = watch_listener; (start = record.find(starts_thread, start)) != nullptr;) {
            const TraceEvent* waits = record.find([&](const TraceEvent& call) {
                return call.thread == start->value && call.is("futex") && call.has("FUTEX_WAIT_BITSET");
            });
            if (!waits) continue;
            const long queue = waits->number(0);
            Pool& pool = readers.threads.empty() || readers.is_at(queue) ? readers : writers;
            if (pool.threads.empty()) pool = {{}, queue, start};
            if (pool.is_at(queue)) pool.threads.insert(static_cast<pid_t>(start->value));
        }
    }
};

/// A step that is one call. As it stands in the record, it is the figure.
Finding is_taken(const TraceEvent* step) {
    return {step != nullptr, step ? code(step->text()) : ""};
}

Finding are_started(const Pool& pool, const TraceEvent* before) {
    const std::size_t count = pool.threads.size();
    return {count > 0 && pool.first_thread > before, count > 0 ? text(count, " threads") : ""};
}

CLAIM(T1, "Creates a socket") {
    return is_taken(Steps(chapter).socket);
}
CLAIM(T2, "Makes it non-blocking, so that not even `accept` waits") {
    return is_taken(Steps(chapter).nonblocking);
}
CLAIM(T3, "Binds it to an address") {
    return is_taken(Steps(chapter).bind);
}
CLAIM(T4, "Listens") {
    return is_taken(Steps(chapter).listen);
}
CLAIM(T5, "Creates an epoll instance") {
    return is_taken(Steps(chapter).epoll_create);
}
CLAIM(T6, "Has it watch the listening socket") {
    return is_taken(Steps(chapter).watch_listener);
}
// A queue is memory, so it shows only in the threads that wait at it.
CLAIM(T7, "Has a queue for read events, at which threads wait") {
    return {Steps(chapter).readers.threads.size() > 1};
}
CLAIM(T8, "Starts the threads that take from it") {
    const Steps steps(chapter);
    return are_started(steps.readers, steps.watch_listener);
}
CLAIM(T9, "Has a queue for write events, at which others wait") {
    return {Steps(chapter).writers.threads.size() > 1};
}
CLAIM(T10, "Starts the threads that take from that") {
    const Steps steps(chapter);
    return are_started(steps.writers, steps.readers.first_thread);
}

CLAIM(T11, "Waits for epoll's events in a loop, in its main thread") {
    const Steps steps(chapter);
    const auto waits = std::count_if(steps.record.calls.begin(), steps.record.calls.end(), [&](const TraceEvent& call) {
        return call.is_epoll_wait() && call.thread == steps.record.main;
    });
    const bool after_the_threads = !steps.writers.first_thread || steps.wait > steps.writers.first_thread;
    return {steps.wait && after_the_threads && waits > 4};
}

CLAIM(T12, "A client connects: it is accepted, made non-blocking, and watched") {
    const Steps steps(chapter);
    return {std::all_of(steps.record.clients.begin(), steps.record.clients.end(), [&](std::uint16_t port) {
        const TraceEvent* accept = steps.record.find("accept4(", text("htons(", port, ")"));
        if (!accept || steps.epoll < 0 || !accept->has("SOCK_NONBLOCK")) return false;
        const std::string added = text("epoll_ctl(", steps.epoll, ", EPOLL_CTL_ADD, ", accept->value, ",");
        return steps.record.find(added, "", accept) != nullptr;
    })};
}

CLAIM(T13, "A read event goes into the read queue, and a thread there reads") {
    const Steps steps(chapter);
    return {steps.handed_on(steps.readers, "EPOLLIN", "read") && steps.only_by(steps.readers.threads, "read")};
}

CLAIM(T14, "A write event goes into the write queue, and a thread there writes") {
    const Steps steps(chapter);
    std::set<pid_t> workers = steps.readers.threads; // they answer immediately where there is room
    workers.insert(steps.writers.threads.begin(), steps.writers.threads.end());
    return {steps.handed_on(steps.writers, "EPOLLOUT", "write") && steps.only_by(workers, "write")};
}

/// A connection that epoll watches and that has something to read is closed: whether an event for it still comes.
bool event_after_close(TcpPair pair) {
    const int number = pair.server.get();
    const Fd epoll = epoll_watching(number, EPOLLIN);
    send_line(pair.client, "a word\n");
    pair.server.reset();

    epoll_event event{};
    const bool comes = epoll_wait(epoll.get(), &event, 1, 0) == 1 && event.data.fd == number;
    const bool cannot_be_taken_out = epoll_ctl(epoll.get(), EPOLL_CTL_DEL, number, nullptr) < 0; // EBADF
    return comes && cannot_be_taken_out;
}

/// Whether close takes a descriptor out of epoll only where there is no copy of it: a dup, the one that a forked child
/// has, or one that another process makes for a moment.
bool close_is_not_enough() {
    const bool alone_goes_on = event_after_close(tcp_pair());

    TcpPair duplicated = tcp_pair();
    const Fd copy(check(fcntl(duplicated.server.get(), F_DUPFD_CLOEXEC, 0), "dup"));
    const bool duplicated_goes_on = event_after_close(std::move(duplicated));

    TcpPair inherited = tcp_pair();
    const Process child(forked([] { pause(); }));
    return !alone_goes_on && duplicated_goes_on && event_after_close(std::move(inherited));
}

CLAIM(T15, "A client leaves: it is taken out of epoll, and then closed") {
    const Steps steps(chapter);
    static const bool as_said = close_is_not_enough();
    if (steps.epoll < 0) return {false};
    std::set<std::pair<pid_t, long>> taken_out; // by which thread, and which descriptor
    std::size_t closed = 0;
    for (const TraceEvent& call : steps.record.calls) {
        if (call.is("epoll_ctl") && call.has("EPOLL_CTL_DEL, ")) taken_out.emplace(call.thread, call.number(2));
        if (!call.is("close") || !steps.clients.contains(call.number(0))) continue;
        if (taken_out.erase({call.thread, call.number(0)}) == 0) return {false};
        ++closed;
    }
    return {as_said && closed == steps.record.clients.size()};
}

} // namespace
