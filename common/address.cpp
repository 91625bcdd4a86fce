#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

#include "common/check.h"

// A sockaddr_storage is copied to and from the family's own struct with memcpy: the cast that C code uses for it
// breaks C++'s aliasing rule.

std::optional<Address> parse_address(const std::string& host, std::uint16_t port) {
    Address address;
    sockaddr_in ipv4{};
    if (inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) == 1) {
        ipv4.sin_family = AF_INET;
        ipv4.sin_port = htons(port);
        std::memcpy(&address.storage, &ipv4, sizeof ipv4);
        address.size = sizeof ipv4;
        return address;
    }
    sockaddr_in6 ipv6{};
    if (inet_pton(AF_INET6, host.c_str(), &ipv6.sin6_addr) == 1) {
        ipv6.sin6_family = AF_INET6;
        ipv6.sin6_port = htons(port);
        std::memcpy(&address.storage, &ipv6, sizeof ipv6);
        address.size = sizeof ipv6;
        return address;
    }
    return std::nullopt;
}

std::string to_string(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.storage.ss_family == AF_INET6) {
        sockaddr_in6 ipv6{};
        std::memcpy(&ipv6, &address.storage, sizeof ipv6);
        inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size());
        return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(ipv6.sin6_port));
    }
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof ipv4);
    inet_ntop(AF_INET, &ipv4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(ipv4.sin_port));
}

Address local_address(int socket) {
    Address address;
    check(getsockname(socket, address.raw(), &address.size), "getsockname");
    return address;
}
