// Other people's clients, and strace as the witness.
#include <algorithm>
#include <array>
#include <utility>

#include "tests/cases/case.h"
#include "tests/support/strace_reader.h"
#include "tests/support/straced.h"

namespace {

/// A client that somebody else has written. Its command runs in bash, with HOST, PORT and LINES ("hello\nhow are
/// you\n").
struct Stranger {
    const char* name;
    const char* program; ///< must be installed
    const char* command; ///< prints what came back
};

constexpr auto strangers = std::to_array<Stranger>({
    {"nc -N", "nc.openbsd", R"(printf "$LINES" | nc.openbsd -N $HOST $PORT)"},
    {"netcat-traditional", "nc.traditional", R"(printf "$LINES" | nc.traditional -q 1 $HOST $PORT)"},
    {"busybox nc", "busybox", R"(printf "$LINES" | busybox nc $HOST $PORT)"},
    {"ncat", "ncat", R"(printf "$LINES" | ncat $HOST $PORT)"},
    {"socat", "socat", R"(printf "$LINES" | socat -t 5 - TCP:$HOST:$PORT)"},
    {"bash's /dev/tcp", "bash", R"(exec 3<>/dev/tcp/$HOST/$PORT; printf "$LINES" >&3; head -n 2 <&3)"},
    {"curl telnet", "curl", R"(coproc curl -sN telnet://$HOST:$PORT; printf "$LINES" >&${COPROC[1]}
        head -n 2 <&${COPROC[0]}; kill $COPROC_PID)"},
    {"Python's socket", "python3", R"(python3 -c '
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
s.sendall(b"hello\nhow are you\n")
s.shutdown(socket.SHUT_WR)
print(b"".join(iter(lambda: s.recv(100), b"")).decode(), end="")' $HOST $PORT)"},
    {"Python's asyncio", "python3", R"(python3 -c '
import asyncio, sys
async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], int(sys.argv[2]))
    writer.write(b"hello\nhow are you\n")
    await writer.drain()
    writer.write_eof()
    print((await reader.read()).decode(), end="")
asyncio.run(main())' $HOST $PORT)"},
    {"Node.js", "node", R"(node -e '
const socket = require("net").connect(process.argv[2], process.argv[1]);
socket.end("hello\nhow are you\n");
socket.pipe(process.stdout)' $HOST $PORT)"},
    {"Perl", "perl", R"(perl -MIO::Socket::INET -e '
$s = IO::Socket::INET->new(PeerAddr => shift, PeerPort => shift);
print $s "hello\nhow are you\n";
shutdown($s, 1);
print while <$s>' $HOST $PORT)"},
    // To an echo server TLS is garbage, and to openssl its own greeting. The next client notices nothing of it.
    {"openssl s_client", "openssl", R"(openssl s_client -connect $HOST:$PORT </dev/null &>/dev/null && echo "TLS?"
        exec 3<>/dev/tcp/$HOST/$PORT; printf "$LINES" >&3; head -n 2 <&3)"},
});

void talk_through(Subject& subject, const Stranger& stranger) {
    if (!installed(stranger.program)) throw Skipped{text(stranger.program, " is not installed")};
    const std::string script =
        text("HOST=127.0.0.1 PORT=", subject.server().port(), R"( LINES='hello\nhow are you\n'; )", stranger.command);
    // The program itself may take long to start on a busy machine.
    const Outcome client = Process({{"bash", "-c", script}}).outcome(milliseconds(60000));
    expect(client.out == "hello\nhow are you\n", text("ran ", stranger.command), "both lines back",
           "'" + client.out + "'; its standard error: '" + client.err + "'");
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

constexpr int clients = 50;
constexpr int messages = clients * 20;

/// The calls that were made while 50 clients sent `rounds` messages each, and left.
std::vector<TraceEvent> calls_of(Subject& subject, int rounds) {
    Straced traced({}, subject.program());
    {
        const std::string message = "a message of the ordinary kind\n";
        std::vector<Client> crowd;
        for (int i = 0; i < clients; ++i) crowd.emplace_back(traced.endpoint(subject.patience()));
        for (int round = 0; round < rounds; ++round) {
            for (Client& client : crowd) client.send(message);
            for (Client& client : crowd) client.receive(message.size());
        }
        for (Client& client : crowd) client.finish_sending();
        for (Client& client : crowd) client.receive_all();
    }
    return read_strace(traced.finish());
}

/// How often the calls are made for `messages` messages of 50 clients, without what it takes to start, to connect, to
/// leave and to stop: the difference between a run with 30 rounds and one with 10.
class CallsForMessages {
  public:
    explicit CallsForMessages(Subject& subject) : few_(calls_of(subject, 10)), many_(calls_of(subject, 30)) {}

    [[nodiscard]] long errors(const std::string& call) const {
        return difference([&](const TraceEvent& event) { return event.is(call) && !event.error.empty(); });
    }

    void expect_about(const std::string& call, long expected) const {
        const long got = difference([&](const TraceEvent& event) { return event.is(call); });
        expect(got >= expected - 5 && got <= expected + 5, did, text("about ", expected, " calls of ", call),
               text(got));
    }

    const std::string did = text(clients, " clients sent ", messages, " messages under strace");

  private:
    template <typename Wanted>
    [[nodiscard]] long difference(Wanted wanted) const {
        return std::count_if(many_.begin(), many_.end(), wanted) - std::count_if(few_.begin(), few_.end(), wanted);
    }

    std::vector<TraceEvent> few_;
    std::vector<TraceEvent> many_;
};

void one_read_one_write(Subject& subject) {
    const CallsForMessages calls(subject);
    calls.expect_about("read", messages + calls.errors("read"));
    calls.expect_about("write", messages);
}

void no_read_in_vain(Subject& subject) {
    const CallsForMessages calls(subject);
    calls.expect_about("write", messages); // an empty record has no failed read either
    const long failed = calls.errors("read");
    expect(failed <= 5, calls.did, "no read that only sees EAGAIN", text(failed, " failed reads"));
}

void few_waits(Subject& subject) {
    // How many it takes depends on how busy the machine is, so a difference of two runs would say nothing.
    constexpr int rounds = 30;
    const std::vector<TraceEvent> calls = calls_of(subject, rounds);
    const auto waits = std::count_if(
        calls.begin(), calls.end(), [](const TraceEvent& event) { return event.is_select() || event.is_epoll_wait(); });
    expect(waits > 0 && waits < clients * rounds,
           text(clients, " clients sent ", rounds, " messages each under strace"),
           "fewer waits than messages, as one finds several clients ready", text(waits, " waits"));
}

void interest_told_once(Subject& subject) {
    const CallsForMessages calls(subject);
    calls.expect_about("read", messages); // an empty record has no epoll_ctl either
    calls.expect_about("epoll_ctl", 0);
}

} // namespace

std::vector<Case> tool_cases() {
    std::vector<Case> cases{
        {"hardened", "the program is built with the compiler's and the linker's guards", hardened},
        {"one read, one write", "a message takes one read that finds it, and one write", one_read_one_write},
        {"no read in vain", "no read finds nothing", no_read_in_vain},
        {"few waits", "one wait finds several clients ready", few_waits},
        {"interest told once", "a client's interest is told to epoll once, not for each message", interest_told_once},
    };
    for (const Stranger& stranger : strangers) {
        cases.push_back({stranger.name, text(stranger.name, " gets its bytes back"),
                         [&stranger](Subject& subject) { talk_through(subject, stranger); }});
    }
    return cases;
}
