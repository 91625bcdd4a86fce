#include "tests/grader/steps.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "tests/support/idle.h"
#include "tests/support/sockets.h"

namespace {

constexpr milliseconds wait_limit(3000);
const std::string waited = "waited 3 s";

// --- it listens, and it stays ----------------------------------------------------------------------------------------

/// What is seen of a server that is started once more, and whose system calls ptrace(2) watches for two seconds.
struct Look {
    const std::uint16_t port = free_port(); ///< that it was given
    std::uint16_t listened_on = 0;          ///< at its end; 0 for none
    std::string failed{};                   ///< the first call that failed, and why; empty when none did
};

/// At a stop before or after a system call: what has failed, if that is worth telling. `call` is remembered in between.
std::string what_failed(pid_t pid, long& call) {
    const std::set<long> told = {SYS_socket, SYS_bind,     SYS_listen, SYS_accept, SYS_accept4,
                                 SYS_read,   SYS_recvfrom, SYS_write,  SYS_sendto};
    __ptrace_syscall_info info{};
    ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) call = static_cast<long>(info.entry.nr);
    const bool has_failed = info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.is_error != 0;
    const int error = has_failed ? static_cast<int>(-info.exit.rval) : 0;
    constexpr int interrupted = 512; // from here on the numbers say that the kernel will make the call again
    if (!has_failed || error == EAGAIN || error >= interrupted || !told.contains(call)) return "";
    return "; when it was started once more, " + call_name(call) + " failed: " + std::strerror(error);
}

/// A client comes when the server first calls accept, and sends a line.
Look look_at_calls(const std::vector<std::string>& command) {
    Look look;
    Process process({with_port(command, look.port), [] { ptrace(PTRACE_TRACEME, 0, nullptr, nullptr); }, false});
    const pid_t pid = process.pid();
    const std::jthread clock([pid](const std::stop_token& over) {
        for (int i = 0; i < 2000 && !over.stop_requested(); ++i) pause_a_millisecond();
        if (!over.stop_requested()) kill(pid, SIGSTOP); // ends the look
    });
    std::optional<Client> client;
    long call = -1;
    int status = 0;
    while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        const int number = WSTOPSIG(status);
        const bool exits = status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8);
        if (number == SIGSTOP) break;
        if (exits) {
            for (const TcpSocket& socket : listening_sockets(pid)) look.listened_on = socket.local_port;
        } else if (number == SIGTRAP) { // from exec
            ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
        } else if (number == (SIGTRAP | 0x80) && look.failed.empty()) {
            look.failed = what_failed(pid, call);
            try {
                const Endpoint endpoint{parse_address("127.0.0.1", look.port).value(), milliseconds(0)};
                if (!client && (call == SYS_accept || call == SYS_accept4))
                    client.emplace(endpoint).send_some("hello\n");
            } catch (const Failed&) { // nobody listens there
            }
        }
        ptrace(PTRACE_SYSCALL, pid, 0, (number & ~0x80) == SIGTRAP ? 0 : number);
    }
    if (!WIFSTOPPED(status)) process.has_been_waited_for();
    return look;
}

/// That it listens says little if no client can connect: it may listen for IPv6 only.
void expect_a_connection(Subject& subject) {
    try {
        static_cast<void>(subject.connect());
    } catch (const Failed& failed) {
        if (!subject.server().process().running()) return; // the next step is about that
        throw Failed{"connected to 127.0.0.1", "a connection",
                     failed.got +
                         "; it listens on another address only, such as :: without IPv4 (IPV6_V6ONLY, ipv6(7))"};
    }
}

void listens(Subject& subject) {
    const auto names_port = [](const std::string& word) { return word.find("{port}") != std::string::npos; };
    if (std::ranges::none_of(subject.command(), names_port))
        subject.remark("SERVER has no {port}, so your server is not told where to listen.");
    try {
        subject.start();
        expect_a_connection(subject);
    } catch (const Failed& failed) {
        const Look look = look_at_calls(subject.command());
        std::string what = look.failed;
        if (failed.got.find("exit status") != std::string::npos) {
            if (look.listened_on == look.port) return; // the next step is about that
            what += look.listened_on == 0
                        ? "; until then it did not listen on any port"
                        : text("; until then it listened on port ", look.listened_on, " instead of ", look.port);
            if (look.listened_on == swapped(look.port)) what += ", with its two bytes swapped: " + byte_order;
        }
        const std::size_t end = std::min(failed.got.size(), failed.got.find("; it printed"));
        throw Failed{failed.did, failed.expected, std::string(failed.got).insert(end, what)};
    }
}

void stays(Subject& subject) {
    const std::string did = "started it, and let it run for half a second";
    const std::string expected = "a server that listens, and goes on";
    try {
        subject.start();
    } catch (const Failed& failed) {
        std::string got = failed.got;
        if (got.starts_with("it exited")) got.insert(0, "it listened, and then ");
        throw Failed{did, expected, got};
    }
    const auto ended = subject.server().process().wait(milliseconds(500));
    if (ended) throw Failed{did, expected, "it listened, and then it exited"};
}

// --- one client ------------------------------------------------------------------------------------------------------

void accepts(Subject& subject) {
    subject.start();
    const Client client = subject.connect();
    const auto is_taken = [&] {
        return !subject.server().process().running() || accept_queue(subject.endpoint()) == 0;
    };
    if (eventually(is_taken, wait_limit)) return;
    throw Failed{"connected, and " + waited, "that the server takes the connection",
                 "the connection is still in the queue of the listener: accept has not taken it"};
}

/// What comes for the client until nothing has come for a moment, or the connection ends; and how it ended.
std::string all_that_comes(Client& client, std::string& end) {
    std::string all;
    milliseconds patience = wait_limit; // then only for what comes together with the first
    while (end.empty() && client.hears_within(patience) && all.size() < (1 << 16)) {
        try {
            const std::string piece = client.receive_some(1 << 16);
            all += piece;
            if (piece.empty()) end = "the end of the connection";
        } catch (const Failed& failed) {
            end = failed.got;
        }
        patience = milliseconds(100);
    }
    return all;
}

/// Why nothing has come back.
std::string nothing_because(Subject& subject, const Client& client) {
    if (!subject.server().process().running()) return "nothing";
    const std::size_t unread = server_end(client).receive_queue;
    if (unread > 0) return text("nothing; the ", unread, " bytes have arrived, but the server has not read them");
    return "nothing, although the server has read the line";
}

/// `before` is what the client did before.
void expect_answer(Subject& subject, Client& client, const std::string& line, const std::string& before) {
    client.send(line);
    std::string end;
    const std::string back = all_that_comes(client, end);
    if (back == line) return;
    std::string got =
        back.empty() ? "" : text(back.size(), " bytes: '", back.substr(0, 60), back.size() > 60 ? "...'" : "'");
    if (back + "\n" == line) got += ": the newline is missing, and it is a byte like any other";
    if (back.find(line) != std::string::npos) got += ", which is more than was sent";
    if (!end.empty()) got += (got.empty() ? "" : ", then ") + end;
    if (got.empty()) got = nothing_because(subject, client);
    throw Failed{text(before, ", sent '", line, "', and ", back.empty() && end.empty() ? waited : "read what came"),
                 text("'", line, "' back"), got};
}

/// Starts the server. Its first client has sent a line and got it back.
Client first_client(Subject& subject) {
    subject.start();
    Client client = subject.connect();
    expect_answer(subject, client, "hello\n", "connected");
    return client;
}

void answers_one_line(Subject& subject) {
    first_client(subject);
}

void answers_the_next(Subject& subject) {
    Client client = first_client(subject);
    expect_answer(subject, client, "and again\n", "connected, sent 'hello\n', got it back");
}

/// The same client has said that no more will come.
Client client_that_is_done(Subject& subject) {
    Client client = first_client(subject);
    client.finish_sending();
    return client;
}

const std::string was_served = "connected, sent 'hello\n', got it back, ";

void notices_the_end(Subject& subject) {
    Client client = client_that_is_done(subject);
    const std::string did = was_served + "and closed its writing side";
    if (client.hears_within(milliseconds(300))) {
        std::string end;
        const std::string more = all_that_comes(client, end);
        if (!more.empty())
            throw Failed{did, "nothing more, because nothing more was sent", text(more.size(), " bytes more")};
        return;
    }
    try {
        if (subject.server().process().running()) expect_no_spin(subject.server().pid(), did, milliseconds(300), 30);
    } catch (const Failed& failed) {
        throw Failed{did, "a server that notices the end, and rests", "it works on and on"};
    }
}

void closes_when_done(Subject& subject) {
    const Client client = client_that_is_done(subject);
    if (client.hears_within(wait_limit)) return;
    throw Failed{was_served + "closed its writing side, and " + waited, "the end of the connection",
                 "nothing: the server has kept its side open"};
}

// --- more than one ---------------------------------------------------------------------------------------------------

void takes_the_next_client(Subject& subject) {
    first_client(subject);
    const std::string before = "was the second client, after one that had been served and had left: connected";
    if (subject.server().process().wait(milliseconds(100))) {
        throw Failed{"was served, and left", "a server that waits for the next client", "nothing"};
    }
    Client second = subject.connect();
    expect_answer(subject, second, "and me?\n", before);
}

/// The same step, and should it fail, the call that has failed in the server.
std::function<void(Subject&)> and_look(void (*step)(Subject&)) {
    return [step](Subject& subject) {
        try {
            step(subject);
        } catch (const Failed& failed) {
            const std::string what = look_at_calls(subject.command()).failed;
            throw Failed{failed.did, failed.expected, failed.got + what};
        }
    };
}

/// The clients of two cases of the later levels.
void survives(Subject& subject) {
    for (const Case& one : all_cases()) {
        if (one.name == "reset before a word" || one.name == "gone reader") one.play(subject);
    }
}

} // namespace

std::vector<Case> steps() {
    return {
        {"listens", "it listens on the port that it is given", listens,
         Lesson{"socket, bind and listen: from here on the kernel takes clients in, and keeps them in a queue.",
                "Three calls make a server that can be reached: socket, bind to 127.0.0.1 and the port, listen. Check "
                "what each of them returns.",
                "socket(2), bind(2), listen(2), ip(7); the port goes into sin_port as htons(3) gives it, and errno(3) "
                "says why a call has failed."}},
        {"stays", "it goes on running when it has come to listen", and_look(stays),
         Lesson{"A server waits for its clients.",
                "After listen, main returned, or something ended the program. listen does not wait for a client; "
                "accept does.",
                "accept(2) waits until a client is there."}},
        {"accepts", "it takes a client that has connected", and_look(accepts),
         Lesson{"accept gives you a descriptor of its own for each client. The listener stays for the next.",
                "Call accept on the listener. It returns a new descriptor, through which you talk to this client.",
                "accept(2)."}},
        {"answers one line", "it sends back the line that a client sends", and_look(answers_one_line),
         Lesson{"Read and write on the client's descriptor: that is the whole conversation.",
                "Read from the descriptor that accept returned, and write back as many bytes as read says, not the "
                "whole buffer.",
                "read(2) waits for bytes and returns how many there are; write(2) takes a pointer and a count."}},
        {"answers the next", "it sends back the next line as well", and_look(answers_the_next),
         Lesson{"A conversation is a loop.", "Read and write in a loop, as long as read returns more than 0.",
                "read(2) returns 0 only at the end, and -1 for an error."}},
        {"notices the end", "when the client has ended, it stops reading and sends nothing more",
         and_look(notices_the_end),
         Lesson{"The end of the client's bytes arrives like bytes do, in order: read returns 0.",
                "At the end read returns 0, immediately and each time. Leave the loop then. (And -1 is an error: leave "
                "it then, too.)",
                "read(2), RETURN VALUE."}},
        {"takes the next client", "when one client has left, it serves the next one", and_look(takes_the_next_client),
         Lesson{"Serving one client is a program; serving the next one as well is a server.",
                "After one client comes the next: put accept, and all that is about one client, into a loop.",
                "accept(2), in a loop that nothing leaves."}},
        {"closes", "it closes the connection when the client has ended", and_look(closes_when_done),
         Lesson{"What is not closed stays open in the kernel, and one day there are no descriptors left.",
                "After the client's loop, close the client's descriptor. (Not the listener.)", "close(2)."}},
        {"survives", "a client that is suddenly gone ends nothing but its own connection", and_look(survives),
         Lesson{"Clients vanish. That costs them their connection, and nobody else anything.",
                "An error of read or write ends this one connection: close it and go on to accept.",
                "read(2) and write(2) fail with ECONNRESET or EPIPE; ignore SIGPIPE, signal(7)."}},
    };
}
