// What to do about a failed accept. Introduced by chapter 01.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstring>

#include "common/narrate.h"
#include "common/stop.h"

/// How long to leave waiting clients in the kernel's queue when there is no room for another one, at most.
constexpr std::chrono::duration<int, std::milli> accept_pause{100};

/// Deals with what a failed accept(2) has left in errno. Returns whether there is no room for another client, so that
/// the next call would fail as well: then pause until a client leaves or `accept_pause` is over. An error that we do
/// not expect counts as this too. If accept can never succeed again, says so, and stops the server with exit status 1.
inline bool handle_failed_accept(int error) {
    if (stopping) return false; // `request_stop` has shut the listener down
    // The queue is empty, a signal came, a client left the queue; and network errors of the new socket, accept(2).
    for (const int passing : {EAGAIN, EINTR, ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH, EHOSTDOWN,
                              EHOSTUNREACH, ENONET, EOPNOTSUPP, ETIMEDOUT}) {
        if (error == passing) return false;
    }
    if (error == EINVAL || error == EBADF || error == ENOTSOCK || error == ENOSYS) {
        stop_status = 1;
        request_stop(0); // before we complain, which may block: the 5 seconds begin now
        complain("the listening socket is lost: ", std::strerror(error));
        return false;
    }
    narrate("accept: ", std::strerror(error), ": no new clients for up to ", accept_pause.count(), " ms");
    return true; // EMFILE, ENFILE, ENOBUFS, ENOMEM
}
