// S1 to S10: what the article says of socket, bind, listen, accept, read, fork, write and fcntl.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fstream>
#include <thread>

#include "common/nonblocking.h"
#include "common/write_all.h"
#include "tests/claims/claim.h"
#include "tests/claims/record.h"
#include "tests/support/in_child.h"
#include "tests/support/tcp_pair.h"

namespace {

/// What the kernel says of a socket: an int for most options.
template <typename Value = int>
Value option_of(const Fd& socket, int level, int option) {
    Value value{};
    socklen_t size = sizeof value;
    check(getsockopt(socket.get(), level, option, &value, &size), "getsockopt");
    return value;
}

Fd tcp_socket(int flags = 0, int protocol = 0) {
    return Fd(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, protocol), "socket"));
}

Fd accept_from(const Fd& listener, int flags = 0) {
    return Fd(check(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | flags), "accept4"));
}

Endpoint endpoint_of(const Fd& listener) {
    return {local_address(listener.get())};
}

/// A listener of our own with such a backlog.
Fd listener_with(int backlog) {
    Options options = any_port();
    options.backlog = backlog;
    return open_listener(options);
}

CLAIM(S1, "`socket` returns a descriptor of a TCP socket, with protocol 0 as well as IPPROTO_TCP") {
    const auto is_tcp = [](int asked_for) {
        return option_of(tcp_socket(0, asked_for), SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
    };
    const Record& record = record_of(chapter);
    const TraceEvent* made = record.find("socket(AF_INET, SOCK_STREAM");
    if (made == nullptr) return {false};
    return {record.find(text("listen(", made->value, ",")) && is_tcp(0) && is_tcp(IPPROTO_TCP), code(made->text())};
}

/// Whether bind without SO_REUSEADDR fails on a port where a connection is in TIME_WAIT, and nobody listens.
bool plain_bind_fails() {
    Fd listener = open_listener(any_port());
    const Address address = local_address(listener.get());
    Client client({address});
    // Who closes first has the connection in TIME_WAIT for a minute: here it is the server.
    accept_from(listener).reset();
    client.receive_all();
    client.finish_sending();
    listener.reset();
    wait_until("that the connection is in TIME_WAIT", [&] { return server_end(client).state == TcpState::time_wait; });
    return bind(tcp_socket().get(), &address.any, address.size) < 0 && errno == EADDRINUSE;
}

CLAIM(S2, "`bind` fails if the address is taken; SO_REUSEADDR allows a restart beside old connections") {
    static const bool plain_fails = plain_bind_fails();
    const bool holds = plain_fails && keeps(chapter, {"address taken", "starts again"});
    return {holds, holds ? "EADDRINUSE; restarted beside a TIME_WAIT" : ""};
}

/// Begins to connect and does not wait: the socket.
Fd begin_to_connect(const Endpoint& server) {
    Fd socket = tcp_socket(SOCK_NONBLOCK);
    if (connect(socket.get(), &server.address.any, server.address.size) < 0 && errno != EINPROGRESS) {
        check(-1, "connect");
    }
    return socket;
}

/// The state of the client's end, whether or not the server's kernel has answered.
bool is_in(TcpState state, const Fd& client) {
    return option_of<tcp_info>(client, IPPROTO_TCP, TCP_INFO).tcpi_state == state;
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
    const bool all_wait = std::all_of(waiting.begin(), waiting.end(),
                                      [](const Fd& socket) { return is_in(TcpState::connecting, socket); });
    return all_wait ? static_cast<int>(accept_queue(endpoint)) : -1;
}

/// Whether a client that found the queue full gets in by itself when there is room again.
bool overflow_is_retried() {
    const Fd listener = listener_with(0);
    const Endpoint endpoint = endpoint_of(listener);
    const Client first(endpoint);
    wait_until("that the first is in the queue", [&] { return accept_queue(endpoint) == 1; });
    const Fd second = begin_to_connect(endpoint);
    const bool waits = is_in(TcpState::connecting, second);
    const Fd accepted_first = accept_from(listener);
    return waits && eventually([&] { return is_in(TcpState::established, second); });
}

/// Whether a listener gets the cap that it asks for, but no more than the system's: what ss shows as Send-Q.
bool is_capped() {
    const auto cap_of = [](int backlog) { // of a listener, tcpi_sacked is the longest that its queue may be
        return option_of<tcp_info>(listener_with(backlog), IPPROTO_TCP, TCP_INFO).tcpi_sacked;
    };
    unsigned somaxconn = 0;
    std::ifstream("/proc/sys/net/core/somaxconn") >> somaxconn;
    return cap_of(5) == 5 && cap_of(1000000) == somaxconn;
}

CLAIM(S3, "`listen`: backlog + 1 clients wait to be accepted; further ones are not refused, they retry") {
    static const bool as_said = overflow_is_retried() && is_capped();
    const int at_0 = length_of_queue(chapter, 0);
    const int at_5 = length_of_queue(chapter, 5);
    const int at_100 = length_of_queue(chapter, 100);
    return {as_said && at_0 == 1 && at_5 == 6 && at_100 == 101,
            text("Recv-Q ", at_0, ", ", at_5, ", ", at_100, " at backlog 0, 5, 100")};
}

CLAIM_OF_SERVER(S4, "`accept` takes the first client in the queue, with its address and a socket of its own") {
    const Record& record = record_of(chapter);
    // The three came while the server was stopped: they were in the queue together.
    bool in_order = record.queued;
    const TraceEvent* accepted = nullptr;
    for (const std::uint16_t port : record.clients) {
        const TraceEvent* next = record.find("accept4(", text("htons(", port, ")"), accepted);
        in_order = in_order && next && next->value > next->number(0);
        accepted = next;
    }
    wait_for_rest(server.pid());
    return {in_order, "idle in " + code(main_thread_waits_in(server.pid()))};
}

/// Whether one read gives the half of a message that has arrived, though it may take much more.
bool read_gives_what_has_arrived() {
    TcpPair pair = tcp_pair();
    send_line(pair.client, "the first ha");
    std::array<char, 100> buffer{};
    return read(pair.server.get(), buffer.data(), buffer.size()) == 12;
}

CLAIM_OF_SERVER(S5, "`read` blocks on an idle client, and the listen queue grows") {
    static const bool gives_what_has_arrived = read_gives_what_has_arrived();
    const Client silent(server.endpoint());
    wait_for_rest(server.pid());
    const std::vector<Client> others = connect_clients(server.endpoint(), 3);
    wait_for_rest(server.pid());
    const std::size_t queue = accept_queue(server.endpoint());
    const bool blocks = main_thread_waits_in(server.pid()) == "read" && queue == others.size();
    return {gives_what_has_arrived && blocks, text("Recv-Q ", queue)};
}

// The others do not fork.
CLAIM_OF_SERVER(S6, "`fork`: a child per client has the socket; the parent closes its copy and reaps the child", "2") {
    std::vector<Client> clients = connect_clients(server.endpoint(), 5);
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

// 01 has one client at a time.
CLAIM_OF_SERVER(S7, "Each client costs a process, about 100 KiB of pages, page tables and kernel stack", "23456") {
    constexpr double large = 40; // KiB
    const double memory = memory_a_client(server.endpoint(), server.pid());
    return {memory > large, rounded(memory, " KiB per client")};
}

/// A server with a thread for each client, as blocking as chapter 02.
[[noreturn]] void serve_with_threads(const Fd& listener) {
    for (;;) {
        std::thread([client = accept_from(listener)] {
            std::array<char, 65536> buffer;
            ssize_t count = 0;
            while ((count = read(client.get(), buffer.data(), buffer.size())) > 0) {
                if (!write_all(client.get(), {buffer.data(), static_cast<std::size_t>(count)})) return;
            }
        }).detach();
    }
}

/// CPU time that it takes this process to make a hundred such things and to wait for their end, the least of three
/// tries.
template <typename Thing>
double cost_of_making(Thing thing) {
    std::array<std::clock_t, 3> tries{};
    for (std::clock_t& cost : tries) {
        cost = -std::clock();
        for (int i = 0; i < 100; ++i) thing();
        cost += std::clock();
    }
    return static_cast<double>(*std::min_element(tries.begin(), tries.end()));
}

// The others have neither a process nor a thread for each client.
CLAIM(S8, "A thread per client blocks just the same, but it is smaller and cheaper to start", "2") {
    RunningServer processes(chapter.program);
    const double process_memory = memory_a_client(processes.endpoint(), processes.pid());

    const Fd listener = open_listener(any_port());
    const Process threads(forked([&] { serve_with_threads(listener); }));
    const double thread_memory = memory_a_client(endpoint_of(listener), threads.pid());

    // For the waiting they are the same: a task of the kernel for each client, in read.
    const std::vector<Client> of_threads = connect_clients(endpoint_of(listener), crowd);
    const std::vector<Client> of_processes = connect_clients(processes.endpoint(), crowd);
    const auto all_wait = [](pid_t server) { return tasks_in(server, SYS_read) == crowd; };
    const bool same_waiting = eventually([&] { return all_wait(threads.pid()) && all_wait(processes.pid()); });

    const double fork_cost = cost_of_making([] {
        const pid_t child = fork();
        if (child == 0) _exit(0);
        waitpid(child, nullptr, 0);
    });
    const double thread_cost = cost_of_making([] { std::thread([] {}).join(); });

    return {same_waiting && thread_memory < process_memory / 2 && thread_cost < fork_cost,
            text(rounded(thread_memory, " KiB per thread, "),
                 rounded(process_memory, " KiB per process; `fork` costs "), static_cast<int>(fork_cost / thread_cost),
                 "x")};
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

CLAIM_OF_SERVER(S9, "`write` blocks only while the send buffer has no room; it does not wait for the client to read") {
    const bool small_one_returns = small_write_returns(server.endpoint(), server.pid());
    Client client(server.endpoint());
    bool waits_in_write = false;
    for (int i = 0; i < 3 && !waits_in_write; ++i) { // it may have gone on just now
        send_and_never_read(client, server.pid());
        waits_in_write = tasks_in(server.pid(), SYS_write) == 1;
    }
    const double megabytes = static_cast<double>(written_and_unread(client)) / 1e6;
    return {small_one_returns && waits_in_write,
            waits_in_write ? rounded(megabytes, " MB until it waits") : "it never waits"};
}

int flags_of(const Fd& fd) {
    return check(fcntl(fd.get(), F_GETFL), "fcntl");
}

bool is_nonblocking(const Fd& fd) {
    return (flags_of(fd) & O_NONBLOCK) != 0;
}

/// Whether F_SETFL with the one flag loses those that were set before. (That set_nonblocking keeps them, its own test
/// shows.)
bool bare_setfl_loses_flags() {
    const Fd file(check(open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), "open"));
    const bool was_there = (flags_of(file) & O_APPEND) != 0;
    check(fcntl(file.get(), F_SETFL, O_NONBLOCK), "fcntl");
    return was_there && is_nonblocking(file) && (flags_of(file) & O_APPEND) == 0;
}

/// Whether accept's socket waits though the listener does not; accept4 can have it otherwise.
bool accepted_socket_does_not_inherit() {
    const Fd listener = open_listener(any_port(), SOCK_NONBLOCK);
    const Client first(endpoint_of(listener));
    const Fd plain = accept_from(listener);
    const Client second(endpoint_of(listener));
    const Fd asked_for = accept_from(listener, SOCK_NONBLOCK);
    const bool fails_with_eagain = accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC) < 0 && errno == EAGAIN;
    return is_nonblocking(listener) && !is_nonblocking(plain) && is_nonblocking(asked_for) && fails_with_eagain;
}

/// Whether a dup shares the flag: it belongs to what both stand for.
bool dup_shares_the_flag() {
    const TcpPair pair = tcp_pair();
    const Fd copy(check(fcntl(pair.server.get(), F_DUPFD_CLOEXEC, 0), "dup"));
    check(fcntl(copy.get(), F_SETFL, 0), "fcntl");
    return !is_nonblocking(pair.server);
}

CLAIM_OF_SERVER(S10,
                "No call blocks: O_NONBLOCK is added to the flags that are there, and set on each accepted socket") {
    static const bool as_said = bare_setfl_loses_flags() && accepted_socket_does_not_inherit() && dup_shares_the_flag();
    Client client(server.endpoint());
    client.expect_echo("hello\n");
    const auto has_flag = [&](const TcpSocket& socket) {
        return (descriptor_flags(find_descriptor(server.pid(), socket.inode)) & O_NONBLOCK) != 0;
    };
    return {as_said && has_flag(listening_socket(server.endpoint())) && has_flag(server_end(client))};
}

} // namespace
