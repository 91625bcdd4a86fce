#include "tests/tools/trace/traced_server.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/failed.h"

namespace fs = std::filesystem;

namespace {

constexpr milliseconds long_enough{20000};

/// The calls that matter, as strace's -e wants them. What a strace does not know (after ?) it leaves out.
const char* const traced_calls = "trace=%network,?read,?write,?close,/select,/epoll,/poll,/fork,/clone,?wait4,"
                                 "?clock_nanosleep,?futex,?fcntl,?exit_group";

/// A thread of the server, as /proc shows it now.
struct Task {
    pid_t thread;
    char state;
    long call;              ///< that it waits in; -1 when it runs
    unsigned long switches; ///< how often it gave up the CPU

    bool operator==(const Task&) const = default;
};

Task task(const fs::path& folder) {
    Task found{static_cast<pid_t>(std::atol(folder.filename().c_str())), '-', -1, 0};
    std::ifstream(folder / "syscall") >> found.call;
    std::ifstream status(folder / "status");
    for (std::string word; status >> word;) {
        if (word == "State:") status >> found.state;
        if (word == "voluntary_ctxt_switches:" || word == "nonvoluntary_ctxt_switches:") {
            unsigned long count = 0;
            status >> count;
            found.switches += count;
        }
    }
    return found;
}

std::vector<Task> tasks(pid_t root) {
    std::vector<Task> all;
    for (const pid_t pid : process_tree(root)) {
        std::error_code error;
        for (fs::directory_iterator it(text("/proc/", pid, "/task"), error), end; !error && it != end;
             it.increment(error)) {
            all.push_back(task(it->path()));
        }
    }
    return all;
}

bool waits_for_others(const Task& task) {
    return task.state == 'S' && task.call >= 0 && task.call != SYS_clock_nanosleep;
}

Seconds time_of(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// How far the clock that people set, which strace goes by, is ahead of the one that only goes on.
Seconds clock_offset() {
    return time_of(CLOCK_REALTIME) - time_of(CLOCK_MONOTONIC);
}

} // namespace

Seconds now() {
    return time_of(CLOCK_REALTIME);
}

TracedServer::TracedServer(const std::string& program, const std::vector<std::string>& options)
    : traced_({"-ttt", "-T", "-s", "32", "-e", traced_calls},
              [&] {
                  std::vector<std::string> server{program, "--port", "0"};
                  server.insert(server.end(), options.begin(), options.end());
                  return server;
              }()),
      offset_(clock_offset()) {
    recording_.port = traced_.port();
    endpoint_ = {parse_address("127.0.0.1", recording_.port).value(), long_enough};
    wait_for_rest();
}

Client TracedServer::connect(char name, int receive_buffer, int segment) {
    Client client(endpoint_, receive_buffer, segment);
    mark(name, "connects");
    const std::string address = to_string(client.address());
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    recording_.clients[static_cast<std::uint16_t>(port)] = name;
    return client;
}

void TracedServer::mark(char client, const std::string& what) {
    recording_.marks.push_back({now(), client, what});
}

bool TracedServer::at_rest(Client* listening) const {
    // None of them has run in between: whatever has not come will not come, unless somebody sends something. This does
    // not depend on how busy the machine is: who has something to do and gets no CPU does not sleep.
    constexpr milliseconds pause{15};
    const std::vector<Task> before = tasks(traced_.pid());
    for (int looks = 0; looks < 3; ++looks) {
        if (!std::all_of(before.begin(), before.end(), waits_for_others)) return false;
        if (listening == nullptr) {
            std::this_thread::sleep_for(pause);
        } else if (listening->hears_within(pause)) {
            return false;
        }
        if (tasks(traced_.pid()) != before) return false;
    }
    return true;
}

void TracedServer::wait_for_rest() {
    if (!eventually([&] { return at_rest(); }, long_enough)) {
        throw Failed{"waited for the server to come to rest", "that all its threads wait", "one goes on"};
    }
}

void TracedServer::wait_for_thinking() {
    const auto thinks = [&] {
        const std::vector<Task> all = tasks(traced_.pid());
        return std::any_of(all.begin(), all.end(), [](const Task& one) { return one.call == SYS_clock_nanosleep; });
    };
    if (!eventually(thinks, milliseconds(2000))) { // it thinks for 100 ms: by then that has been missed
        throw Failed{"waited for the server to think", "that a thread is in clock_nanosleep", "none is"};
    }
}

Recording TracedServer::finish() {
    wait_for_rest();
    mark(0, "stop");
    recording_.raw = traced_.finish();
    recording_.clock_was_set = std::abs(clock_offset() - offset_) > 0.003;
    std::vector<TraceEvent> events = read_strace(recording_.raw);
    const auto first = std::find_if(events.begin(), events.end(), [](const TraceEvent& e) { return e.is("socket"); });
    recording_.events.assign(first, events.end());
    return std::move(recording_);
}
