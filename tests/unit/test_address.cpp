#include "common/address.h"

#include <netinet/in.h>

#include <cstring>
#include <system_error>

#include "common/check.h"
#include "common/fd.h"
#include "tests/catch.h"

TEST_CASE("parse_address: reads IPv4 literals") {
    CHECK(to_string(parse_address("127.0.0.1", 7007).value()) == "127.0.0.1:7007");
    CHECK(to_string(parse_address("0.0.0.0", 0).value()) == "0.0.0.0:0");
    CHECK(to_string(parse_address("255.255.255.255", 65535).value()) == "255.255.255.255:65535");
}

TEST_CASE("parse_address: reads IPv6 literals") {
    CHECK(to_string(parse_address("::1", 7007).value()) == "[::1]:7007");
    CHECK(to_string(parse_address("::", 0).value()) == "[::]:0");
    CHECK(to_string(parse_address("2001:DB8:0:0:0:0:0:1", 65535).value()) == "[2001:db8::1]:65535");
    CHECK(to_string(parse_address("::ffff:127.0.0.1", 80).value()) == "[::ffff:127.0.0.1]:80");
    CHECK(to_string(parse_address("1111:2222:3333:4444:5555:6666:7777:8888", 80).value()) ==
          "[1111:2222:3333:4444:5555:6666:7777:8888]:80");
}

TEST_CASE("parse_address: refuses everything else") {
    const std::string text =
        GENERATE("", "localhost", "example.org", "127.0.0.1:7007", "[::1]", " 127.0.0.1", "127.0.0.1 ", "127.0.0.1\n",
                 "127.0.0", "127.1", "1.2.3.4.5", "256.0.0.1", "-1.0.0.1", "0x7f.0.0.1", "2130706433", ":",
                 ":::", "1:2:3:4:5:6:7:8:9", "::g", "::1 ", "::1%lo", "*");
    CAPTURE(text);
    CHECK_FALSE(parse_address(text, 7007));
}

TEST_CASE("parse_address: fills in what the kernel wants, in its byte order") {
    const Address ipv4 = parse_address("1.2.3.4", 0x0102).value();
    sockaddr_in in{};
    REQUIRE(ipv4.size == sizeof in);
    std::memcpy(&in, ipv4.raw(), sizeof in);
    CHECK(in.sin_family == AF_INET);
    CHECK(std::memcmp(&in.sin_port, "\1\2", 2) == 0);
    CHECK(std::memcmp(&in.sin_addr, "\1\2\3\4", 4) == 0);

    const Address ipv6 = parse_address("102:304::f", 0x0102).value();
    sockaddr_in6 in6{};
    REQUIRE(ipv6.size == sizeof in6);
    std::memcpy(&in6, ipv6.raw(), sizeof in6);
    CHECK(in6.sin6_family == AF_INET6);
    CHECK(std::memcmp(&in6.sin6_port, "\1\2", 2) == 0);
    CHECK(std::memcmp(&in6.sin6_addr, "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\17", 16) == 0);
}

TEST_CASE("Address: has room for what the kernel fills in through raw") {
    const Fd socket(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const Address any = parse_address("127.0.0.1", 0).value();
    REQUIRE(bind(socket.get(), any.raw(), any.size) == 0);

    Address filled;
    CHECK(filled.size == sizeof(sockaddr_storage));
    REQUIRE(getsockname(socket.get(), filled.raw(), &filled.size) == 0);
    CHECK(filled.size == sizeof(sockaddr_in));
    CHECK(filled.storage.ss_family == AF_INET); // seen under its own type, too
    CHECK(to_string(filled).starts_with("127.0.0.1:"));
}

TEST_CASE("local_address: gives the real port where 0 was asked for") {
    const Fd socket(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const Address any = parse_address("127.0.0.1", 0).value();
    REQUIRE(bind(socket.get(), any.raw(), any.size) == 0);

    const std::string bound = to_string(local_address(socket.get()));
    CHECK(bound.starts_with("127.0.0.1:"));
    CHECK(bound != "127.0.0.1:0");
}

TEST_CASE("local_address: throws for what is no socket") {
    CHECK_THROWS_AS(local_address(-1), std::system_error);
    CHECK_THROWS_WITH(local_address(-1), "getsockname: Bad file descriptor");
}
