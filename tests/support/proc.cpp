#include "tests/support/proc.h"

#include <sys/syscall.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/support/failed.h"

namespace fs = std::filesystem;

namespace {

/// What is in a folder now. Nothing when there is no such folder; what goes away meanwhile may be missing.
std::vector<fs::path> entries(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
        found.push_back(it->path());
    }
    return found;
}

fs::path folder_of(pid_t pid) {
    return "/proc/" + std::to_string(pid);
}

/// Empty when there is no such file, or its process ends while it is read.
std::string read_file(const fs::path& path) {
    return text(std::ifstream(path).rdbuf());
}

/// The number behind `name` at the beginning of a line; 0 when there is no such line.
std::size_t number_behind(const std::string& name, const std::string& lines, int base = 10) {
    const std::size_t line = lines.starts_with(name) ? 0 : lines.find("\n" + name);
    return line == std::string::npos ? 0 : std::stoul(lines.substr(lines.find(':', line) + 1), nullptr, base);
}

/// The letter in a status file; '-' when that is empty, because the process is gone.
char state_in(const std::string& status) {
    const std::string name = "\nState:\t";
    const std::size_t line = status.find(name);
    return line == std::string::npos ? '-' : status[line + name.size()];
}

} // namespace

std::string unreadable(pid_t thread, const std::string& file) {
    const fs::path path = folder_of(thread) / file;
    if (access(path.c_str(), R_OK) != 0) return path.string() + " cannot be read: " + std::strerror(errno);
    return !fs::is_directory(path) && read_file(path).empty() ? path.string() + " is empty here" : "";
}

std::size_t number_in(const std::string& file, const std::string& name, int base) {
    return number_behind(name, read_file(file), base);
}

std::vector<pid_t> process_tree(pid_t root) {
    std::multimap<pid_t, pid_t> children;
    for (const fs::path& folder : entries("/proc")) {
        const int pid = std::atoi(folder.filename().c_str()); // 0 for what is no process
        if (pid > 0) children.emplace(static_cast<pid_t>(number_in(folder / "status", "PPid:")), pid);
    }
    std::vector<pid_t> tree{root};
    for (std::size_t i = 0; i < tree.size(); ++i) {
        const auto [first, last] = children.equal_range(tree[i]);
        for (auto it = first; it != last; ++it) tree.push_back(it->second);
    }
    return tree;
}

char process_state(pid_t pid) {
    return state_in(read_file(folder_of(pid) / "status"));
}

bool has_ended(pid_t pid) {
    const char state = process_state(pid);
    return state == '-' || state == 'Z';
}

pid_t tracer_of(pid_t thread) {
    return static_cast<pid_t>(number_in(folder_of(thread) / "status", "TracerPid:"));
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

std::size_t private_memory(pid_t root) {
    std::size_t kilobytes = 0;
    for (const pid_t pid : process_tree(root)) {
        kilobytes += number_in(folder_of(pid) / "smaps_rollup", "Private_Dirty:");
    }
    return kilobytes * 1024;
}

std::size_t memory_of(pid_t root) {
    std::size_t kilobytes = 0;
    for (const pid_t pid : process_tree(root)) kilobytes += number_in(folder_of(pid) / "status", "VmPTE:");
    return private_memory(root) + kilobytes * 1024;
}

bool has_library(pid_t pid, const std::string& name) {
    return read_file(folder_of(pid) / "maps").find(name) != std::string::npos;
}

std::vector<pid_t> threads_of(pid_t pid) {
    std::vector<pid_t> threads;
    for (const fs::path& folder : entries(folder_of(pid) / "task")) threads.push_back(std::stoi(folder.filename()));
    std::sort(threads.begin(), threads.end());
    return threads;
}

bool wants_the_cpu(pid_t pid) {
    const std::vector<pid_t> threads = threads_of(pid);
    return std::any_of(threads.begin(), threads.end(), [](pid_t thread) { return process_state(thread) == 'R'; });
}

std::vector<Task> tasks(pid_t root) {
    std::vector<Task> all;
    for (const pid_t pid : process_tree(root)) {
        for (const pid_t thread : threads_of(pid)) {
            if (const auto task = task_of(thread)) all.push_back(*task);
        }
    }
    return all;
}

std::size_t tasks_in(pid_t root, long call) {
    const std::vector<Task> all = tasks(root);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Task& task) { return task.call == call; }));
}

std::optional<Task> task_of(pid_t thread) {
    // First the call and then the rest, which tells whether the thread has slept since it was looked at before: then
    // this is the call in which it sleeps.
    const std::vector<std::string> call = words_of(read_file(folder_of(thread) / "syscall"));
    const std::string status = read_file(folder_of(thread) / "status");
    Task task{thread, state_in(status),
              number_behind("voluntary_ctxt_switches:", status) + number_behind("nonvoluntary_ctxt_switches:", status)};
    if (task.state == 'Z' || task.state == '-') return std::nullopt;
    if (call.empty()) throw Skipped{unreadable(thread, "syscall")};
    // "running", or the number of the call, its six arguments, and two addresses
    if (call.size() < 9) return task;
    task.call = std::stol(call[0]);
    for (std::size_t i = 1; i <= 6; ++i) task.arguments.push_back(std::stoul(call[i], nullptr, 16));
    return task;
}

std::string call_name(long call) {
    static const std::map<long, std::string> names = {
        {SYS_socket, "socket"},
        {SYS_bind, "bind"},
        {SYS_listen, "listen"},
        {SYS_accept4, "accept4"},
        {SYS_accept, "accept"},
        {SYS_read, "read"},
        {SYS_readv, "readv"},
        {SYS_recvfrom, "recvfrom"},
        {SYS_recvmsg, "recvmsg"},
        {SYS_write, "write"},
        {SYS_writev, "writev"},
        {SYS_sendto, "sendto"},
        {SYS_sendmsg, "sendmsg"},
        {SYS_pselect6, "select"}, // what glibc's select calls
        {SYS_ppoll, "poll"},
        {SYS_epoll_pwait, "epoll_wait"},
        {SYS_epoll_pwait2, "epoll_wait"},
#ifdef SYS_select // the older ones, which newer processors do not have
        {SYS_select, "select"},
        {SYS_poll, "poll"},
        {SYS_epoll_wait, "epoll_wait"},
        {SYS_pause, "pause"},
#endif
        {SYS_io_uring_enter, "io_uring_enter"},
        {SYS_futex, "futex"},
        {SYS_nanosleep, "nanosleep"},
        {SYS_clock_nanosleep, "clock_nanosleep"},
        {SYS_wait4, "wait4"},
        {SYS_rt_sigtimedwait, "sigtimedwait"},
        {SYS_fsync, "fsync"},
    };
    const auto found = names.find(call);
    return found == names.end() ? "call " + std::to_string(call) : found->second;
}

std::string main_thread_waits_in(pid_t pid) {
    const auto main = task_of(pid);
    return main && main->call >= 0 ? call_name(main->call) : "something else";
}

std::size_t open_descriptors(pid_t pid) {
    return entries(folder_of(pid) / "fd").size();
}

std::map<int, std::string> descriptors_of(pid_t pid) {
    std::map<int, std::string> all;
    for (const fs::path& entry : entries(folder_of(pid) / "fd")) {
        std::error_code closed_meanwhile;
        const fs::path what = fs::read_symlink(entry, closed_meanwhile);
        if (!closed_meanwhile) all.emplace(std::stoi(entry.filename()), what);
    }
    return all;
}

int descriptor_of(pid_t pid, const std::string& inode) {
    for (const auto& [fd, what] : descriptors_of(pid)) {
        if (what == "socket:[" + inode + "]") return fd;
    }
    return -1;
}

Descriptor find_descriptor(pid_t root, const std::string& inode) {
    for (const pid_t pid : process_tree(root)) {
        const int fd = descriptor_of(pid, inode);
        if (fd >= 0) return {pid, fd};
    }
    throw Failed{"looked for the server's descriptor of a connection", "one", "none"};
}

int descriptor_flags(const Descriptor& descriptor) {
    const fs::path file = folder_of(descriptor.process) / "fdinfo" / std::to_string(descriptor.number);
    return static_cast<int>(number_in(file, "flags:", 8));
}

std::vector<Watched> watched_by_epoll(pid_t pid) {
    std::vector<Watched> all;
    for (const auto& [fd, what] : descriptors_of(pid)) {
        if (what != "anon_inode:[eventpoll]") continue;
        std::ifstream file(folder_of(pid) / "fdinfo" / std::to_string(fd));
        for (std::string line; std::getline(file, line);) {
            // tfd: 5 events: 19 data: 5635b51f4e10 ...
            const std::vector<std::string> words = words_of(line);
            if (words.size() < 6 || words[0] != "tfd:") continue;
            all.push_back({std::stoi(words[1]), static_cast<std::uint32_t>(std::stoul(words[3], nullptr, 16)),
                           std::stoull(words[5], nullptr, 16), fd});
        }
    }
    return all;
}
