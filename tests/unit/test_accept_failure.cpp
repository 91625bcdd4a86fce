#include "common/accept_failure.h"

#include <poll.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>

#include "common/narrate.h"
#include "common/signals.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"

using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST_CASE("after_failed_accept: goes on where only this one client is lost, or nobody was there") {
    const int error = GENERATE(EAGAIN, EWOULDBLOCK, EINTR, ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH,
                               EHOSTDOWN, EHOSTUNREACH, ENONET, EOPNOTSUPP, ETIMEDOUT);
    CAPTURE(std::strerror(error));
    CHECK(after_failed_accept(error) == AfterFailedAccept::go_on);
}

TEST_CASE("after_failed_accept: pauses where there is no room") {
    const int error = GENERATE(EMFILE, ENFILE, ENOBUFS, ENOMEM);
    CAPTURE(std::strerror(error));
    CHECK(after_failed_accept(error) == AfterFailedAccept::pause);
}

TEST_CASE("after_failed_accept: pauses at what nobody expects, so that nothing spins") {
    const int error = GENERATE(EPERM, EINVAL, EBADF, ENOTSOCK, EFAULT, EIO, 0, 12345);
    CAPTURE(error);
    CHECK(after_failed_accept(error) == AfterFailedAccept::pause);
}

TEST_CASE("after_failed_accept: goes on to the end when the listener has been shut down for a stop") {
    const Outcome child = in_child([] {
        stop_on_signals(-1);
        std::raise(SIGTERM);
        std::cout << (after_failed_accept(EINVAL) == AfterFailedAccept::go_on);
    });
    CHECK(child.out == "1");
}

TEST_CASE("after_failed_accept: says why it pauses") {
    const Outcome child = in_child([] {
        verbose = true;
        after_failed_accept(EAGAIN);
        after_failed_accept(EMFILE);
    });
    CHECK(child.err == "accept: Too many open files: no new clients for up to 100 ms\n");
}

TEST_CASE("AcceptPause: without a pause nothing is active, over, or waited for") {
    AcceptPause pause;
    CHECK_FALSE(pause.active());
    CHECK_FALSE(pause.over());
    CHECK(pause.timeout_ms() == -1);
    pause.end();
    CHECK_FALSE(pause.over());
    CHECK(pause.timeout_ms() == -1);
}

TEST_CASE("AcceptPause: lasts for a moment") {
    bool active = false;
    bool over = false;
    milliseconds timeout{0};
    steady_clock::time_point begun;
    steady_clock::time_point asked;
    do { // once more when a busy machine has kept us from looking until the moment had passed
        begun = steady_clock::now();
        AcceptPause pause;
        pause.begin();
        active = pause.active();
        over = pause.over();
        timeout = milliseconds(pause.timeout_ms());
        asked = steady_clock::now();
    } while (asked - begun >= accept_pause_time);
    CHECK(active);
    CHECK_FALSE(over);
    CHECK(timeout <= accept_pause_time);
    // And not the least bit too short: the last millisecond would be spent spinning.
    CHECK(timeout >= begun + accept_pause_time - asked);
}

TEST_CASE("AcceptPause: is over when its timeout has passed, and says so once") {
    AcceptPause pause;
    const auto begun = steady_clock::now();
    pause.begin();
    poll(nullptr, 0, pause.timeout_ms());
    CHECK(pause.timeout_ms() == 0);
    CHECK(pause.over());
    CHECK(steady_clock::now() - begun >= accept_pause_time);

    CHECK_FALSE(pause.over());
    CHECK_FALSE(pause.active());
    CHECK(pause.timeout_ms() == -1);
}

TEST_CASE("AcceptPause: end drops what is left of it") {
    AcceptPause pause;
    pause.begin();
    pause.end();
    CHECK(pause.timeout_ms() == 0);
    CHECK(pause.over());
    CHECK_FALSE(pause.over());
    CHECK(pause.timeout_ms() == -1);
}

TEST_CASE("AcceptPause: select learns from active that it has ended") {
    AcceptPause pause;
    pause.begin();
    pause.end();
    CHECK_FALSE(pause.active());
    CHECK(pause.timeout_ms() == -1);
}

TEST_CASE("AcceptPause: can begin again") {
    AcceptPause pause;
    pause.begin();
    pause.end();
    CHECK(pause.over());
    pause.begin();
    CHECK(pause.timeout_ms() >= 0);
    pause.end();
    CHECK(pause.over());
}

TEST_CASE("AcceptPause: says when accepting goes on") {
    const Outcome child = in_child([] {
        verbose = true;
        AcceptPause pause;
        pause.begin();
        pause.end();
        pause.over();
        pause.over();
    });
    CHECK(child.err == "accepting again\n");
}
