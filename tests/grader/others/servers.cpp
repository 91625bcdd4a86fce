// Echo servers as strangers write them, right and wrong ones. Usage: servers KIND PORT [SIZE]
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace {

std::size_t buffer_size = 16384;

int listen_on(std::uint16_t port) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener, SOMAXCONN) != 0)
        std::exit(1);
    return listener;
}

/// The next client; without a descriptor for it, waits for a moment.
int next_client(int listener) {
    for (;;) {
        const int client = accept(listener, nullptr, nullptr);
        if (client >= 0) return client;
        usleep(20000);
    }
}

/// Reads once and answers; false at the end.
bool echo_once(int client, bool with_loop = true) {
    std::vector<char> buffer(buffer_size);
    const ssize_t count = read(client, buffer.data(), buffer.size());
    for (ssize_t done = 0; done < count;) {
        const ssize_t written = write(client, buffer.data() + done, static_cast<std::size_t>(count - done));
        if (written < 0) return false;
        done = with_loop ? done + written : count;
    }
    return count > 0;
}

void serve(int client, bool with_loop = true) {
    while (echo_once(client, with_loop)) continue;
    close(client);
}

void remove_client(std::vector<pollfd>& all, std::size_t i) {
    close(all[i].fd);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));
}

// --- the servers ----------------------------------------------------------------------------------------------------

/// Wrong: what a write does not take is lost.
void no_loop(int listener) {
    for (;;) serve(next_client(listener), false);
}

/// Right at level 02; with a remark where a child does not close the listener: while one child lives, the port is
/// taken.
void forks(int listener, bool closes_listener) {
    signal(SIGCHLD, [](int) {
        while (waitpid(-1, nullptr, WNOHANG) > 0) continue;
    });
    for (;;) {
        const int client = next_client(listener);
        if (fork() == 0) {
            if (closes_listener) close(listener);
            serve(client);
            _exit(0);
        }
        close(client);
    }
}

/// Wrong at level 03: with a helper for each client's log, say, that has inherited the listener.
void helper_with_listener(int listener) {
    signal(SIGCHLD, SIG_IGN);
    std::vector<pollfd> all{{listener, POLLIN, 0}};
    bool has_helper = false;
    for (;;) {
        poll(all.data(), all.size(), -1);
        for (std::size_t i = all.size(); i-- > 1;) {
            if (all[i].revents != 0 && !echo_once(all[i].fd)) remove_client(all, i);
        }
        if (all[0].revents == 0) continue;
        all.push_back({next_client(listener), POLLIN, 0});
        if (has_helper) continue;
        has_helper = true;
        if (fork() > 0) continue;
        for (std::size_t i = 1; i < all.size(); ++i) close(all[i].fd);
        pause();
    }
}

/// Right at level 02. Wrong when they are `kept`: the stack of a thread that nobody joins or detaches stays.
void threads(int listener, bool kept) {
    std::vector<std::thread> all;
    for (;;) {
        const int client = next_client(listener);
        try {
            all.emplace_back([client] { serve(client); });
            if (kept) continue;
            all.back().detach();
            all.pop_back();
        } catch (const std::system_error&) {
            close(client);
        }
    }
}

/// Wrong from level 04 on: four clients that never read keep all of its four workers.
void blocking_pool(int listener) {
    const int poller = epoll_create1(0);
    const auto work = [poller] {
        for (epoll_event event{};;) {
            if (epoll_wait(poller, &event, 1, -1) != 1) continue;
            if (!echo_once(event.data.fd)) {
                close(event.data.fd);
                continue;
            }
            event.events = EPOLLIN | EPOLLONESHOT;
            epoll_ctl(poller, EPOLL_CTL_MOD, event.data.fd, &event);
        }
    };
    for (int i = 0; i < 4; ++i) std::thread(work).detach();
    for (;;) {
        epoll_event event{};
        event.data.fd = next_client(listener);
        event.events = EPOLLIN | EPOLLONESHOT;
        epoll_ctl(poller, EPOLL_CTL_ADD, event.data.fd, &event);
    }
}

/// Right at level 04 (each client has its own unsent bytes), wrong at 05: poll looks at all of them each time.
void polls(int listener) {
    std::vector<pollfd> all{{listener, POLLIN, 0}};
    std::map<int, std::string> unsent;
    for (;;) {
        poll(all.data(), all.size(), all[0].fd >= 0 ? -1 : 20);
        for (std::size_t i = all.size(); i-- > 1;) {
            pollfd& one = all[i];
            if (one.revents == 0) continue;
            std::string& bytes = unsent[one.fd];
            bool open = true;
            if (bytes.empty()) {
                bytes.resize(buffer_size);
                const ssize_t count = read(one.fd, bytes.data(), bytes.size());
                bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
                open = count > 0 || (count < 0 && errno == EAGAIN);
            }
            const ssize_t count = send(one.fd, bytes.data(), bytes.size(), MSG_DONTWAIT);
            if (count >= 0) bytes.erase(0, static_cast<std::size_t>(count));
            if (count < 0 && errno != EAGAIN) open = false;
            one.events = bytes.empty() ? POLLIN : POLLOUT;
            if (open) continue;
            unsent.erase(one.fd);
            remove_client(all, i);
            all[0].fd = listener;
        }
        if (all[0].fd >= 0 && all[0].revents == 0) continue;
        const int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        all[0].fd = client < 0 ? -1 : listener; // out of descriptors: look again in a moment
        if (client >= 0) all.push_back({client, POLLIN, 0});
    }
}

const std::map<std::string, void (*)(int)> kinds = {
    {"no_loop", no_loop},
    {"forks", [](int listener) { forks(listener, true); }},
    {"forks_with_listener", [](int listener) { forks(listener, false); }},
    {"helper_with_listener", helper_with_listener},
    {"threads", [](int listener) { threads(listener, false); }},
    {"threads_kept", [](int listener) { threads(listener, true); }},
    {"blocking_pool", blocking_pool},
    {"polls", polls},
};

} // namespace

int main(int argc, char* argv[]) {
    signal(SIGPIPE, SIG_IGN);
    if (argc < 3 || !kinds.contains(argv[1])) return 2;
    if (argc > 3) buffer_size = std::stoul(argv[3]);
    kinds.at(argv[1])(listen_on(static_cast<std::uint16_t>(std::stoi(argv[2]))));
}
