// SIGINT and SIGTERM: stop accepting, deliver what was read, exit 0 within 5 seconds. And what else may come then.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <list>

#include "common/check.h"
#include "tests/cases/case.h"
#include "tests/support/crowd.h"
#include "tests/support/idle.h"
#include "tests/support/sockets.h"
#include "tests/support/straced.h"

namespace {

const milliseconds soon(4500); // below the 5 seconds after which a server ends by itself
const milliseconds limit(8000);
const milliseconds a_moment(2000); // a second is promised; the rest is for a busy machine

/// What is said when the 5 seconds have cut something short.
std::string cut_short(std::ptrdiff_t clients) {
    return text("stopped after 5 s: at least ", clients, clients == 1 ? " client" : " clients", " had not got all of ",
                clients == 1 ? "its" : "their", " answers\n");
}

/// Throws Failed unless it ends with status 0 in time, and has said these lines on standard error.
void expect_exit_0(RunningServer& server, const std::string& did, milliseconds within = soon,
                   const std::string& lines = "") {
    const std::string ended = server.process().how_it_ends(within);
    expect(ended == "exit status 0", did, text("exit status 0 within ", within.count(), " ms"), ended);
    const std::string errors = server.process().standard_error();
    expect(errors == lines, did, "'" + lines + "' on standard error", "'" + errors + "'");
}

/// Its processes, when all of them sleep: it waits for clients, or for what they say. (A child of 02's that has just
/// ended may be a zombie until the next client comes.)
std::vector<pid_t> processes_at_rest(const RunningServer& server) {
    std::vector<pid_t> processes;
    wait_until("that it waits for its clients", [&] {
        processes = process_tree(server.pid());
        return std::all_of(processes.begin(), processes.end(), [](pid_t pid) {
            const char state = process_state(pid);
            return state == 'S' || state == 'Z';
        });
    });
    return processes;
}

void stops_at(Subject& subject, int signal, const std::string& name) {
    RunningServer& server = subject.start();
    subject.connect().expect_echo("hello\n");
    processes_at_rest(server);
    server.process().signal(signal);
    expect_exit_0(subject.server(), "the server got " + name + " while nobody was connected");

    subject.start();
    Client silent = subject.served_client();
    const std::vector<pid_t> processes = processes_at_rest(subject.server());
    subject.server().process().signal(signal);
    expect_exit_0(subject.server(), "the server got " + name + " while a silent client was connected");
    expect(silent.receive_rest().empty(), "was connected and silent", "the end of file", "data");
    for (const pid_t pid : processes) {
        expect(process_state(pid) == '-', "the server has exited", "that none of its processes is left",
               text("process ", pid, " in state ", process_state(pid)));
    }
    std::string got = "a connection";
    try {
        const Client late = subject.connect();
    } catch (const Failed& failed) {
        got = failed.got;
    }
    expect(got == "Connection refused", "connected after the server had stopped", "Connection refused", got);
}

/// Whether the server has read all that the client has sent: nothing is on its way, and nothing in the receive queue of
/// the server's end.
bool is_read(const Client& client) {
    return client.unacknowledged() == 0 && server_end(client).receive_queue == 0;
}

/// A client that has sent until there was no room, and reads nothing. The server has read a part of it.
struct Deaf {
    explicit Deaf(const Endpoint& to, milliseconds quiet = milliseconds(200))
        : client(to, 4096), sent(client.send_until_stuck(data, quiet)), read(read_so_far()) {}

    [[nodiscard]] std::size_t read_so_far() const {
        return sent - client.unacknowledged() - server_end(client).receive_queue;
    }

    /// Reads to the end now. Throws Failed unless that is all that the server had read when `did`.
    void expect_all(const std::string& did) {
        const std::string back = client.receive_rest();
        const std::string expected = repeated(data, back.size());
        expect(back.size() >= read && back == expected,
               text("sent ", sent, " bytes without reading, of which the server had read ", read, " when ", did,
                    "; then read to the end"),
               "all that the server had read", text(back.size(), " bytes, ", difference(expected, back)));
    }

    std::string data = random_bytes(1 << 20, 11);
    Client client;
    std::size_t sent;
    std::size_t read; ///< by the server, when there was no more room
};

/// The signal goes to the server's process or, `to_all`, to its process group.
void delivers_at(Subject& subject, int signal, bool to_all, const std::string& did) {
    const RunningServer& server = subject.start();
    Deaf client(subject.endpoint());
    kill(to_all ? -server.pid() : server.pid(), signal);
    client.expect_all(did);
    expect_exit_0(subject.server(), "the client has taken its data");
}

/// The server waits for more input, and its kernel still holds answers for a client that takes its time. Were the
/// connection closed now, the client's next byte would make the kernel drop them, and send a reset.
void delivers_what_it_has_written(Subject& subject) {
    RunningServer& server = subject.start();
    Client client = subject.connect(4096);
    const std::string source = random_bytes(1 << 20, 14);
    std::string data;
    // Piece by piece, until some 20 KiB wait there. How much there is room for depends on the size of the packets.
    constexpr std::size_t enough = 20000;
    while (data.size() < source.size() && server_end(client).send_queue < enough) {
        data = source.substr(0, data.size() + 4096);
        client.send(std::string_view(data).substr(data.size() - 4096));
        wait_until("that it reads on", [&] { return is_read(client); });
    }
    server.process().signal(SIGTERM);
    server.process().wait(milliseconds(200)); // it shall not end now; if it does, the byte comes after that
    client.send("!");
    const std::string back = client.receive_rest();
    expect(back.substr(0, data.size()) == data,
           text("sent ", data.size(), " bytes, and one more after SIGTERM; then read to the end"),
           "all that the server had answered", text(back.size(), " bytes, ", difference(data, back)));
    expect_exit_0(subject.server(), "the client has taken its data");
}

void delivers_what_it_thinks_about(Subject& subject) {
    RunningServer& server = subject.start({"--think", "300"});
    Client client = subject.connect();
    client.send("a hard question\n");
    wait_until("that it reads the question", [&] { return is_read(client); });
    server.process().signal(SIGTERM);
    const std::string back = client.receive_rest();
    expect(back == "a hard question\n", "asked, and before the answer the server got SIGTERM",
           "the answer, and the end", "'" + back + "'");
    expect_exit_0(subject.server(), "the last answer is given");
}

/// Whether the signal waits to be delivered to the process.
bool is_pending(pid_t pid, int signal) {
    return (number_in(text("/proc/", pid, "/status"), "ShdPnd:", 16) >> (signal - 1) & 1) != 0;
}

/// For before_exec: its threads are in the middle of something when it ends. ThreadSanitizer would call that a leak.
void allow_thread_leaks() {
    setenv("TSAN_OPTIONS", "report_thread_leaks=0", 1);
}

/// One client has unsent bytes and is armed, and strace holds up the two workers that answer others, one for too long.
void counts_who_waits(Subject& subject) {
    RunningServer& server = subject.start({"--read-workers", "2"}, allow_thread_leaks);
    Client deaf = subject.connect(4096);
    deaf.send_until_stuck(random_bytes(1 << 16, 5));
    const std::vector<pid_t> threads = threads_of(server.pid()); // at the end 2 that read, and 2 that write
    const auto delay_writes = [](pid_t thread, const std::string& time) {
        return AttachedStrace({"-qq", "-p", text(thread), "-e", "inject=write:delay_enter=" + time}, {thread});
    };
    const AttachedStrace delays[] = {delay_writes(threads.end()[-4], "1s"), delay_writes(threads.end()[-3], "7s")};
    Client asks[] = {subject.connect(), subject.connect()};
    for (Client& client : asks) client.send("a question");
    wait_until("that both workers answer", [&] { return tasks_in(server.pid(), SYS_write) == 2; });
    server.process().signal(SIGTERM);
    server.process().wait(long_enough);
    const std::string said = server.process().standard_error();
    expect(said == cut_short(2), "1 of 3 clients got its answer in time", "that it counts the others", said);
}

/// As timeout(1) sends them: to its child, and a moment later to the group.
void two_signals(Subject& subject) {
    for (const auto& [signal, name] : {std::pair{SIGTERM, "SIGTERM"}, std::pair{SIGINT, "SIGINT"}}) {
        const RunningServer& server = subject.start();
        Deaf client(subject.endpoint()); // so that it cannot end between the two
        kill(server.pid(), signal);
        wait_until("that it takes it", [&, first = signal] { return !is_pending(server.pid(), first); });
        kill(-server.pid(), signal);
        client.expect_all(text("it got ", name, " twice"));
        expect_exit_0(subject.server(), "the client has taken its data");
    }
}

/// Others have asked as well. Were they all thought about first, the 5 seconds would not be enough. The server is
/// stopped (SIGSTOP) while they ask, so that it finds them all at its next look.
void begins_nothing_new(Subject& subject) {
    RunningServer& server = subject.start({"--think", "500"});
    std::vector<Client> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(subject.connect());
    const auto wait_for_sleep = [&] {
        wait_until("that it sleeps", [&] { return process_state(server.pid()) == 'S'; });
    };
    wait_for_sleep(); // it has nothing to do
    const std::vector<pid_t> processes = halt(server);
    for (Client& client : clients) client.send("a");
    let_go_on(processes);
    wait_for_sleep(); // it thinks
    server.process().signal(SIGTERM);
    expect_exit_0(subject.server(), "12 clients had asked, and the server got SIGTERM");
}

/// For before_exec: standard error becomes a pipe in which there is no room. Its reader is the server, which never
/// reads.
void full_standard_error() {
    std::array<int, 2> ends{-1, -1};
    pipe2(ends.data(), O_NONBLOCK);
    const std::string page(4096, 'x');
    while (write(ends[1], page.data(), page.size()) > 0) continue;
    fcntl(ends[1], F_SETFL, 0); // a write now waits
    dup2(ends[1], STDERR_FILENO);
}

/// Somebody else shuts the listening socket down.
void lose_listener(const RunningServer& server) {
    const Fd copy = copy_of(find_descriptor(server.pid(), listening_socket(server.endpoint()).inode));
    check(shutdown(copy.get(), SHUT_RD), "shutdown");
}

/// Several servers, at the same time because each takes five seconds.
void five_seconds_at_most(Subject& subject) {
    struct Scene {
        std::string what;
        std::size_t clients;
        std::vector<std::string> options;
        std::function<void()> before_exec;
    };
    const std::vector<Scene> scenes = {
        {"of 4 clients one took its data then, one left, and two did neither", 4, {}, {}},
        {"3 clients asked what takes longer", 3, {"--think", "10000"}, allow_thread_leaks},
        {"a client did not take its data, and standard error is full", 1, {}, full_standard_error},
        {"the server narrates, and standard error is full", 1, {"--verbose"}, full_standard_error},
    };
    RunningServer lost(subject.program(), {}, full_standard_error);
    lose_listener(lost);
    std::list<RunningServer> servers;
    std::vector<std::list<Deaf>> clients;
    for (const Scene& scene : scenes) {
        const RunningServer& server = servers.emplace_back(subject.program(), scene.options, scene.before_exec);
        clients.emplace_back();
        while (clients.back().size() < scene.clients) {
            clients.back().emplace_back(server.endpoint(subject.patience()), milliseconds(50));
        }
    }
    const auto is_unfinished = [](const Deaf& one) { return one.read_so_far() > 0; };
    std::vector<std::ptrdiff_t> unfinished; // how many clients of each server have not got all that it has read
    for (const std::list<Deaf>& some : clients) {
        unfinished.push_back(std::count_if(some.begin(), some.end(), is_unfinished));
    }
    Deaf& takes_its_data = clients[0].front();
    Deaf& leaves = clients[0].back();
    unfinished[0] -= is_unfinished(takes_its_data) + is_unfinished(leaves);
    const auto start = Clock::now();
    for (RunningServer& server : servers) server.process().signal(SIGTERM);
    takes_its_data.expect_all("it got SIGTERM");
    leaves.client.reset();
    // The children's alarms, if they have any, are to come before that of their parent.
    for (const auto& [when, signal] : {std::pair{4700, SIGSTOP}, std::pair{5300, SIGCONT}}) {
        std::this_thread::sleep_until(start + milliseconds(when));
        for (RunningServer& server : servers) server.process().signal(signal);
    }
    std::size_t i = 0;
    for (RunningServer& server : servers) {
        // ThreadSanitizer lets no handler run while a thread is in write.
        if (i == 3 && has_library(server.pid(), "libtsan")) return;
        const std::string did = "the server got SIGTERM: " + scenes[i].what;
        expect_exit_0(server, did, limit, i < 2 && unfinished[i] > 0 ? cut_short(unfinished[i]) : "");
        const auto took = time_since(start);
        expect(took > milliseconds(4500) || unfinished[i] == 0, did, "that it waits 5 seconds",
               text("it ended after ", took.count(), " ms"));
        ++i;
    }
    const std::string ended = lost.process().how_it_ends(limit);
    expect(ended == "exit status 1", "it lost its listener, and standard error is full", "exit status 1", ended);
}

/// For those who do not want to wait for five seconds.
void sigquit(Subject& subject) {
    RunningServer& server = subject.start({}, limited(RLIMIT_CORE, 0));
    const Deaf client(subject.endpoint());
    const std::vector<pid_t> processes = process_tree(server.pid());
    server.process().signal(SIGTERM);
    server.process().signal(SIGQUIT);
    const std::string ended = server.process().how_it_ends(soon);
    expect(ended == "ended by signal Quit", "the server got SIGTERM and then SIGQUIT", "that SIGQUIT ends it", ended);
    expect_gone(processes, "the server got SIGTERM and then SIGQUIT");
}

/// A shell has a child in the background, and execs the server: start scripts do that.
void a_child_of_others(Subject& subject) {
    RunningServer& server = subject.start({}, [] {
        if (fork() > 0) return;
        alarm(60); // its end, if nobody else ends it
        pause();
    });
    const pid_t child = process_tree(server.pid()).back();
    server.process().signal(SIGTERM);
    expect_exit_0(subject.server(), "the server got SIGTERM, and has a child that it did not start", a_moment);
    const char state = process_state(child);
    expect(child != server.pid() && state != '-' && state != 'Z', "the server has ended",
           "that the child that it did not start goes on", text("its state is ", state));
    kill(child, SIGKILL);
}

/// The signal comes before the child has done anything: libc's fork calls set_robust_list in it.
void a_child_stopped(Subject& subject) {
    const pid_t server = subject.start().pid();
    AttachedStrace strace({"-qq", "-f", "-p", std::to_string(server), "-e", "trace=set_robust_list", "-e",
                           "inject=set_robust_list:signal=SIGTERM"},
                          {server});
    subject.connect().receive_all();
    if (strace.record().find("SIGTERM") == std::string::npos) throw Skipped{"its libc makes no call in a new child"};
    strace.detach();
    expect_served(subject, "a new child got SIGTERM");
}

/// From now on there is no more memory than malloc has at hand.
void deny_memory(pid_t root) {
    for (const pid_t pid : process_tree(root)) {
        const rlimit none{1, 1};
        check(prlimit(pid, RLIMIT_DATA, &none, nullptr), "prlimit");
    }
}

/// There are so many clients that a server that needs memory for each of them at a stop needs much; and after that
/// others take what is left, until one finds none. (03 serves nobody while it writes, and 01 nobody else.)
void without_memory(Subject& subject) {
    const RunningServer& server = subject.start();
    if (has_library(server.pid(), "san.so")) throw Skipped{"a sanitizer needs memory itself"};
    Deaf client(subject.endpoint());
    const std::size_t many = process_tree(server.pid()).size() > 1 ? 30 : 2000;
    std::vector<Client> others;
    bool served = true;
    const auto come = [&] {
        others.push_back(subject.connect());
        others.back().send("x");
        char back = 0;
        served = others.back().hears_within(milliseconds(300)) && recv(others.back().fd(), &back, 1, 0) == 1;
    };
    while (served && others.size() < many) come();
    deny_memory(server.pid());
    while (served && others.size() < 3 * many) come();
    kill(server.pid(), SIGTERM);
    client.expect_all(text("it had no more memory, and got SIGTERM with ", others.size(), " clients more"));
    expect_exit_0(subject.server(), "the client has taken its data");
}

void lost_listener(Subject& subject) {
    const std::string lost = "somebody shut down the server's listening socket";
    RunningServer& server = subject.start();
    lose_listener(server);
    expect_end_by_lost_listener(server, lost);

    subject.start();
    Deaf client(subject.endpoint());
    client.client.finish_sending(); // chapter 01 looks at its listener when this client has left
    lose_listener(subject.server());
    client.expect_all(lost);
    expect_end_by_lost_listener(subject.server(), lost + "; a client has taken its data");
}

/// accept then says that there is no descriptor, and not that the socket is lost.
void lost_listener_without_descriptors(Subject& subject) {
    RunningServer& server = subject.start({}, limited(RLIMIT_NOFILE, 9));
    if (has_library(server.pid(), "libubsan")) throw Skipped{"UBSan tries whether memory can be read with a pipe"};
    const std::string lost = "8 clients came to a server with few descriptors, and its listening socket was shut down";
    {
        Crowd crowd(subject.endpoint(), 8);
        crowd.wait_for_lines(milliseconds(200));
        lose_listener(server);
        expect_no_spin(server.pid(), lost, milliseconds(200), 10);
    }
    expect_end_by_lost_listener(server, lost + "; then they left");
}

void killed(Subject& subject) {
    RunningServer& server = subject.start();
    Client client = subject.served_client();
    const std::vector<pid_t> processes = process_tree(server.pid());
    server.process().signal(SIGKILL);
    server.process().wait(soon);
    expect_gone(processes, "the server was killed (SIGKILL)");
    expect(client.receive_rest().empty(), "was connected when the server was killed", "the end", "data");
}

} // namespace

std::vector<Case> stopping_cases() {
    return {
        {"stops at SIGTERM", "SIGTERM ends it with exit status 0, clients or not, and leaves no process",
         [](Subject& subject) { stops_at(subject, SIGTERM, "SIGTERM"); }},
        {"stops at SIGINT", "and so does SIGINT (Ctrl-C)",
         [](Subject& subject) { stops_at(subject, SIGINT, "SIGINT"); }},
        {"delivers what was read", "stopped, it still delivers every byte that it had read",
         [](Subject& subject) { delivers_at(subject, SIGTERM, false, "it got SIGTERM"); }},
        {"delivers what it has written", "and what it had answered, but the client not yet taken",
         delivers_what_it_has_written},
        {"Ctrl-C",
         "and so it does when the signal comes to all of its processes at the same time", // as a terminal sends it
         [](Subject& subject) { delivers_at(subject, SIGINT, true, "it and all its children got SIGINT"); }},
        {"delivers what it thinks about", "stopped while it thinks, it still gives that answer",
         delivers_what_it_thinks_about},
        {"begins nothing new", "and does not begin with the other questions", begins_nothing_new},
        {"five seconds at most", "it waits 5 seconds, not longer, and says how many clients have not got their answers",
         five_seconds_at_most},
        {"counts who waits", "and counts those who wait for the kernel, and those who wait for a worker",
         counts_who_waits},
        {"two signals", "a second signal changes nothing: what it had read is delivered", two_signals},
        {"SIGQUIT", "SIGQUIT (Ctrl-\\) ends it immediately", sigquit},
        {"a child of others", "it waits for no child that it has not started", a_child_of_others},
        {"a child stopped", "a child that is told to stop ends its own client's connection only", a_child_stopped},
        {"without memory", "stopped without memory, it still delivers every byte that it had read", without_memory},
        {"lost listener", "when its listening socket is lost it says so, delivers, and ends with status 1",
         lost_listener},
        {"lost listener, no descriptors", "the same when it is out of descriptors, and it never spins",
         lost_listener_without_descriptors},
        {"killed", "killed, it leaves no process behind", killed},
    };
}
