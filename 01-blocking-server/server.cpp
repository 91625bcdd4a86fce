// Chapter 01: a TCP server at all. It accepts one client, echoes until that client is done, and only then looks for
// the next one.

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <thread>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/stop.h"
#include "common/write_all.h"

namespace {

/// Waits for the next client. No descriptor when there is none to be had now.
Fd accept_client(int listener) {
    Address address;
    Fd client(accept4(listener, &address.any, &address.size, SOCK_CLOEXEC));
    if (client) {
        narrate("fd ", client.get(), ": ", address, " connected");
    } else if (handle_failed_accept(errno)) {
        std::this_thread::sleep_for(accept_pause);
    }
    return client;
}

/// Reads into a buffer and sends it back. False when the client is done or gone.
bool echo_buffer(int client, std::chrono::milliseconds think_time) {
    std::array<char, 64 * 1024> buffer; // not initialised: read fills as much of it as is used
    const ssize_t count = read(client, buffer.data(), buffer.size());
    if (count == 0) return narrate_left(client, "end of file");
    if (count < 0) return errno == EINTR || narrate_left(client, std::strerror(errno));

    std::this_thread::sleep_for(think_time);
    const bool sent = write_all(client, {buffer.data(), static_cast<std::size_t>(count)});
    if (!sent) return narrate_left(client, std::strerror(errno));
    narrate("fd ", client, ": echoed ", count, " bytes");
    return true;
}

/// Serves one client until it is done. Meanwhile nobody else is served.
void serve(int client, std::chrono::milliseconds think_time) {
    wake_on_stop(client);
    while (echo_buffer(client, think_time) && !stopping) continue;
    if (stopping) wait_until_acknowledged(client);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        fill_standard_descriptors();
        ignore_write_signals();
        const Options options = parse_options(argc, argv);

        const Fd listener = open_listener(options);
        stop_on_signals(listener.get());
        announce(listener.get());

        while (!stopping) {
            wake_on_stop(listener.get());
            const Fd client = accept_client(listener.get());
            if (client) serve(client.get(), options.think);
        } // here `client` is closed
        return stop_status;
    } catch (const std::exception& error) {
        complain(error.what());
        return 1;
    }
}
