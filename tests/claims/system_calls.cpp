// S1 to S10: what the article says of socket, bind, listen, accept, read, fork, write and fcntl.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <thread>

#include "common/nonblocking.h"
#include "common/write_all.h"
#include "tests/claims/claim.h"
#include "tests/claims/record.h"
#include "tests/support/idle.h"
#include "tests/support/in_child.h"
#include "tests/support/served.h"
#include "tests/support/sockets.h"
#include "tests/support/tcp_pair.h"

namespace {

// --- S1 -------------------------------------------------------------------------------------------------------------

/// The protocol that the kernel says a socket has, when it was made with this one.
int protocol_of_socket(int asked_for) {
    const Fd made(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, asked_for), "socket"));
    int protocol = -1;
    socklen_t size = sizeof protocol;
    check(getsockopt(made.get(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size), "getsockopt SO_PROTOCOL");
    return protocol;
}

Finding s1_socket(const Chapter& chapter) {
    const Record& record = record_of(chapter);
    const auto made =
        record.find([](const TraceEvent& call) { return call.is("socket") && call.has("AF_INET, SOCK_STREAM"); });
    if (!made) return {false, ""};
    const long fd = record.calls[*made].value;
    const auto listens = record.find([&](const TraceEvent& call) { return call.is("listen") && call.number(0) == fd; });
    const bool same = protocol_of_socket(0) == IPPROTO_TCP && protocol_of_socket(IPPROTO_TCP) == IPPROTO_TCP;
    return {listens && same, code(record.calls[*made].text())};
}

// --- S2 -------------------------------------------------------------------------------------------------------------

/// The state of the socket with these ports at its own and the other end; 0 when there is none.
int state_of(std::uint16_t local_port, std::uint16_t remote_port) {
    for (const TcpSocket& socket : tcp_sockets(local_port)) {
        if (socket.remote_port == remote_port) return socket.state;
    }
    return 0;
}

/// Whether bind without SO_REUSEADDR fails on a port where a connection is in TIME_WAIT, and nobody listens.
bool plain_bind_fails() {
    Fd listener = open_listener(any_port());
    const Address address = local_address(listener.get());
    Client client({address});
    const std::uint16_t client_port = port_of(client.address());
    // Who closes first has the connection in TIME_WAIT for a minute: here it is the server.
    Fd(check(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4")).reset();
    client.receive_all();
    client.close();
    listener.reset();
    wait_until("that the connection is in TIME_WAIT",
               [&] { return state_of(port_of(address), client_port) == TcpState::time_wait; });
    const Fd probe(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    return bind(probe.get(), address.raw(), address.size) < 0 && errno == EADDRINUSE;
}

Finding s2_bind(const Chapter& chapter) {
    static const bool plain_fails = plain_bind_fails();
    const bool holds = plain_fails && keeps(chapter, {"address taken", "same port again"});
    return {holds, holds ? "EADDRINUSE; restarted beside a TIME_WAIT" : ""};
}

// --- S3 -------------------------------------------------------------------------------------------------------------

/// Begins to connect and does not wait: the socket.
Fd begin_to_connect(const Endpoint& server) {
    Fd socket(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket"));
    if (connect(socket.get(), server.address.raw(), server.address.size) < 0 && errno != EINPROGRESS) {
        check(-1, "connect");
    }
    return socket;
}

/// The state of the client's end, whether or not the server's kernel has answered.
int state_of(const Fd& client, const Endpoint& server) {
    return state_of(port_of(local_address(client.get())), port_of(server.address));
}

/// How long the queue of a server gets that accepts nobody, when four clients more come than its backlog says. -1 when
/// one of them is turned away.
int length_of_queue(const Chapter& chapter, int backlog) {
    RunningServer server(chapter.program, {"--backlog", std::to_string(backlog)});
    server.process().signal(SIGSTOP);
    wait_until("that it has stopped", [&] { return process_state(server.pid()) == 'T'; });
    const Endpoint endpoint = server.endpoint();

    const std::vector<Client> connected = connect_clients(endpoint, static_cast<std::size_t>(backlog) + 1);
    wait_until("that all are in the queue", [&] { return accept_queue(endpoint) == connected.size(); });
    const std::array waiting{begin_to_connect(endpoint), begin_to_connect(endpoint), begin_to_connect(endpoint)};
    const bool all_wait = std::all_of(waiting.begin(), waiting.end(), [&](const Fd& socket) {
        return state_of(socket, endpoint) == TcpState::connecting;
    });
    return all_wait ? static_cast<int>(accept_queue(endpoint)) : -1;
}

/// Whether a client that found the queue full gets in by itself when there is room again.
bool overflow_is_retried() {
    Options options = any_port();
    options.backlog = 0;
    const Fd listener = open_listener(options);
    const Endpoint endpoint{local_address(listener.get())};
    const Client first(endpoint);
    wait_until("that the first is in the queue", [&] { return accept_queue(endpoint) == 1; });
    const Fd second = begin_to_connect(endpoint);
    const bool waits = state_of(second, endpoint) == TcpState::connecting;
    const Fd accepted_first(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return waits && eventually([&] { return state_of(second, endpoint) == TcpState::established; });
}

/// The cap that a listener of this backlog gets: what ss shows as Send-Q.
unsigned cap_of(int backlog) {
    Options options = any_port();
    options.backlog = backlog;
    const Fd listener = open_listener(options);
    tcp_info info{};
    socklen_t size = sizeof info;
    check(getsockopt(listener.get(), IPPROTO_TCP, TCP_INFO, &info, &size), "getsockopt TCP_INFO");
    return info.tcpi_sacked; // of a listener: the longest that its queue may be
}

bool is_capped() {
    unsigned somaxconn = 0;
    std::ifstream("/proc/sys/net/core/somaxconn") >> somaxconn;
    return cap_of(5) == 5 && cap_of(1000000) == somaxconn;
}

Finding s3_listen(const Chapter& chapter) {
    static const bool retried = overflow_is_retried();
    static const bool capped = is_capped();
    const int at_0 = length_of_queue(chapter, 0);
    const int at_5 = length_of_queue(chapter, 5);
    const int at_100 = length_of_queue(chapter, 100);
    return {retried && capped && at_0 == 1 && at_5 == 6 && at_100 == 101,
            text("Recv-Q ", at_0, ", ", at_5, ", ", at_100, " at backlog 0, 5, 100")};
}

// --- S4 -------------------------------------------------------------------------------------------------------------

Finding s4_accept(const Chapter& chapter) {
    const Record& record = record_of(chapter);
    // The three came while the server was stopped: they were in the queue together.
    bool in_order = record.queued;
    std::size_t from = 0;
    for (const std::uint16_t port : record.clients) {
        const auto accepted = record.find(
            [&](const TraceEvent& call) {
                return call.is("accept4") && call.value > call.number(0) && call.has(text("htons(", port, ")"));
            },
            from);
        in_order = in_order && accepted;
        if (accepted) from = *accepted + 1;
    }
    RunningServer server(chapter.program);
    wait_for_rest(server.pid());
    return {in_order, "idle in " + code(main_thread_waits_in(server.pid()))};
}

// --- S5 -------------------------------------------------------------------------------------------------------------

/// Whether one read gives the half of a message that has arrived, though it may take much more.
bool read_gives_what_has_arrived() {
    TcpPair pair = tcp_pair();
    pair.client.send("the first ha");
    std::array<char, 100> piece{};
    const Client& client = pair.client;
    wait_until("that the half arrives", [&] { return client.unacknowledged() == 0; });
    return read(pair.server.get(), piece.data(), piece.size()) == 12;
}

Finding s5_read(const Chapter& chapter) {
    static const bool gives_what_has_arrived = read_gives_what_has_arrived();
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    const Client silent(endpoint);
    wait_for_rest(server.pid());
    const std::vector<Client> others = connect_clients(endpoint, 3);
    wait_for_rest(server.pid());
    const bool waits_in_read = main_thread_waits_in(server.pid()) == "read";
    const std::size_t queue = accept_queue(endpoint);
    return {gives_what_has_arrived && waits_in_read && queue == others.size(), text("Recv-Q ", queue)};
}

// --- S6 -------------------------------------------------------------------------------------------------------------

Finding s6_fork(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    std::vector<Client> clients = connect_clients(endpoint, 5);
    for (Client& client : clients) client.expect_echo("hello\n");
    wait_for_rest(server.pid());

    // Each connection is open in one process, and that is not the parent.
    bool one_each = true;
    const std::vector<pid_t> processes = process_tree(server.pid());
    for (const Client& client : clients) {
        const std::string inode = server_end(client).inode;
        const auto owners = std::count_if(processes.begin(), processes.end(),
                                          [&](pid_t pid) { return descriptor_of(pid, inode) >= 0; });
        one_each = one_each && owners == 1 && descriptor_of(server.pid(), inode) < 0;
    }
    clients.clear();
    const bool reaped = eventually([&] { return process_tree(server.pid()).size() == 1; });
    return {one_each && processes.size() == 6 && reaped,
            text("5 clients: ", processes.size() - 1, " children; then 0")};
}

// --- S7, S8 ---------------------------------------------------------------------------------------------------------

constexpr std::size_t crowd = 20;

/// What each of `crowd` silent clients costs, that have been answered once: KiB of private memory and page tables.
double memory_a_client(const Endpoint& endpoint, pid_t server) {
    Client(endpoint).expect_echo("what is made once is made now\n");
    wait_for_rest(server);
    const std::size_t before = memory_of(server);
    std::vector<Client> clients = connect_clients(endpoint, crowd);
    for (Client& client : clients) client.expect_echo("hello\n");
    wait_for_rest(server);
    const std::size_t after = memory_of(server);
    return static_cast<double>(after - std::min(before, after)) / 1024 / crowd;
}

/// "102 KiB", "0.4 KiB"
std::string kibibytes(double amount) {
    std::array<char, 32> words{};
    std::snprintf(words.data(), words.size(), amount < 10 ? "%.1f KiB" : "%.0f KiB", amount);
    return words.data();
}

constexpr double large = 40; // KiB

Finding s7_memory_of_a_process(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const double memory = memory_a_client(server.endpoint(), server.pid());
    return {memory > large, kibibytes(memory) + " per client"};
}

/// A server with a thread for each client, as blocking as chapter 02.
[[noreturn]] void serve_with_threads(int listener) {
    for (;;) {
        const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        std::thread([client] {
            const Fd owner(client);
            std::array<char, 65536> piece;
            ssize_t count = 0;
            while ((count = read(client, piece.data(), piece.size())) > 0) {
                if (!write_all(client, piece.data(), static_cast<std::size_t>(count))) return;
            }
        }).detach();
    }
}

/// CPU time in microseconds that it takes to make `thing` many times and to wait for its end, the least of three tries.
double cost_of_making(const std::function<void()>& thing) {
    const auto used = [] {
        rusage own{};
        rusage children{};
        getrusage(RUSAGE_SELF, &own);
        getrusage(RUSAGE_CHILDREN, &children);
        const auto time = [](const timeval& t) {
            return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
        };
        return time(own.ru_utime) + time(own.ru_stime) + time(children.ru_utime) + time(children.ru_stime);
    };
    constexpr int times = 100;
    double least = 0;
    for (int round = 0; round < 3; ++round) {
        const double before = used();
        for (int i = 0; i < times; ++i) thing();
        const double cost = (used() - before) / times;
        if (round == 0 || cost < least) least = cost;
    }
    return least;
}

void make_a_process() {
    const pid_t child = fork();
    if (child == 0) _exit(0);
    waitpid(child, nullptr, 0);
}

void make_a_thread() {
    std::thread([] {}).join();
}

Finding s8_threads(const Chapter& chapter) {
    RunningServer processes(chapter.program);
    const double process_memory = memory_a_client(processes.endpoint(), processes.pid());

    const Fd listener = open_listener(any_port());
    const Child threads([&] { serve_with_threads(listener.get()); });
    const Endpoint endpoint{local_address(listener.get())};
    const double thread_memory = memory_a_client(endpoint, threads.pid());

    // For the waiting they are the same: a task of the kernel for each client, in read.
    const std::vector<Client> of_threads = connect_clients(endpoint, crowd);
    const std::vector<Client> of_processes = connect_clients(processes.endpoint(), crowd);
    const auto all_wait = [](pid_t server) { return tasks_in(server, SYS_read) == crowd; };
    const bool same_waiting = eventually([&] { return all_wait(threads.pid()) && all_wait(processes.pid()); });

    const double fork_cost = cost_of_making(make_a_process);
    const double thread_cost = cost_of_making(make_a_thread);

    return {same_waiting && thread_memory < process_memory / 2 && thread_cost < fork_cost,
            text(kibibytes(thread_memory), " per thread, ", kibibytes(process_memory), " per process; `fork` costs ",
                 static_cast<int>(fork_cost / thread_cost), "x")};
}

// --- S9 -------------------------------------------------------------------------------------------------------------

/// "2.6 MB"
std::string megabytes(std::size_t bytes) {
    std::array<char, 32> words{};
    std::snprintf(words.data(), words.size(), "%.1f MB", static_cast<double>(bytes) / 1e6);
    return words.data();
}

/// Whether a small answer is written, and acknowledged, though the client's program does not read it.
bool small_write_returns(const Endpoint& endpoint, pid_t server) {
    Client client(endpoint);
    const std::string line = "an answer that nobody reads\n";
    client.send(line);
    const auto has_arrived = [&] {
        return client_end(client).receive_queue == line.size() && server_end(client).send_queue == 0;
    };
    return eventually(has_arrived) && eventually([&] { return tasks_in(server, SYS_write) == 0; });
}

Finding s9_write(const Chapter& chapter) {
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    const bool small_one_returns = small_write_returns(endpoint, server.pid());
    Client client(endpoint);
    bool waits_in_write = false;
    for (int i = 0; i < 3 && !waits_in_write; ++i) { // it may have gone on just now
        send_and_never_read(client, server.pid());
        waits_in_write = tasks_in(server.pid(), SYS_write) == 1;
    }
    return {small_one_returns && waits_in_write,
            waits_in_write ? megabytes(written_and_unread(client)) + " until it waits" : "it never waits"};
}

// --- S10 ------------------------------------------------------------------------------------------------------------

/// Whether F_SETFL with the one flag loses those that were set before, and set_nonblocking keeps them.
bool bare_setfl_loses_flags() {
    const auto flags_after = [](const std::function<void(int)>& make_nonblocking) {
        const Fd file(check(open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), "open"));
        make_nonblocking(file.get());
        return check(fcntl(file.get(), F_GETFL), "fcntl");
    };
    const int bare = flags_after([](int fd) { fcntl(fd, F_SETFL, O_NONBLOCK); });
    const int right = flags_after([](int fd) { set_nonblocking(fd); });
    return (bare & O_NONBLOCK) != 0 && (bare & O_APPEND) == 0 && (right & O_NONBLOCK) != 0 && (right & O_APPEND) != 0;
}

bool is_nonblocking(int fd) {
    return (check(fcntl(fd, F_GETFL), "fcntl") & O_NONBLOCK) != 0;
}

/// Whether accept's socket waits though the listener does not; accept4 can have it otherwise.
bool accepted_socket_does_not_inherit() {
    const Fd listener = open_listener(any_port());
    check(set_nonblocking(listener.get()), "fcntl");
    const Endpoint endpoint{local_address(listener.get())};
    const Client first(endpoint);
    const Fd plain(check(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4"));
    const Client second(endpoint);
    const Fd asked_for(check(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK), "accept4"));
    const bool fails_with_eagain = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno == EAGAIN;
    return is_nonblocking(listener.get()) && !is_nonblocking(plain.get()) && is_nonblocking(asked_for.get()) &&
           fails_with_eagain;
}

/// Whether a dup shares the flag: it belongs to what both stand for.
bool dup_shares_the_flag() {
    const TcpPair pair = tcp_pair();
    const Fd copy(check(fcntl(pair.server.get(), F_DUPFD_CLOEXEC, 0), "dup"));
    check(fcntl(copy.get(), F_SETFL, 0), "fcntl");
    return !is_nonblocking(pair.server.get());
}

Finding s10_nonblocking(const Chapter& chapter) {
    static const bool as_said = bare_setfl_loses_flags() && accepted_socket_does_not_inherit() && dup_shares_the_flag();
    RunningServer server(chapter.program);
    const Endpoint endpoint = server.endpoint();
    Client client(endpoint);
    client.expect_echo("hello\n");
    const auto has_flag = [&](const TcpSocket& socket) {
        const Descriptor descriptor = find_descriptor(server.pid(), socket.inode);
        return (descriptor_flags(descriptor) & O_NONBLOCK) != 0;
    };
    return {as_said && has_flag(listening_socket(endpoint)) && has_flag(server_end(client)), ""};
}

} // namespace

std::vector<Claim> system_calls() {
    const std::vector<int> all{1, 2, 3, 4, 5, 6};
    return {
        {"S1", "`socket` returns a descriptor of a TCP socket, with protocol 0 as well as IPPROTO_TCP", all, "",
         s1_socket},
        {"S2", "`bind` fails if the address is taken; SO_REUSEADDR allows a restart beside old connections", all, "",
         s2_bind},
        {"S3", "`listen`: backlog + 1 clients wait to be accepted; further ones are not refused, they retry", all, "",
         s3_listen},
        {"S4", "`accept` takes the first client in the queue, with its address and a socket of its own", all, "",
         s4_accept},
        {"S5", "`read` blocks on an idle client, and the listen queue grows", all, "", s5_read},
        {"S6",
         "`fork`: a child per client has the socket; the parent closes its copy and reaps the child",
         {2},
         "it does not fork",
         s6_fork},
        {"S7",
         "Each client costs a process, about 100 KiB of pages, page tables and kernel stack",
         {2, 3, 4, 5, 6},
         "it has one client at a time",
         s7_memory_of_a_process},
        {"S8",
         "A thread per client blocks just the same, but it is smaller and cheaper to start",
         {2},
         "it has neither a process nor a thread for each client",
         s8_threads},
        {"S9", "`write` blocks only while the send buffer has no room; it does not wait for the client to read", all,
         "", s9_write},
        {"S10", "No call blocks: O_NONBLOCK is added to the flags that are there, and set on each accepted socket", all,
         "", s10_nonblocking},
    };
}
