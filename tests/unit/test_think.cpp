#include "common/think.h"

#include <sys/time.h>

#include <atomic>
#include <csignal>
#include <iostream>

#include "tests/catch.h"
#include "tests/support/in_child.h"

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

std::atomic<int> signals = 0;

void count_signal(int) {
    ++signals;
}

} // namespace

TEST_CASE("think: takes the time it is given") {
    const auto time = milliseconds(GENERATE(0, 1, 20));
    const auto start = steady_clock::now();
    think(time);
    CHECK(steady_clock::now() - start >= time);
}

TEST_CASE("think: is no shorter when a second begins meanwhile") {
    // By then the clock's nanoseconds start again from 0 and its seconds are one more.
    const auto start = steady_clock::now();
    const auto next_second = std::chrono::ceil<std::chrono::seconds>(start.time_since_epoch());
    const auto time = std::chrono::ceil<milliseconds>(next_second - start.time_since_epoch());
    think(time);
    CHECK(steady_clock::now() - start >= time);
}

TEST_CASE("think: takes an hour as well") {
    Child child([] {
        std::cout << "thinks" << std::endl;
        think(milliseconds(3599999));
    });
    child.wait_until_it_waits("thinks");
    child.signal(SIGKILL);
    CHECK(child.outcome().ended == "ended by signal Killed");
}

TEST_CASE("think: signals make it neither shorter nor endless") {
    const Outcome child = in_child([] {
        struct sigaction action {};
        action.sa_handler = count_signal;
        sigaction(SIGALRM, &action, nullptr);
        const itimerval every_millisecond{{0, 1000}, {0, 1000}};
        const auto start = steady_clock::now();
        setitimer(ITIMER_REAL, &every_millisecond, nullptr);
        think(milliseconds(30));
        std::cout << (steady_clock::now() - start >= milliseconds(30)) << (signals > 0);
    });
    CHECK(child.out == "11");
    CHECK(child.ended == "exit status 0");
}
