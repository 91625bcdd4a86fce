#include "tests/tools/trace/traced_server.h"

#include <sys/syscall.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "tests/support/sockets.h"

namespace {

/// Whether all that clients have done so far has reached the server with this port: no byte of theirs and no end of
/// theirs is still on its way.
bool nothing_is_under_way(std::uint16_t server_port) {
    const std::vector<TcpSocket> sockets = sockets_with_port(server_port);
    const auto is_established = [&](std::uint16_t local_port) {
        return std::any_of(sockets.begin(), sockets.end(), [&](const TcpSocket& client) {
            return client.local_port == local_port && client.send_queue == 0 &&
                   (client.state == TcpState::established || client.state == TcpState::close_wait);
        });
    };
    return std::all_of(sockets.begin(), sockets.end(), [&](const TcpSocket& socket) {
        if (socket.local_port != server_port) return socket.state != TcpState::connecting;
        if (socket.state != TcpState::established) return socket.state != TcpState::accepting;
        return is_established(socket.remote_port);
    });
}

/// The calls that matter, as strace's -e wants them. What a strace does not know (after ?) it leaves out.
const char* const traced_calls = "trace=%network,?read,?write,?close,/select,/epoll,/poll,/fork,/clone,?wait4,"
                                 "?clock_nanosleep,?futex,?fcntl,?exit_group";

/// Whether the server rests, and not only because it thinks.
bool waits_for_others(Rest& rest) {
    return rest.has_lasted(milliseconds(40)) && !rest.is_in(SYS_clock_nanosleep);
}

Seconds time_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// How far the clock that people set, which strace goes by, is ahead of the one that only goes on.
Seconds clock_offset() {
    return time_of(CLOCK_REALTIME) - time_of(CLOCK_MONOTONIC);
}

} // namespace

Seconds now() {
    return time_of(CLOCK_REALTIME);
}

TracedServer::TracedServer(const std::string& program, const std::vector<std::string>& options)
    : traced_({"-ttt", "-T", "-s", "32", "-e", traced_calls}, program, options), offset_(clock_offset()) {
    recording_.port = port_of(traced_.endpoint().address);
    wait_for_rest();
}

Client TracedServer::connect(char name, int receive_buffer, int segment) {
    Client client(traced_.endpoint(), receive_buffer, segment);
    mark(name, "connects");
    recording_.clients[port_of(client.address())] = name;
    return client;
}

void TracedServer::mark(char client, const std::string& what) {
    recording_.marks.push_back({now(), client, what});
}

bool TracedServer::thinks() const {
    return tasks_in(traced_.pid(), SYS_clock_nanosleep) > 0;
}

void TracedServer::wait_for_rest() {
    wait_until("that all that the clients did arrives", [&] { return nothing_is_under_way(recording_.port); });
    Rest rest(traced_.pid());
    wait_until("that all threads of the server wait for others", [&] {
        std::this_thread::sleep_for(milliseconds(5));
        return waits_for_others(rest);
    });
}

void TracedServer::wait_for_rest_or_answer(const Client& client) {
    Rest rest(traced_.pid());
    wait_until("an answer, or that none can come",
               [&] { return client.hears_within(milliseconds(5)) || waits_for_others(rest); });
}

void TracedServer::wait_for_thinking(const Client& client) {
    while (!thinks()) {
        if (client.hears_within(milliseconds(0))) throw Missed{"the answer came before the server was seen to think"};
    }
}

Recording TracedServer::finish() {
    wait_for_rest();
    mark(0, "stop");
    recording_.raw = traced_.finish();
    recording_.clock_was_set = std::abs(clock_offset() - offset_) > 0.003;
    std::vector<TraceEvent> events = read_strace(recording_.raw);
    const auto first = std::find_if(events.begin(), events.end(), [](const TraceEvent& e) { return e.is("socket"); });
    recording_.events.assign(first, events.end());
    return std::move(recording_);
}
