#include "common/listener.h"

#include "tests/catch.h"
#include "tests/support/proc.h"

// What a listener is like, the cases see on every server: its port, its queue, its flags and options.

TEST_CASE("open_listener: says that an address is not this machine's, and leaves nothing open") {
    // 192.0.2.0/24 is for examples in documentation (RFC 5737); no machine has one of these.
    const Options options{parse_address("192.0.2.1", 7007).value(), SOMAXCONN, {}};
    const std::size_t open_before = open_descriptors(getpid());
    CHECK_THROWS_WITH(open_listener(options), "bind 192.0.2.1:7007: Cannot assign requested address");
    CHECK(open_descriptors(getpid()) == open_before);
}

TEST_CASE("set_option: says which option it was") {
    CHECK_THROWS_WITH(set_option(-1, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE"),
                      "setsockopt SO_KEEPALIVE: Bad file descriptor");
}
