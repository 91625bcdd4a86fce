// P1 to P11: the traps that the article does not name and every reader meets. The black-box cases of tests/cases/ play
// most of them; beside these stand the experiments with the calls themselves.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>

#include "tests/cases/case.h"
#include "tests/claims/claim.h"
#include "tests/claims/epoll.h"
#include "tests/support/in_child.h"
#include "tests/support/straced.h"
#include "tests/support/tcp_pair.h"

bool keeps(const Chapter& chapter, std::initializer_list<const char*> names) {
    const std::vector<Case> cases = all_cases();
    for (const std::string name : names) {
        const auto played = std::find_if(cases.begin(), cases.end(), [&](const Case& one) { return one.name == name; });
        if (played == cases.end()) throw Failed{"looked for the case '" + name + "'", "it", "none"};
        Subject subject(chapter.program, long_enough);
        try {
            played->play(subject);
        } catch (const Failed& failed) {
            std::cerr << text("chapter 0", chapter.number, ", '", name, "': ", failed.what(), "\n");
            return false;
        }
    }
    return true;
}

namespace {

/// How a process ends that writes to a client that is gone, and does not ignore SIGPIPE.
std::string end_of_a_writer_to_the_gone() {
    return in_child([] {
               TcpPair pair = tcp_pair();
               pair.client.reset();
               char byte = 0;
               // The first call fails with what the reset has left, ECONNRESET; the next one with EPIPE, if it returns.
               const auto is_reset = [&] { return read(pair.server.get(), &byte, 1) < 0 && errno == ECONNRESET; };
               wait_until("that the reset arrives", is_reset);
               if (write(pair.server.get(), "x", 1) < 0) std::cout << "returned";
           })
        .ended;
}

CLAIM(P1, "A reset, or a `write` to a client that is gone, ends that connection, not the server") {
    static const std::string end = end_of_a_writer_to_the_gone();
    return {end == "ended by signal Broken pipe" &&
                keeps(chapter, {"reset before a word", "reset after a word", "reset with a lot unread", "gone reader"}),
            "SIGPIPE, if not ignored: " + end};
}

/// How much of 64 MiB one write takes that does not wait; -1 when it fails.
ssize_t taken_by_one_write() {
    const std::string much(64 << 20, 'x');
    return send(tcp_pair().server.get(), much.data(), much.size(), MSG_NOSIGNAL);
}

CLAIM(P2, "`write` may take a part: what is left is sent later, and nothing is lost") {
    static const ssize_t taken = taken_by_one_write();
    return {taken > 0 && taken < 64 << 20 && keeps(chapter, {"nothing lost after a stall"}),
            text("one write took ", taken >> 10, " of ", 64 << 10, " KiB")};
}

/// What epoll_wait says when the process was stopped and continued meanwhile.
std::string epoll_wait_stopped_and_continued() {
    Process child(forked([] {
        const Fd epoll(check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
        std::cout << "waiting" << std::endl;
        epoll_event event{};
        if (epoll_wait(epoll.get(), &event, 1, -1) < 0 && errno == EINTR) std::cout << "EINTR";
    }));
    wait_until_it_waits(child, "waiting");
    child.signal(SIGSTOP);
    wait_until("that it has stopped", [&] { return process_state(child.pid()) == 'T'; });
    child.signal(SIGCONT);
    return child.outcome().out;
}

/// Whether the server goes on when strace attaches to it, and when that leaves.
bool survives_strace(const Chapter& chapter) {
    RunningServer server(chapter.program);
    Client client(server.endpoint());
    client.expect_echo("before\n");
    wait_for_rest(server.pid());
    AttachedStrace strace({"-f", "-p", std::to_string(server.pid())}, threads_of(server.pid()));
    client.expect_echo("traced\n");
    strace.detach();
    client.expect_echo("after\n");
    return true;
}

CLAIM(P3, "EAGAIN and EINTR are not the end: stopped, continued and traced, the server goes on") {
    static const bool interrupted = epoll_wait_stopped_and_continued() == "EINTR";
    return {interrupted && keeps(chapter, {"stopped and continued"}) && survives_strace(chapter)};
}

CLAIM(P4, "Half-close: a client that has sent everything still gets all of it back") {
    return {keeps(chapter, {"half-close", "half-close, slow reader"})};
}

/// How many of 1,000 calls of epoll_wait return immediately, for a connection on which this has arrived and is not
/// read.
int waits_that_return(std::uint32_t asked_for, const std::string& arrived) {
    TcpPair pair = tcp_pair();
    const Fd epoll = epoll_watching(pair.server.get(), asked_for);
    send_line(pair.client, arrived);
    int count = 0;
    epoll_event event{};
    for (int i = 0; i < 1000; ++i) count += epoll_wait(epoll.get(), &event, 1, 0);
    return count;
}

// The others never ask about room.
CLAIM(P5, "It asks about room to write only while it has something to write; otherwise it would spin", "456") {
    static const int asked_for_room = waits_that_return(EPOLLIN | EPOLLOUT, "");
    static const int not_asked = waits_that_return(EPOLLIN, "");
    return {asked_for_room == 1000 && not_asked == 0 && keeps(chapter, {"room costs no CPU"}),
            text("asked, ", asked_for_room, " of 1000 waits return immediately; else ", not_asked)};
}

// The process that accepts in 01 and 02 never has more than one client's descriptor.
CLAIM(P6, "Without a free descriptor, clients wait in the queue until others leave, and the CPU is idle", "3456") {
    return {keeps(chapter, {"out of descriptors"})};
}

/// Whether a child that has ended stays a zombie until it is waited for.
bool zombie_until_waited_for() {
    const pid_t child = check(fork(), "fork");
    if (child == 0) _exit(0);
    const bool zombie = eventually([&] { return process_state(child) == 'Z'; });
    waitpid(child, nullptr, 0);
    return zombie && process_state(child) == '-';
}

/// Whether a connection stays open while another process has a copy of its descriptor.
bool copy_keeps_it_open() {
    TcpPair pair = tcp_pair();
    {
        const Process child(forked([] { pause(); }));
        pair.server.reset(); // but the child has a copy
        if (server_end(pair.client).state != TcpState::established) return false;
    } // here the child is killed
    return pair.client.receive_rest().empty();
}

// The others do not fork.
CLAIM(P7, "No child stays a zombie, and the parent keeps no copy of a client's descriptor", "2") {
    static const bool as_said = zombie_until_waited_for() && copy_keeps_it_open();
    return {as_said && keeps(chapter, {"all is given back", "one descriptor a client"})};
}

CLAIM_OF_SERVER(P8, "A client that never reads cannot fill the server's memory, because the server stops reading too") {
    std::vector<Client> clients = connect_clients(server.endpoint(), 2);
    clients.front().expect_echo("x");
    wait_for_rest(server.pid());
    const std::size_t before = private_memory(server.pid());
    std::size_t sent = 0;
    for (Client& client : clients) sent += send_and_never_read(client, server.pid());
    const std::size_t after = private_memory(server.pid());
    const std::size_t grown = (after - std::min(before, after)) / clients.size();
    return {grown < 512 << 10, text("sent ", sent / clients.size() >> 20, " MiB, grown by ", grown >> 10, " KiB")};
}

CLAIM_OF_SERVER(P9, "A descriptor's number is used again immediately; the new client gets nothing of the old one's") {
    Client first(server.endpoint());
    first.expect_echo("first\n");
    const std::string inode = server_end(first).inode;
    const Descriptor before = find_descriptor(server.pid(), inode);
    first.send("the answer to this comes too late\n");
    first.reset();
    wait_until("that the server closes the reset connection", [&] { return descriptor_of(before.process, inode) < 0; });
    Client second(server.endpoint());
    second.expect_echo("second\n");
    const Descriptor after = find_descriptor(server.pid(), server_end(second).inode);
    return {after.number == before.number && keeps(chapter, {"descriptors reused"}),
            text("descriptor ", after.number, " again")};
}

// In the others no two threads share the clients.
CLAIM(P10, "No two threads ever handle one connection at the same time", "6") {
    static const int level_triggered = waits_that_return(EPOLLIN, "a word\n");
    static const int one_shot = waits_that_return(EPOLLIN | EPOLLONESHOT, "a word\n");
    RunningServer server(chapter.program, {"--think", "60000"});
    Client client(server.endpoint());
    send_line(client, "a request that takes a minute\n");
    wait_for_rest(server.pid());
    send_line(client, "and one more that comes meanwhile\n");
    wait_for_rest(server.pid());
    const std::size_t thinking = tasks_in(server.pid(), SYS_clock_nanosleep);
    return {level_triggered == 1000 && one_shot == 1 && thinking == 1,
            text(level_triggered, " of 1000 waits return the event, with EPOLLONESHOT ", one_shot)};
}

CLAIM_OF_SERVER(P11, "`nc -N` closes its writing side when its input ends; without -N the connection stays open") {
    const std::string nc = "nc.openbsd";
    if (!installed(nc)) throw Skipped{nc + " is not installed"};
    const auto start = [&](const std::string& options) {
        return Launch{{"bash", "-c", text("printf 'hi\\n' | ", nc, options, " 127.0.0.1 ", server.port())}};
    };
    Process with_n(start(" -N"));
    const bool ends = with_n.read_line(long_enough) == "hi" && with_n.wait(long_enough);

    Process without_n(start(""));
    const bool answered = without_n.read_line(long_enough) == "hi";
    wait_for_rest(server.pid());
    const std::vector<TcpSocket> sockets = tcp_sockets(port_of(server.endpoint().address));
    const auto open = std::count_if(sockets.begin(), sockets.end(),
                                    [](const TcpSocket& socket) { return socket.state == TcpState::established; });
    return {ends && answered && without_n.running() && open == 1};
}

} // namespace
