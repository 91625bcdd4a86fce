// make bench-check: what does not depend on the machine's mood. Counts, and says of each whether it is within bounds.

#include <csignal>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>

#include "common/descriptor_limit.h"
#include "tests/tools/bench/subject.h"

namespace {

struct Bound {
    const char* server;
    const char* what;
    double most;
    std::function<double(const Subject&)> count;
};

const LoadOptions ping_pong{.connections = 100};

double calls(const Subject& subject) {
    return system_calls_per_message(subject, ping_pong, 3000);
}

double user_instructions(const Subject& subject) {
    return instructions_per_message(subject, ping_pong, 1000);
}

double user_memory(const Subject& subject) {
    return memory_per_connection(subject, 1000, 8000).user;
}

const Bound bounds[] = {
    {"05 epoll", "system calls per message, 100 clients", 2.05, calls},
    {"05 epoll", "instructions per message outside the kernel", 200, user_instructions},
    {"05 epoll", "bytes of user memory for an idle connection", 100, user_memory},
    {"06 threads", "bytes of user memory for an idle connection", 200, user_memory},
};

bool within(const Bound& bound, const std::vector<Subject>& all) {
    for (const Subject& subject : all) {
        if (subject.name != bound.server) continue;
        const double value = bound.count(subject);
        const bool ok = value <= bound.most;
        std::cout << (ok ? "ok      " : "FAILED  ") << subject.name << ": " << std::setprecision(4) << value << ' '
                  << bound.what << ", at most " << bound.most << " allowed" << std::endl;
        return ok;
    }
    std::cout << "FAILED  " << bound.server << " is not built\n";
    return false;
}

} // namespace

int main() {
    try {
        std::signal(SIGINT, SIG_DFL);
        limit_descriptors(RLIM_INFINITY);
        std::vector<std::string> skipped;
        const std::vector<Subject> all = subjects(skipped);
        bool ok = true;
        for (const Bound& bound : bounds) ok = within(bound, all) && ok;
        return ok ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return 1;
}
