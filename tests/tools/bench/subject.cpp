#include "tests/tools/bench/subject.h"

#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/straced.h"
#include "tests/tools/temporary_folder.h"

std::vector<Subject> subjects(std::vector<std::string>& skipped) {
    constexpr std::size_t with_select = FD_SETSIZE - 4; // stdin, stdout, stderr and the listener have the others
    const std::string peers = "build/bench/peers/";
    std::vector<Subject> all{
        {"01 blocking", "01-blocking-server/server", {}, true, "one client at a time", 1},
        {"02 fork", "02-fork-per-client/server", {}},
        {"03 select", "03-select-server/server", {}, true, nullptr, with_select},
        {"04 non-blocking", "04-nonblocking-fcntl/server", {}, true, nullptr, with_select},
        {"05 epoll", "05-epoll-server/server", {}},
        {"06 threads", "06-epoll-threadpool/server", {}},
        {"thread per client", peers + "thread_per_client", {}, false},
        {"libevent", peers + "libevent_echo", {}, false},
        {"libuv", peers + "libuv_echo", {}, false},
        {"Boost.Asio", peers + "asio_echo", {}, false},
        {"Boost.Asio, 4 threads", peers + "asio_echo", {"--threads", "4"}, false},
        {"io_uring",
         peers + "io_uring_echo",
         {},
         false,
         "may hold more than 64 KiB for a client that does not read; its instructions are not counted: valgrind 3.19 "
         "delivers no signal in io_uring_enter",
         SIZE_MAX,
         false,
         false},
        {"bare epoll loop",
         peers + "bare_epoll",
         {},
         false,
         "no handling of errors or of short writes: a yardstick",
         SIZE_MAX,
         true},
    };
    std::vector<Subject> there;
    for (const Subject& one : all) {
        if (access(one.program.c_str(), X_OK) == 0) {
            there.push_back(one);
        } else {
            skipped.push_back(one.name + ": its library is not installed (make bench-deps does that)");
        }
    }
    return there;
}

Sample measure(const Subject& subject, const LoadOptions& options, double seconds) {
    const RunningServer server(subject.program, subject.options);
    Load load(server.endpoint().address, options);
    load.run_for(std::max(seconds / 5, 0.05)); // until caches and the kernel's buffers have settled
    const auto before = cpu_time(server.pid());
    Sample sample{load.run_for(seconds)};
    const auto used = cpu_time(server.pid()) - before;
    sample.cpu =
        static_cast<double>(used.count()) / static_cast<double>(std::max<std::uint64_t>(sample.load.messages, 1));
    load.finish();
    return sample;
}

namespace {

/// Lets the server answer so many messages. Where clients have a process each, these have ended when it returns.
template <typename Server>
void serve(const Server& server, LoadOptions options, std::uint64_t messages) {
    options.patience = milliseconds(60000);
    const std::size_t without_clients = process_tree(server.pid()).size();
    {
        Load load(server.endpoint().address, options);
        load.run_count(messages);
        load.finish();
    }
    wait_until("that the clients' processes end", [&] { return process_tree(server.pid()).size() <= without_clients; });
}

/// The last line of the table says "100.00 0.012345 1 12345 67 total": percent, seconds, microseconds a call, calls.
double system_calls(const Subject& subject, const LoadOptions& load, std::uint64_t messages) {
    Straced server({"-c"}, subject.program, subject.options);
    serve(server, load, messages);
    const std::string table = server.finish();
    double percent = 0, seconds = 0, each = 0, calls = 0;
    std::istringstream last(table.substr(std::min(table.size(), table.rfind("100.00 ", table.find(" total")))));
    if (!(last >> percent >> seconds >> each >> calls)) {
        throw Failed{"counted system calls with strace -c", "a table of them", "'" + table + "'"};
    }
    return calls;
}

/// The sum of the "totals: N" of all processes.
double instructions(const Subject& subject, const LoadOptions& load, std::uint64_t messages) {
    const TemporaryFolder folder("bench");
    RunningServer server(
        subject.program, subject.options, {},
        {"valgrind", "-q", "--tool=callgrind", text("--callgrind-out-file=", folder.path().string(), "/%p")});
    serve(server, load, messages);
    server.process().signal(SIGTERM);
    server.process().wait(long_enough);
    double sum = 0;
    for (const auto& report : std::filesystem::directory_iterator(folder.path())) {
        std::ifstream file(report.path());
        for (std::string line; std::getline(file, line);) {
            if (line.starts_with("totals: ")) sum += std::stod(line.substr(8));
        }
    }
    if (sum == 0) throw Failed{"counted instructions with callgrind", "a report", "none"};
    return sum;
}

/// Bytes of the whole machine.
double kernel_memory() {
    std::size_t kilobytes = 0;
    for (const char* name : {"Slab:", "KernelStack:", "PageTables:"}) kilobytes += number_in("/proc/meminfo", name);
    return static_cast<double>(kilobytes) * 1024;
}

} // namespace

double system_calls_per_message(const Subject& subject, const LoadOptions& load, std::uint64_t messages) {
    const double few = system_calls(subject, load, messages);
    return (system_calls(subject, load, 3 * messages) - few) / static_cast<double>(2 * messages);
}

double instructions_per_message(const Subject& subject, const LoadOptions& load, std::uint64_t messages) {
    const double few = instructions(subject, load, messages);
    return (instructions(subject, load, 3 * messages) - few) / static_cast<double>(2 * messages);
}

ConnectionMemory memory_per_connection(const Subject& subject, std::size_t few, std::size_t many) {
    const RunningServer server(subject.program, subject.options);
    const Load first(server.endpoint().address, {.connections = 0, .idle = few});
    const double user = static_cast<double>(private_memory(server.pid()));
    const double kernel = kernel_memory();
    const Load more(server.endpoint().address, {.connections = 0, .idle = many - few});
    const auto count = static_cast<double>(many - few);
    return {(static_cast<double>(private_memory(server.pid())) - user) / count, (kernel_memory() - kernel) / count};
}
