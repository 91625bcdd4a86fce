// What each level is about, as the kernel shows it of any program: who is served beside clients that take their time,
// with how many processes and threads, and what a request costs beside many clients that say nothing.
#include <algorithm>
#include <future>

#include "tests/cases/case.h"
#include "tests/support/crowd.h"

namespace {

/// How many processes and threads it has; zombies are no longer any.
std::size_t processes_and_threads(pid_t server) {
    std::size_t sum = 0;
    for (const pid_t pid : process_tree(server)) sum += process_state(pid) == 'Z' ? 0 : threads_of(pid).size();
    return sum;
}

/// Clients that have been served, one after the other, and go on being connected.
std::vector<Client> served_clients(Subject& subject, std::size_t count) {
    std::vector<Client> clients;
    while (clients.size() < count) clients.push_back(subject.served_client());
    return clients;
}

/// The same beside so many clients. Those of clients that have left may take a moment to end.
std::size_t processes_and_threads_with(Subject& subject, std::size_t count) {
    const std::vector<Client> clients = served_clients(subject, count);
    return settled([&] { return processes_and_threads(subject.server().pid()); }, milliseconds(100));
}

/// A pool may grow to its full size, with the first clients or only with a hundred; what grows each time is no pool.
void no_process_or_thread_per_client(Subject& subject) {
    constexpr std::size_t few = 4;
    processes_and_threads_with(subject, 30); // so that what is there for good has grown
    std::string seen;
    for (const auto& [less, more] : {std::pair{10, 100}, std::pair{10, 300}}) {
        const std::size_t with_few = processes_and_threads_with(subject, static_cast<std::size_t>(less));
        const std::size_t with_many = processes_and_threads_with(subject, static_cast<std::size_t>(more));
        if (with_many <= with_few + few) return;
        seen += text(seen.empty() ? "" : "; ", with_few, " processes and threads with ", less, " clients, ", with_many,
                     " with ", more);
    }
    throw Failed{"10 clients were connected and silent, then 100, then 300", "no process or thread for each of them",
                 seen};
}

void three_hundred_silent_clients(Subject& subject) {
    std::vector<Client> silent;
    while (silent.size() < 300) {
        say_first(text(silent.size(), " clients have been served, are connected and silent; then one more "),
                  [&] { silent.push_back(subject.served_client()); });
    }
}

/// All of them send at the same time and none reads, until each has had no room for longer than the 200 ms after which
/// the kernels look again.
void send_and_never_read(std::vector<Client>& clients) {
    const std::string data = random_bytes(1 << 16, 5);
    const std::size_t most = (std::size_t{1} << 30) / clients.size();
    std::vector<std::future<std::size_t>> all;
    for (Client& client : clients) {
        all.push_back(
            std::async(std::launch::async, [&] { return client.send_until_stuck(data, milliseconds(300), most); }));
    }
    for (auto& one : all) one.get();
}

/// Each of them would keep a thread busy in a server that waits for its clients: one more than there are threads.
void more_slow_clients_than_threads(Subject& subject) {
    constexpr std::size_t enough = 40;
    const std::size_t threads = processes_and_threads_with(subject, subject.level() == 1 ? 1 : 5);
    const std::size_t count = std::min(threads + 1, enough);
    const std::string have = text("the server has ", threads, " threads or processes; ", count, " clients ");
    {
        std::vector<Client> half = connect_clients(subject.endpoint(), count);
        for (Client& client : half) client.send("the first ha");
        for (Client& client : half) client.receive(12);
        expect_served(subject, have + "have sent half of a line");
    }
    std::vector<Client> deaf;
    while (deaf.size() < count) deaf.push_back(subject.connect(4096));
    send_and_never_read(deaf);
    expect_served(subject, have + "send and never read");
}

/// The least CPU time that a request took in seven rounds of 150, in microseconds.
double cost_of_a_request(Subject& subject, Client& client) {
    constexpr int requests = 150;
    auto least = std::chrono::microseconds::max();
    for (int round = 0; round < 7; ++round) {
        const auto before = cpu_time(subject.server().pid());
        for (int i = 0; i < requests; ++i) client.expect_echo("a request\n");
        least = std::min(least, cpu_time(subject.server().pid()) - before);
    }
    return static_cast<double>(least.count()) / requests;
}

/// CPU time, and the least of several rounds: a busy machine makes a request slower, but not more expensive.
void idle_clients_cost_nothing(Subject& subject) {
    constexpr double most_times = 2;
    const OnOneProcessor here;
    Client client = subject.connect();
    std::vector<Client> idle = served_clients(subject, 10);
    cost_of_a_request(subject, client); // so that all is warm
    const double with_few = cost_of_a_request(subject, client);
    for (Client& more : served_clients(subject, 890)) idle.push_back(std::move(more));
    const double with_many = cost_of_a_request(subject, client);
    expect(with_many < with_few * most_times, "one client asked, beside 10 that are silent, and then beside 900",
           text("that a request costs the server less than ", most_times, " times as much CPU time"),
           text(with_few, " µs of CPU time beside 10, ", with_many, " µs beside 900"));
}

} // namespace

std::vector<Case> idea_cases() {
    return {
        {"300 silent clients", "300 clients that say nothing keep nobody waiting", three_hundred_silent_clients,
         Lesson{"However many threads or processes wait for clients that say nothing: one more client, and nobody is "
                "left for it.",
                "Is there a limit of clients that are served at a time, such as a pool in which each thread serves one "
                "client to its end?",
                "A pool works if its threads serve what is ready, and never wait for one client. Ask select(2) or "
                "epoll_wait(2) for all of them."}},
        {"more slow clients than threads",
         "as many clients as it has threads, and one more, send or take their bytes slowly and keep nobody waiting",
         more_slow_clients_than_threads,
         Lesson{"A pool of threads hides a call that waits, until there are as many slow clients as threads.",
                "Can a worker get stuck in read, or in write, for one client?",
                "O_NONBLOCK on every client, fcntl(2). What a write(2) does not take stays with the connection, and a "
                "worker takes it up again when epoll_wait(2) reports room."}},
        {"no process or thread per client", "with 300 clients it has no more processes and threads than with 10",
         no_process_or_thread_per_client,
         Lesson{
             "A process or a thread for each client costs memory and time for each of them, even while it is silent. "
             "One process can wait for all of them.",
             "Each client gets a process or a thread of its own. That is chapter 02's idea, and passes LEVEL=02.",
             "select(2), poll(2) and epoll_wait(2) wait for many descriptors in one thread."}},
        {"idle clients cost nothing", "a request beside 900 silent clients costs the CPU no more than beside 10",
         idle_clients_cost_nothing,
         Lesson{"With select and poll the kernel looks at every client for every request, and so does the program.",
                "Does something go through all clients for each request? select and poll do.",
                "epoll_wait(2) returns only those that are ready. Look at no others."}},
    };
}
