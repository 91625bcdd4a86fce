// C1 to C10: who waits for whom, what a client costs, and how far it goes.
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/check.h"
#include "tests/claims/claim.h"
#include "tests/support/crowd.h"
#include "tests/support/idle.h"
#include "tests/support/served.h"
#include "tests/support/sockets.h"

namespace {

// --- C1 to C4: who waits for whom -----------------------------------------------------------------------------------

Finding c1_idle_client_blocks_everyone(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const Client silent(server.endpoint());
    wait_for_rest(server.pid());
    Client other(server.endpoint());
    return {!is_served(other, server.pid()), ""};
}

Finding c2_never_reading_client_blocks_everyone(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    Client never_reads(endpoint);
    send_and_never_read(never_reads, server.pid());
    Client other(endpoint);
    return {!is_served(other, server.pid()), ""};
}

/// Whether another client is served, and no thread or process more is there for it.
bool serves_one_more_with_the_same_threads(RunningServer& server) {
    wait_for_rest(server.pid());
    const std::size_t threads = tasks(server.pid()).size();
    Client other(server.endpoint());
    return is_served(other, server.pid()) && tasks(server.pid()).size() == threads;
}

Finding c3_thread_waits_for_message(const Chapter& chapter) {
    RunningServer server(chapter.program);
    Client slow(server.endpoint());
    slow.expect_echo("the first ha");
    const bool serves = serves_one_more_with_the_same_threads(server);
    slow.expect_echo("lf of a line\n");
    return {!serves, ""};
}

Finding c4_thread_waits_for_room(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    Client never_reads(endpoint);
    const std::size_t sent = send_and_never_read(never_reads, server.pid());
    const bool serves = serves_one_more_with_the_same_threads(server);
    never_reads.receive_away(sent); // and when it reads after all, all is there
    return {!serves, ""};
}

// --- C5 to C7: processes, select and epoll --------------------------------------------------------------------------

Finding c5_process_per_client(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const std::vector<Client> clients = connect_clients(server.endpoint(), 10);
    wait_for_rest(server.pid());
    const std::size_t processes = process_tree(server.pid()).size();
    return {processes == 1 + clients.size(), text(processes, processes == 1 ? " process" : " processes")};
}

Finding c6_stops_at_fd_setsize(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    constexpr std::size_t size = 1100;
    need_descriptors_for(size);
    Crowd clients(endpoint, size);
    // In the end all have been served; or a set is full, and who has not been served waits in the queue.
    bool full = false;
    const auto all_counted = [&] {
        const std::size_t served = clients.wait_for_lines(milliseconds(10));
        full = open_descriptors(server.pid()) == FD_SETSIZE;
        return served == size || (full && served + accept_queue(endpoint) == size);
    };
    if (!eventually(all_counted)) {
        throw Failed{"connected 1,100 clients", "all served, or 1,024 descriptors in use", "neither"};
    }
    return {full && clients.served() < size, text(clients.served(), " of ", size, " served")};
}

/// A server with silent clients, and one that sends requests.
class Watching {
  public:
    Watching(const std::string& program, std::size_t silent)
        : server_(program), active_(server_.endpoint()), silent_(connect_clients(server_.endpoint(), silent)) {
        wait_for_rest(server_.pid());
    }

    /// CPU time that some requests take the server.
    std::chrono::microseconds time_for_requests() {
        const auto before = cpu_time(server_.pid());
        for (int i = 0; i < 50; ++i) active_.expect_echo("a request\n");
        return cpu_time(server_.pid()) - before;
    }

  private:
    RunningServer server_;
    Client active_;
    std::vector<Client> silent_;
};

Finding c7_cost_grows_with_idle_clients(const Chapter& chapter) {
    need_descriptors_for(10 + 100 + 900);
    const OnOneProcessor here;
    std::array<Watching, 3> servers{Watching(chapter.program, 10), Watching(chapter.program, 100),
                                    Watching(chapter.program, 900)};
    // In turns, and the least of several times: so all three are measured in the same conditions, and the best ones.
    std::array<double, 3> least{};
    for (int round = 0; round < 8; ++round) {
        for (std::size_t i = 0; i < servers.size(); ++i) {
            const auto time = static_cast<double>(servers[i].time_for_requests().count());
            if (round == 0 || time < least[i]) least[i] = time;
        }
    }
    std::array<char, 64> figure{};
    std::snprintf(figure.data(), figure.size(), "%.1fx at 100, %.1fx at 900", least[1] / least[0], least[2] / least[0]);
    return {least[2] > 3 * least[0], figure.data()};
}

// --- C8 to C10: what it is good for ---------------------------------------------------------------------------------

Finding c8_slow_requests_one_by_one(const Chapter& chapter) {
    RunningServer server(chapter.program, {"--think", "60000"});
    const Endpoint endpoint = server.endpoint();
    std::vector<Client> active = connect_clients(endpoint, 4);
    const std::vector<Client> silent = connect_clients(endpoint, 40);
    for (Client& client : active) send_line(client, "a request that takes a minute\n");
    wait_for_rest(server.pid());
    const std::size_t thinking = tasks_in(server.pid(), SYS_clock_nanosleep);
    const std::size_t threads = tasks(server.pid()).size();
    return {thinking < active.size() || threads >= silent.size(),
            text(thinking, " at a time, ", threads, threads == 1 ? " thread" : " threads")};
}

Finding c9_complete_and_in_order(const Chapter& chapter) {
    RunningServer server(chapter.program);
    // Chapter 01 serves one after the other, so a client there cannot wait for another.
    const std::size_t at_once = chapter.number == 1 ? 1 : 20;
    exchange_at_once(server.endpoint(), at_once, 1 << 20);
    exchange_at_once(server.endpoint(), 1, 4 << 20);
    return {true, text(at_once + 4, " MiB compared")};
}

Finding c10_thousands_of_clients(const Chapter& chapter) {
    need_descriptors_for(2000);
    RunningServer server(chapter.program);
    const std::size_t size = std::min<std::size_t>(9000, (descriptor_limit() - 100) / 1000 * 1000);
    std::vector<Client> clients = connect_clients(server.endpoint(), size);
    all_get_their_line_back(clients);
    const bool all_connected = open_descriptors(server.pid()) > size;
    all_get_their_line_back(clients);
    reset_all(clients);
    return {all_connected, text(size, " clients")};
}

} // namespace

std::vector<Claim> claims() {
    const std::vector<int> all{1, 2, 3, 4, 5, 6};
    constexpr bool is_fault = true;
    return {
        {"C1", "An idle client keeps everyone else waiting", all, "", c1_idle_client_blocks_everyone, is_fault},
        {"C2", "A client that does not read its answers keeps everyone else waiting", all, "",
         c2_never_reading_client_blocks_everyone, is_fault},
        {"C3", "While half a message is missing, its thread serves nobody else", all, "", c3_thread_waits_for_message,
         is_fault},
        {"C4", "While a client does not take its data, its thread serves nobody else", all, "",
         c4_thread_waits_for_room, is_fault},
        {"C5", "Each client needs a process of its own", all, "", c5_process_per_client, is_fault},
        {"C6",
         "It stops at FD_SETSIZE descriptors; further clients wait in the queue",
         {3, 4, 5, 6},
         "it does not put its clients into one set",
         c6_stops_at_fd_setsize,
         is_fault},
        {"C7",
         "A request costs several times as much beside 900 idle clients as beside 10",
         {3, 4, 5, 6},
         "no call there waits for several clients",
         c7_cost_grows_with_idle_clients,
         is_fault},
        {"C8", "Slow requests are worked on one after the other, or each client needs a thread", all, "",
         c8_slow_requests_one_by_one, is_fault},
        {"C9", "Every byte comes back, in order", all, "", c9_complete_and_in_order},
        {"C10",
         "Thousands of clients are connected at the same time, and each gets its own bytes back",
         {5, 6},
         "it stops earlier, for the reasons of C1, C5 and C6",
         c10_thousands_of_clients},
    };
}
