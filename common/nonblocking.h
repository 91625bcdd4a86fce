// Making a descriptor non-blocking. Introduced by chapter 04.
#pragma once

#include <fcntl.h>

/// From now on accept, read and write on `fd` do not block: where they would have, they fail with EAGAIN. fcntl(2):
/// F_SETFL replaces all the flags, so they are read first and the one is added. It belongs to the open file
/// description: a dup or a forked copy of `fd` shares it. Returns 0, or -1 with errno.
inline int set_nonblocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}
