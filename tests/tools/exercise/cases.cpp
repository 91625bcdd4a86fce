// The cases of the exercises in which you build something. Usage: exercise-cases 05-idle SERVER
// Plays them until one fails; with ONLY='its name' in the environment only that one. Exit status: 0 all passed, 1 one
// failed, 2 it could not be tried.

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <vector>

#include "common/descriptor_limit.h"
#include "common/write_all.h"
#include "tests/support/client.h"
#include "tests/support/crowd.h"
#include "tests/support/idle.h"
#include "tests/support/proc.h"
#include "tests/support/running_server.h"
#include "tests/support/sockets.h"

namespace {

constexpr milliseconds patience(5000);

struct Case {
    std::string exercise;
    std::string name;
    std::string promise;
    std::string hint;
    void (*play)(const std::string& program);
};

void expect(bool holds, const std::string& did, const std::string& expected, const std::string& got) {
    if (!holds) throw Failed{did, expected, got};
}

/// Throws Failed unless another client is served now.
void expect_served(const RunningServer& server, const std::string& situation) {
    try {
        Client(server.endpoint(patience)).expect_echo("am I served?\n");
    } catch (const Failed& failed) {
        throw Failed{situation + "; then another client " + failed.did, failed.expected, failed.got};
    }
}

/// A server that asks again and again uses all of the CPU that it can get, and on a busy machine that may be little.
void expect_no_spin(const RunningServer& server, const std::string& situation) {
    ::expect_no_spin(server.pid(), situation, milliseconds(300), 10);
}

// --- 03-poll -----------------------------------------------------------------------------------------------------

void a_client_past_the_set(const std::string& program) {
    need_descriptors_for(1100);
    const RunningServer server(program);
    Crowd crowd(server.endpoint(patience), 1100);
    const std::size_t served = crowd.wait_for_lines(patience);
    expect(served == 1100, "1,100 clients connected, and each sent a line", "1,100 answers",
           text("only ", served, " answers"));
    crowd.serve_and_leave();
}

void waits_in_poll(const std::string& program) {
    const RunningServer server(program);
    Client client(server.endpoint(patience));
    client.expect_echo("hello\n");
    const auto polls = [&] { return tasks_in(server.pid(), SYS_poll) + tasks_in(server.pid(), SYS_ppoll) == 1; };
    expect(eventually(polls, patience), "sent a line, and then the kernel was asked what the server waits in", "poll",
           main_thread_waits_in(server.pid()));
    expect(process_tree(server.pid()).size() == 1 && threads_of(server.pid()).size() == 1, "sent a line",
           "one process with one thread", "more of them");
}

void full_but_not_busy(const std::string& program) {
    const RunningServer server(program, {}, limited(RLIMIT_NOFILE, 24));
    Crowd crowd(server.endpoint(patience), 60);
    if (crowd.wait_for_lines(milliseconds(500)) < 60) {
        expect_no_spin(server, "60 clients came to a server that may have 24 descriptors");
    }
    crowd.serve_and_leave();
}

// --- 05-idle -----------------------------------------------------------------------------------------------------

/// Waits for the end of the connection, and gives how long that took.
milliseconds time_until_closed(Client& client, const std::string& did) {
    const auto start = Clock::now();
    expect(client.hears_within(patience), did, "the end of the connection",
           text("nothing in ", patience.count(), " ms"));
    const std::string rest = client.receive_rest();
    expect(rest.empty(), did, "the end of the connection", text(rest.size(), " bytes"));
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

void silent_is_closed(const std::string& program) {
    RunningServer server(program, {"--idle", "1"});
    Client client(server.endpoint(patience));
    const std::string did = "connected to a server with --idle 1 and said nothing";
    const milliseconds took = time_until_closed(client, did);
    expect(took > milliseconds(900), did, "to be closed after a second", text("closed after ", took.count(), " ms"));
    client.close();
    Client later(server.endpoint(patience));
    later.expect_echo("hello\n");
    time_until_closed(later, "sent a line to a server with --idle 1, got it back, and then said nothing");
    expect_running(server);
}

/// Each says something at its own time, so the deadlines differ. The descriptors say whether all of them are closed.
void each_at_its_own_time(const std::string& program) {
    RunningServer server(program, {"--idle", "1"});
    const std::size_t before = open_descriptors(server.pid());
    std::deque<Client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(server.endpoint(patience));
        clients.back().expect_echo("hello\n");
        clients[static_cast<std::size_t>(i / 2)].expect_echo("and on\n");
        std::this_thread::sleep_for(milliseconds(20));
    }
    for (Client& client : clients) time_until_closed(client, "20 clients spoke one after the other, with --idle 1");
    expect(eventually([&] { return open_descriptors(server.pid()) == before; }, patience),
           "20 clients were closed because they were idle", text(before, " descriptors, as at the beginning"),
           text(open_descriptors(server.pid())));
    expect_served(server, "20 clients were closed because they were idle");
    expect_running(server);
}

/// One says a word every 300 ms. One takes its data as slowly as that, and has not sent anything for long.
void busy_is_kept(const std::string& program) {
    RunningServer server(program, {"--idle", "1"});
    Client talks(server.endpoint(patience));
    Client reads(server.endpoint(patience), 4096, 536);
    const std::string data = random_bytes(1 << 16, 5);
    const std::size_t sent = reads.send_until_stuck(data);
    std::size_t got = 0;
    for (int i = 0; i < 10; ++i) {
        std::this_thread::sleep_for(milliseconds(300));
        talks.expect_echo("still here\n");
        const std::size_t now = std::min(sent - got, std::size_t{20000});
        reads.receive(now);
        got += now;
    }
    reads.receive(sent - got);
    expect_running(server);
}

/// Both have a question; the server thinks about the first one for longer than a client may be idle.
void asked_in_time(const std::string& program) {
    const RunningServer server(program, {"--idle", "1", "--think", "1500"});
    Client first(server.endpoint(patience));
    Client second(server.endpoint(patience));
    first.send("one\n");
    wait_until("that it reads the first question",
               [&] { return first.unacknowledged() == 0 && server_end(first).receive_queue == 0; });
    second.send("two\n");
    try {
        first.receive(4);
        second.receive(4);
    } catch (const Failed& failed) {
        throw Failed{"asked while the server (--think 1500, --idle 1) thought about another question; " + failed.did,
                     failed.expected, failed.got};
    }
}

void deaf_is_closed(const std::string& program) {
    RunningServer server(program, {"--idle", "1"});
    const std::size_t before = open_descriptors(server.pid());
    Client deaf(server.endpoint(patience));
    const std::size_t sent = deaf.send_until_stuck(random_bytes(1 << 16, 6));
    expect(eventually([&] { return open_descriptors(server.pid()) == before; }, patience),
           text("sent ", sent, " bytes, read none of the answers, and did nothing more, with --idle 1"), "to be closed",
           text("still open after ", patience.count(), " ms"));
    expect_served(server, "a client that did not read was closed");
}

void without_the_option(const std::string& program) {
    const RunningServer server(program);
    Client client(server.endpoint(patience));
    expect(!client.hears_within(milliseconds(1500)), "connected to a server without --idle and said nothing",
           "that the connection stays", "its end");
    client.expect_echo("still here\n");
}

void idle_costs_no_cpu(const std::string& program) {
    const RunningServer server(program, {"--idle", "1"});
    expect_no_spin(server, "nobody is connected to a server with --idle 1");
    Client silent(server.endpoint(patience));
    expect_no_spin(server, "a silent client is connected to a server with --idle 1");
    time_until_closed(silent, "said nothing, with --idle 1");
    expect_no_spin(server, "the silent client has been closed");
}

// --- 06-write-queue ----------------------------------------------------------------------------------------------

void more_deaf_than_workers(const std::string& program) {
    RunningServer server(program, {"--read-workers", "2", "--write-workers", "1"});
    std::deque<Client> deaf;
    for (unsigned i = 0; i < 4; ++i) {
        deaf.emplace_back(server.endpoint(patience));
        deaf.back().send_until_stuck(random_bytes(1 << 16, 30 + i));
    }
    expect_served(server, "4 clients send and do not read, and the server has 2 read workers");
}

/// Waits until a client's unsent bytes wait for room, and it stays so, because the kernels' buffers are full.
void wait_for_unsent(const RunningServer& server) {
    Rest rest(server.pid());
    const auto waits_for_room = [&] {
        if (!rest.has_lasted()) return false;
        const std::vector<Watched> watched = watched_by_epoll(server.pid());
        return std::any_of(watched.begin(), watched.end(),
                           [](const Watched& one) { return (one.events & EPOLLOUT) != 0; });
    };
    expect(eventually(waits_for_room, 2 * patience), "sent a lot and took nothing back",
           "that epoll watches this client for room (EPOLLOUT)", "that it does not");
}

/// The only read worker thinks about another client's question when the first client takes its data. Which of them gets
/// all of its answer first says whether the read worker is needed for that.
void others_send_while_it_thinks(const std::string& program) {
    RunningServer server(program, {"--read-workers", "1", "--write-workers", "1", "--think", "1000"});
    Client slow(server.endpoint(patience), 4096, 536);
    const std::string data = random_bytes(3 << 16, 40); // much more than the kernels hold
    slow.send(data);
    wait_for_unsent(server);
    // What the server has not read yet it need not answer now.
    const std::size_t read = data.size() - slow.unacknowledged() - server_end(slow).receive_queue;
    Client asks(server.endpoint(patience));
    asks.send("a question\n");
    try {
        wait_until(
            "that the server reads it",
            [&] { return asks.unacknowledged() == 0 && server_end(asks).receive_queue == 0; }, patience);
    } catch (const Failed&) {
        throw Failed{"one client did not take its answer; then another one asked", "that its question is read",
                     "it is not"};
    }
    const std::string back = slow.receive(read);
    expect(back == data.substr(0, read), "took its data late", "the same bytes", difference(data, back));
    expect(!asks.hears_within(milliseconds(0)), "one client took its data while the only read worker was busy",
           "all of them, before the read worker has its next answer", "all of them, but only after that");
    asks.receive(11);
}

void nothing_is_lost(const std::string& program) {
    RunningServer server(program, {"--read-workers", "2", "--write-workers", "1"});
    exchange_at_once(server.endpoint(patience), 10, 1 << 20);
    std::deque<Client> slow;
    std::vector<std::size_t> sent;
    const std::string data = random_bytes(1 << 16, 50);
    for (int i = 0; i < 4; ++i) {
        slow.emplace_back(server.endpoint(patience), 4096, 536);
        sent.push_back(slow.back().send_until_stuck(data));
    }
    for (std::size_t i = 0; i < slow.size(); ++i) {
        slow[i].finish_sending();
        const std::string expected = repeated(data, sent[i]);
        const std::string back = slow[i].receive_all();
        expect(back == expected, text("sent ", sent[i], " bytes before it read the first one"),
               "all of them, in order, and the end", difference(expected, back));
    }
    expect_running(server);
}

void ends_in_good_order(const std::string& program) {
    RunningServer server(program);
    Client slow(server.endpoint(patience), 4096);
    const std::size_t sent = slow.send_until_stuck(random_bytes(1 << 16, 60));
    wait_for_unsent(server);
    const std::size_t read = sent - slow.unacknowledged() - server_end(slow).receive_queue;
    server.process().signal(SIGTERM);
    wait_until("that it takes the signal", [&] { return main_thread_waits_in(server.pid()) != "epoll_wait"; });
    const std::string back = slow.receive_rest();
    const auto ended = server.process().wait(patience);
    expect(ended && !ended->by_signal && ended->value == 0,
           text("sent ", sent, " bytes without reading, and read after the server got SIGTERM"), "exit status 0",
           ended ? to_string(*ended) : "it still runs");
    expect(back.size() >= read, text("sent ", sent, " bytes without reading, and read after the server got SIGTERM"),
           text("the ", read, " bytes that the server had read"), text("only ", back.size()));
}

const std::vector<Case> cases = {
    {"03-poll", "waits in poll", "one thread waits in poll for all clients",
     "The call is poll(2): an array of descriptors in the place of the set.", waits_in_poll},
    {"03-poll", "1,100 clients", "1,100 clients are served at the same time",
     "What still keeps it below 1,024: a set, or the limit that main sets?", a_client_past_the_set},
    {"03-poll", "full but not busy", "without a free descriptor it waits, and does not ask all the time",
     "While the server is paused, poll must not be asked about the listener. A negative fd is ignored.",
     full_but_not_busy},

    {"05-idle", "without the option", "without --idle nobody is closed", "0 stands for no limit.", without_the_option},
    {"05-idle", "silent is closed", "with --idle 1 a client that says nothing for a second is closed, not earlier",
     "Who wakes epoll_wait when nothing happens? Its last argument does.", silent_is_closed},
    {"05-idle", "busy is kept", "a client that sends or takes something again and again is kept",
     "When it is served, a client's second begins again: after a read, and after a write as well.", busy_is_kept},
    {"05-idle", "each at its own time", "clients with different deadlines are all closed, and nothing is left",
     "The next deadline is that of the client that has been idle the longest. Use close_client, after the round.",
     each_at_its_own_time},
    {"05-idle", "deaf is closed", "a client that does not take its data is idle as well",
     "The clock runs for clients with unsent bytes, too.", deaf_is_closed},
    {"05-idle", "asked in time", "a client that has asked is not idle, even if the server was too busy to read it",
     "Which clients were idle when epoll_wait returned? Answering takes time, and it must not count.", asked_in_time},
    {"05-idle", "idle costs no CPU", "it sleeps until the next deadline, and without a client for as long as it takes",
     "How long may epoll_wait sleep? Until the first deadline; and a time-out of 0 in a loop is a spin.",
     idle_costs_no_cpu},

    {"06-write-queue", "more deaf than workers", "clients that do not read do not use up the workers",
     "No worker may wait for a client. Give it to the kernel, armed for EPOLLOUT.", more_deaf_than_workers},
    {"06-write-queue", "others send while it thinks", "unsent bytes are sent though all read workers are busy",
     "A write event belongs into a queue of its own, with workers of its own.", others_send_while_it_thinks},
    {"06-write-queue", "nothing is lost", "every byte comes back, in order",
     "After the last unsent byte the client waits for input again.", nothing_is_lost},
    {"06-write-queue", "ends in good order", "at SIGTERM all workers end, and what was read is delivered",
     "The new queue has to be closed as well, or its workers sleep on in pop.", ends_in_good_order},
};

/// Whether it passed.
bool play(const Case& one, const std::string& program) {
    try {
        one.play(program);
        std::cout << "pass    " << one.name << ": " << one.promise << std::endl;
        return true;
    } catch (const Skipped& skipped) {
        std::cout << "skip    " << one.name << ": " << skipped.what() << std::endl;
        return true;
    } catch (const Failed& failed) {
        std::cout << "FAIL    " << one.name << ": " << one.promise << "\n"
                  << "        the client   " << failed.did << "\n"
                  << "        expected     " << failed.expected << "\n"
                  << "        got          " << failed.got << "\n"
                  << "        hint         " << one.hint << std::endl;
        return false;
    }
}

} // namespace

int main(int argc, char* argv[]) {
    const char* only = std::getenv("ONLY");
    std::vector<Case> asked;
    std::copy_if(cases.begin(), cases.end(), std::back_inserter(asked), [&](const Case& one) {
        return argc == 3 && one.exercise == argv[1] && (only == nullptr || one.name == only);
    });
    if (asked.empty()) {
        std::cerr << "usage: exercise-cases 03-poll|05-idle|06-write-queue SERVER\n";
        return 2;
    }
    ignore_write_signals();
    limit_descriptors(RLIM_INFINITY);
    return std::all_of(asked.begin(), asked.end(), [&](const Case& one) { return play(one, argv[2]); }) ? 0 : 1;
}
