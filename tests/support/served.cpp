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
    client.expect_repeated(line, 0, line.size(), "sent a line");
    return true;
}

std::size_t send_and_never_read(Client& client, pid_t server) {
    const std::string data = random_bytes(1 << 16, 1);
    // The server's kernel looks 200 ms after the client's has closed its window whether there is room by now, and on a
    // busy machine there may be some. So it has to rest for longer.
    constexpr milliseconds long_rest(300);
    std::size_t sent = 0;
    Rest rest(server);
    wait_until("that the server leaves input unread and sleeps: it does not want it now", [&] {
        const std::size_t more = client.send_until_stuck(data, milliseconds(10));
        if (more > 0) rest = Rest(server);
        sent += more;
        return more == 0 && rest.has_lasted(long_rest) && server_end(client).receive_queue > 0;
    });
    return sent;
}
