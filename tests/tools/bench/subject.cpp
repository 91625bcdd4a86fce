#include "tests/tools/bench/subject.h"

#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/check.h"

namespace {

std::vector<std::string> whole_command(const Subject& subject, const std::vector<std::string>& wrapper) {
    std::vector<std::string> words = wrapper;
    words.insert(words.end(), subject.command.begin(), subject.command.end());
    words.insert(words.end(), {"--port", "0"});
    return words;
}

/// The address in "listening on 127.0.0.1:7007".
Address address_in(const std::string& line, const std::string& greeting) {
    const std::string where = line.substr(greeting.size());
    const std::size_t colon = where.rfind(':');
    return parse_address(where.substr(0, colon), static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1))))
        .value();
}

} // namespace

std::vector<Subject> subjects(std::vector<std::string>& skipped) {
    constexpr std::size_t with_select = FD_SETSIZE - 4; // stdin, stdout, stderr and the listener have the others
    const std::string peers = "build/bench/peers/";
    std::vector<Subject> all{
        {"01 blocking", {"01-blocking-server/server"}, true, "one client at a time", 1},
        {"02 fork", {"02-fork-per-client/server"}},
        {"03 select", {"03-select-server/server"}, true, nullptr, with_select},
        {"04 non-blocking", {"04-nonblocking-fcntl/server"}, true, nullptr, with_select},
        {"05 epoll", {"05-epoll-server/server"}},
        {"06 threads", {"06-epoll-threadpool/server"}},
        {"thread per client", {peers + "thread_per_client"}, false},
        {"libevent", {peers + "libevent_echo"}, false},
        {"libuv", {peers + "libuv_echo"}, false},
        {"Boost.Asio", {peers + "asio_echo"}, false},
        {"Boost.Asio, 4 threads", {peers + "asio_echo", "--threads", "4"}, false},
        {"io_uring",
         {peers + "io_uring_echo"},
         false,
         "may hold more than 64 KiB for a client that does not read; its instructions are not counted: valgrind 3.19 "
         "delivers no signal in io_uring_enter",
         SIZE_MAX,
         false,
         false},
        {"bare epoll loop",
         {peers + "bare_epoll"},
         false,
         "no handling of errors or of short writes: a yardstick",
         SIZE_MAX,
         true},
    };
    std::vector<Subject> there;
    for (const Subject& one : all) {
        if (access(one.command.front().c_str(), X_OK) == 0) {
            there.push_back(one);
        } else {
            skipped.push_back(one.name + ": its library is not installed (make bench-deps does that)");
        }
    }
    return there;
}

RunningSubject::RunningSubject(const Subject& subject, const std::vector<std::string>& wrapper)
    : process_(Launch{whole_command(subject, wrapper), {}, true}), wrapped_(!wrapper.empty()) {
    const std::string greeting = "listening on ";
    const auto line = process_.read_line(milliseconds(20000));
    if (!line || !line->starts_with(greeting)) {
        std::string said = process_.standard_error();
        std::replace(said.begin(), said.end(), '\n', ' ');
        throw Failed{"started " + subject.command.front(), "the line 'listening on ADDRESS:PORT'",
                     said.empty() ? "no such line" : said};
    }
    address_ = address_in(*line, greeting);
}

void RunningSubject::stop() {
    const std::vector<pid_t> tree = process_tree(process_.pid());
    for (const pid_t pid : tree) {
        if (!wrapped_ || tree.size() == 1 || pid != process_.pid()) kill(pid, SIGTERM);
    }
    process_.wait(milliseconds(20000));
}

Sample measure(const Subject& subject, const LoadOptions& options, double seconds) {
    RunningSubject server(subject);
    Load load(server.address(), options);
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

/// A folder for the reports of one run, gone with this object.
class ReportFolder {
  public:
    ReportFolder() {
        std::string name = std::filesystem::temp_directory_path() / "bench-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) check(-1, "mkdtemp", name);
        path_ = name;
    }
    ~ReportFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ReportFolder(const ReportFolder&) = delete;
    ReportFolder& operator=(const ReportFolder&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

void run_under(const Subject& subject, const std::vector<std::string>& wrapper, LoadOptions options,
               std::uint64_t messages) {
    options.patience = milliseconds(60000);
    RunningSubject server(subject, wrapper);
    const std::size_t without_clients = process_tree(server.pid()).size();
    {
        Load load(server.address(), options);
        load.run_count(messages);
        load.finish();
    }
    // A process for a client writes its report when the client has left; let it.
    wait_until("that the clients' processes end", [&] { return process_tree(server.pid()).size() <= without_clients; });
    server.stop();
}

/// The calls in the last line of strace -c: "100.00    0.000172           2        81         3 total".
double counted_calls(const std::string& report) {
    std::ifstream file(report);
    for (std::string line; std::getline(file, line);) {
        if (!line.ends_with(" total")) continue;
        std::istringstream words(line);
        double percent = 0, seconds = 0, each = 0, calls = 0;
        words >> percent >> seconds >> each >> calls;
        return calls;
    }
    throw Failed{"counted system calls with strace -c", "a table of them", "none in " + report};
}

double system_calls(const Subject& subject, const LoadOptions& load, std::uint64_t messages) {
    const ReportFolder folder;
    const std::string report = folder.file("strace");
    run_under(subject, {"strace", "-f", "-c", "-o", report}, load, messages);
    return counted_calls(report);
}

/// The sum of the "totals: N" of all processes.
double instructions(const Subject& subject, const LoadOptions& load, std::uint64_t messages) {
    const ReportFolder folder;
    run_under(subject, {"valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + folder.file("%p")}, load,
              messages);
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

/// Bytes of what /proc/meminfo calls so.
double kernel_memory() {
    std::ifstream file("/proc/meminfo");
    double kilobytes = 0;
    for (std::string name, rest; file >> name && std::getline(file, rest);) {
        if (name == "Slab:" || name == "KernelStack:" || name == "PageTables:") kilobytes += std::stod(rest);
    }
    return kilobytes * 1024;
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
    RunningSubject server(subject);
    LoadOptions options;
    options.connections = 0;
    options.idle = few;
    const Load first(server.address(), options);
    const double user = static_cast<double>(private_memory(server.pid()));
    const double kernel = kernel_memory();
    options.idle = many - few;
    const Load more(server.address(), options);
    const auto count = static_cast<double>(many - few);
    return {(static_cast<double>(private_memory(server.pid())) - user) / count, (kernel_memory() - kernel) / count};
}
