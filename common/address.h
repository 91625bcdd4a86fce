// Internet addresses, as text and as the kernel wants them. Introduced by chapter 01.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

/// An IPv4 or IPv6 address with its port, in the form bind(2) takes and accept(2) gives.
struct Address {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;

    /// The same bytes under the type that the system calls ask for.
    [[nodiscard]] sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
    [[nodiscard]] const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// Reads an IPv4 or IPv6 literal ("127.0.0.1", "::1"; no names, so nothing is ever looked up): inet_pton(3).
/// Nothing when `host` is neither.
std::optional<Address> parse_address(const std::string& host, std::uint16_t port);

/// "127.0.0.1:7007", and for IPv6 "[::1]:7007".
std::string to_string(const Address& address);

/// The address that `socket` is bound to, with the real port where 0 was asked for: getsockname(2).
/// Throws std::system_error.
Address local_address(int socket);
