// Internet addresses, as text and as the kernel wants them. Introduced by chapter 01.
#pragma once

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <optional>
#include <ostream>
#include <string>

/// An IPv4 or IPv6 address with its port, in the form that bind(2) takes and accept(2) fills in.
struct Address {
    union {
        sockaddr_in6 ipv6{}; // the largest
        sockaddr any;        // the same bytes under the type that the system calls ask for
    };
    socklen_t size = sizeof ipv6;
};

/// Reads an IPv4 or IPv6 literal ("127.0.0.1", "::1", "fe80::1%eth0"): getaddrinfo(3). Nothing if it is a name.
inline std::optional<Address> parse_address(const std::string& host, int port) {
    if (host == "*") return std::nullopt; // for getaddrinfo it means no host at all
    // For IPv4, getaddrinfo would also accept "1.2.3", and "0" as all addresses. inet_pton(3) wants four numbers.
    in_addr ipv4{};
    addrinfo hints{};
    hints.ai_family = inet_pton(AF_INET, host.c_str(), &ipv4) == 1 ? AF_INET : AF_INET6;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return std::nullopt;
    Address address;
    std::memcpy(&address.ipv6, found->ai_addr, found->ai_addrlen);
    address.size = found->ai_addrlen;
    freeaddrinfo(found);
    return address;
}

/// "127.0.0.1:7007", and for IPv6 "[::1]:7007": getnameinfo(3).
inline std::ostream& operator<<(std::ostream& out, const Address& address) {
    char host[NI_MAXHOST]{}, port[NI_MAXSERV]{};
    getnameinfo(&address.any, address.size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
    const bool ipv6 = address.any.sa_family == AF_INET6;
    return out << (ipv6 ? "[" : "") << host << (ipv6 ? "]:" : ":") << port;
}
