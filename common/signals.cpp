#include "common/signals.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "common/check.h"

namespace {

constexpr unsigned stop_limit_seconds = 5;

// A signal handler may run between any two instructions, so it may touch only lock-free atomics and may call only what
// signal-safety(7) lists: shutdown, alarm, signal and _exit are on it.
std::atomic<bool> stop_requested = false;
std::atomic<int> waited_on = -1;
std::atomic<SecondSignal> on_second_signal = SecondSignal::ends_at_once;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_stop_signal(int) {
    const int saved_errno = errno;
    if (on_second_signal == SecondSignal::ends_at_once) {
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGTERM, SIG_DFL);
    }
    if (!stop_requested.exchange(true)) {
        shutdown(waited_on, SHUT_RD);
        alarm(stop_limit_seconds);
    }
    errno = saved_errno;
}

void on_alarm(int) {
    _exit(0);
}

void handle(int signal_number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGINT);
    sigaddset(&action.sa_mask, SIGTERM);
    check(sigaction(signal_number, &action, nullptr), "sigaction");
}

} // namespace

void ignore_sigpipe() {
    handle(SIGPIPE, SIG_IGN);
}

void stop_on_signals(int fd, SecondSignal second) {
    on_second_signal = second;
    wake_on_stop(fd);
    handle(SIGALRM, on_alarm);
    handle(SIGINT, on_stop_signal);
    handle(SIGTERM, on_stop_signal);
}

bool stopping() noexcept {
    return stop_requested;
}

void wake_on_stop(int fd) {
    // First the name, then the look at the flag; the handler does it the other way round. So one of the two sees the
    // other, wherever the signal falls.
    waited_on = fd;
    if (stop_requested) shutdown(fd, SHUT_RD);
}
