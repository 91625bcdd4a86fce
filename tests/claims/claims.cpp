// C1 to C10: who waits for whom, what a client costs, and how far it goes.
#include <sys/syscall.h>

#include <algorithm>
#include <array>

#include "tests/claims/claim.h"
#include "tests/support/crowd.h"

namespace {

CLAIM_OF_SERVER(C1, "An idle client keeps everyone else waiting", "123456", is_fault) {
    const Client silent(server.endpoint());
    wait_for_rest(server.pid());
    Client other(server.endpoint());
    return {!is_served(other, server.pid())};
}

CLAIM_OF_SERVER(C2, "A client that does not read its answers keeps everyone else waiting", "123456", is_fault) {
    Client never_reads(server.endpoint());
    send_and_never_read(never_reads, server.pid());
    Client other(server.endpoint());
    return {!is_served(other, server.pid())};
}

/// Whether another client is served, and no thread or process more is there for it.
bool serves_one_more_with_the_same_threads(const RunningServer& server) {
    wait_for_rest(server.pid());
    const std::size_t threads = tasks(server.pid()).size();
    Client other(server.endpoint());
    return is_served(other, server.pid()) && tasks(server.pid()).size() == threads;
}

CLAIM_OF_SERVER(C3, "While half a message is missing, its thread serves nobody else", "123456", is_fault) {
    Client slow(server.endpoint());
    slow.expect_echo("the first ha");
    const bool serves = serves_one_more_with_the_same_threads(server);
    slow.expect_echo("lf of a line\n");
    return {!serves};
}

CLAIM_OF_SERVER(C4, "While a client does not take its data, its thread serves nobody else", "123456", is_fault) {
    Client never_reads(server.endpoint());
    const std::size_t sent = send_and_never_read(never_reads, server.pid());
    const bool serves = serves_one_more_with_the_same_threads(server);
    never_reads.receive(sent); // and when it reads after all, all is there
    return {!serves};
}

CLAIM_OF_SERVER(C5, "Each client needs a process of its own", "123456", is_fault) {
    const std::vector<Client> clients = connect_clients(server.endpoint(), 10);
    wait_for_rest(server.pid());
    const std::size_t processes = process_tree(server.pid()).size();
    return {processes == 1 + clients.size(), text(processes, processes == 1 ? " process" : " processes")};
}

// 01 and 02 do not put their clients into one set.
CLAIM_OF_SERVER(C6, "It stops at FD_SETSIZE descriptors; further clients wait in the queue", "3456", is_fault) {
    constexpr std::size_t size = 1100;
    need_descriptors_for(size);
    Crowd clients(server.endpoint(), size);
    // In the end all have been served; or a set is full, and who has not been served waits in the queue.
    bool full = false;
    wait_until("that all are served, or 1,024 descriptors are in use", [&] {
        const std::size_t served = clients.wait_for_lines(milliseconds(10));
        full = open_descriptors(server.pid()) == FD_SETSIZE;
        return served == size || (full && served + accept_queue(server.endpoint()) == size);
    });
    return {full && clients.served() < size, text(clients.served(), " of ", size, " served")};
}

/// A server with silent clients, and one that sends requests.
struct Watching {
    RunningServer server;
    std::size_t count;
    Client active{server.endpoint()};
    std::vector<Client> silent = connect_clients(server.endpoint(), count);
    double least_time = 0; ///< of the server's CPU, for some requests
};

// No call of 01 and 02 waits for several clients.
CLAIM(C7, "A request costs several times as much beside 900 idle clients as beside 10", "3456", is_fault) {
    need_descriptors_for(10 + 100 + 900);
    const OnOneProcessor here;
    std::array<Watching, 3> servers{Watching{RunningServer(chapter.program), 10},
                                    Watching{RunningServer(chapter.program), 100},
                                    Watching{RunningServer(chapter.program), 900}};
    for (const Watching& one : servers) wait_for_rest(one.server.pid());
    // In turns, and the least of several times: so all three are measured in the same conditions, and the best ones.
    for (int round = 0; round < 8; ++round) {
        for (Watching& one : servers) {
            const auto before = cpu_time(one.server.pid());
            for (int i = 0; i < 50; ++i) one.active.expect_echo("a request\n");
            const auto time = static_cast<double>((cpu_time(one.server.pid()) - before).count());
            if (round == 0 || time < one.least_time) one.least_time = time;
        }
    }
    const double at_100 = servers[1].least_time / servers[0].least_time;
    const double at_900 = servers[2].least_time / servers[0].least_time;
    return {at_900 > 3, rounded(at_100, "x at 100, ") + rounded(at_900, "x at 900")};
}

CLAIM(C8, "Slow requests are worked on one after the other, or each client needs a thread", "123456", is_fault) {
    RunningServer server(chapter.program, {"--think", "60000"});
    std::vector<Client> active = connect_clients(server.endpoint(), 4);
    const std::vector<Client> silent = connect_clients(server.endpoint(), 40);
    for (Client& client : active) send_line(client, "a request that takes a minute\n");
    wait_for_rest(server.pid());
    const std::size_t thinking = tasks_in(server.pid(), SYS_clock_nanosleep);
    const std::size_t threads = tasks(server.pid()).size();
    return {thinking < active.size() || threads >= silent.size(),
            text(thinking, " at a time, ", threads, threads == 1 ? " thread" : " threads")};
}

CLAIM_OF_SERVER(C9, "Every byte comes back, in order") {
    // Chapter 01 serves one after the other, so a client there cannot wait for another.
    const std::size_t at_once = chapter.number == 1 ? 1 : 20;
    exchange_at_once(server.endpoint(), at_once, 1 << 20);
    exchange_at_once(server.endpoint(), 1, 4 << 20);
    return {true, text(at_once + 4, " MiB compared")};
}

// The others stop earlier, for the reasons of C1, C5 and C6.
CLAIM_OF_SERVER(C10, "Thousands of clients are connected at the same time, and each gets its own bytes back", "56") {
    need_descriptors_for(2000);
    const std::size_t size = std::min<std::size_t>(9000, (descriptor_limit() - 100) / 1000 * 1000);
    std::vector<Client> clients = connect_clients(server.endpoint(), size);
    all_get_their_line_back(clients);
    const bool all_connected = open_descriptors(server.pid()) > size;
    all_get_their_line_back(clients);
    for (Client& client : clients) client.reset(); // a closed one would keep its port for a minute
    return {all_connected, text(size, " clients")};
}

} // namespace
