#include "common/address.h"

#include <net/if.h>
#include <netinet/in.h>

#include <cstring>
#include <sstream>
#include <system_error>

#include "common/fd.h"
#include "tests/catch.h"

namespace {

/// What `parse_address` makes of the text, as text again.
std::string parsed(const std::string& host, int port) {
    const std::optional<Address> address = parse_address(host, port);
    return address ? to_string(*address) : "refused";
}

/// The same as the structure that the kernel knows.
template <typename Structure>
Structure structure(const Address& address) {
    Structure result{};
    REQUIRE(address.size == sizeof result);
    std::memcpy(&result, address.raw(), sizeof result);
    return result;
}

Fd bound_socket() {
    Fd socket(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const Address any = parse_address("127.0.0.1", 0).value();
    check(bind(socket.get(), any.raw(), any.size), "bind");
    return socket;
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

TEST_CASE("parse_address: fills in what the kernel wants, in its byte order") {
    const auto ipv4 = structure<sockaddr_in>(parse_address("1.2.3.4", 0x0102).value());
    CHECK(ipv4.sin_family == AF_INET);
    CHECK(std::memcmp(&ipv4.sin_port, "\1\2", 2) == 0);
    CHECK(std::memcmp(&ipv4.sin_addr, "\1\2\3\4", 4) == 0);

    const auto ipv6 = structure<sockaddr_in6>(parse_address("fe80::f%lo", 0x0102).value());
    CHECK(ipv6.sin6_family == AF_INET6);
    CHECK(std::memcmp(&ipv6.sin6_port, "\1\2", 2) == 0);
    CHECK(std::memcmp(&ipv6.sin6_addr, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\17", 16) == 0);
    CHECK(ipv6.sin6_scope_id == if_nametoindex("lo"));
}

TEST_CASE("Address: has room for what the kernel fills in through raw") {
    const Fd socket = bound_socket();
    Address filled;
    CHECK(filled.size == sizeof(sockaddr_storage));
    REQUIRE(getsockname(socket.get(), filled.raw(), &filled.size) == 0);
    CHECK(filled.size == sizeof(sockaddr_in));
    CHECK(filled.storage.ss_family == AF_INET); // seen under its own type, too
    CHECK(to_string(filled).starts_with("127.0.0.1:"));
    std::ostringstream out;
    out << filled;
    CHECK(out.str() == to_string(filled));
}
