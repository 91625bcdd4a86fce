// Who waits for whom: a client that takes its time must not take that of the others.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>

#include "tests/cases/case.h"
#include "tests/support/crowd.h"
#include "tests/support/straced.h"

namespace {

void silent_client(Subject& subject) {
    const Client silent = subject.connect();
    expect_served(subject, "one client is connected and says nothing");
}

void half_a_message(Subject& subject) {
    Client early = subject.connect();
    Client slow = subject.connect();
    slow.expect_echo("the first ha");
    expect_served(subject, "one client has sent the first half of its message");
    slow.expect_echo("lf of a line\n");
    early.finish_sending();
    early.receive_all();
    expect_served(subject, "one client has left"); // with that one's number, which is not the highest
    slow.expect_echo("and on\n");
}

void never_reading_client(Subject& subject) {
    Client deaf = subject.connect();
    // Longer than the 200 ms after which the server's kernel asks the client's whether there is room by now.
    const std::size_t sent = deaf.send_until_stuck(random_bytes(1 << 16, 5), milliseconds(300));
    expect_served(subject, text("one client has sent ", sent, " bytes and reads none"));
}

/// The server is stopped (SIGSTOP) while they come and send their lines.
Crowd crowd_beside_a_stopped_server(Subject& subject, std::size_t size) {
    const RunningServer& server = subject.server();
    const std::vector<pid_t> processes = halt(server);
    Crowd crowd(subject.endpoint(), size);
    let_go_on(processes);
    return crowd;
}

void five_at_once(Subject& subject) {
    Crowd crowd = crowd_beside_a_stopped_server(subject, 5);
    say_first("5 clients came and sent a line while the server was stopped (SIGSTOP, SIGCONT); ",
              [&] { crowd.serve_and_leave(); });
}

constexpr milliseconds slow(600);

/// Throws Failed unless 4 requests, each of which takes so long, are worked on at the same time.
void expect_four_at_once(Subject& subject, Crowd crowd) {
    const std::size_t served = crowd.wait_for_lines(subject.patience());
    const auto took = std::chrono::duration_cast<milliseconds>(crowd.time_of_all());
    const std::string did = "4 clients sent, at the same time, a request that takes 600 ms";
    expect(served == 4, did, "an answer for each", text("answers for ", served));
    expect(took >= slow, did, "that it takes 600 ms", text("all answers after ", took.count(), " ms"));
    expect(took < slow * 5 / 2, did, "all answers within 1500 ms, as no request waits for another",
           text("the last one after ", took.count(), " ms"));
}

/// Only a server that can be told to be slow shows what a slow request does to the others.
void slow_request(Subject& subject) {
    if (subject.start_thinking(slow)) {
        expect_four_at_once(subject, Crowd(subject.endpoint(), 4));
        return;
    }
    Client client = subject.served_client();
    if (process_tree(subject.server().pid()).size() == 1 && threads_of(subject.server().pid()).size() == 1) {
        subject.remark("It has one thread. As long as a request takes no time that is enough, but one that asks a "
                       "database, say, would keep everyone waiting. Chapter 06's workers are for that.");
    }
    throw Skipped{"the grader does not know how to make a request take long. If the server can sleep before each "
                  "answer, for so many milliseconds, let it take the option --think and say SERVER='... --think 0'"};
}

/// First all requests are there at one look. Then strace delays what the worker threads do: to wake, to let go of a
/// client, so that it asks again before that, and to close one, so that the next client comes before that.
void slow_workers(Subject& subject) {
    std::vector<pid_t> workers = threads_of(subject.start({"--think", std::to_string(slow.count())}).pid());
    const pid_t server = workers.front();
    workers.erase(workers.begin()); // the main thread
    const std::size_t without_clients = open_descriptors(server);
    const auto wait_for_clients = [&](std::size_t count) {
        wait_until(text("that it has ", count, " clients"),
                   [&] { return open_descriptors(server) == without_clients + count; });
    };
    expect_four_at_once(subject, crowd_beside_a_stopped_server(subject, 4));
    std::vector<std::string> options{"-qq", "-e", "trace=futex,epoll_ctl,close", "-e",
                                     "inject=futex,epoll_ctl,close:delay_exit=50000"};
    for (const pid_t worker : workers) options.insert(options.end(), {"-p", std::to_string(worker)});
    const AttachedStrace strace(options, workers);
    expect_four_at_once(subject, Crowd(subject.endpoint(), 4));
    {
        Client client = subject.connect();
        client.expect_echo("a question\n");
        // It has said that it wants to hear of this client again, and is held up before it can go on.
        static_cast<void>(eventually([&] { return tasks_in(server, SYS_epoll_ctl) > 0; }, slow));
        client.expect_echo("and another\n");
    }
    wait_for_clients(0);
    {
        const Client leaves = subject.connect();
        wait_for_clients(1);
    }
    wait_for_clients(0);
    subject.connect().expect_echo("the next one\n");
}

/// The client asks again before it has the first answer, and its kernel takes its time (40 ms) to acknowledge that one.
void answers_not_held_back(Subject& subject) {
    subject.start({"--think", "15"});
    std::vector<milliseconds> times;
    while (times.size() < 11) {
        Client client = subject.connect();
        const int off = 0;
        setsockopt(client.fd(), IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off);
        const auto asked = Clock::now();
        client.send("a");
        pause_a_millisecond();
        client.send("b");
        const bool too_late = time_since(asked) >= milliseconds(15); // then "b" acknowledges the first answer
        client.receive(2);
        const milliseconds time = time_since(asked);
        const bool read_together = time < milliseconds(30);
        if (!too_late && !read_together) times.push_back(time); // 30 ms; held back, 15 and the kernel's 40
    }
    std::sort(times.begin(), times.end());
    // Two of eleven are enough, as a busy machine may make any one of them late.
    expect(times[1] < milliseconds(45), "asked twice, with --think 15, and acknowledged late; 11 clients",
           "both answers 30 ms after the first question",
           text("they came ", times[1].count(), " ms after it, or later"));
}

void eleven_hundred_clients(Subject& subject) {
    Crowd crowd(subject.endpoint(), 1100);
    const std::size_t served = crowd.wait_for_lines(subject.patience());
    expect(served == 1100, "1,100 clients connected, and each sent a line", "1,100 answers",
           text("only ", served, " answers"));
}

/// The busy ones ask again as soon as they have their answer. A newcomer waits for a round of them at most, in which
/// each gets one answer; on a busy machine that may take longer than a second.
void newcomers(Subject& subject) {
    constexpr std::size_t busy = 30;
    constexpr std::size_t new_ones = 20;
    constexpr int most_rounds = 6;
    const std::string did = "20 newcomers sent a request each, beside 30 clients that always have one; each takes 5 ms";
    subject.start({"--think", "5"});
    std::vector<Client> clients;
    for (std::size_t i = 0; i < busy; ++i) {
        clients.push_back(subject.connect());
        clients.back().expect_echo("x");
    }
    for (Client& client : clients) client.send("x");
    const auto start = Clock::now();
    while (clients.size() < busy + new_ones) {
        clients.push_back(subject.connect());
        clients.back().send("x");
    }
    std::vector<int> answers(clients.size());
    const auto served = [&] {
        return new_ones - static_cast<std::size_t>(std::count(answers.begin() + busy, answers.end(), 0));
    };
    while (served() < new_ones) {
        pause_a_millisecond();
        for (std::size_t i = 0; i < clients.size(); ++i) {
            if (!clients[i].hears_within(milliseconds(0))) continue;
            clients[i].receive(1);
            ++answers[i];
            if (i < busy) clients[i].send("x");
        }
        const auto took = time_since(start);
        const int rounds = *std::max_element(answers.begin(), answers.end());
        expect(took < milliseconds(1000) || (rounds <= most_rounds && took < subject.patience()), did,
               "that no newcomer waits longer than a second",
               text(new_ones - served(), " still wait after ", took.count(), " ms, in which others got ", rounds,
                    " answers"));
    }
}

} // namespace

std::vector<Case> waiting_cases() {
    return {
        {"silent client", "a client that says nothing keeps nobody else waiting", silent_client,
         Lesson{"This is the article's first point: one client's silence must not be everybody's.",
                "The server waits in read for a client that says nothing. Nobody else is served meanwhile.",
                "read(2) waits while nothing has arrived. Serve each client in a process of its own, fork(2), or ask "
                "who is ready first: select(2), epoll_wait(2)."}},
        {"half a message", "a client that has sent half of its message keeps nobody else waiting", half_a_message,
         Lesson{
             "A message under way must not stop the others: that is what multiplexing means.",
             "The server waits for the rest of one client's message, or has forgotten that client when another left.",
             "Go back to select(2) or epoll_wait(2) after each read(2), however little it brought."}},
        {"never-reading client", "a client that does not take its data keeps nobody else waiting", never_reading_client,
         Lesson{"Writing waits, too: this is the surprise of the article. A client that does not take its data must "
                "not hold the rest.",
                "The server waits in write for a client that does not read.",
                "write(2) waits while the send buffer is full. Set O_NONBLOCK with fcntl(2), keep what was not taken, "
                "and wait for room with select(2) or epoll_wait(2)."}},
        {"five at once", "those who come while the server is busy are all served when it is not", five_at_once,
         Lesson{"One event of the listener may stand for several waiting clients.",
                "Several clients were in the queue. Was only the first one accepted?",
                "accept(2) takes one. A listener watched with EPOLLET is reported once for all of them: accept until "
                "EAGAIN, or watch it level-triggered, epoll(7)."}},
        {"slow request", "a request that takes long keeps nobody else waiting", slow_request,
         Lesson{"A thread that thinks, or waits for a database, serves nobody else meanwhile.",
                "Four clients asked at the same time. Did one thread answer one after the other?",
                "Let several threads take requests from a queue: pthread_create(3) or std::thread, a mutex and a "
                "condition variable."}},
        {"slow workers", "nor does it when the threads that work are held up where they hand something on",
         slow_workers},
        {"answers not held back", "a small answer does not wait for the one before to be acknowledged (TCP_NODELAY)",
         answers_not_held_back},
        {"newcomers", "20 who come beside 30 busy clients are all served within a second", newcomers},
        {"1,100 clients", "1,100 clients at the same time are all served", eleven_hundred_clients,
         Lesson{"Ten clients at the same time are a demonstration, a thousand are an ordinary day.",
                "How far does it go, and what is the limit: descriptors, processes, or the size of a set?",
                "select(2) cannot hold descriptors from FD_SETSIZE (1024) on; epoll(7) and poll(2) can. getrlimit(2) "
                "says how many descriptors the process may have."}},
    };
}
