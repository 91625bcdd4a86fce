#include "tests/claims/look.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>

#include "common/check.h"
#include "tests/cases/case.h"
#include "tests/claims/claim.h"

namespace fs = std::filesystem;

bool installed(const std::string& program) {
    const char* folders = std::getenv("PATH");
    std::istringstream path(folders != nullptr ? folders : "");
    for (std::string folder; std::getline(path, folder, ':');) {
        if (access(folder.append("/").append(program).c_str(), X_OK) == 0) return true;
    }
    return false;
}

namespace {

std::vector<std::string> words_of(const std::string& line) {
    std::istringstream fields(line);
    std::vector<std::string> words;
    for (std::string word; fields >> word;) words.push_back(word);
    return words;
}

/// One thread, from the files in its folder. Nothing when it has just ended.
std::optional<Task> read_task(const fs::path& folder) {
    Task task{std::stoi(folder.filename()), '-', 0, -1, {}};
    std::ifstream status(folder / "status");
    for (std::string line; std::getline(status, line);) {
        const std::vector<std::string> words = words_of(line);
        if (words.size() < 2) continue;
        if (words[0] == "State:") task.state = words[1][0];
        if (words[0].ends_with("voluntary_ctxt_switches:")) task.switches += std::stoul(words[1]);
    }
    if (task.state == '-') return std::nullopt;

    // "running", or the number of the call, its six arguments, and two addresses
    std::ifstream syscall(folder / "syscall");
    std::string line;
    if (!std::getline(syscall, line)) {
        if (!fs::exists(folder) || task.state == 'Z') return std::nullopt;
        throw Skipped{(folder / "syscall").string() + " cannot be read"};
    }
    const std::vector<std::string> words = words_of(line);
    if (words.size() < 9) return task;
    task.call = std::stol(words[0]);
    for (std::size_t i = 1; i <= 6; ++i) task.arguments.push_back(std::stoul(words[i], nullptr, 16));
    return task;
}

} // namespace

std::vector<Task> tasks(pid_t root) {
    std::vector<Task> all;
    for (const pid_t pid : process_tree(root)) {
        std::error_code error;
        for (fs::directory_iterator it(text("/proc/", pid, "/task"), error), end; !error && it != end;
             it.increment(error)) {
            if (const auto task = read_task(it->path())) all.push_back(*task);
        }
    }
    return all;
}

std::size_t tasks_in(pid_t root, long call) {
    const std::vector<Task> all = tasks(root);
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [&](const Task& task) { return task.call == call; }));
}

std::string main_thread_waits_in(pid_t pid) {
    static const std::map<long, std::string> names = {
        {SYS_accept4, "accept4"},        {SYS_read, "read"}, {SYS_write, "write"},
        {SYS_pselect6, "select"}, // what glibc's select calls
#ifdef SYS_select
        {SYS_select, "select"},
#endif
        {SYS_epoll_pwait, "epoll_wait"},
#ifdef SYS_epoll_wait
        {SYS_epoll_wait, "epoll_wait"},
#endif
    };
    const std::vector<Task> all = tasks(pid);
    const auto main = std::find_if(all.begin(), all.end(), [&](const Task& task) { return task.thread == pid; });
    if (main == all.end() || !names.contains(main->call)) return "something else";
    return names.at(main->call);
}

bool at_rest(pid_t root) {
    const std::vector<Task> before = tasks(root);
    const auto has_slept = [&] {
        const std::vector<Task> now = tasks(root);
        return std::equal(before.begin(), before.end(), now.begin(), now.end(), [](const Task& was, const Task& is) {
            return was.thread == is.thread && was.switches == is.switches && is.state == 'S';
        });
    };
    const auto until = Clock::now() + milliseconds(100);
    while (Clock::now() < until) {
        if (!has_slept()) return false;
        for (int i = 0; i < 20; ++i) pause_a_millisecond();
    }
    return has_slept();
}

void wait_for_rest(pid_t root) {
    if (!eventually([&] { return at_rest(root); }, long_enough)) {
        throw Failed{"waited until the server has nothing left to do", "that it sleeps", "it runs on and on"};
    }
}

std::size_t memory_of(pid_t root) {
    std::size_t page_tables = 0;
    for (const pid_t pid : process_tree(root)) {
        std::ifstream status(text("/proc/", pid, "/status"));
        for (std::string line; std::getline(status, line);) {
            if (line.starts_with("VmPTE:")) page_tables += std::stoul(line.substr(line.find(':') + 1)) * 1024;
        }
    }
    return private_memory(root) + page_tables;
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

int descriptor_flags(pid_t pid, int fd) {
    std::ifstream file(text("/proc/", pid, "/fdinfo/", fd));
    for (std::string line; std::getline(file, line);) {
        const std::vector<std::string> words = words_of(line);
        if (words.size() == 2 && words[0] == "flags:") return std::stoi(words[1], nullptr, 8);
    }
    throw Failed{text("looked at the flags of descriptor ", fd), "a line in fdinfo", "none"};
}

std::vector<Watched> watched_by_epoll(pid_t pid) {
    std::vector<Watched> all;
    std::error_code error;
    for (fs::directory_iterator it(text("/proc/", pid, "/fdinfo"), error), end; !error && it != end;
         it.increment(error)) {
        std::ifstream file(it->path());
        for (std::string line; std::getline(file, line);) {
            // tfd: 5 events: 19 data: 5635b51f4e10 ...
            const std::vector<std::string> words = words_of(line);
            if (words.size() < 6 || words[0] != "tfd:") continue;
            all.push_back({std::stoi(words[1]), static_cast<std::uint32_t>(std::stoul(words[3], nullptr, 16)),
                           std::stoull(words[5], nullptr, 16)});
        }
    }
    return all;
}

std::vector<Client> connect_clients(const Endpoint& server, std::size_t count) {
    std::vector<Client> clients;
    clients.reserve(count);
    while (clients.size() < count) clients.emplace_back(server);
    return clients;
}

void send_line(Client& client, const std::string& line) {
    client.send(line);
    if (!eventually([&] { return client.unacknowledged() == 0; }, long_enough)) {
        throw Failed{"sent '" + line + "'", "that it arrives", "it does not"};
    }
}

bool hears(Client& client, pid_t server) {
    for (;;) {
        if (client.hears_within(milliseconds(20))) return true;
        if (at_rest(server)) return client.hears_within(milliseconds(20)); // it may be on its way
    }
}

bool is_served(Client& client, pid_t server) {
    const std::string line = "am I served?\n";
    send_line(client, line);
    if (!hears(client, server)) return false;
    const std::string back = client.receive(line.size());
    if (back != line) throw Failed{"sent '" + line + "'", "the same back", "'" + back + "'"};
    return true;
}

void read_away(Client& client, std::size_t size) {
    while (size > 0) {
        const std::string piece = client.receive_some(std::min<std::size_t>(size, 1 << 16));
        if (piece.empty()) throw Failed{"read on", text(size, " bytes more"), "the end of data"};
        size -= piece.size();
    }
}

std::size_t send_and_never_read(Client& client, const Endpoint& endpoint, pid_t server) {
    const std::string data = random_bytes(1 << 16, 1);
    constexpr std::size_t most = 128 << 20;
    std::size_t sent = 0;
    // The server's kernel looks 200 ms after the client's has closed its window whether there is room by now, and on a
    // busy machine there may be some. So one moment without any progress is not enough.
    constexpr int enough = 3;
    int rests = 0; // each takes 100 ms
    const auto until = Clock::now() + long_enough;
    while (sent < most && Clock::now() < until) {
        const long count = client.send_some(std::string_view(data).substr(sent % data.size()));
        if (count < 0) throw Failed{"sent without reading", "a server that waits", "a broken connection"};
        if (count == 0 && rests == enough) return sent;
        sent += static_cast<std::size_t>(count);
        pollfd room{client.fd(), POLLOUT, 0};
        // There is input, and the server sleeps: it does not want it now.
        const bool rested =
            count == 0 && poll(&room, 1, 5) == 0 && at_rest(server) && server_end(endpoint, client).receive_queue > 0;
        rests = rested ? rests + 1 : 0;
    }
    throw Failed{"sent without reading", "a server that stops reading", text("it has read on for ", sent, " bytes")};
}
