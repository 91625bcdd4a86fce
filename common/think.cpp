#include "common/think.h"

#include <cerrno>
#include <ctime>

void think(std::chrono::milliseconds time) {
    if (time.count() == 0) return;
    // To a moment and not for a span, so that a signal in between does not make it longer.
    timespec until{};
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += time.count() / 1000;
    until.tv_nsec += time.count() % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec += 1;
        until.tv_nsec -= 1000000000;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
    }
}
