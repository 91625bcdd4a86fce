#include "common/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <iostream>
#include <string>

#include "common/address.h"
#include "common/check.h"
#include "common/nonblocking.h"

Fd open_listener(const Options& options, Mode mode) {
    const Address& address = options.address;
    const std::string where = to_string(address);
    const int on = 1;

    Fd listener(check(socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket " + where));
    if (mode == Mode::nonblocking) check(set_nonblocking(listener.get()), "fcntl O_NONBLOCK");

    // Without SO_REUSEADDR a restart fails for a minute: the port counts as taken while a connection of the last run
    // sits in TIME_WAIT. It does not let two servers listen on one port.
    check(setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "setsockopt SO_REUSEADDR");

    // Without TCP_NODELAY the kernel may hold a small answer back until the client has acknowledged the one before it,
    // 40 ms later. Accepted sockets inherit it.
    check(setsockopt(listener.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "setsockopt TCP_NODELAY");

    check(bind(listener.get(), address.raw(), address.size), "bind " + where);
    check(listen(listener.get(), options.backlog), "listen " + where);
    return listener;
}

void announce(int listener) {
    std::cout << "listening on " << to_string(local_address(listener)) << std::endl;
}
