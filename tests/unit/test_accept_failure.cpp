#include "common/accept_failure.h"

#include <iostream>

#include "tests/catch.h"
#include "tests/support/in_child.h"

namespace {

/// Whether the server pauses, whether it stops, and its exit status then; and what it says, with --verbose, of two
/// failures of the same kind.
std::string after(int error) {
    return printed_by([&] {
        verbose = true;
        std::cout << handle_failed_accept(error) << handle_failed_accept(error) << stopping << stop_status;
    });
}

} // namespace

TEST_CASE("handle_failed_accept: goes on where only this one client is lost, or nobody was there") {
    const int error = GENERATE(EAGAIN, EWOULDBLOCK, EINTR, ECONNABORTED, EPROTO, ENOPROTOOPT, ENETDOWN, ENETUNREACH,
                               EHOSTDOWN, EHOSTUNREACH, ENONET, EOPNOTSUPP, ETIMEDOUT);
    CAPTURE(std::strerror(error));
    CHECK(after(error) == "0000");
}

TEST_CASE("handle_failed_accept: pauses where there is no room, and at what nobody expects, so that nothing spins") {
    const int error = GENERATE(EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EFAULT, EIO, 0, 12345);
    const std::string line = std::string("accept: ") + std::strerror(error) + ": no new clients for up to 100 ms\n";
    CHECK(after(error) == "1100 STDERR: " + line + line);
}

TEST_CASE("handle_failed_accept: stops the server where accept can never succeed again, and says so once") {
    const int error = GENERATE(EINVAL, EBADF, ENOTSOCK, ENOSYS);
    CHECK(after(error) == std::string("0011 STDERR: the listening socket is lost: ") + std::strerror(error) + "\n");
}
