// The least that epoll can be asked with: one thread, one buffer, no handling of errors, no unsent bytes. It is not a
// server to use: a client that does not read holds everyone, and a reset or a short write is not noticed. It shows what
// the kernel alone costs.
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/tools/bench/peers/plain.h"

int main(int argc, char* argv[]) {
    static char piece[most_held];
    const int listener = open_plain_listener(argc, argv);
    const int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    announce(listener);
    epoll_event events[64];
    for (;;) {
        const int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; ++i) {
            if (events[i].data.fd == listener) {
                event.data.fd = accept(listener, nullptr, nullptr);
                epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
                continue;
            }
            const ssize_t count = read(events[i].data.fd, piece, sizeof piece);
            if (count <= 0 || write(events[i].data.fd, piece, static_cast<std::size_t>(count)) < 0) {
                close(events[i].data.fd);
            }
        }
    }
}
