#include "tests/support/straced.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

#include "common/check.h"
#include "tests/support/failed.h"

namespace {

constexpr std::chrono::milliseconds long_enough{20000};

std::string path_of(const Fd& file) {
    return text("/proc/", getpid(), "/fd/", file.get());
}

std::vector<std::string> command(const std::vector<std::string>& options, const std::string& record,
                                 const std::vector<std::string>& server) {
    std::vector<std::string> words{"strace", "-D", "-f", "-o", record};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), server.begin(), server.end());
    return words;
}

/// Who traces this process; 0 is nobody.
pid_t tracer_of(pid_t pid) {
    std::ifstream status(text("/proc/", pid, "/status"));
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("TracerPid:")) return std::stoi(line.substr(10));
    }
    return 0;
}

/// Nobody may wait for a zombie that is not ours: it has ended.
bool has_ended(pid_t pid) {
    const char state = process_state(pid);
    return state == '-' || state == 'Z';
}

} // namespace

const std::string& why_no_strace() {
    static const std::string why = [] {
        Process strace({{"strace", "-o", "/dev/null", "true"}, {}, true});
        const auto ended = strace.wait(long_enough);
        if (ended && !ended->by_signal && ended->value == 0) return std::string();
        if (ended && !ended->by_signal && ended->value == 127) return std::string("strace is not installed");
        const std::string said = strace.standard_error();
        return "strace may not trace here: " + said.substr(0, said.find('\n'));
    }();
    return why;
}

Straced::Straced(const std::vector<std::string>& options, const std::vector<std::string>& server)
    : record_(check(memfd_create("strace", MFD_CLOEXEC), "memfd_create")),
      server_({command(options, path_of(record_), server), {}, true}) {
    const auto line = server_.read_line(long_enough);
    const bool listens = line && line->find(':') != std::string::npos;
    strace_ = tracer_of(pid());
    if (!listens || strace_ == 0) {
        const std::string state = server_.running() ? "it runs, " : to_string(*server_.wait(long_enough)) + ", ";
        throw Failed{"started " + server.front() + " under strace", "that it listens and is traced",
                     state + (listens ? "not traced: " : "without a line: ") + server_.standard_error()};
    }
    port_ = static_cast<std::uint16_t>(std::stoi(line->substr(line->rfind(':') + 1)));
}

std::string Straced::finish() {
    server_.signal(SIGTERM);
    if (!server_.wait(long_enough)) throw Failed{"stopped the server under strace", "its end", "it goes on"};
    if (!eventually([&] { return has_ended(strace_); }, long_enough)) {
        throw Failed{"stopped the server under strace", "strace's end", "it goes on"};
    }
    std::ostringstream all;
    all << std::ifstream(path_of(record_)).rdbuf();
    return all.str();
}

std::unique_ptr<Straced> start_straced(const std::vector<std::string>& options,
                                       const std::vector<std::string>& server) {
    if (!why_no_strace().empty()) throw Skipped{why_no_strace()};
    return std::make_unique<Straced>(options, server);
}
