// Clients and signals that do what they like: none of it may cost another client anything, or end the server.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <stop_token>

#include "common/check.h"
#include "tests/cases/case.h"
#include "tests/support/idle.h"
#include "tests/support/in_child.h"
#include "tests/support/sockets.h"
#include "tests/support/straced.h"

namespace {

void expect_alive(Subject& subject, const std::string& after) {
    expect_running(subject.server(), after);
    expect_served(subject, after);
}

void reset_before_a_word(Subject& subject) {
    for (int i = 0; i < 5; ++i) subject.connect().reset();
    expect_alive(subject, "5 clients connected and reset the connection immediately");
}

void reset_after_a_word(Subject& subject) {
    for (int i = 0; i < 5; ++i) {
        Client client = subject.served_client();
        client.send("good");
        client.reset();
    }
    expect_alive(subject, "5 clients reset the connection in the middle of a conversation");
}

void reset_with_a_lot_unread(Subject& subject) {
    Client client = subject.connect();
    client.send_until_stuck(random_bytes(1 << 16, 6));
    client.reset();
    expect_alive(subject, "a client reset the connection while the server was sending to it");
}

/// A program that sends without end and never reads, killed in the middle of it.
void client_killed(Subject& subject) {
    subject.start();
    for (int i = 0; i < 3; ++i) {
        Process sender(forked([&] {
            Client client = subject.served_client();
            const std::string data(1 << 26, 'x');
            std::cout << "sends" << std::endl;
            client.send(data);
        }));
        // Then it waits for room, so both sides have unread bytes. At the end of `sender` it is killed (SIGKILL).
        wait_until_it_waits(sender, "sends");
    }
    expect_alive(subject, "3 clients were killed (SIGKILL) while they sent");
}

void gone_reader(Subject& subject) {
    const RunningServer& server = subject.start();
    Client client = subject.served_client();
    // While the server stands still, the client's last words arrive, then its end of file, then a reset. The words can
    // still be read; but a write now fails with EPIPE and brings SIGPIPE, which ends a process that does not ignore it.
    // (Without the end of file in between it would fail with ECONNRESET.)
    const std::vector<pid_t> processes = halt(server);
    client.send("good bye\n");
    client.finish_sending();
    wait_until("that the words arrive", [&] { return client.unacknowledged() == 0; });
    client.reset();
    let_go_on(processes);
    expect_alive(subject, "a client left before its answer could be written (EPIPE, SIGPIPE)");
}

void stopped_and_continued(Subject& subject) {
    const RunningServer& server = subject.start();
    Client client = subject.connect();
    client.expect_echo("before\n");
    for (int i = 0; i < 3; ++i) {
        let_go_on(halt(server)); // whatever waits may now return EINTR, see signal(7)
        client.expect_echo("after\n");
    }
    client.close();
    expect_alive(subject, "the server was stopped and continued (EINTR)");
}

/// One client that reads a part each time and sends on until there is no room again: each time another write of the
/// server waits, and is interrupted. Packets of an odd size end in the middle of what a write was given.
void interrupt_writes(Subject& subject, int segment) {
    const RunningServer& server = subject.server();
    Client client = subject.connect(0, segment);
    const std::string data = random_bytes(1 << 20, 15);
    std::size_t sent = 0;
    std::size_t received = 0;
    const std::string did = "sent until there was no room, then the server was stopped and continued; read on";
    const auto receive = [&](std::size_t size) {
        client.expect_repeated(data, received, size, did);
        received += size;
    };
    for (int i = 0; i < 8; ++i) {
        sent += client.send_until_stuck(data.substr(sent % data.size()) + data.substr(0, sent % data.size()),
                                        milliseconds(50));
        let_go_on(halt(server));
        receive(std::min<std::size_t>(sent - received, 200001));
    }
    client.finish_sending();
    receive(sent - received);
    const std::string more = client.receive_all();
    expect(more.empty(), did, "the end of file", text(more.size(), " bytes too many"));
}

void stopped_while_it_writes(Subject& subject) {
    for (const int segment : {0, 1001, 1447}) interrupt_writes(subject, segment);
}

void descriptors_reused(Subject& subject) {
    for (int i = 0; i < 200; ++i) {
        Client client = subject.connect();
        const std::string line = text("this is client ", i, "\n");
        if (i % 3 == 0) {
            client.send(line);
            client.reset(); // its number is free again while its line may still be on the way through the server
        } else {
            client.expect_echo(line);
        }
    }
    Client last = subject.connect();
    last.expect_echo("mine\n");
    last.finish_sending();
    const std::string more = last.receive_all();
    expect(more.empty(), "got its line after 200 others had come and gone", "nothing else", "'" + more + "'");
}

/// A read stops before an urgent byte, and gives less than there is. Ours have SO_OOBINLINE. Without that the byte is
/// taken out of the stream. Go's io.Copy has a pipe for splice(2), which does not get past that place.
void urgent(Subject& subject) {
    const RunningServer& server = subject.start();
    Client client = subject.connect();
    client.expect_echo("before\n");
    const std::vector<pid_t> processes = halt(server); // so that all of it has arrived when the server reads
    check(static_cast<int>(send(client.fd(), "ab!", 3, MSG_OOB | MSG_NOSIGNAL)), "send MSG_OOB");
    client.send("cd\n");
    wait_until("that all arrives", [&] { return client.unacknowledged() == 0; });
    bool has_pipe = false;
    for (const auto& [fd, what] : descriptors_of(server.pid())) has_pipe |= fd > 2 && what.starts_with("pipe:");
    let_go_on(processes);
    try {
        std::string back = client.receive(5);
        if (back == "ab!cd") back += client.receive(1);
        expect(back == "ab!cd\n" || (back == "abcd\n" && subject.level() != 0),
               "sent 'ab', an urgent byte '!' (MSG_OOB), and 'cd'", "'ab!cd' back", "'" + back + "'");
        client.expect_echo("after\n");
    } catch (const Failed&) {
        if (subject.level() == 0 || !has_pipe) throw;
        subject.remark("An urgent byte (MSG_OOB) ends or stops a connection. splice(2) does that; read(2) would not.");
    }
}

/// The server's end of the client's connection.
Descriptor descriptor_for(Subject& subject, const Client& client) {
    return find_descriptor(subject.server().pid(), server_end(client).inode);
}

/// As debuggers and monitoring agents have it. While there is a copy, close does not take a descriptor out of epoll.
void copied_socket(Subject& subject) {
    const RunningServer& server = subject.start();
    Client client = subject.served_client();
    const Descriptor original = descriptor_for(subject, client);
    const std::string inode = server_end(client).inode;
    const Fd copy = copy_of(original);
    client.finish_sending();
    wait_until("that the server closes its own", [&] { return descriptor_of(original.process, inode) < 0; });
    // On a busy machine a server that spins may get little of the CPU, so 10 percent are enough.
    expect_no_spin(server.pid(), "a client has left, and another process has a copy of its socket", milliseconds(300),
                   10);
    expect_alive(subject, "a client has left, and another process has a copy of its socket");
    shutdown(copy.get(), SHUT_RDWR); // an event, should epoll still watch it
    expect_alive(subject, "a client has left, and something happened to another process's copy of its socket");
}

/// As lsof does: while a file of fdinfo is open, the kernel has one hold more on the descriptor. With a sanitizer it
/// shows if that makes an event come to a client whose memory is freed.
void looked_at(Subject& subject) {
    const RunningServer& server = subject.start();
    std::jthread looks([pid = server.pid()](const std::stop_token& stop) {
        std::array<char, 4096> content{};
        while (!stop.stop_requested()) {
            for (int fd = 4; fd <= 6; ++fd) { // that of the only client
                const Fd info(open(text("/proc/", pid, "/fdinfo/", fd).c_str(), O_RDONLY | O_CLOEXEC));
                while (info && read(info.get(), content.data(), content.size()) > 0) continue;
            }
        }
    });
    for (int i = 0; i < 1000; ++i) subject.connect().expect_echo("hello\n");
}

/// A client whose cable was pulled sends no FIN. When the kernel asks it is up to the server's socket.
void keepalive(Subject& subject) {
    Client client = subject.served_client();
    const Fd copy = copy_of(descriptor_for(subject, client));
    struct Option {
        const char* name;
        int level, number, expected;
    };
    for (const Option& option : {Option{"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1},
                                 {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 60},
                                 {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 10},
                                 {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 6}}) {
        int value = 0;
        socklen_t size = sizeof value;
        check(getsockopt(copy.get(), option.level, option.number, &value, &size), option.name);
        expect(value == option.expected, "connected, and looked at the server's socket",
               text(option.name, " ", option.expected), text(value));
    }
}

/// The kernel sets a broken socket's error first, and a moment later what makes it ready to read and to write. epoll
/// may look in between. Here strace writes EPOLLERR over the events that epoll_wait reports first.
void an_error_alone(Subject& subject) {
    const pid_t server = subject.start().pid();
    Client client = subject.connect();
    const std::string data = random_bytes(1 << 16, 17);
    const std::size_t sent = client.send_until_stuck(data);
    const AttachedStrace strace({"-qq", "-p", std::to_string(server), "-e", "trace=epoll_wait", "-e",
                                 "inject=epoll_wait:poke_exit=@arg2=08000000:when=1"},
                                {server});
    client.expect_repeated(data, 0, sent, "epoll_wait reported an error, and nothing else");
    expect(strace.record().find("{events=EPOLLERR,") != std::string::npos, "strace poked", "EPOLLERR", strace.record());
}

/// What it writes is then not taken, and by default a signal ends it (SIGXFSZ).
void log_is_full(Subject& subject) {
    constexpr rlim_t most = 500;
    RunningServer& server = subject.start({"--verbose"}, limited(RLIMIT_FSIZE, most));
    for (int i = 0; i < 20; ++i) subject.connect().expect_echo("hello\n");
    expect_alive(subject, "20 clients came, and the log reached the largest size that a file may have (ulimit -f)");
    expect(server.process().standard_error().size() == most, "20 clients came, with --verbose",
           text("a log of ", most, " bytes"), text(server.process().standard_error().size(), " bytes"));
}

} // namespace

std::vector<Case> trouble_cases() {
    return {
        {"reset before a word", "a client that resets immediately ends nobody else's service", reset_before_a_word,
         Lesson{"Clients vanish. One that does may cost its own connection, and nothing else.",
                "Does an error of one connection end the program?",
                "read(2) and write(2) fail with ECONNRESET, accept(2) with ECONNABORTED: close that one and go on."}},
        {"reset after a word", "a client that resets in the middle ends only its own connection", reset_after_a_word,
         Lesson{
             "A reset in the middle is everyday life on the net: a phone that changes cells, a program that is killed.",
             "Does an error of one connection end the program, or spin on it? Does another client get its bytes?",
             "read(2) fails with ECONNRESET: close(2) that descriptor, go on with the others."}},
        {"reset with a lot unread", "a reset while the server is sending ends only that connection",
         reset_with_a_lot_unread,
         Lesson{"The server learns of a reset in a write as well as in a read.",
                "Is the error of a write looked at, and does it end that one connection only?",
                "write(2) fails with ECONNRESET or EPIPE: close(2) that descriptor, go on with the others."}},
        {"client killed", "a client that is killed ends its own connection only", client_killed},
        {"gone reader", "writing to a client that is gone (EPIPE, SIGPIPE) does not end the server", gone_reader,
         Lesson{"By default a write to a client that is gone kills the whole process, with SIGPIPE. Most servers learn "
                "it in production.",
                "Did the server die of a signal? A write to a connection that is gone sends one.",
                "signal(7): ignore SIGPIPE with sigaction(2), or send(2) with MSG_NOSIGNAL; write(2) then fails with "
                "EPIPE."}},
        {"stopped and continued", "an interrupted call (EINTR) is made again", stopped_and_continued,
         Lesson{
             "An interrupted call has not failed: Ctrl-Z, a debugger and strace interrupt calls.",
             "A call came back with EINTR. Make it again.",
             "signal(7) has the list: epoll_wait(2) and others return EINTR after SIGCONT, even without a handler."}},
        {"stopped while it writes", "an interrupted write goes on where it was", stopped_while_it_writes,
         Lesson{"A write that is interrupted may have taken a part. Nearly always it takes everything, so this mistake "
                "stays unseen for years.",
                "Is what write returned compared with what it was given?",
                "write(2) returns how many bytes it took, and on a blocking socket, too, that may be fewer: write the "
                "rest, in a loop."}},
        {"urgent", "an urgent byte in between (MSG_OOB) keeps nothing back", urgent,
         Lesson{"A read that returns less than you asked for has nearly always taken everything, but not at an urgent "
                "mark.",
                "Is a short read taken for the last one? There was more behind the urgent byte.",
                "tcp(7): read(2) never passes the urgent mark. Under EPOLLET, read until EAGAIN."}},
        {"descriptors reused", "a new client with an old client's descriptor number gets nothing of the old one",
         descriptors_reused,
         Lesson{"The kernel gives out the lowest free number immediately, so a number alone does not tell you which "
                "client it is.",
                "Is there state kept by descriptor number that outlives the connection? An event or a task for the old "
                "client?",
                "close(2) frees the number; the next accept(2) may return it. Forget all that belongs to it before "
                "close."}},
        {"copied socket", "a client that leaves is forgotten, though another process has a copy of its socket",
         copied_socket},
        {"looked at", "and though others look at its descriptors all the time", looked_at},
        {"keepalive", "the kernel asks a silent client whether it is still there: after 60 s, then 6 times every 10 s",
         keepalive},
        {"an error alone", "an error that epoll reports without room or input loses nothing", an_error_alone},
        {"log is full", "a log that cannot grow is no reason to end", log_is_full},
    };
}
