#include "common/accept_failure.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/narrate.h"
#include "common/signals.h"

AfterFailedAccept after_failed_accept(int error) {
    if (stopping()) return AfterFailedAccept::go_on; // the signal handler has shut the listener down
    switch (error) {
    case EAGAIN:       // nobody is waiting (any more)
    case EINTR:        // a signal came
    case ECONNABORTED: // the client left the queue before its turn
    // The network errors of accept(2) that Linux hands on from the new socket.
    case EPROTO:
    case ENOPROTOOPT:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case EOPNOTSUPP:
    case ETIMEDOUT:
        return AfterFailedAccept::go_on;
    default:
        narrate("accept: ", std::strerror(error), ": no new clients for up to ", accept_pause_time.count(), " ms");
        return AfterFailedAccept::pause;
    }
}

void AcceptPause::begin() {
    until_ = std::chrono::steady_clock::now() + accept_pause_time;
}

void AcceptPause::end() {
    if (until_) until_ = std::chrono::steady_clock::now();
}

bool AcceptPause::active() {
    return until_.has_value() && !over();
}

bool AcceptPause::over() {
    if (!until_ || std::chrono::steady_clock::now() < *until_) return false;
    until_.reset();
    narrate("accepting again");
    return true;
}

int AcceptPause::timeout_ms() const {
    if (!until_) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until_ - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
}
