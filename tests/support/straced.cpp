#include "tests/support/straced.h"

#include <algorithm>
#include <csignal>

namespace {

std::vector<std::string> strace(const MemoryFile& record, const std::vector<std::string>& options) {
    std::vector<std::string> words{"strace", "-o", record.path()};
    words.insert(words.end(), options.begin(), options.end());
    return words;
}

RunningServer start(const MemoryFile& record, std::vector<std::string> options, const std::string& program,
                    const std::vector<std::string>& more) {
    if (!why_no_strace().empty()) throw Skipped{why_no_strace()};
    options.insert(options.end(), {"-D", "-f"});
    return RunningServer(program, more, {}, strace(record, options));
}

} // namespace

const std::string& why_no_strace() {
    static const std::string why = [] {
        const Outcome strace = Process({{"strace", "-o", "/dev/null", "true"}}).outcome();
        if (strace.ended == "exit status 0") return std::string();
        if (strace.ended == "exit status 127") return std::string("strace is not installed");
        const std::string said = strace.err;
        return "strace may not trace here: " + said.substr(0, said.find('\n'));
    }();
    return why;
}

Straced::Straced(const std::vector<std::string>& options, const std::string& program,
                 const std::vector<std::string>& more)
    : server_(start(record_, options, program, more)), strace_(tracer_of(pid())) {
    if (strace_ != 0) return;
    throw Failed{"started " + program + " under strace", "that it is traced", server_.process().beginning_of_errors()};
}

std::string Straced::finish() {
    server_.process().signal(SIGTERM);
    if (!server_.process().wait(long_enough)) throw Failed{"stopped the server under strace", "its end", "it goes on"};
    wait_until("that strace has ended", [&] { return has_ended(strace_); });
    return record_.content();
}

AttachedStrace::AttachedStrace(const std::vector<std::string>& options, const std::vector<pid_t>& threads)
    : strace_({strace(record_, options)}) {
    if (!why_no_strace().empty()) throw Skipped{why_no_strace()};
    const auto is_traced = [&](pid_t thread) { return tracer_of(thread) == strace_.pid() || has_ended(thread); };
    const auto attached = [&] { return std::all_of(threads.begin(), threads.end(), is_traced); };
    if (eventually([&] { return attached() || !strace_.running(); }) && attached()) return;
    throw Failed{"attached strace", "that it traces the server", strace_.beginning_of_errors()};
}

void AttachedStrace::detach() {
    if (strace_.running()) strace_.signal(SIGTERM);
    if (!strace_.wait(long_enough)) throw Failed{"detached strace", "that it ends", "it goes on"};
}
