#include "tests/support/served.h"

#include <sys/syscall.h>

#include "tests/support/idle.h"
#include "tests/support/sockets.h"

namespace {

/// Whether the client's kernel has all that the server has written for it.
bool has_all(const Client& client) {
    for (const TcpSocket& socket : tcp_sockets(port_of(client.server()))) {
        if (socket.remote_port == port_of(client.address())) return socket.send_queue == 0;
    }
    return true;
}

} // namespace

void send_line(Client& client, const std::string& line) {
    client.send(line);
    wait_until("that '" + line + "' arrives", [&] { return client.unacknowledged() == 0; });
}

bool hears(Client& client, pid_t server) {
    Rest rest(server);
    while (!client.hears_within(milliseconds(10))) {
        const bool has_arrived = client.unacknowledged() == 0; // first this: whom it wakes does not sleep any more
        const bool rests = rest.has_lasted() && !rest.is_in(SYS_clock_nanosleep);
        if (has_arrived && rests && has_all(client)) return client.hears_within(milliseconds(0));
    }
    return true;
}

bool is_served(Client& client, pid_t server) {
    const std::string line = "am I served?\n";
    send_line(client, line);
    if (!hears(client, server)) return false;
    const std::string back = client.receive(line.size());
    if (back != line) throw Failed{"sent '" + line + "'", "the same back", "'" + back + "'"};
    return true;
}

std::size_t send_and_never_read(Client& client, pid_t server) {
    const std::string data = random_bytes(1 << 16, 1);
    constexpr std::size_t most = 128 << 20;
    std::size_t sent = 0;
    // The server's kernel looks 200 ms after the client's has closed its window whether there is room by now, and on a
    // busy machine there may be some. So it has to rest for longer.
    constexpr milliseconds long_rest(300);
    Rest rest(server);
    const auto until = Clock::now() + long_enough;
    while (sent < most && Clock::now() < until) {
        const long count = client.send_some(std::string_view(data).substr(sent % data.size()));
        if (count < 0) throw Failed{"sent without reading", "a server that waits", "a broken connection"};
        sent += static_cast<std::size_t>(count);
        if (count > 0 || client.has_room_within(milliseconds(10))) {
            rest = Rest(server);
        } else if (rest.has_lasted(long_rest) && server_end(client).receive_queue > 0) {
            return sent; // there is input, and the server sleeps: it does not want it now
        }
    }
    throw Failed{"sent without reading", "a server that stops reading", text("it has read on for ", sent, " bytes")};
}
