// Other people's clients, and strace as the witness.
#include <utility>

#include "tests/cases/case.h"
#include "tests/support/crowd.h"
#include "tests/support/strace_reader.h"
#include "tests/support/straced.h"

namespace {

/// Runs `command` in bash with HOST and PORT set, and expects all of "hello\nhow are you\n" back.
void talk_through(Subject& subject, const std::string& program, const std::string& command) {
    if (!installed(program)) throw Skipped{program + " is not installed"};
    subject.start();
    const std::string script = "HOST=127.0.0.1 PORT=" + subject.server().port() + "; " + command;
    // The program itself may take long to start on a busy machine.
    const Outcome client = Process({{"bash", "-c", script}}).outcome(milliseconds(60000));
    expect(client.out == "hello\nhow are you\n", "ran " + command, "both lines back",
           "'" + client.out + "'; its standard error: '" + client.err + "'");
}

void netcat(Subject& subject) {
    if (!installed("nc.openbsd")) throw Skipped{"netcat-openbsd is not installed"};
    talk_through(subject, "nc.openbsd", "printf 'hello\\nhow are you\\n' | nc.openbsd -N $HOST $PORT");
}

void ncat(Subject& subject) {
    talk_through(subject, "ncat", "printf 'hello\\nhow are you\\n' | ncat $HOST $PORT");
}

void socat(Subject& subject) {
    talk_through(subject, "socat", "printf 'hello\\nhow are you\\n' | socat -t 5 - TCP:$HOST:$PORT");
}

void bash(Subject& subject) {
    talk_through(subject, "bash", "exec 3<>/dev/tcp/$HOST/$PORT; printf 'hello\\nhow are you\\n' >&3; head -n 2 <&3");
}

void python(Subject& subject) {
    talk_through(subject, "python3",
                 "python3 -c 'import socket, sys; s = socket.create_connection((sys.argv[1], int(sys.argv[2]))); "
                 "s.sendall(b\"hello\\nhow are you\\n\"); s.shutdown(socket.SHUT_WR); "
                 "print(b\"\".join(iter(lambda: s.recv(100), b\"\")).decode(), end=\"\")' $HOST $PORT");
}

/// The Makefile has the compiler add these, where they cost next to nothing.
void hardened(Subject& subject) {
    if (!installed("readelf")) throw Skipped{"readelf (binutils) is not installed"};
    const std::string all =
        Process({{"readelf", "-W", "-h", "-l", "-d", "--dyn-syms", subject.program()}}).outcome(subject.patience()).out;
    for (const auto& [sign, meaning] : {std::pair{"DYN (", "a position-independent program (-pie)"},
                                        {"GNU_RELRO", "relocations that are read-only afterwards (-z relro)"},
                                        {"BIND_NOW", "all of them, from the start (-z now)"},
                                        {"__stack_chk_fail", "a guard on the stack (-fstack-protector-strong)"}}) {
        expect(all.find(sign) != std::string::npos, "looked at the program with readelf", meaning,
               text("no ", sign, " in ", all.size(), " bytes"));
    }
}

/// How often each system call was made: strace -c's table.
struct Calls {
    std::string table;
    [[nodiscard]] long count(const std::string& call, bool errors = false) const {
        const CallCount counted = counted_calls(table, call);
        return errors ? counted.errors : counted.calls;
    }
};

/// What strace -c counted while `clients` clients sent `rounds` messages each, and left.
Calls count_calls(Subject& subject, std::size_t clients, int rounds) {
    Straced traced({"-c"}, subject.program());
    const Endpoint server = traced.endpoint(subject.patience());
    {
        const std::string message = "a message of the ordinary kind\n";
        std::vector<Client> crowd;
        for (std::size_t i = 0; i < clients; ++i) crowd.emplace_back(server);
        for (int round = 0; round < rounds; ++round) {
            for (Client& client : crowd) client.send(message);
            for (Client& client : crowd) client.receive(message.size());
        }
        for (Client& client : crowd) client.finish_sending();
        for (Client& client : crowd) client.receive_all();
    }
    return {traced.finish()};
}

constexpr int clients = 50;
constexpr int messages = clients * 20;

/// How often the calls are made for `messages` messages of 50 clients, without what it takes to start, to connect, to
/// leave and to stop: the difference between a run with 30 rounds and one with 10.
class CallsForMessages {
  public:
    explicit CallsForMessages(Subject& subject)
        : few_(count_calls(subject, clients, 10)), many_(count_calls(subject, clients, 30)) {}

    [[nodiscard]] long count(const std::string& call, bool errors = false) const {
        return many_.count(call, errors) - few_.count(call, errors);
    }

    void expect_about(const std::string& call, long expected) const {
        const long got = count(call);
        expect(got >= expected - 5 && got <= expected + 5, did, text("about ", expected, " calls of ", call),
               text(got, "\n", many_.table));
    }

    const std::string did = text(clients, " clients sent ", messages, " messages under strace -c");

  private:
    Calls few_;
    Calls many_;
};

void one_read_one_write(Subject& subject) {
    const CallsForMessages calls(subject);
    calls.expect_about("read", messages);
    calls.expect_about("write", messages);
    expect(calls.count("read", true) <= 5, calls.did, "no read that only sees EAGAIN",
           text(calls.count("read", true), " failed reads"));
}

void few_waits(Subject& subject) {
    // How many it takes depends on how busy the machine is, so a difference of two runs would say nothing.
    constexpr int rounds = 30;
    const Calls calls = count_calls(subject, clients, rounds);
    const long waits = calls.count("epoll_wait") + calls.count("select") + calls.count("pselect6");
    expect(waits > 0 && waits < clients * rounds,
           text(clients, " clients sent ", rounds, " messages each under strace -c"),
           "fewer waits than messages, as one finds several clients ready", text(waits, " waits"));
}

void interest_told_once(Subject& subject) {
    const CallsForMessages calls(subject);
    calls.expect_about("read", messages); // an empty record has no epoll_ctl either
    calls.expect_about("epoll_ctl", 0);
}

} // namespace

std::vector<Case> tool_cases() {
    return {
        {"nc", "nc -N gets its bytes back", netcat},
        {"ncat", "ncat gets its bytes back", ncat},
        {"socat", "socat gets its bytes back", socat},
        {"bash", "bash's /dev/tcp gets its bytes back", bash},
        {"python", "Python's socket gets its bytes back", python},
        {"hardened", "the program is built with the compiler's and the linker's guards", hardened},
        {"one read, one write", "a message takes one read and one write", one_read_one_write},
        {"few waits", "one wait finds several clients ready", few_waits},
        {"interest told once", "a client's interest is told to epoll once, not for each message", interest_told_once},
    };
}
