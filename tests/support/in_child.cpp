#include "tests/support/in_child.h"

#include <csignal>
#include <cstdio>
#include <exception>
#include <iostream>

namespace {

/// Undoes what the test framework and the program that started it did about signals.
void default_signals() {
    for (const int number : {SIGINT, SIGTERM, SIGALRM, SIGABRT, SIGSEGV, SIGFPE, SIGILL}) {
        std::signal(number, SIG_DFL);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_and_exit(const std::function<void()>& function) {
    int status = 0;
    try {
        function();
    } catch (const std::exception& error) {
        std::cerr << "thrown: " << error.what() << '\n';
        status = 125;
    }
    std::cout.flush();
    std::fflush(nullptr);
    _exit(status); // without what the parent has registered for its own end
}

} // namespace

Launch forked(const std::function<void()>& function) {
    return {{}, [function] {
                default_signals();
                run_and_exit(function);
            }};
}

void wait_until_it_waits(Process& child, const std::string& line) {
    const std::string said = child.read_line(long_enough).value_or("");
    const auto waits = [&] {
        const char state = process_state(child.pid());
        return state == 'S' || state == 'Z';
    };
    if (said != line || !eventually(waits)) throw Failed{"ran a child", "'" + line + "', and that it waits", said};
}
