// Stopping, so that no signal is missed and no answer is lost. Introduced by chapter 01. A first reading can skip this
// file: all it has to know is that after SIGINT or SIGTERM `stopping` is true, and neither accept nor read waits.
// 01-blocking-server/stopping.md tells why it is as it is.
#pragma once

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "common/check.h"
#include "common/write_all.h"

// A signal handler may run between any two instructions, so it may touch only lock-free atomics and may call only what
// signal-safety(7) lists: shutdown, alarm, poll, write, stpcpy, _exit. (std::to_chars only touches its arguments.)
inline std::atomic<bool> stopping = false; // whether the server has been asked to stop
inline std::atomic<int> waited_on = -1;    // the descriptor that a stop wakes
inline std::atomic<int> stop_status = 0;   // main returns it
inline std::atomic<int> unanswered = 0;    // at least this many clients have not got all of their answers

/// Names the descriptor that the program may be waiting on from now on. A stop shuts down its reading side, or has
/// already done so when this returns, shutdown(2): accept(2), blocked or later, then fails with EINVAL, read(2) returns
/// what has arrived, if anything, and otherwise 0, and select and epoll report the descriptor as ready. So no stop is
/// missed, however narrow the gap between looking at `stopping` and waiting. The descriptor may be closed while it is
/// named here, as long as nothing is opened before another one is named.
inline void wake_on_stop(int fd) {
    // First the name, then the look at the flag; the handler does it the other way round. So at least one of the two
    // sees what the other did, wherever the signal arrives.
    waited_on = fd;
    if (stopping) shutdown(fd, SHUT_RD);
}

/// The handler of SIGINT and SIGTERM. The second signal, and all later ones, change nothing.
inline void request_stop(int) {
    const int saved_errno = errno;
    if (!stopping.exchange(true)) {
        shutdown(waited_on, SHUT_RD);
        alarm(5); // seconds, for all that is left to do
    }
    errno = saved_errno;
}

/// The handler of SIGALRM: the 5 seconds are over. Says who has lost something, unless that would block.
inline void end_now(int) {
    if (!stopping) return;        // not ours: sent with kill(1)
    const int count = unanswered; // once, because another thread may change it
    char line[100] = "stopped after 5 s: at least ";
    char* end = std::to_chars(line + std::strlen(line), line + sizeof line, count).ptr;
    end = stpcpy(end, count == 1 ? " client had not got all of its answers\n"
                                 : " clients had not got all of their answers\n");
    pollfd log{STDERR_FILENO, POLLOUT, 0};
    if (count > 0 && poll(&log, 1, 0) == 1) write_all(STDERR_FILENO, {line, end});
    _exit(stop_status);
}

/// From now on SIGINT and SIGTERM stop the server, and wake what waits on `listener`. Throws std::system_error.
inline void stop_on_signals(int listener) {
    wake_on_stop(listener);
    struct sigaction action {};
    action.sa_flags = SA_RESTART;
    for (const int number : {SIGINT, SIGTERM, SIGALRM}) {
        action.sa_handler = number == SIGALRM ? end_now : request_stop;
        check(sigaction(number, &action, nullptr), "sigaction ", strsignal(number));
    }
    // The program that started us may have left us an alarm, an ignored SIGQUIT (Ctrl-\), and blocked signals.
    alarm(0);
    std::signal(SIGQUIT, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    check(sigprocmask(SIG_SETMASK, &none, nullptr), "sigprocmask SIG_SETMASK");
}

/// Whether the client's kernel has still to acknowledge some of what was written to `client`, and may yet do so.
/// SIOCOUTQ: "not sent + not acked", says linux/sockios.h (tcp(7) names the first part only).
inline bool has_unacknowledged(int client) {
    int bytes = 0;
    pollfd broken{client, 0, 0}; // asked for nothing, poll(2) reports only a broken connection
    return ioctl(client, SIOCOUTQ, &bytes) == 0 && bytes > 0 && poll(&broken, 1, 0) <= 0;
}

/// For a stop. A close(2) with unread input makes the kernel send a reset and drop what is still in its send buffer, so
/// we wait until that is acknowledged. No event tells us when, so we look every few milliseconds, until the alarm.
inline void wait_until_acknowledged(int client) {
    while (has_unacknowledged(client)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}
