// Chapter 02: a process per client. The parent only accepts; every client gets a forked child of its own, and a child
// that waits holds nobody else.

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
#include <iostream>
#include <new>
#include <vector>

#include "common/accept_failure.h"
#include "common/acknowledged.h"
#include "common/address.h"
#include "common/fd.h"
#include "common/listener.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/piece.h"
#include "common/signals.h"
#include "common/think.h"
#include "common/write_all.h"

namespace {

/// The children that run. Signals are let in only while the parent waits, see `signals`: so `reap_children` never
/// changes this list while the parent does.
std::vector<pid_t> children;

/// Notes a child for the stop. Where there is no memory for that, its client is lost, and not the server.
void remember(pid_t child) {
    try {
        children.push_back(child);
    } catch (const std::bad_alloc& error) {
        kill(child, SIGTERM);
        narrate("a client is lost: ", error.what());
    }
}

/// Lets in or keeps out (SIG_UNBLOCK, SIG_BLOCK) the signals that the parent reacts to.
void signals(int how) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal_number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&set, signal_number);
    sigprocmask(how, &set, nullptr);
}

/// On SIGCHLD: takes the exit status of every child that has ended. Until then it is a zombie, a slot in the process
/// table. One signal may stand for several children.
void reap_children(int) {
    const int saved_errno = errno;
    for (pid_t child = 0; (child = waitpid(-1, nullptr, WNOHANG)) > 0;) std::erase(children, child);
    errno = saved_errno;
}

/// Waits for the next client. No descriptor when there is none to be had now.
Fd accept_client(int listener) {
    Address address;
    signals(SIG_UNBLOCK);
    Fd client(accept4(listener, address.raw(), &address.size, SOCK_CLOEXEC));
    const int error = errno;
    signals(SIG_BLOCK);
    if (client) {
        narrate_connected(client.get(), address);
    } else if (after_failed_accept(error) == AfterFailedAccept::pause) {
        think(accept_pause_time);
    }
    return client;
}

/// Reads a piece of data and sends it back. False when the client is done or gone.
bool echo_piece(int client, std::chrono::milliseconds think_time) {
    std::array<char, piece_size> piece; // not initialised: read fills as much of it as is used
    const ssize_t count = read(client, piece.data(), piece.size());
    if (count == 0) {
        narrate_left(client, stopping() ? "the server stops" : "it closed");
        return false;
    }
    if (count < 0) {
        if (errno == EINTR) return true;
        narrate_left(client, std::strerror(errno));
        return false;
    }

    think(think_time);

    if (!write_all(client, piece.data(), static_cast<std::size_t>(count))) {
        narrate_left(client, std::strerror(errno));
        return false;
    }
    narrate("fd ", client, ": echoed ", count, " bytes");
    return true;
}

/// Serves one client until it is done. Meanwhile nobody else is served by this process.
void serve(int client, std::chrono::milliseconds think_time) {
    wake_on_stop(client);
    while (echo_piece(client, think_time) && !stopping()) {
    }
    if (stopping()) wait_until_acknowledged(client);
}

/// All that a child does: it serves its client and ends.
[[noreturn]] void run_child(pid_t parent, int client, std::chrono::milliseconds think_time) {
    // The child dies with the parent, even when the parent is killed; where that has happened already, at once.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);

    // Ctrl-C reaches parent and child, and then the parent passes a stop on: the second one changes nothing here.
    std::signal(SIGCHLD, SIG_DFL);
    stop_on_signals(client, SecondSignal::changes_nothing);
    signals(SIG_UNBLOCK);
    serve(client, think_time);
    _exit(0);
}

/// fork, and where the system has no room for another process (EAGAIN, ENOMEM), again after a moment: the client waits.
pid_t fork_when_possible() {
    pid_t child = fork();
    while (child < 0 && !stopping()) {
        narrate("fork: ", std::strerror(errno), ": trying again in ", accept_pause_time.count(), " ms");
        signals(SIG_UNBLOCK);
        think(accept_pause_time);
        signals(SIG_BLOCK);
        child = fork();
    }
    return child;
}

/// Passes the stop on to the children and waits until the last one has ended.
void stop_children() {
    for (const pid_t child : children) kill(child, SIGTERM);
    signals(SIG_UNBLOCK);
    while (waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const Options options = parse_options(argc, argv);
        verbose = options.verbose;

        ignore_sigpipe();
        Fd listener = open_listener(options);
        signals(SIG_BLOCK);
        std::signal(SIGCHLD, reap_children);
        stop_on_signals(listener.get());
        announce(listener.get());

        const pid_t parent = getpid();
        while (!stopping()) {
            const Fd client = accept_client(listener.get());
            if (!client) continue;
            const pid_t child = fork_when_possible();
            if (child == 0) {
                listener.reset(); // the child's copy
                run_child(parent, client.get(), options.think);
            }
            if (child > 0) {
                remember(child);
                narrate("fd ", client.get(), ": served by process ", child);
            }
        } // here the parent's copy of `client` is closed: while it is open, the client's connection is
        stop_children();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
