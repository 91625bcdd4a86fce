#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "common/check.h"

namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

/// A stat file of /proc behind the name, which may contain anything: state, parent, ... Empty when the process is gone.
std::vector<std::string> stat_fields(const fs::path& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) return {};
    std::istringstream rest(line.substr(name_end + 1));
    std::vector<std::string> fields;
    for (std::string field; rest >> field;) fields.push_back(field);
    return fields;
}

std::vector<std::string> stat_fields(pid_t pid) {
    return stat_fields("/proc/" + std::to_string(pid) + "/stat");
}

std::size_t count_entries(const fs::path& folder) {
    std::error_code error;
    std::size_t count = 0;
    for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
        ++count;
    }
    return count;
}

} // namespace

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

Process::Process(const Launch& launch) : stderr_(check(memfd_create("stderr", MFD_CLOEXEC), "memfd_create")) {
    std::vector<char*> argv;
    for (const std::string& word : launch.command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);

    std::array<int, 2> out{-1, -1};
    check(pipe2(out.data(), O_CLOEXEC), "pipe");
    Fd out_read(out[0]);
    Fd out_write(out[1]);
    const Fd null(check(open("/dev/null", O_RDWR | O_CLOEXEC), "/dev/null"));
    const pid_t parent = getpid();

    pid_ = check(fork(), "fork");
    if (pid_ == 0) {
        // So that strace may attach to it: where Yama guards the processes (Ubuntu), an ordinary user may trace only
        // descendants, and strace is a sibling. This outlives exec; without Yama it fails, and is not needed.
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        setpgid(0, 0);
        ::signal(SIGPIPE, SIG_DFL); // what we ignore, the program would go on ignoring
        dup2(null.get(), STDIN_FILENO);
        dup2(out_write.get(), STDOUT_FILENO);
        dup2(launch.ours ? stderr_.get() : out_write.get(), STDERR_FILENO);
        close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC); // also what we were started with, by make -j for one
        if (launch.before_exec) launch.before_exec();
        prctl(PR_SET_PDEATHSIG, SIGKILL); // after that: a new user namespace would undo it
        if (getppid() != parent) _exit(126);
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
        printed_ += static_cast<std::size_t>(count);
    }
}

std::optional<std::string> Process::read_line(milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    for (;;) {
        if (const std::size_t end = unread_.find('\n'); end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
        pollfd readable{stdout_.get(), POLLIN, 0};
        if (left.count() < 0 || poll(&readable, 1, static_cast<int>(left.count())) == 0) return std::nullopt;
        std::array<char, 4096> piece{};
        const ssize_t count = read(stdout_.get(), piece.data(), piece.size());
        if (count == 0 || (count < 0 && errno != EINTR)) return std::nullopt;
        if (count > 0) unread_.append(piece.data(), static_cast<std::size_t>(count));
    }
}

std::string Process::standard_error() const {
    if (drainer_.joinable()) {
        const std::lock_guard lock(beginning_mutex_);
        return beginning_;
    }
    std::string all;
    std::array<char, 4096> piece{};
    for (;;) {
        const ssize_t count = pread(stderr_.get(), piece.data(), piece.size(), static_cast<off_t>(all.size()));
        if (count <= 0) return all;
        all.append(piece.data(), static_cast<std::size_t>(count));
    }
}

void Process::signal(int number) const {
    kill(pid_, number);
}

std::optional<Ended> Process::wait(milliseconds time) {
    if (ended_) return ended_;
    const auto until = std::chrono::steady_clock::now() + time;
    for (;;) {
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) == pid_) {
            ended_ = WIFSIGNALED(status) ? Ended{true, WTERMSIG(status)} : Ended{false, WEXITSTATUS(status)};
            return ended_;
        }
        const auto left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0) return std::nullopt;
        pollfd ended{pidfd_.get(), POLLIN, 0};
        poll(&ended, 1, static_cast<int>(left.count()));
    }
}

std::vector<pid_t> process_tree(pid_t root) {
    std::multimap<pid_t, pid_t> children;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator("/proc", error)) {
        const std::string name = entry.path().filename();
        if (!std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) continue;
        const std::vector<std::string> fields = stat_fields(std::stoi(name));
        if (fields.size() > 1) children.emplace(std::stoi(fields[1]), std::stoi(name));
    }
    std::vector<pid_t> tree{root};
    for (std::size_t i = 0; i < tree.size(); ++i) {
        const auto [first, last] = children.equal_range(tree[i]);
        for (auto it = first; it != last; ++it) tree.push_back(it->second);
    }
    return tree;
}

char process_state(pid_t pid) {
    const std::vector<std::string> fields = stat_fields(pid);
    return fields.empty() ? '-' : fields[0][0];
}

bool wants_the_cpu(pid_t pid) {
    std::error_code error;
    for (auto thread = fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error);
         !error && thread != fs::directory_iterator(); thread.increment(error)) {
        const std::vector<std::string> fields = stat_fields(thread->path() / "stat");
        if (!fields.empty() && fields[0] == "R") return true;
    }
    return false;
}

std::chrono::microseconds cpu_time(pid_t root) {
    std::chrono::nanoseconds sum{0};
    for (const pid_t pid : process_tree(root)) {
        clockid_t clock = 0;
        timespec used{};
        if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) continue; // it has ended
        sum += std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
    }
    return std::chrono::duration_cast<std::chrono::microseconds>(sum);
}

std::size_t open_descriptors(pid_t pid) {
    return count_entries("/proc/" + std::to_string(pid) + "/fd");
}

std::size_t thread_count(pid_t pid) {
    return count_entries("/proc/" + std::to_string(pid) + "/task");
}

bool has_library(pid_t pid, const std::string& name) {
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) {
        if (line.find(name) != std::string::npos) return true;
    }
    return false;
}

std::size_t private_memory(pid_t root) {
    std::size_t kilobytes = 0;
    for (const pid_t pid : process_tree(root)) {
        std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:")) {
                kilobytes += std::stoul(line.substr(line.find(':') + 1));
            }
        }
    }
    return kilobytes * 1024;
}

void pause_a_millisecond() {
    const timespec millisecond{0, 1000000};
    nanosleep(&millisecond, nullptr);
}
