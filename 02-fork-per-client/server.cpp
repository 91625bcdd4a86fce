// Chapter 02: a process per client. The parent only accepts. Every client gets a forked child of its own, and a child
// that waits keeps nobody else waiting.

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <new>
#include <thread>
#include <vector>

#include "common/accept_failure.h"
#include "common/address.h"
#include "common/check.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/stop.h"
#include "common/write_all.h"

namespace {

std::vector<pid_t> children; // those that run

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

/// All that a child does: it serves its client until that is done, and exits.
[[noreturn]] void serve(int client, std::chrono::milliseconds think_time, pid_t parent) {
    // The kernel kills the child when the parent ends, however it ends. If it has ended already, the child exits.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    std::signal(SIGALRM, SIG_IGN); // the parent's 5 seconds are the child's, too
    narrate("fd ", client, ": served by process ", getpid());
    while (echo_buffer(client, think_time) && !stopping) continue;
    if (stopping) wait_until_acknowledged(client);
    _exit(0);
}

/// Takes the exit status of each child that has ended. Until then it is a zombie, a slot in the process table.
void reap_children() {
    for (pid_t child = 0; (child = waitpid(-1, nullptr, WNOHANG)) > 0;) std::erase(children, child);
}

/// fork. Without room for another process (EAGAIN, ENOMEM) tries again after a moment; -1 when the server stops.
pid_t fork_when_possible() {
    for (;;) {
        try {
            children.push_back(0); // before fork: a child that is not in the list could not be stopped
            children.back() = fork();
            if (children.back() >= 0) return children.back();
            children.pop_back();
        } catch (const std::bad_alloc&) {
            errno = ENOMEM;
        }
        if (stopping) return -1;
        narrate("fork: ", std::strerror(errno), ": trying again in ", accept_pause.count(), " ms");
        std::this_thread::sleep_for(accept_pause);
        reap_children(); // zombies take up room, too
    }
}

/// Passes the stop on to the children, and waits until the last one has ended.
void stop_children() {
    for (const pid_t child : children) kill(child, SIGTERM);
    while (!children.empty()) {
        unanswered = static_cast<int>(children.size());
        const pid_t child = waitpid(-1, nullptr, 0);
        if (child < 0 && errno != EINTR) return;
        std::erase(children, child);
    }
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        fill_standard_descriptors();
        ignore_write_signals();
        const Options options = parse_options(argc, argv);

        Fd listener = open_listener(options);
        stop_on_signals(listener.get());
        struct sigaction action {};
        action.sa_handler = [](int) {}; // all it does is that accept returns (EINTR) when a child has exited
        check(sigaction(SIGCHLD, &action, nullptr), "sigaction SIGCHLD");
        announce(listener.get());

        const pid_t parent = getpid();
        while (!stopping) {
            wake_on_stop(listener.get());
            reap_children();
            const Fd client = accept_client(listener.get());
            if (!client) continue;
            wake_on_stop(client.get()); // not the listener: the child shares it, and would shut it down for the parent
            if (fork_when_possible() == 0) {
                listener.reset(); // the child's copy
                serve(client.get(), options.think, parent);
            }
        } // here the parent's copy of `client` is closed: while it is open, the connection is
        listener.reset();
        stop_children();
        return stop_status;
    } catch (const std::exception& error) {
        complain(error.what());
        return 1;
    }
}
