#include "tests/support/in_child.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

#include "common/check.h"
#include "tests/support/failed.h"
#include "tests/support/process.h"

namespace {

constexpr std::chrono::milliseconds patience{20000};

/// All that has been written to the file so far.
std::string content(int file) {
    std::string all;
    std::array<char, 4096> piece{};
    for (;;) {
        const ssize_t count = pread(file, piece.data(), piece.size(), static_cast<off_t>(all.size()));
        if (count <= 0) return all;
        all.append(piece.data(), static_cast<std::size_t>(count));
    }
}

/// Undoes what the test framework and whoever started it did about signals.
void default_signals() {
    for (const int number : {SIGINT, SIGTERM, SIGALRM, SIGPIPE, SIGABRT, SIGSEGV, SIGFPE, SIGILL}) {
        std::signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

int run(const std::function<void()>& function) {
    try {
        function();
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "thrown: " << error.what() << '\n';
    }
    return 125;
}

} // namespace

Child::Child(const std::function<void()>& function)
    : stdout_(check(memfd_create("stdout", MFD_CLOEXEC), "memfd_create")),
      stderr_(check(memfd_create("stderr", MFD_CLOEXEC), "memfd_create")) {
    std::cout.flush();
    std::fflush(nullptr); // or the child prints the rest of the buffers once more
    const pid_t parent = getpid();
    pid_ = check(fork(), "fork");
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(126);
        default_signals();
        dup2(stdout_.get(), STDOUT_FILENO);
        dup2(stderr_.get(), STDERR_FILENO);
        const int status = run(function);
        std::cout.flush();
        std::fflush(nullptr);
        _exit(status); // without what the parent has registered for its own end
    }
    pidfd_ = Fd(check(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)), "pidfd_open"));
}

Child::~Child() {
    if (reaped_) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void Child::wait_until_it_waits(const std::string& said) const {
    const auto waits = [&] {
        const bool has_said_it = content(stdout_.get()).find(said) != std::string::npos; // first this, then the state
        const char state = process_state(pid_);
        return state == 'Z' || (has_said_it && state == 'S');
    };
    if (!eventually(waits, patience)) {
        throw Failed{"ran a child", "'" + said + "', and that it waits", "'" + content(stdout_.get()) + "'"};
    }
}

void Child::signal(int number) const {
    kill(pid_, number);
}

Outcome Child::outcome() {
    pollfd ended{pidfd_.get(), POLLIN, 0};
    const bool in_time = poll(&ended, 1, static_cast<int>(patience.count())) > 0;
    if (!in_time) kill(pid_, SIGKILL);
    int status = 0;
    waitpid(pid_, &status, 0);
    reaped_ = true;
    const Ended how = WIFSIGNALED(status) ? Ended{true, WTERMSIG(status)} : Ended{false, WEXITSTATUS(status)};
    return {in_time ? to_string(how) : "still running", content(stdout_.get()), content(stderr_.get())};
}
