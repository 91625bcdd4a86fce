#include "tests/support/straced.h"

#include <algorithm>
#include <csignal>

namespace {

std::vector<std::string> strace(const MemoryFile& record, const std::vector<std::string>& options) {
    std::vector<std::string> words{"strace", "-o", record.path()};
    words.insert(words.end(), options.begin(), options.end());
    return words;
}

/// Throws Skipped when it is this machine that keeps strace from tracing.
void expect_allowed(const std::string& said) {
    for (const char* sign : {"ptrace", "Operation not permitted", "exit status 127"}) {
        if (said.find(sign) != std::string::npos) throw Skipped{"strace does not work here: " + said};
    }
}

RunningServer start(const MemoryFile& record, std::vector<std::string> options, const std::string& program,
                    const std::vector<std::string>& more) {
    options.insert(options.end(), {"-D", "-f"});
    try {
        return RunningServer(program, more, {}, strace(record, options));
    } catch (const Failed& failed) {
        expect_allowed(failed.got);
        throw;
    }
}

} // namespace

Straced::Straced(const std::vector<std::string>& options, const std::string& program,
                 const std::vector<std::string>& more)
    : server_(start(record_, options, program, more)), strace_(tracer_of(pid())) {
    if (strace_ != 0) return;
    const std::string said = server_.process().beginning_of_errors();
    expect_allowed(said);
    throw Failed{"started " + program + " under strace", "that it is traced", said};
}

std::string Straced::finish() {
    server_.process().signal(SIGTERM);
    if (!server_.process().wait(long_enough)) throw Failed{"stopped the server under strace", "its end", "it goes on"};
    wait_until("that strace has ended", [&] { return has_ended(strace_); });
    return record_.content();
}

AttachedStrace::AttachedStrace(const std::vector<std::string>& options, const std::vector<pid_t>& threads)
    : strace_({strace(record_, options)}) {
    const auto is_traced = [&](pid_t thread) { return tracer_of(thread) == strace_.pid() || has_ended(thread); };
    const auto attached = [&] { return std::all_of(threads.begin(), threads.end(), is_traced); };
    if (eventually([&] { return attached() || !strace_.running(); }) && attached()) return;
    const auto ended = strace_.wait(milliseconds(0));
    const std::string said = text(ended ? to_string(*ended) : "it goes on", "; ", strace_.beginning_of_errors());
    expect_allowed(said);
    throw Failed{"attached strace", "that it traces the server", said};
}

void AttachedStrace::detach() {
    if (strace_.running()) strace_.signal(SIGTERM);
    if (!strace_.wait(long_enough)) throw Failed{"detached strace", "that it ends", "it goes on"};
}
