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

/// Whether strace says that it is the machine that does not let it trace.
bool is_forbidden(const std::string& said) {
    return said.find("ptrace") != std::string::npos || said.find("Operation not permitted") != std::string::npos ||
           said.find("not found") != std::string::npos;
}

} // namespace

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
    try {
        return std::make_unique<Straced>(options, server);
    } catch (const Failed& failed) {
        if (is_forbidden(failed.got)) throw Skipped{"strace does not work here: " + failed.got};
        throw;
    }
}
