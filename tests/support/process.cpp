#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>
#include <utility>

#include "common/check.h"

std::string to_string(const Ended& ended) {
    if (ended.by_signal) return std::string("ended by signal ") + strsignal(ended.value);
    return "exit status " + std::to_string(ended.value);
}

std::function<void()> limited(decltype(RLIMIT_NOFILE) resource, rlim_t most) {
    return [=] {
        const rlimit limit{most, most};
        setrlimit(resource, &limit);
    };
}

bool installed(const std::string& program) {
    return Process({{"sh", "-c", "command -v \"$0\"", program}}).outcome().ended == "exit status 0";
}

std::size_t descriptor_limit() {
    rlimit limit{};
    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    return limit.rlim_cur;
}

void need_descriptors_for(std::size_t clients) {
    constexpr std::size_t others = 100; // what else is open
    if (descriptor_limit() < clients + others) {
        throw Skipped{text("only ", descriptor_limit(), " descriptors are allowed (ulimit -Hn)")};
    }
}

Process::Process(const Launch& launch) {
    std::vector<char*> argv;
    for (const std::string& word : launch.command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);

    std::array<int, 2> out{-1, -1};
    check(pipe2(out.data(), O_CLOEXEC), "pipe");
    Fd out_read(out[0]);
    Fd out_write(out[1]);
    const Fd null(check(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null"));
    const auto die_with_parent = [parent = getpid()] {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) _exit(126);
    };
    std::cout.flush();
    std::fflush(nullptr); // or the child may print what is in our buffers once more

    pid_ = check(fork(), "fork");
    if (pid_ == 0) {
        die_with_parent();
        // So that strace may attach to it: where Yama guards the processes (Ubuntu), an ordinary user may trace only
        // descendants, and strace is a sibling. This outlives exec; without Yama it fails, and is not needed.
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        setpgid(0, 0);
        // What is ignored the program would go on ignoring: SIGPIPE by us, the others where a script runs us with &.
        for (const int number : {SIGINT, SIGQUIT, SIGPIPE}) ::signal(number, SIG_DFL);
        dup2(null.get(), STDIN_FILENO);
        dup2(out_write.get(), STDOUT_FILENO);
        dup2(launch.ours ? stderr_.fd() : out_write.get(), STDERR_FILENO);
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); // also what we were started with, by make -j for one
        if (launch.before_exec) launch.before_exec();
        die_with_parent(); // once more: a new user namespace undoes it
        execvp(argv[0], argv.data());
        _exit(errno == ENOENT ? 127 : 126);
    }
    setpgid(pid_, pid_);
    out_write.reset();
    if (launch.ours) {
        stdout_ = std::move(out_read);
    } else {
        drainer_ = std::thread(&Process::drain, this, std::move(out_read));
    }
    pidfd_ = Fd(check(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)), "pidfd_open"));
}

Process::~Process() {
    const std::vector<pid_t> tree = process_tree(pid_);
    kill(-pid_, SIGKILL);
    for (const pid_t pid : tree) {
        if (pid != pid_) kill(pid, SIGKILL);
    }
    if (!ended_) waitpid(pid_, nullptr, 0);
    drained_ = true;
    if (drainer_.joinable()) drainer_.join();
}

/// Reads away what is printed, until nobody is left who could print or this object is about to go.
void Process::drain(Fd output) {
    std::array<char, 1 << 16> piece{};
    while (!drained_) {
        pollfd readable{output.get(), POLLIN, 0};
        if (poll(&readable, 1, 20) <= 0) continue;
        const ssize_t count = read(output.get(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return;
        const std::lock_guard lock(beginning_mutex_);
        constexpr std::size_t kept = 2000;
        const std::size_t room = kept - std::min(kept, beginning_.size());
        beginning_.append(piece.data(), std::min(room, static_cast<std::size_t>(count)));
        end_.append(piece.data(), static_cast<std::size_t>(count));
        end_.erase(0, end_.size() - std::min(kept, end_.size()));
        printed_ += static_cast<std::size_t>(count);
    }
}

std::optional<std::string> Process::read_line(milliseconds time) {
    const auto until = Clock::now() + time;
    for (;;) {
        if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
        pollfd readable{stdout_.get(), POLLIN, 0};
        if (left.count() < 0 || poll(&readable, 1, static_cast<int>(left.count())) == 0) return std::nullopt;
        std::array<char, 4096> piece{};
        const ssize_t count = read(stdout_.get(), piece.data(), piece.size());
        if (count == 0 || (count < 0 && errno != EINTR)) return std::nullopt;
        if (count > 0) unread_.append(piece.data(), static_cast<std::size_t>(count));
    }
}

Outcome Process::outcome(milliseconds time) {
    std::string out;
    while (const auto line = read_line(time)) out += *line + "\n";
    out += std::exchange(unread_, "");
    const std::string ended = how_it_ends(time);
    return {ended, out, standard_error()};
}

std::string Process::standard_error() const {
    if (drainer_.joinable()) {
        const std::lock_guard lock(beginning_mutex_);
        return beginning_;
    }
    return stderr_.content();
}

std::vector<std::string> Process::last_lines(std::size_t count) const {
    std::vector<std::string> lines;
    const std::lock_guard lock(beginning_mutex_);
    std::istringstream all(end_);
    for (std::string line; std::getline(all, line);) {
        if (!line.empty()) lines.push_back(line);
    }
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(std::min(count, lines.size())));
    return lines;
}

std::string Process::beginning_of_errors() const {
    std::string beginning = standard_error().substr(0, 200);
    std::replace(beginning.begin(), beginning.end(), '\n', ' ');
    return beginning;
}

void Process::signal(int number) const {
    kill(pid_, number);
}

std::optional<Ended> Process::wait(milliseconds time) {
    if (ended_) return ended_;
    const auto until = Clock::now() + time;
    for (;;) {
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) == pid_) {
            ended_ = WIFSIGNALED(status) ? Ended{true, WTERMSIG(status)} : Ended{false, WEXITSTATUS(status)};
            return ended_;
        }
        const auto left = std::chrono::ceil<milliseconds>(until - Clock::now());
        if (left.count() <= 0) return std::nullopt;
        pollfd ended{pidfd_.get(), POLLIN, 0};
        poll(&ended, 1, static_cast<int>(left.count()));
    }
}

std::string Process::how_it_ends(milliseconds time) {
    const auto ended = wait(time);
    return ended ? to_string(*ended) : "it still runs";
}

OnOneProcessor::OnOneProcessor() {
    check(sched_getaffinity(0, sizeof before_, &before_), "sched_getaffinity");
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(check(sched_getcpu(), "sched_getcpu")), &one);
    check(sched_setaffinity(0, sizeof one, &one), "sched_setaffinity");
}

OnOneProcessor::~OnOneProcessor() {
    sched_setaffinity(0, sizeof before_, &before_);
}
