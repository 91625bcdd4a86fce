#include "common/address.h"

#include "tests/catch.h"
#include "tests/support/failed.h"

namespace {

/// What `parse_address` makes of the text, as text again.
std::string parsed(const std::string& host, int port) {
    const std::optional<Address> address = parse_address(host, port);
    return address ? text(*address) : "refused";
}

} // namespace

TEST_CASE("parse_address: reads IPv4 literals with four numbers") {
    CHECK(parsed("127.0.0.1", 7007) == "127.0.0.1:7007");
    CHECK(parsed("0.0.0.0", 0) == "0.0.0.0:0");
    CHECK(parsed("255.255.255.255", 65535) == "255.255.255.255:65535");
}

TEST_CASE("parse_address: reads IPv6 literals, also with an IPv4 address or a scope in them") {
    CHECK(parsed("::1", 7007) == "[::1]:7007");
    CHECK(parsed("::", 0) == "[::]:0");
    CHECK(parsed("2001:DB8:0:0:0:0:0:1", 65535) == "[2001:db8::1]:65535");
    CHECK(parsed("1111:2222:3333:4444:5555:6666:7777:8888", 80) == "[1111:2222:3333:4444:5555:6666:7777:8888]:80");
    CHECK(parsed("::ffff:1.2.3.4", 80) == "[::ffff:1.2.3.4]:80");
    CHECK(parsed("fe80::1%lo", 7007) == "[fe80::1%lo]:7007");
}

TEST_CASE("parse_address: refuses everything else") {
    const std::string text = GENERATE("", "localhost", "example.org", "127.0.0.1:7007", "[::1]", " 127.0.0.1",
                                      "127.0.0.1 ", "127.0.0.1\n", "0", "127.1", "1.2.3", "1.2.3.4.5", "256.0.0.1",
                                      "-1.0.0.1", "0x7f.0.0.1", "2130706433", ":", ":::", "1:2:3:4:5:6:7:8:9", "::g",
                                      "::1 ", "::ffff:1.2.3", "::1%lo", "fe80::1%", "fe80::1%no-such-link", "*");
    CAPTURE(text);
    CHECK(parsed(text, 7007) == "refused");
}
