// S11 to S15: what the article says of select and epoll.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <regex>
#include <set>

#include "tests/claims/claim.h"
#include "tests/claims/epoll.h"
#include "tests/claims/record.h"

namespace {

/// Something to ask about: ready to read from the beginning, or not until somebody writes.
Fd make_event(bool ready) {
    return Fd(check(eventfd(ready ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
}

std::vector<Fd> make_events(std::size_t count, bool ready) {
    std::vector<Fd> events(count);
    std::generate(events.begin(), events.end(), [&] { return make_event(ready); });
    return events;
}

fd_set set_of(std::initializer_list<const Fd*> events) {
    fd_set set;
    FD_ZERO(&set);
    for (const Fd* event : events) FD_SET(event->get(), &set);
    return set;
}

/// Whether select leaves in the set only what is ready, and in the timeout only what is left of it.
bool select_overwrites_what_it_is_given() {
    const Fd quiet = make_event(false);
    const Fd ready = make_event(true);
    fd_set set = set_of({&quiet, &ready});
    timeval timeout{5, 0};
    const int count = select(std::max(quiet.get(), ready.get()) + 1, &set, nullptr, nullptr, &timeout);
    const bool set_is_answer = count == 1 && FD_ISSET(ready.get(), &set) && !FD_ISSET(quiet.get(), &set);

    set = set_of({&quiet});
    timeval short_one{0, 20000};
    const bool timed_out = select(quiet.get() + 1, &set, nullptr, nullptr, &short_one) == 0;
    const bool used_up = short_one.tv_sec == 0 && short_one.tv_usec == 0;
    return set_is_answer && timed_out && used_up && !FD_ISSET(quiet.get(), &set);
}

/// Whether FD_SET with a descriptor of FD_SETSIZE writes behind the set, here into memory of our own, and says nothing.
bool fd_set_writes_behind_the_set() {
    constexpr std::size_t words = sizeof(fd_set) / sizeof(unsigned long);
    std::array<unsigned long, words + 1> memory{};
    auto* set = reinterpret_cast<fd_set*>(memory.data());
    const volatile int one_too_many = FD_SETSIZE; // volatile: or the compiler would warn, as it should
    FD_SET(one_too_many, set);
    return memory[words] == 1;
}

/// "7, [3 4], [5 6], NULL, NULL, NULL": the descriptors 3 to 6.
std::set<long> asked_about(const TraceEvent& select) {
    static const std::regex number("[0-9]+");
    const std::string arguments = select.all_arguments();
    const std::string sets = arguments.substr(arguments.find(','));
    std::set<long> descriptors;
    for (std::sregex_iterator one(sets.begin(), sets.end(), number), end; one != end; ++one) {
        descriptors.insert(std::stol(one->str()));
    }
    return descriptors;
}

// The others have no select.
CLAIM(S11, "`select` is told every descriptor in every call and overwrites the sets; none may be 1024 or more", "34") {
    static const bool as_said = select_overwrites_what_it_is_given() && fd_set_writes_behind_the_set();
    // Whether select was asked about each descriptor that was open at the time, every time; the longest such call, too.
    std::set<long> open;
    std::size_t most = 0;
    std::string longest;
    for (const TraceEvent& call : record_of(chapter).calls) {
        if (call.is("listen")) open.insert(call.number(0));
        if (call.is("accept4") && call.value >= 0) open.insert(call.value);
        if (call.is("close")) open.erase(call.number(0));
        if (!call.is_select()) continue;
        if (asked_about(call) != open) return {false, code(call.text())};
        if (open.size() > most) longest = call.text();
        most = std::max(most, open.size());
    }
    return {as_said && most > 1, code(longest)};
}

/// How many of the descriptors that epoll watches are given as ready.
std::size_t ready_of(const Fd& epoll, const std::vector<Fd>& events) {
    for (const Fd& event : events) watch(epoll, event.get(), EPOLLIN);
    std::vector<epoll_event> given(events.size());
    return static_cast<std::size_t>(
        check(epoll_wait(epoll.get(), given.data(), static_cast<int>(given.size()), 0), "epoll_wait"));
}

/// Whether epoll_create refuses a size of 0, and with the size 1 watches as many as one likes.
bool size_is_no_size() {
    const Fd none(epoll_create(0));
    const bool refused = !none && errno == EINVAL;
    const Fd epoll(check(epoll_create(1), "epoll_create"));
    const std::size_t many = std::min<std::size_t>(2000, descriptor_limit() - 100);
    return refused && ready_of(epoll, make_events(many, true)) == many;
}

// The others have no epoll; so too in the next two.
CLAIM(S12, "The size of `epoll_create` must not be 0 and means nothing else; `epoll_create1` has none", "56") {
    static const bool as_said = size_is_no_size();
    const TraceEvent* made = record_of(chapter).find("epoll_create1(");
    return {as_said && made, made ? code(made->text()) : ""};
}

/// Whether EPOLL_CTL_DEL ends the watching.
bool del_takes_out() {
    const Fd event = make_event(true);
    const Fd epoll = epoll_watching(event.get(), EPOLLIN);
    epoll_event given{};
    const bool gives_data_back = epoll_wait(epoll.get(), &given, 1, 0) == 1 && given.data.fd == event.get();
    check(epoll_ctl(epoll.get(), EPOLL_CTL_DEL, event.get(), nullptr), "epoll_ctl");
    return gives_data_back && epoll_wait(epoll.get(), &given, 1, 0) == 0;
}

CLAIM_OF_SERVER(S13, "`epoll_ctl` adds, changes and removes what is watched; its data is returned with each event",
                "56") {
    static const bool as_said = del_takes_out();
    Client client(server.endpoint());
    client.expect_echo("hello\n");
    wait_for_rest(server.pid());
    const int fd = find_descriptor(server.pid(), server_end(client).inode).number;
    // What the server's epoll instance has about the connection: no events when it is not watched.
    const auto watched = [&] {
        for (const Watched& one : watched_by_epoll(server.pid())) {
            if (one.fd == fd) return one;
        }
        return Watched{fd, 0, 0};
    };
    constexpr std::uint32_t both = EPOLLIN | EPOLLOUT;
    const Watched added = watched();
    send_and_never_read(client, server.pid());
    Watched changed{};
    const bool asks_for_room = eventually([&] { return ((changed = watched()).events & EPOLLOUT) != 0; });
    client.reset();
    const bool removed = eventually([&] { return watched().events == 0; });
    return {as_said && (added.events & both) == EPOLLIN && asks_for_room && (changed.events & both) == EPOLLOUT &&
            added.data != 0 && changed.data == added.data && removed};
}

/// Whether epoll_wait gives the three that are ready out of a hundred, and waits as long as it is told when none is.
bool gives_the_ready_ones_and_keeps_time() {
    const Fd epoll(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
    const std::vector<Fd> quiet = make_events(97, false);
    const bool none = ready_of(epoll, quiet) == 0;
    epoll_event given{};
    const auto start = Clock::now();
    const bool timed_out = epoll_wait(epoll.get(), &given, 1, 20) == 0 && Clock::now() - start >= milliseconds(20);
    return none && timed_out && ready_of(epoll, make_events(3, true)) == 3;
}

CLAIM_OF_SERVER(S14, "`epoll_wait` returns only what is ready, and waits as long as it is told to, here forever",
                "56") {
    static const bool as_said = gives_the_ready_ones_and_keeps_time();
    const Client silent(server.endpoint());
    wait_for_rest(server.pid());
    const auto main = task_of(server.pid());
    if (!main || main_thread_waits_in(server.pid()) != "epoll_wait") return {false};
    const int timeout = static_cast<int>(main->arguments.at(3)); // as the kernel has it: the fourth argument
    return {as_said && timeout == -1, code(text("epoll_wait(..., ", timeout, ")"))};
}

/// In how many ways the kernel tells that `ready` is ready and `quiet` is not.
int ways_to_ask(const Fd& ready, const Fd& quiet) {
    const int highest = std::max(ready.get(), quiet.get()) + 1;
    const timespec now{0, 0};
    int ways = 0;

    fd_set set = set_of({&ready, &quiet});
    timeval at_once{0, 0};
    if (select(highest, &set, nullptr, nullptr, &at_once) == 1 && FD_ISSET(ready.get(), &set)) ++ways;
    set = set_of({&ready, &quiet});
    if (pselect(highest, &set, nullptr, nullptr, &now, nullptr) == 1 && FD_ISSET(ready.get(), &set)) ++ways;

    std::array<pollfd, 2> both{{{ready.get(), POLLIN, 0}, {quiet.get(), POLLIN, 0}}};
    if (poll(both.data(), both.size(), 0) == 1 && both[0].revents == POLLIN) ++ways;
    if (ppoll(both.data(), both.size(), &now, nullptr) == 1 && both[0].revents == POLLIN) ++ways;

    const Fd epoll = epoll_watching(ready.get(), EPOLLIN);
    watch(epoll, quiet.get(), EPOLLIN);
    epoll_event given{};
    if (epoll_wait(epoll.get(), &given, 1, 0) == 1 && given.data.fd == ready.get()) ++ways;
    if (epoll_pwait(epoll.get(), &given, 1, 0, nullptr) == 1 && given.data.fd == ready.get()) ++ways;
    return ways;
}

// 01 and 02 ask nobody who is ready.
CLAIM_OF_SERVER(S15, "It asks `select` or `epoll_wait` what is ready; `poll` and others could tell as well", "3456") {
    static const int ways = ways_to_ask(make_event(true), make_event(false));
    wait_for_rest(server.pid());
    const std::string way = main_thread_waits_in(server.pid());
    return {ways == 6 && way == (chapter.number <= 4 ? "select" : "epoll_wait"), code(way)};
}

} // namespace
