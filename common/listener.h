// Opening a listening socket. Introduced by chapter 01.
#pragma once

#include "common/fd.h"
#include "common/options.h"

/// Whether calls on a socket wait (the kernel's default) or, from chapter 04 on, fail with EAGAIN instead.
enum class Mode { blocking, nonblocking };

/// socket(2), setsockopt(2), bind(2), listen(2): a socket that the kernel queues clients on, on the address, port
/// and backlog of `options`. It is closed on exec.
/// Throws std::system_error that names the call and the address: "bind 127.0.0.1:7007: Address already in use".
Fd open_listener(const Options& options, Mode mode = Mode::blocking);

/// Prints "listening on 127.0.0.1:7007" with the real port, and flushes: whoever started the server with port 0 reads
/// here where to connect. From this line on a signal stops the server in good order, so call it last. getsockname(2).
/// Throws std::system_error.
void announce(int listener);
