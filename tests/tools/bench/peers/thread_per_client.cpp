// A thread for each client, which waits in read and in write (statement S8 of the article). Keeps the contract: what is
// not taken, the write waits for.
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <thread>

#include "tests/tools/bench/peers/plain.h"

namespace {

/// Whether all of it was sent.
bool write_all(int fd, const char* data, std::size_t size) {
    while (size > 0) {
        const ssize_t count = write(fd, data, size);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        data += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

void serve(int client) {
    char piece[most_held];
    for (;;) {
        const ssize_t count = read(client, piece, sizeof piece);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || !write_all(client, piece, static_cast<std::size_t>(count))) break;
    }
    close(client);
}

} // namespace

int main(int argc, char* argv[]) {
    std::signal(SIGPIPE, SIG_IGN);
    const int listener = open_plain_listener(argc, argv);
    if (listener < 0) return 1;
    announce(listener);
    for (;;) {
        const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(errno == EINTR ? 0 : 100));
            continue;
        }
        try {
            std::thread(serve, client).detach();
        } catch (const std::system_error&) {
            close(client); // no room for another thread
        }
    }
}
