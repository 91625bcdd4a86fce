// SIGINT and SIGTERM: stop accepting, deliver what was read, exit 0 within 5 seconds; a second signal ends it at once.
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>

#include "tests/cases/case.h"
#include "tests/support/sockets.h"

namespace {

const milliseconds soon(4500); // below the 5 seconds after which a server ends by itself
const milliseconds limit(8000);

void expect_exit_0(Subject& subject, milliseconds within, const std::string& did) {
    const auto ended = subject.server().process().wait(within);
    expect(ended && !ended->by_signal && ended->value == 0, did, text("exit status 0 within ", within.count(), " ms"),
           ended ? to_string(*ended) : "it still runs");
    const std::string errors = subject.server().process().standard_error();
    expect(errors.empty(), did, "nothing on standard error", "'" + errors + "'");
}

void stops_at(Subject& subject, int signal, const std::string& name) {
    RunningServer& server = subject.start();
    subject.connect().expect_echo("hello\n");
    server.process().signal(signal);
    expect_exit_0(subject, soon, "the server got " + name + " while nobody was connected");

    subject.start();
    Client silent = subject.connect();
    silent.expect_echo("hello\n");
    const std::vector<pid_t> processes = process_tree(subject.server().pid());
    subject.server().process().signal(signal);
    expect_exit_0(subject, soon, "the server got " + name + " while a silent client was connected");
    expect(silent.receive_rest().empty(), "was connected and silent", "the end of data", "data");
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

void sigterm(Subject& subject) {
    stops_at(subject, SIGTERM, "SIGTERM");
}

void sigint(Subject& subject) {
    stops_at(subject, SIGINT, "SIGINT");
}

/// Whether the server has read all that the client has sent: nothing is on its way, and nothing in the receive queue of
/// the server's end.
bool is_read(const Subject& subject, const Client& client) {
    return client.unacknowledged() == 0 && server_end(subject.endpoint(), client).receive_queue == 0;
}

/// The signal goes to the server's process or, `to_all`, to its process group.
void delivers_at(Subject& subject, int signal, bool to_all, const std::string& did) {
    RunningServer& server = subject.start();
    Client client = subject.connect(4096);
    const std::string data = random_bytes(1 << 20, 11);
    const std::size_t sent = client.send_until_stuck(data, milliseconds(200));
    const std::size_t read = sent - client.unacknowledged() - server_end(subject.endpoint(), client).receive_queue;

    kill(to_all ? -server.pid() : server.pid(), signal);
    const std::string back = client.receive_rest();
    std::string expected;
    while (expected.size() < back.size()) expected += data.substr(0, back.size() - expected.size());
    expect(back.size() >= read && back == expected,
           text("sent ", sent, " bytes without reading, of which the server had read ", read, " when ", did,
                "; then read to the end"),
           "all that the server had read", text(back.size(), " bytes, ", difference(expected, back)));
    expect_exit_0(subject, soon, "the client has taken its data");
}

void delivers_what_was_read(Subject& subject) {
    delivers_at(subject, SIGTERM, false, "it got SIGTERM");
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
    while (data.size() < source.size() && server_end(subject.endpoint(), client).send_queue < enough) {
        data = source.substr(0, data.size() + 4096);
        client.send(std::string_view(data).substr(data.size() - 4096));
        wait_until("that it reads on", [&] { return is_read(subject, client); });
    }
    server.process().signal(SIGTERM);
    server.process().wait(milliseconds(200)); // it shall not end now; if it does, the byte comes after that
    client.send("!");
    const std::string back = client.receive_rest();
    expect(back.substr(0, data.size()) == data,
           text("sent ", data.size(), " bytes, and one more after SIGTERM; then read to the end"),
           "all that the server had answered", text(back.size(), " bytes, ", difference(data, back)));
    expect_exit_0(subject, soon, "the client has taken its data");
}

/// In a terminal all processes of the foreground get the signal, children too.
void ctrl_c(Subject& subject) {
    delivers_at(subject, SIGINT, true, "it and all its children got SIGINT");
}

void delivers_what_it_thinks_about(Subject& subject) {
    RunningServer& server = subject.start({"--think", "300"});
    Client client = subject.connect();
    client.send("a hard question\n");
    // Once the question has left the receive queue the server has read it, and thinks.
    wait_until("that it reads the question", [&] { return is_read(subject, client); });
    server.process().signal(SIGTERM);
    const std::string back = client.receive_all();
    expect(back == "a hard question\n", "asked, and the server got SIGTERM before the answer", "the answer",
           "'" + back + "'");
    expect_exit_0(subject, soon, "the last answer is given");
}

/// Others have asked as well. Were they all thought about first, the 5 seconds would not be enough.
void begins_nothing_new(Subject& subject) {
    RunningServer& server = subject.start({"--think", "500"});
    std::vector<Client> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(subject.connect());
    // One process for all has accepted them by now; one for each never has them all. While it thinks about the first
    // one the others ask, so that it finds them all at its next look.
    static_cast<void>(eventually([&] { return open_descriptors(server.pid()) > clients.size(); }, milliseconds(200)));
    clients.front().send("a");
    wait_until("that it reads the first question", [&] { return is_read(subject, clients.front()); });
    for (std::size_t i = 1; i < clients.size(); ++i) clients[i].send("b");
    clients.front().receive(1);
    // (Chapter 01 reads none of them before the first client leaves.)
    const auto another_is_read = [&] {
        return std::any_of(clients.begin() + 1, clients.end(),
                           [&](const Client& client) { return is_read(subject, client); });
    };
    static_cast<void>(eventually(another_is_read, milliseconds(100)));
    server.process().signal(SIGTERM);
    expect_exit_0(subject, soon, "12 clients had asked, and the server got SIGTERM");
}

void five_seconds_at_most(Subject& subject) {
    RunningServer& server = subject.start();
    Client client = subject.connect();
    client.send_until_stuck(random_bytes(1 << 16, 12));
    const auto start = Clock::now();
    server.process().signal(SIGTERM);
    expect_exit_0(subject, limit, "the server got SIGTERM while a client did not take its data");
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    expect(took > milliseconds(4500), "did not take its data", "that the server waits 5 seconds for it",
           text("the server ended after ", took.count(), " ms"));
}

void second_signal(Subject& subject) {
    RunningServer& server = subject.start();
    Client client = subject.connect();
    client.send_until_stuck(random_bytes(1 << 16, 13));
    const std::vector<pid_t> processes = process_tree(server.pid());
    server.process().signal(SIGTERM);
    // The first one has been handled when the default action is back in place: SigCgt of /proc/PID/status no longer
    // has it.
    const auto caught = [&] {
        std::ifstream status("/proc/" + std::to_string(server.pid()) + "/status");
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("SigCgt:")) {
                return (std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1) & 1) != 0;
            }
        }
        return false;
    };
    wait_until("that it has handled the first one", [&] { return !caught(); });
    server.process().signal(SIGINT);
    const auto ended = server.process().wait(soon);
    expect(ended && ended->by_signal, "the server got SIGTERM and then SIGINT", "that the second one ends it at once",
           ended ? to_string(*ended) : "it still runs");
    const auto gone = [&] { return process_state(processes.back()) == '-' || process_state(processes.back()) == 'Z'; };
    expect(eventually(gone, soon), "the server has ended", "that none of its processes is left",
           text("process ", processes.back(), " runs on"));
}

void killed(Subject& subject) {
    RunningServer& server = subject.start();
    Client client = subject.connect();
    client.expect_echo("hello\n");
    const std::vector<pid_t> processes = process_tree(server.pid());
    server.process().signal(SIGKILL);
    server.process().wait(soon);
    for (const pid_t pid : processes) {
        expect(eventually([&] { return process_state(pid) == '-' || process_state(pid) == 'Z'; }, soon),
               "the server was killed (SIGKILL)", "that none of its processes runs on", text("process ", pid, " does"));
    }
    expect(client.receive_rest().empty(), "was connected when the server was killed", "the end", "data");
}

void same_port_again(Subject& subject) {
    subject.start();
    const std::string line = subject.server().listening_line();
    const std::string port = line.substr(line.rfind(':') + 1);
    {
        Client client = subject.connect();
        client.expect_echo("hello\n");
        subject.server().process().signal(SIGTERM); // the server closes first, so its end goes into TIME_WAIT
        expect(client.receive_rest().empty(), "was connected when the server stopped", "the end of data", "data");
    }
    expect_exit_0(subject, soon, "the server got SIGTERM");
    subject.start({"--port", port});
    subject.connect().expect_echo("hello again\n");
}

} // namespace

std::vector<Case> stopping_cases() {
    return {
        {"stops at SIGTERM", "SIGTERM ends it with exit status 0, clients or not, and leaves no process", sigterm},
        {"stops at SIGINT", "and so does SIGINT (Ctrl-C)", sigint},
        {"delivers what was read", "stopped, it still delivers every byte that it had read", delivers_what_was_read},
        {"delivers what it has written", "and what it had answered, but the client not yet taken",
         delivers_what_it_has_written},
        {"Ctrl-C", "and so it does when the signal comes to all of its processes at once", ctrl_c},
        {"delivers what it thinks about", "stopped while it thinks, it still gives that answer",
         delivers_what_it_thinks_about},
        {"begins nothing new", "and does not begin with the other questions", begins_nothing_new},
        {"five seconds at most", "it waits 5 seconds, not longer, for a client that does not take its data",
         five_seconds_at_most},
        {"second signal", "a second signal ends it at once", second_signal},
        {"killed", "killed, it leaves no process behind", killed},
        {"same port again", "it can be started again at once on the same port (SO_REUSEADDR)", same_port_again},
    };
}
