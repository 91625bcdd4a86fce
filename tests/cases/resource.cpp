// Memory, descriptors, processes, CPU: what clients cost, and that it is given back.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fstream>
#include <thread>
#include <utility>

#include "common/accept_failure.h"
#include "common/descriptor_limit.h"
#include "tests/cases/case.h"
#include "tests/support/crowd.h"
#include "tests/support/idle.h"
#include "tests/support/sockets.h"
#include "tests/support/talker.h"

namespace {

void expect_no_spin(Subject& subject, const std::string& situation) {
    ::expect_no_spin(subject.server().pid(), situation, milliseconds(300), 10);
}

/// How often its threads have gone to sleep so far. One that looks every millisecond uses little CPU and lets none
/// rest.
std::size_t times_gone_to_sleep(pid_t server) {
    std::size_t sum = 0;
    for (const pid_t pid : process_tree(server)) {
        for (const pid_t thread : threads_of(pid)) {
            sum += number_in(text("/proc/", pid, "/task/", thread, "/status"), "voluntary_ctxt_switches:");
        }
    }
    return sum;
}

/// The least of three looks, as there may be something to finish at first.
void expect_to_sleep_on(Subject& subject, const std::string& situation) {
    constexpr std::size_t most = 100; // a Java VM wakes up some 30 times a second
    const pid_t server = subject.server().pid();
    std::size_t least = most;
    for (int i = 0; i < 3 && least >= most; ++i) {
        const std::size_t before = times_gone_to_sleep(server);
        const auto start = Clock::now();
        std::this_thread::sleep_for(milliseconds(500));
        const std::chrono::duration<double> took = Clock::now() - start;
        const std::size_t times = times_gone_to_sleep(server) - before;
        least = std::min(least, static_cast<std::size_t>(static_cast<double>(times) / took.count()));
    }
    expect(least < most, situation, "a server that sleeps until something comes",
           text("it wakes up ", least, " times a second or more"));
}

void idle_costs_no_cpu(Subject& subject) {
    expect_no_spin(subject, "nobody is connected");
    subject.connect().expect_echo("hello\n");
    expect_no_spin(subject, "a client has come and gone");
    expect_to_sleep_on(subject, "a client has come and gone");
    const Client silent = subject.connect();
    expect_no_spin(subject, "a client is connected and silent");
    expect_to_sleep_on(subject, "a client is connected and silent");
}

void room_costs_no_cpu(Subject& subject) {
    const std::string data = random_bytes(4 << 20, 8);
    const std::vector<Talker> client = exchange(subject.endpoint(), data);
    expect_no_spin(subject, "a client has got 4 MiB back and is silent now");
}

/// What a program has read and not written is in its own memory, or lost; the kernel knows both counts. Our own servers
/// promise 64 KiB, and are small enough for their memory to be looked at. Others may promise themselves more, and where
/// memory is garbage for a while its size says little.
void expect_to_keep_little(Subject& subject, const Client& client, std::size_t sent) {
    const std::size_t most = subject.level() == 0 ? 64 << 10 : 2 << 20;
    std::size_t kept = 0;
    const auto little = [&] { return (kept = read_and_not_written(server_end(client))) <= most; };
    const bool holds = eventually(little, milliseconds(500));
    expect(holds, text("sent ", sent, " bytes and read none"),
           text("a server that has read ", most / 1024, " KiB at most that it could not write back"),
           text("it keeps ", kept / 1024, " KiB"));
}

void memory_is_bounded(Subject& subject) {
    // It remembers who has touched what.
    if (has_library(subject.server().pid(), "libtsan")) throw Skipped{"ThreadSanitizer's own memory grows"};
    constexpr int count = 8;
    std::vector<Client> deaf = connect_clients(subject.endpoint(), count);
    deaf.front().expect_echo("x");
    const std::size_t before = private_memory(subject.server().pid());
    std::size_t sent = 0;
    for (Client& client : deaf) {
        const std::size_t by_this_one = client.send_until_stuck(random_bytes(1 << 16, 9), milliseconds(50));
        expect_to_keep_little(subject, client, by_this_one);
        sent += by_this_one;
    }
    if (subject.level() == 0) {
        const std::size_t after = private_memory(subject.server().pid());
        const std::size_t bound = count * std::size_t{128 * 1024} + (2 << 20);
        expect(after < before + bound, text("8 clients sent ", sent, " bytes in all and read none"),
               text("a server that holds 64 KiB for each at most (it may grow by ", bound / 1024, " KiB)"),
               text("it grew by ", (after - before) / 1024, " KiB"));
    }
    expect_no_spin(subject, "8 clients send and do not read");
}

void nothing_lost_after_a_stall(Subject& subject) {
    Client client = subject.connect();
    const std::string data = random_bytes(1 << 20, 10);
    for (const char* when : {"", "then once more: "}) {
        const std::size_t sent = client.send_until_stuck(data);
        client.expect_repeated(data, 0, sent, text(when, "sent ", sent, " bytes without reading, then read"));
    }
    client.expect_echo("and on\n");
}

/// They send before they read, and their way back is narrow; so each of them has a rest in the server for a while.
void five_stalls(Subject& subject) {
    const std::string bytes = random_bytes((1 << 20) + 5, 20);
    std::vector<Talker> all;
    for (unsigned i = 0; i < 5; ++i) {
        all.emplace_back(subject.endpoint(), Role{.name = text("client ", i),
                                                  .data = std::string_view(bytes).substr(i, 1 << 20),
                                                  .reads_late = true,
                                                  .end = Role::End::half_closes,
                                                  .receive_buffer = 4096,
                                                  .segment = 536});
    }
    play_to_the_end(all, subject.patience(),
                    "5 clients sent 1 MiB each, closed their writing side, then read by turns");
}

/// Nobody has been served for half a second. False when the server works, but serves somebody with it: on a busy
/// machine that takes its time.
bool rests_while_others_wait(Subject& subject, Crowd& crowd, std::size_t size) {
    const std::size_t served = crowd.served();
    const std::string situation = text(size, " clients are connected, ", served, " have been served and the rest wait");
    expect_running(subject.server(), situation);
    expect(served > 0, situation, "that some are served", "none");
    try {
        expect_no_spin(subject, situation);
    } catch (const Failed&) {
        if (crowd.wait_for_lines(milliseconds(0)) == served) throw;
        return false;
    }
    return true;
}

/// More clients come than there is room for. The CPU rests while the others wait; then those that have been served
/// leave, and so on until the last one has been served.
void serve_more_than_there_is_room_for(Subject& subject, std::size_t size) {
    // libuv closes those for whom it has no descriptor. That is an answer, too, and ours promise another.
    Crowd crowd(subject.endpoint(), size, subject.level() > 0);
    while (crowd.wait_for_lines(milliseconds(500)) < size && !rests_while_others_wait(subject, crowd, size)) continue;
    crowd.serve_and_leave();
    if (crowd.refused() == 0) {
        subject.connect().expect_echo("and a late one\n");
        return;
    }
    subject.remark("Out of descriptors it closes the clients that wait, as libuv does, instead of letting them wait.");
    const auto serves_again = [&] {
        Crowd late(subject.endpoint(), 1, true);
        return late.wait_for_lines(subject.patience()) == 1;
    };
    expect(eventually(serves_again, subject.patience()), "all others have left; one more client came", "its line back",
           "the end");
}

void out_of_descriptors(Subject& subject) {
    subject.start({}, limited(RLIMIT_NOFILE, 24));
    serve_more_than_there_is_room_for(subject, 60);
}

constexpr milliseconds too_long(400); ///< for a newcomer; a pause of half a second is longer

/// How long five clients waited who came to a full server, from the moment when somebody else left; and how long those
/// who are connected waited for an answer meanwhile. Shortest first; nothing if the server was not full, but only slow.
struct Waits {
    std::vector<milliseconds> newcomers;
    std::vector<milliseconds> connected;
};

Waits waits_for_room(Subject& subject, std::deque<Client>& clients) {
    Waits waits;
    for (int i = 0; i < 5; ++i) {
        Client waiting = subject.connect();
        waiting.send("hello\n");
        // For accept to fail, and whatever the server does then to begin.
        if (waiting.hears_within(milliseconds(30))) return {};
        const auto asked = Clock::now();
        clients.back().expect_echo("am I served?\n");
        waits.connected.push_back(time_since(asked));
        const auto start = Clock::now();
        clients.pop_front();
        waiting.receive(6);
        waits.newcomers.push_back(time_since(start));
        clients.push_back(std::move(waiting));
    }
    std::sort(waits.newcomers.begin(), waits.newcomers.end());
    std::sort(waits.connected.begin(), waits.connected.end());
    return waits;
}

/// Connects until one is not served; then the first one leaves, and that one is served in its place. False where the
/// process that accepts keeps no descriptor of a client, and so is never full.
bool fill(Subject& subject, std::deque<Client>& clients) {
    while (clients.size() < 64) {
        Client next = subject.connect();
        next.send("hello\n");
        const bool is_full = !next.hears_within(milliseconds(300));
        if (is_full) clients.pop_front();
        try {
            next.receive(6);
        } catch (const Failed&) {
            if (is_full) throw;
            return false;
        }
        clients.push_back(std::move(next));
        if (is_full) return true;
    }
    return false;
}

/// A full server that waits a moment before it tries again need not wait so long when somebody leaves meanwhile.
void room_again(Subject& subject) {
    subject.start({}, limited(RLIMIT_NOFILE, 24));
    std::deque<Client> clients;
    expect(fill(subject, clients), "64 clients came to a server with 24 descriptors", "that one waits", "none");
    const Waits waits = waits_for_room(subject, clients); // the machine may be busy, but hardly each time
    expect(!waits.newcomers.empty() && waits.newcomers[0] < accept_pause / 2,
           "somebody left a full server, where one client waited, 5 times",
           text("that this one is served immediately, and not only ", accept_pause.count(), " ms after it was refused"),
           text(waits.newcomers.empty() ? 0 : waits.newcomers[0].count(), " ms at least"));
}

void a_newcomer_when_there_is_room(Subject& subject) {
    constexpr std::size_t most = 64;
    RunningServer& server = subject.start({}, limited(RLIMIT_NOFILE, most));
    std::deque<Client> clients;
    if (!fill(subject, clients)) return;
    const std::size_t printed = server.process().printed();
    const Waits waits = waits_for_room(subject, clients);
    if (waits.newcomers.empty()) return;
    expect(waits.connected[0] < too_long,
           "no descriptor is free and a newcomer waits; a client that is connected sent a line, 5 times",
           text("the answer within ", too_long.count(), " ms"),
           text("after ", waits.connected[0].count(), " ms or more"));
    const milliseconds wait = waits.newcomers[2];
    if (wait < too_long) return;
    const std::string seen = text("it waited ", wait.count(), " ms and longer in 3 of 5 times");
    // Python's asyncio pauses for a second. It serves all others meanwhile, with one thread, and says what it does.
    const bool event_loop = process_tree(server.pid()).size() == 1 && threads_of(server.pid()).size() < 10;
    if (!event_loop || server.process().printed() == printed || wait > milliseconds(1300)) {
        throw Failed{"no descriptor was free; then a client left, and one that waited was served",
                     text("that it waits less than ", too_long.count(), " ms more"), seen};
    }
    subject.remark("Out of descriptors it does not accept for a second, even when a client leaves in between. (So does "
                   "Python's asyncio; that is no failure, because everyone else is served.)");
}

/// Its limit was 1024, with few numbers left below, and then somebody raises it.
void limit_raised(Subject& subject) {
    const RunningServer& server = subject.start({}, [] {
        for (int fd = 3; fd < 1018; ++fd) dup2(0, fd);
    });
    const rlimit more{4096, 4096};
    check(prlimit(server.pid(), RLIMIT_NOFILE, &more, nullptr), "prlimit");
    std::vector<Client> clients = connect_clients(subject.endpoint(), 8);
    for (int i = 0; i < 10; ++i) clients.front().expect_echo("hello\n"); // the others are accepted meanwhile
}

/// Ten ports, for as many clients, and no one more can connect. The server sees nothing of it.
void out_of_ports(Subject& subject) {
    std::uint32_t first = 0;
    std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first;
    Endpoint few = subject.endpoint();
    few.ports = first | (first + 9) << 16;
    std::deque<Client> clients;
    std::string reason;
    try {
        while (clients.size() <= 10) clients.emplace_back(few);
    } catch (const std::system_error&) {
        throw Skipped{"the kernel has no IP_LOCAL_PORT_RANGE (Linux 6.3)"};
    } catch (const Failed& failed) {
        reason = failed.got;
    }
    expect(reason == std::strerror(EADDRNOTAVAIL) && !clients.empty(), "connected 11 clients from 10 ports",
           std::strerror(EADDRNOTAVAIL), reason);
    clients.front().expect_echo("hello\n");
    for (Client& client : clients) client.reset(); // a closed one would keep its port for a minute
    Client(few).expect_echo("a new one from these ports\n");
    subject.connect().expect_echo("and one from another\n");
}

/// Plays the same twice. What a server keeps for good, such as the threads of a pool, comes with the first time; a leak
/// grows the second time as well. A few more threads or processes may be: a pool grows when one of them is a moment
/// late.
void expect_given_back_the_second_time(Subject& subject, const std::string& did, const std::function<void()>& scene) {
    const RunningServer& server = subject.start();
    scene();
    const Idle before = settled([&] { return idle(server.pid()); }, milliseconds(200), milliseconds(3000));
    scene();
    expect_given_back(server, before, "twice: " + did, {2, 10, 10, 0});
}

void all_is_given_back(Subject& subject) {
    expect_given_back_the_second_time(subject, "40 clients have come and gone", [&] {
        for (int i = 0; i < 40; ++i) {
            Client client = subject.served_client();
            if (i % 2 == 0) client.reset();
        }
    });
}

/// Thirty clients leave while the server is stopped (SIGSTOP).
void thirty_leave(Subject& subject) {
    const pid_t server = subject.server().pid();
    {
        std::vector<Client> clients;
        for (int i = 0; i < 30; ++i) clients.push_back(subject.served_client());
        kill(server, SIGSTOP);
        wait_until("that it has stopped", [&] { return process_state(server) == 'T'; });
    }
    // Its children run on and end now. Those that do not, in a server that forks in advance, are not what this is
    // about.
    const auto have_ended = [&] {
        const std::vector<pid_t> tree = process_tree(server);
        return std::all_of(tree.begin() + 1, tree.end(), [](pid_t pid) { return process_state(pid) == 'Z'; });
    };
    static_cast<void>(eventually(have_ended, milliseconds(2000)));
    kill(server, SIGCONT);
}

void thirty_leave_at_once(Subject& subject) {
    expect_given_back_the_second_time(subject, "30 clients left while the server was stopped (SIGSTOP, SIGCONT)",
                                      [&] { thirty_leave(subject); });
}

void raises_its_limit(Subject& subject) {
    subject.start({}, [] {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = 64;
        setrlimit(RLIMIT_NOFILE, &limit);
    });
    Crowd crowd(subject.endpoint(), 100);
    const std::size_t served = crowd.wait_for_lines(std::min(subject.patience(), milliseconds(5000)));
    expect(served == 100, "100 clients came to a server started under ulimit -Sn 64", "100 answers",
           text("only ", served, " answers"));
}

/// As chrt(1) starts it.
void keeps_its_policy(Subject& subject) {
    const pid_t server = subject.start({}, [none = sched_param{}] { sched_setscheduler(0, SCHED_IDLE, &none); }).pid();
    for (const pid_t thread : threads_of(server)) {
        expect(sched_getscheduler(thread) == SCHED_IDLE, "started it with chrt -i", "SCHED_IDLE", "another policy");
    }
}

void nineteen_thousand(Subject& subject) {
    constexpr std::size_t size = 19000;
    limit_descriptors(RLIM_INFINITY);
    need_descriptors_for(size);
    subject.start();
    std::vector<Client> clients = connect_clients(subject.endpoint(), size);
    all_get_their_line_back(clients);
    expect_no_spin(subject, text(size, " clients are connected and silent"));
    all_get_their_line_back(clients);
    for (Client& client : clients) client.reset(); // a closed one would keep its port for a minute
    subject.connect().expect_echo("and a late one\n");
}

void one_descriptor_a_client(Subject& subject) {
    RunningServer& server = subject.start();
    const std::size_t before = open_descriptors(server.pid());
    Client client = subject.served_client();
    // Either the process has the client's descriptor itself, or a child has it and the parent does not keep a copy.
    const std::vector<pid_t> tree = process_tree(server.pid());
    const std::size_t expected = tree.size() == 1 ? 1 : 0;
    std::size_t here = 0;
    const auto as_expected = [&] { return (here = open_descriptors(server.pid()) - before) == expected; };
    const bool holds = eventually(as_expected, milliseconds(2000));
    expect(holds, "a client is connected",
           text(expected, " descriptors for it in the process that accepts (", tree.size() - 1, " children)"),
           text(here));
}

void nothing_to_inherit(Subject& subject) {
    RunningServer& server = subject.start();
    Client client = subject.served_client();
    for (const pid_t pid : process_tree(server.pid())) {
        for (const auto& [descriptor, what] : descriptors_of(pid)) {
            const bool its_own = what.starts_with("socket:") || what == "anon_inode:[eventpoll]";
            expect(!its_own || (descriptor_flags({pid, descriptor}) & O_CLOEXEC) != 0, "a client is connected",
                   "descriptors that a program started by the server would not get (O_CLOEXEC)",
                   text("descriptor ", descriptor, ", ", what, ", without it"));
        }
    }
}

void a_child_killed(Subject& subject) {
    RunningServer& server = subject.start();
    Client other = subject.connect();
    other.expect_echo("one\n");
    const std::vector<pid_t> before = process_tree(server.pid());
    Client client = subject.connect();
    client.expect_echo("two\n");
    const std::vector<pid_t> after = process_tree(server.pid());
    if (after.size() == before.size()) throw Skipped{"it has no process for each client"};
    wait_until("that the parent waits for the next client", [&] { return process_state(server.pid()) == 'S'; });
    kill(after.back(), SIGKILL);
    expect(client.receive_rest().empty(), "its process was killed", "the end of the connection", "data");
    other.expect_echo("still here\n");
    expect(eventually([&] { return process_tree(server.pid()).size() <= before.size(); }, subject.patience()),
           "a child was killed, and no other client came", "that the child is reaped", "a zombie");
    subject.connect().expect_echo("a new one\n");
}

} // namespace

std::vector<Case> resource_cases() {
    return {
        {"idle costs no CPU", "a server that nobody asks anything uses no CPU", idle_costs_no_cpu,
         Lesson{"Waiting is free, if it is the kernel that waits.",
                "Does the server ask again and again instead of waiting?",
                "accept(2), read(2), select(2), epoll_wait(2) with time-out -1 wait without the CPU; non-blocking "
                "calls in a loop do not, with or without a short sleep in between."}},
        {"room costs no CPU", "when all is sent, the room to send more does not keep the server busy",
         room_costs_no_cpu,
         Lesson{"There is nearly always room to send. If you ask about it all the time, you get an answer all the "
                "time, and use a whole CPU.",
                "Does the server still wait for room when nothing is left to be sent?",
                "epoll_ctl(2) with EPOLLOUT, or select's write set, only while there are unsent bytes."}},
        {"memory is bounded", "clients that never read do not grow the server's memory, nor keep its CPU busy",
         memory_is_bounded,
         Lesson{"One client that never reads must not fill the memory of a server for all.",
                "The server reads on from a client that does not take its answers. Stop reading from it.",
                "Leave EPOLLIN out of epoll_ctl(2), or the descriptor out of select's read set, while there are unsent "
                "bytes: TCP makes the client wait."}},
        {"nothing lost after a stall", "what did not fit is sent, exactly, when the client reads again",
         nothing_lost_after_a_stall,
         Lesson{"Backpressure only delays: when the client reads again, all goes on where it stopped.",
                "What did not fit: is it sent from the right byte on, and is reading taken up again?",
                "write(2) returns how much it took: the rest starts there. Afterwards EPOLLIN again, epoll_ctl(2)."}},
        {"five stalls", "what did not fit is kept for each client apart", five_stalls,
         Lesson{"One client's bytes must never get into another one's stream.",
                "Several clients have unsent data. Is it kept for each of them apart, with its own place in it?",
                "One buffer and one offset for each descriptor; select(2) or epoll_wait(2) says whose turn it is."}},
        {"out of descriptors",
         "with no descriptor left the waiting clients wait without a spin, and are served when others leave",
         out_of_descriptors,
         Lesson{"Descriptors run out in every busy server some day. Those who wait can be served later; a server that "
                "spins, or ends, serves nobody.",
                "Accept fails with EMFILE, and the waiting client keeps the listener ready. What then?",
                "accept(2): on EMFILE, ENFILE, ENOBUFS, ENOMEM leave the listener alone until a descriptor is closed "
                "or a moment has passed. epoll_ctl(2) takes it out of the set."}},
        {"more than a set holds", "the same with more clients than select's sets hold",
         [](Subject& subject) { serve_more_than_there_is_room_for(subject, 1100); },
         Lesson{
             "FD_SET with a descriptor of 1024 or more writes over memory that is not its own, and says nothing.",
             "Is a descriptor checked before it goes into an fd_set? Are those who wait served when others have left?",
             "select(2): FD_SETSIZE limits the descriptor's value. Check it, or set RLIMIT_NOFILE with setrlimit(2)."}},
        {"limit raised", "and its limit of descriptors may be raised meanwhile", limit_raised},
        {"room again", "when a client leaves a full server, the one that waits is served immediately", room_again},
        {"a newcomer when there is room", "when a client leaves a full server, the one that waits is served soon",
         a_newcomer_when_there_is_room,
         Lesson{"A server that sleeps when it is out of descriptors keeps people waiting after there is room again.",
                "What does the server do after accept has failed with EMFILE, and for how long?",
                "accept(2) can be tried again when a client has been closed. If you wait for a time instead, wait for "
                "100 ms at most, and serve the others meanwhile."}},
        {"out of ports", "when the clients' ports have run out, those that are there are served, and later others",
         out_of_ports},
        {"all is given back", "clients that have left leave no descriptor, process, zombie or thread behind",
         all_is_given_back,
         Lesson{
             "A leak of one descriptor per client ends every server, sooner or later.",
             "Is every client's descriptor closed on every way out? Does each child exit, and is it waited for?",
             "close(2); after fork(2) also the parent's copy. waitpid(2) on SIGCHLD, or the children stay zombies."}},
        {"thirty leave at once", "those who leave while the server is busy leave nothing behind either",
         thirty_leave_at_once,
         Lesson{"Many things may have happened by the time that one is told of them.",
                "30 clients left in one moment. Was each of them noticed?",
                "Signals are not counted: one SIGCHLD may stand for many children, signal(7). Call waitpid(2) with "
                "WNOHANG until it finds none."}},
        {"raises its limit", "it allows itself as many descriptors as the system lets it have", raises_its_limit},
        {"keeps its policy", "it keeps the scheduling policy that it is started with", keeps_its_policy},
        {"nineteen thousand",
         "19,000 clients are connected at the same time, and each of them is served, again and again",
         nineteen_thousand},
        {"one descriptor a client", "a process that forks does not keep its copy of the client's descriptor",
         one_descriptor_a_client},
        {"nothing to inherit", "its descriptors are closed on exec, each of them", nothing_to_inherit},
        {"a child killed", "a killed child ends its own client's connection only", a_child_killed,
         Lesson{"One process a client has this advantage: what kills one leaves the others.",
                "A child of the server was killed. Does the parent go on, and reap it?",
                "waitpid(2) with -1 and WNOHANG, on SIGCHLD."}},
    };
}
