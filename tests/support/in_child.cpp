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

Child::Child(const std::function<void()>& function)
    : process_({{}, [&] {
                    dup2(out_.fd(), STDOUT_FILENO);
                    default_signals();
                    run_and_exit(function);
                }}) {}

void Child::wait_until_it_waits(const std::string& said) const {
    const auto waits = [&] {
        const bool has_said_it = out_.content().find(said) != std::string::npos; // first this, then the state
        const char state = process_state(pid());
        return state == 'Z' || (has_said_it && state == 'S');
    };
    if (!eventually(waits)) {
        throw Failed{"ran a child", "'" + said + "', and that it waits", "'" + out_.content() + "'"};
    }
}

Outcome Child::outcome() {
    const std::string ended = process_.how_it_ends(long_enough);
    process_.signal(SIGKILL);
    process_.wait(long_enough);
    return {ended, out_.content(), process_.standard_error()};
}
