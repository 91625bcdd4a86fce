// Writing everything to a blocking descriptor. Introduced by chapter 01, used by 01 to 03.
#pragma once

#include <cstddef>

/// Writes all `size` bytes, with as many calls of write(2) as it takes: one call may take only a part. Waits while the
/// kernel's send buffer has no room. False, with errno, when the connection is broken (EPIPE, ECONNRESET, ...).
/// True says that the kernel has the bytes, not that the client has them.
bool write_all(int fd, const char* data, std::size_t size);
