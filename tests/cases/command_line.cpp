// The command line: options, messages, exit status.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include "common/check.h"
#include "tests/cases/case.h"
#include "tests/support/in_child.h"
#include "tests/support/sockets.h"

namespace {

/// Runs the server's program to its end. `before_exec`: see Launch.
Outcome run(Subject& subject, const std::vector<std::string>& arguments,
            const std::function<void()>& before_exec = {}) {
    std::vector<std::string> command{subject.program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return Process({command, before_exec}).outcome(milliseconds(10000));
}

/// Throws Failed unless it has ended so, with one line on standard error.
void expect_complaint(const Outcome& outcome, const std::string& ended, const std::string& did) {
    expect(outcome.ended == ended, did, ended, outcome.ended);
    expect(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1, did, "one line on standard error",
           "'" + outcome.err + "'");
}

/// One of each kind: the unit tests of parse_options try many more.
void wrong_options(Subject& subject) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--port", "65536"},
                                                      {"--host", "nobody"},
                                                      {"--think"},
                                                      {"--port", "0", "--verb"},
                                                      {"surplus"}}) {
        const Outcome outcome = run(subject, arguments);
        const std::string& wrong = arguments.back();
        const std::string did = "ran it with a wrong " + wrong;
        expect_complaint(outcome, "exit status 2", did);
        expect(outcome.err.find(wrong) != std::string::npos, did, "a message that names it", outcome.err);
        expect(outcome.out.empty(), did, "nothing on standard output", outcome.out);
    }
}

/// For before_exec.
void full_standard_output() {
    dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
}

void output_that_cannot_be_written(Subject& subject) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--port", "0"}, {"--help"}}) {
        expect_complaint(run(subject, arguments, full_standard_output), "exit status 1",
                         "ran it with " + arguments[0] + " >/dev/full");
    }
    const Outcome closed = run(subject, {"--help"}, [] { close(STDOUT_FILENO); });
    expect(closed.ended == "exit status 0" && closed.err.empty(), "ran it with --help >&-",
           "exit status 0, and nothing on standard error", closed.ended + ", '" + closed.err + "'");
}

/// Some supervisors start programs with descriptors 0, 1 and 2 closed. The next sockets would get these numbers.
void closed_descriptors(Subject& subject) {
    const Endpoint endpoint = subject.endpoint(); // also of those whose first line nobody can read
    subject.end();
    for (int closed = 1; closed < 8; ++closed) { // a bit each
        std::string did = "started it with --verbose and without descriptor";
        for (int fd = 0; fd < 3; ++fd) did += (closed >> fd & 1) != 0 ? text(" ", fd) : "";
        Process server({{subject.program(), "--port", text(port_of(endpoint.address)), "--verbose"},
                        [closed] {
                            for (int fd = 0; fd < 3; ++fd) {
                                if ((closed >> fd & 1) != 0) close(fd);
                            }
                        },
                        true});
        wait_until("that it listens", [&] { return !server.running() || !listening_sockets(server.pid()).empty(); });
        std::string back;
        try {
            Client client(endpoint);
            client.send("hello\n");
            client.finish_sending();
            back = client.receive_all();
        } catch (const Failed& failed) {
            back = failed.got;
        }
        // A client sees a reset before the server is gone.
        const std::string state = server.how_it_ends(milliseconds(back == "hello\n" ? 0 : 200));
        expect(state == "it still runs", did, "a server that serves", state);
        expect(back == "hello\n", did + "; a client sent 'hello'", "'hello' back", "'" + back + "'");
        server.signal(SIGTERM);
        const std::string ended = server.how_it_ends(milliseconds(5000));
        expect(ended == "exit status 0", did + "; it got SIGTERM", "exit status 0", ended);
    }
}

/// For before_exec: a network that has only a loopback, with the address fe80::1, and where IPv6 sockets are for IPv6
/// only if nobody says otherwise. ip(8) may make it when it is run by the new network's root.
void network_of_its_own() {
    const std::string root = text("0 ", geteuid(), " 1");
    const bool is_made =
        unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && std::ofstream("/proc/self/uid_map") << root << std::flush &&
        std::system("exec >&2; ip link set lo up && ip address add fe80::1/64 dev lo nodad && "
                    "until ip route get fe80::1 oif lo 2>&1 | grep -q ^local; do sleep 0.01; done && " // is added later
                    "echo 1 >/proc/sys/net/ipv6/bindv6only") == 0;
    if (is_made) return;
    const std::string_view why = "no network of its own";
    write(STDERR_FILENO, why.data(), why.size());
    _exit(1);
}

void ipv6_addresses(Subject& subject) {
    for (const auto& [host, shown, from] : {std::array{"::", "[::]:", "::1"},
                                            {"::", "[::]:", "127.0.0.1"},
                                            {"fe80::1%lo", "[fe80::1%lo]:", "fe80::1%lo"}}) {
        const std::string client = from; // clang++ 14 cannot capture a structured binding
        try {
            subject.start({"--host", host}, network_of_its_own);
        } catch (const Failed& failed) {
            if (failed.got.find("no network of its own") != std::string::npos) throw Skipped{failed.got};
            throw;
        }
        RunningServer& server = subject.server();
        const std::string line = std::string("listening on ") + shown;
        expect(server.listening_line().starts_with(line), text("started it with --host ", host), "'" + line + "PORT'",
               server.listening_line());
        const Outcome outcome = in_child([&] {
            const Fd process(check(static_cast<int>(syscall(SYS_pidfd_open, server.pid(), 0)), "pidfd_open"));
            check(setns(process.get(), CLONE_NEWUSER | CLONE_NEWNET), "setns");
            Client({parse_address(client, port_of(subject.endpoint().address)).value()}).expect_echo("hello\n");
        });
        expect(outcome.ended == "exit status 0", text("connected to ", client, " with --host ", host), "an echo",
               outcome.err);
    }
}

/// A stranger's server, started on the port a second time. What it does about that; empty when that is fine: it ends
/// and says so, or both have the port (SO_REUSEPORT).
std::string at_a_taken_port(Subject& subject, std::uint16_t port) {
    Process second({with_port(subject.command(), port), {}, false});
    std::vector<TcpSocket> its;
    const auto ends_or_listens = [&] {
        its = listening_sockets(second.pid());
        return !its.empty() || !second.running();
    };
    const bool decided = eventually(ends_or_listens, milliseconds(8000)) || second.printed() > 0;
    if (!decided) return "it runs, and neither listens nor says why";
    if (its.empty() || its[0].local_port == port) return "";
    return text("it listens on port ", its[0].local_port, " instead, where nobody looks for it");
}

/// Without --host the address is 127.0.0.1, so nobody outside gets in.
void address_taken(Subject& subject) {
    const std::string did = "started it twice on the same port";
    const std::uint16_t port = port_of(subject.endpoint().address);
    if (subject.command().empty()) {
        const std::string expected = text("exit status 1: bind 127.0.0.1:", port, ": Address already in use\n");
        const Outcome outcome = run(subject, {"--port", text(port)});
        return expect(outcome.ended + ": " + outcome.err == expected, did, expected,
                      outcome.ended + ": " + outcome.err);
    }
    const std::string seen = at_a_taken_port(subject, port);
    if (seen.empty()) return;
    if (subject.level() != 1) throw Failed{did, "that the second one says why it cannot have the port, and ends", seen};
    subject.remark("Started on a port that is taken, " + seen +
                   ". Look at what bind returns. From LEVEL=02 on this is a failure.");
}

void ipv6(Subject& subject) {
    try {
        subject.start({"--host", "::1"});
    } catch (const Failed& failed) {
        if (failed.got.find("Cannot assign requested address") != std::string::npos ||
            failed.got.find("Address family not supported") != std::string::npos) {
            throw Skipped{"this machine has no IPv6"};
        }
        throw;
    }
    expect(subject.server().listening_line().starts_with("listening on [::1]:"), "started it with --host ::1",
           "listening on [::1]:PORT", subject.server().listening_line());
    subject.connect().expect_echo("hello\n");
}

void silent_and_verbose(Subject& subject) {
    {
        Client client = subject.served_client();
        client.reset();
    }
    subject.connect().expect_echo("hello\n");
    const std::string silent = subject.server().process().standard_error();
    expect(silent.empty(), "two clients came and went", "nothing on standard error", "'" + silent + "'");

    subject.start({"--verbose"});
    std::string who;
    {
        Client client = subject.served_client();
        who = text(client.address());
    }
    const Process& process = subject.server().process();
    for (const std::string& word : {who + " connected", std::string("echoed 6"), std::string("left: end of file")}) {
        expect(eventually([&] { return process.standard_error().find(word) != std::string::npos; }, subject.patience()),
               "came and went, with --verbose", "'" + word + "' on standard error",
               "'" + process.standard_error() + "'");
    }
}

void thinking(Subject& subject) {
    subject.start({"--think", "100"});
    Client client = subject.connect();
    const auto start = Clock::now();
    client.expect_echo("hello\n");
    const auto took = time_since(start);
    expect(took >= milliseconds(100), "asked a server with --think 100", "an answer after 100 ms at the earliest",
           text("after ", took.count(), " ms"));
}

void a_short_queue(Subject& subject) {
    subject.start({"--backlog", "0"});
    for (int i = 0; i < 3; ++i) subject.connect().expect_echo("hello\n");
}

} // namespace

std::vector<Case> command_line_cases() {
    return {
        {"wrong options", "a wrong option or value: one line that names it, exit status 2", wrong_options},
        {"output that cannot be written", "a full standard output is a failure to start, a closed one is none",
         output_that_cannot_be_written},
        {"closed descriptors", "started without descriptors 0, 1 or 2, it sends each client its own bytes only",
         closed_descriptors},
        {"address taken", "on a port that is taken it says why, and ends", address_taken,
         Lesson{"A server that runs without its port looks healthy, and no client reaches it.",
                "What does bind return when the port is taken? Does the server look at it?",
                "bind(2) returns -1 then, with EADDRINUSE: print why, with perror(3), and exit(3) with a status other "
                "than 0. Without bind, listen(2) takes any free port."}},
        {"IPv6", "--host ::1 listens on [::1]", ipv6},
        {"IPv6 addresses", "--host :: is for IPv4 too, whatever the system's default; a scope is a part of an address",
         ipv6_addresses},
        {"silent and verbose", "it prints nothing while all is well; with --verbose it tells who came, sent and left",
         silent_and_verbose},
        {"thinking", "--think delays each answer", thinking},
        {"a short queue", "--backlog 0 still serves one after the other", a_short_queue},
    };
}
