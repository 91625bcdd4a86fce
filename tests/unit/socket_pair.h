// Both ends of a connection within the process, without TCP's timing: what is written to one end can be read
// immediately from the other.
#pragma once

#include <sys/socket.h>

#include <array>

#include "common/check.h"
#include "common/fd.h"

struct SocketPair {
    Fd one;
    Fd other;
};

/// `type` as for socketpair(2). What is written to `one` waits in a buffer of the smallest size that the kernel allows.
inline SocketPair socket_pair(int type = SOCK_STREAM) {
    const int least = 1;
    std::array<int, 2> ends{-1, -1};
    check(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    SocketPair pair{Fd(ends[0]), Fd(ends[1])};
    check(setsockopt(pair.one.get(), SOL_SOCKET, SO_SNDBUF, &least, sizeof least), "setsockopt");
    return pair;
}
