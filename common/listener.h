// Opening a listening socket. Introduced by chapter 01.
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "common/address.h"
#include "common/check.h"
#include "common/fd.h"
#include "common/narrate.h"
#include "common/options.h"
#include "common/stop.h"

/// setsockopt(2) with an int. Throws std::system_error that names the option.
inline void set_option(int socket, int level, int option, int value, const char* name) {
    check(setsockopt(socket, level, option, &value, sizeof value), "setsockopt ", name);
}

/// socket(2), setsockopt(2), bind(2), listen(2): a socket for which the kernel queues clients, on the address, port and
/// backlog of `options`. It is closed on exec; `flags` may add SOCK_NONBLOCK (from chapter 04 on). Accepted sockets
/// inherit these options. Throws std::system_error that names the call and the address.
inline Fd open_listener(const Options& options, int flags = 0) {
    const Address& address = options.address;
    Fd listener(check(socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket ", address));
    const int fd = listener.get();

    // Without SO_REUSEADDR a restart fails for a minute: the port counts as taken while a connection of the last run
    // is in TIME_WAIT. It does not let two servers listen on one port.
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");

    // Without TCP_NODELAY the kernel may delay a small answer until the client has acknowledged the one before it,
    // 40 ms later.
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");

    // Without SO_OOBINLINE the kernel takes an urgent byte (MSG_OOB) out of the stream, and may report a client that
    // has sent nothing else: read would block.
    set_option(fd, SOL_SOCKET, SO_OOBINLINE, 1, "SO_OOBINLINE");

    // A client that vanishes without a FIN (a pulled cable) would be kept forever. After 60 s of silence the kernel
    // asks every 10 s whether it is still there, and gives up after 6 questions.
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60, "TCP_KEEPIDLE");
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10, "TCP_KEEPINTVL");
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 6, "TCP_KEEPCNT");

    // `::` means all addresses, IPv4 too, whatever net.ipv6.bindv6only says.
    if (address.any.sa_family == AF_INET6) set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY");

    check(bind(fd, &address.any, address.size), "bind ", address);
    check(listen(fd, options.backlog), "listen ", address);
    return listener;
}

/// Prints "listening on 127.0.0.1:7007" with the real port, so that after port 0 a program can read where to connect.
/// From this line on a signal stops the server in good order, so call it last. Throws std::system_error.
inline void announce(int listener) {
    Address address;
    check(getsockname(listener, &address.any, &address.size), "getsockname");
    print("listening on ", address, '\n');
    unanswered = 1; // clients may come from now on: until we count them, it is the one that we are busy with
}
