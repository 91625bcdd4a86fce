// What a server owes to anyone: a prompt answer, patience, no words with a meaning of their own, and an end when it is
// told to end.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>

#include "tests/cases/case.h"
#include "tests/support/idle.h"
#include "tests/support/sockets.h"

namespace {

/// How long each of 15 messages of this size took to come back, shortest first. With `acknowledged_late`, the client's
/// kernel takes its time (40 ms) to acknowledge what arrives, which is what it does in every conversation.
std::vector<milliseconds> round_trips(Client& client, std::size_t size, bool acknowledged_late) {
    const std::string message = std::string(size - 1, 'a') + '\n'; // bytes that are no text are another case
    std::vector<milliseconds> times(15);
    for (milliseconds& time : times) {
        const int quick = acknowledged_late ? 0 : 1;
        setsockopt(client.fd(), IPPROTO_TCP, TCP_QUICKACK, &quick, sizeof quick);
        const auto start = Clock::now();
        client.expect_echo(message);
        time = time_since(start);
    }
    std::sort(times.begin(), times.end());
    return times;
}

void answers_promptly(Subject& subject) {
    Client client = subject.connect();
    for (const auto& [size, late] : {std::pair<std::size_t, bool>{2, true}, {64, true}, {1000, false}}) {
        // A busy machine may make any one of them late, but not 12 of 15.
        const auto fourth = round_trips(client, size, late)[3];
        expect(fourth < milliseconds(30), text("sent 15 messages of ", size, " bytes, each after the last answer"),
               "most answers within 30 ms", text(fourth.count(), " ms or more for 12 of them"));
    }
}

/// At level 01 the second client waits in the queue, and its silence with it.
void two_seconds_of_silence(Subject& subject) {
    Client talks = subject.served_client();
    Client waits = subject.connect();
    const bool heard = talks.hears_within(milliseconds(2000)) || waits.hears_within(milliseconds(0));
    expect(!heard, "sent a line, got it back, and said nothing for 2 s", "nothing",
           "the end of the connection, or data");
    talks.expect_echo("still here\n");
    talks.close();
    waits.expect_echo("I have only now something to say\n");
}

/// Words that have a meaning in some tutorial or protocol, each as the first of a client, with and without a newline.
void no_magic_words(Subject& subject) {
    RunningServer& server = subject.start();
    std::vector<std::string> words = words_of("quit exit bye close end stop q QUIT EXIT shutdown SHUTDOWN logout . "
                                              "\x03 \x04 \x1a \x1b EOF /quit :q HELP \xff\xf4\xff\xfd\x06");
    words.insert(words.end(), {"", "GET / HTTP/1.1\r\nHost: localhost\r\n\r"});
    for (const std::string& word : words) {
        for (const char* ending : {"\n", "\r\n", ""}) {
            const std::string sent = word + ending;
            if (sent.empty()) continue;
            const std::string did = "sent '" + sent + "'";
            try {
                Client client = subject.connect();
                client.expect_echo(sent);
                client.expect_echo("and on\n");
            } catch (const Failed& failed) {
                const auto ended = server.process().wait(milliseconds(100));
                const std::string got = ended ? "the server has ended: " + to_string(*ended) : failed.got;
                throw Failed{did + ", and then a line", "both back, as an echo server knows no words", got};
            }
        }
    }
    expect_running(server, "sent words such as quit and exit");
}

void ends_at_sigterm(Subject& subject) {
    constexpr milliseconds limit(3000);
    for (const bool connected : {false, true}) {
        RunningServer& server = subject.start();
        Client client = subject.served_client();
        if (!connected) client.close();
        // A signal that comes just before a server begins to wait is missed by many. That is another lesson.
        Rest rest(server.pid());
        static_cast<void>(eventually([&] { return rest.has_lasted(milliseconds(30)); }, milliseconds(300)));
        server.process().signal(SIGTERM);
        const std::string ended = server.process().how_it_ends(std::max(limit, subject.patience()));
        const auto good = {"exit status 0", "ended by signal Terminated", "exit status 143"}; // the last is a JVM's
        expect(std::find(good.begin(), good.end(), ended) != good.end(),
               text("the server got SIGTERM with ", connected ? "a silent client" : "no client"),
               text("that it ends within ", limit.count() / 1000, " s, with status 0 or by the signal"), ended);
    }
}

/// The server is killed while a client is connected, so that it is its end which remains for a minute (TIME_WAIT).
void starts_again(Subject& subject) {
    const std::uint16_t port = port_of(subject.endpoint().address);
    {
        Client client = subject.served_client();
        subject.end();
        expect(client.receive_rest().empty(), "was connected when the server was killed", "the end", "data");
    }
    const auto waits = [&] {
        const std::vector<TcpSocket> sockets = tcp_sockets(port);
        return !sockets.empty() && std::all_of(sockets.begin(), sockets.end(), [](const TcpSocket& socket) {
            return socket.state == TcpState::time_wait;
        });
    };
    wait_until("that the connection is in TIME_WAIT", waits);
    const std::string did = "the server was killed while a client was connected, and then started again on its port";
    try {
        subject.start_on(port);
    } catch (const Failed& failed) {
        if (subject.level() != 1) throw Failed{did, "that it listens again", failed.got};
        subject.remark("Started again soon after it has ended, it cannot have its port back for a minute, because the "
                       "last connections are in TIME_WAIT. Set SO_REUSEADDR before bind, socket(7). From LEVEL=02 on "
                       "this is a failure.");
        return;
    }
    subject.connect().expect_echo("hello again\n");
}

/// Processes that are there before the first client comes may accept themselves, and need it.
void children_let_go_of_the_listener(Subject& subject) {
    const RunningServer& server = subject.start();
    const std::string inode = listening_socket(server.endpoint()).inode;
    const std::vector<pid_t> before = process_tree(server.pid());
    Client client = subject.served_client();
    for (const pid_t pid : process_tree(server.pid())) {
        if (std::count(before.begin(), before.end(), pid) > 0 || descriptor_of(pid, inode) < 0) continue;
        if (subject.level() != 2) {
            throw Failed{"a client is connected", "that the process for it has closed its copy of the listener",
                         "it keeps the listener open"};
        }
        subject.remark("A client's process keeps the listener open. While one of them lives the port stays taken, even "
                       "when the server has ended: close the listener after fork, in the child. From LEVEL=03 on this "
                       "is a failure.");
        return;
    }
}

} // namespace

std::vector<Case> manners_cases() {
    return {
        {"answers promptly", "small answers come back within a moment, whatever the client's kernel acknowledges",
         answers_promptly,
         Lesson{"A delay of 40 ms per message is 25 messages per second, on the fastest machine there is.",
                "Is each answer written with one write? Does the server sleep, or wait for more?",
                "tcp(7): Nagle's algorithm keeps a second small write back until the first is acknowledged, and the "
                "client's kernel takes up to 40 ms for that. Write an answer with one write(2), or set TCP_NODELAY "
                "with setsockopt(2)."}},
        {"two seconds of silence", "a client that says nothing for two seconds stays connected", two_seconds_of_silence,
         Lesson{"A client may think for as long as it likes. Only the client decides when it is done.",
                "Is there a time-out on read or on the wait, and is it taken for the end?",
                "SO_RCVTIMEO, settimeout and a time-out of select(2), poll(2) or epoll_wait(2) mean that nothing has "
                "come yet, and not that the client has left: that is when read(2) returns 0."}},
        {"no magic words", "no word that a client sends ends its connection or the server", no_magic_words,
         Lesson{"An echo server does not read what it echoes. A word that ends it is a switch that anyone can reach.",
                "Does the server compare the data with a word?",
                "The end is when read(2) returns 0. Ctrl-D in nc does not send a byte: it closes the writing side."}},
        {"ends at SIGTERM", "SIGTERM ends it, with status 0 or as the signal does", ends_at_sigterm,
         Lesson{"Everything that starts servers ends them with SIGTERM, and looks at how they ended.",
                "Is SIGTERM ignored, or blocked, or handled without an end? Which status does the handler give?",
                "signal(7). Without a handler SIGTERM ends a process. With one: stop, and exit(3) with 0."}},
        {"starts again", "it can be started again on its port right after it was killed (SO_REUSEADDR)", starts_again,
         Lesson{"After a crash a server should be back in a second, and not when the kernel has forgotten the last "
                "connections a minute later.",
                "Is SO_REUSEADDR set on the listener, before bind?",
                "setsockopt(2) with SOL_SOCKET, SO_REUSEADDR, socket(7). The connections that are still known are in "
                "TIME_WAIT: ss -tan shows them."}},
        {"children let go of the listener", "the process for a client does not keep the listener open",
         children_let_go_of_the_listener,
         Lesson{"A child inherits every descriptor. While one child has the listener the port stays taken, even when "
                "the server has ended.",
                "Which descriptors does a child need after fork?",
                "fork(2) copies all of them: close(2) the listener in the child, and the client in the parent."}},
    };
}
