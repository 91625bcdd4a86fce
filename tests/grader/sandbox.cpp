#include "tests/grader/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iostream>
#include <vector>

#include "common/check.h"
#include "common/fd.h"
#include "tests/support/eventually.h"
#include "tests/support/proc.h"

namespace {

Fd signals;            // those that end the grader arrive here
std::vector<Fd> makes; // every make above us: readable when it has ended
sigset_t as_we_came;   // the signals that were blocked when the grader was started
int namespaces_allowed = 0;

/// Kills all descendants of the grader. One may start another meanwhile, so it looks until none is left.
void kill_all() {
    static_cast<void>(eventually(
        [] {
            const std::vector<pid_t> tree = process_tree(getpid());
            for (const pid_t pid : tree) {
                if (pid != getpid()) kill(pid, SIGKILL);
            }
            while (waitpid(-1, nullptr, WNOHANG) > 0) continue;
            return tree.size() == 1;
        },
        milliseconds(5000)));
}

[[noreturn]] void stop(const std::string& why, int status) {
    kill_all();
    std::cout << "\nStopped: " << why << ". What it had started is gone.\n" << std::flush;
    std::_Exit(status);
}

void stop_if_told() {
    signalfd_siginfo info{};
    if (read(signals.get(), &info, sizeof info) == sizeof info) {
        const int number = static_cast<int>(info.ssi_signo);
        stop(text("it got SIG", sigabbrev_np(number)), 128 + number);
    }
    for (const Fd& make : makes) {
        pollfd ended{make.get(), POLLIN, 0};
        if (poll(&ended, 1, 0) > 0) stop("the make that started it has ended", 128 + SIGTERM);
    }
}

bool write_file(const char* path, const std::string& content) {
    return static_cast<bool>(std::ofstream(path) << content << std::flush);
}

/// In the child, the first process of its PID namespace: lets /proc show that one, and not the processes outside.
bool settle(int namespaces, const std::string& user, const std::string& group) {
    if ((namespaces & CLONE_NEWUSER) != 0) { // be the same user in there
        if (!write_file("/proc/self/setgroups", "deny") || !write_file("/proc/self/uid_map", user) ||
            !write_file("/proc/self/gid_map", group)) {
            return false;
        }
    }
    return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           mount("proc", "/proc", "proc", 0, nullptr) == 0;
}

/// Forks a child with a PID namespace of its own, if `namespaces` says so; an ordinary user needs a user namespace for
/// it. See clone(2); -1 where that is not allowed.
pid_t fork_settled(int namespaces) {
    const std::string user = text(geteuid(), " ", geteuid(), " 1"), group = text(getegid(), " ", getegid(), " 1");
    const auto flags = static_cast<unsigned long>(namespaces | SIGCHLD);
    const pid_t child =
        namespaces == 0 ? fork() : static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
    if (child == 0 && namespaces != 0 && !settle(namespaces, user, group)) _exit(1);
    return child;
}

/// The namespaces that this machine allows us, tried once. 0 where there are none.
int find_namespaces() {
    for (const int namespaces : {CLONE_NEWPID | CLONE_NEWNS, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUSER}) {
        const pid_t child = fork_settled(namespaces);
        if (child == 0) _exit(0);
        int status = 1;
        if (child > 0 && waitpid(child, &status, 0) == child && status == 0) return namespaces;
    }
    return 0;
}

} // namespace

void prepare_to_clean_up() {
    sigset_t ending;
    sigemptyset(&ending);
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&ending, number);
    check(sigprocmask(SIG_BLOCK, &ending, &as_we_came), "sigprocmask");
    signals = Fd(check(signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    namespaces_allowed = find_namespaces();
    for (auto pid = getppid(); pid > 1; pid = static_cast<pid_t>(number_in(text("/proc/", pid, "/status"), "PPid:"))) {
        std::string name;
        std::getline(std::ifstream(text("/proc/", pid, "/comm")), name);
        if (name != "make" && name != "gmake") continue;
        const int watch = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
        if (watch >= 0) makes.emplace_back(watch);
    }
}

std::string in_sandbox(const std::function<void(int out)>& play, std::chrono::milliseconds limit) {
    std::array<int, 2> ends{-1, -1};
    check(pipe2(ends.data(), O_CLOEXEC), "pipe");
    Fd from_child(ends[0]), to_parent(ends[1]);
    std::cout.flush();
    const pid_t child = check(fork_settled(namespaces_allowed), "fork");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        from_child.reset();
        pollfd pipe{to_parent.get(), 0, 0};
        if (poll(&pipe, 1, 0) > 0) _exit(1); // the grader has ended already
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        setpgid(0, 0); // Ctrl-C is for the grader, which then ends this process
        signals.reset();
        sigprocmask(SIG_SETMASK, &as_we_came, nullptr);
        play(to_parent.get());
        _exit(0);
    }
    to_parent.reset();

    std::string written;
    std::array<char, 4096> piece{};
    for (const auto until = Clock::now() + limit; Clock::now() < until;) {
        std::vector<pollfd> readable{{from_child.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
        for (const Fd& make : makes) readable.push_back({make.get(), POLLIN, 0});
        const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
        poll(readable.data(), readable.size(), static_cast<int>(left.count()));
        stop_if_told();
        if (readable[0].revents == 0) continue;
        const ssize_t count = read(from_child.get(), piece.data(), piece.size());
        if (count <= 0) break;
        written.append(piece.data(), static_cast<std::size_t>(count));
    }
    kill_all();
    return written;
}
