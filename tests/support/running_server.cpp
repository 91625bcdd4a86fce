#include "tests/support/running_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>

#include "common/check.h"
#include "tests/support/sockets.h"

namespace {

std::vector<std::string> command(std::vector<std::string> words, const std::string& program,
                                 const std::vector<std::string>& more) {
    words.insert(words.end(), {program, "--port", "0"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

/// Whether it can be bound.
bool is_free(std::uint16_t port) {
    const Address address = parse_address("127.0.0.1", port).value();
    const Fd probe(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    return bind(probe.get(), &address.any, address.size) == 0;
}

/// Where the server listens instead, and what that points to. Empty when it listens nowhere.
std::string where_it_listens(pid_t root, std::uint16_t port) {
    for (const TcpSocket& socket : listening_sockets(root)) {
        const std::string where = text("; it listens on port ", socket.local_port);
        if (socket.local_port == swapped(port)) {
            return text(where, ", which is ", port, " with its two bytes swapped: ", byte_order);
        }
        return where + " (does it use the {port} that it is given, and does bind succeed?)";
    }
    return "";
}

/// Why a stranger's server is not there.
std::string what_is_wrong(Process& process, std::uint16_t port, milliseconds waited) {
    std::string what;
    if (const auto ended = process.wait(milliseconds(0))) {
        what = text("it exited immediately: ", to_string(*ended));
        if (!ended->by_signal && ended->value == 127) what = "there is no such program";
        if (!ended->by_signal && ended->value == 126) what = "it cannot be executed (is it a program, and chmod +x?)";
    } else {
        what = text("after ", waited.count() / 1000, " seconds it does not listen on port ", port,
                    where_it_listens(process.pid(), port));
    }
    const std::string printed = process.beginning_of_errors();
    return what + (printed.empty() ? "" : "; it printed: " + printed);
}

/// Throws Failed when the kernel refuses a client at 127.0.0.1, although somebody listens on the port. The kernel
/// answers for the server, which need not do anything. This is a look from outside: it makes no connection.
void expect_reachable(std::uint16_t port) {
    std::string where;
    for (const TcpSocket& socket : tcp_sockets(port)) {
        if (socket.state != TcpState::listening) continue;
        const std::array<std::uint32_t, 4>& host = socket.local_host;
        const bool all = host[0] == 0 && host[1] == 0 && host[3] == 0;
        if (all || host == std::array<std::uint32_t, 4>{0, 0, htonl(0xffff), htonl(INADDR_LOOPBACK)}) return;
        where = host == std::array<std::uint32_t, 4>{0, 0, 0, htonl(1)} ? "::1" : "another address";
    }
    if (where.empty()) return; // it has closed it again, or has ended
    throw Failed{"started it", text("a server that listens on port ", port, " of 127.0.0.1"),
                 text("it listens on port ", port, ", but only at ", where,
                      ": the clients come to 127.0.0.1, so let it listen there, or on all addresses")};
}

} // namespace

std::uint16_t swapped(std::uint16_t port) {
    return static_cast<std::uint16_t>(port << 8 | port >> 8);
}

/// It could be taken by another program before the server has it. Below 32768 that is no client's own port, of which
/// there may be thousands.
std::uint16_t free_port() {
    std::random_device random;
    std::uniform_int_distribution<std::uint16_t> ports(10000, 32767);
    for (int i = 0; i < 1000; ++i) {
        const std::uint16_t port = ports(random), other = swapped(port);
        if (other != port && other >= 1024 && is_free(port) && is_free(other)) return port;
    }
    throw Failed{"looked for a free port of 127.0.0.1", "one", "none"};
}

std::vector<std::string> with_port(std::vector<std::string> command, std::uint16_t port) {
    const std::string place = "{port}";
    for (std::string& word : command) {
        for (std::size_t at = word.find(place); at != std::string::npos; at = word.find(place)) {
            word.replace(at, place.size(), std::to_string(port));
        }
    }
    return command;
}

RunningServer::RunningServer(const std::string& program, const std::vector<std::string>& more,
                             const std::function<void()>& before_exec, std::vector<std::string> wrapper)
    : process_({command(std::move(wrapper), program, more), before_exec}) {
    const std::string greeting = "listening on ";
    const auto line = process_.read_line(long_enough);
    if (!line || !line->starts_with(greeting)) {
        const std::string ended = process_.how_it_ends(milliseconds(line ? 0 : 1000));
        throw Failed{"started " + program, "the line 'listening on ADDRESS:PORT'",
                     text(line ? "'" + *line + "'" : "no line", "; ", ended, "; ", process_.beginning_of_errors())};
    }
    listening_line_ = *line;
    const std::string where = line->substr(greeting.size());
    const std::size_t colon = where.rfind(':');
    std::string host = where.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    const auto address = parse_address(host, static_cast<std::uint16_t>(std::stoi(where.substr(colon + 1))));
    if (!address) throw Failed{"started " + program, "an address and a port", "'" + *line + "'"};
    address_ = *address;
}

RunningServer::RunningServer(const std::vector<std::string>& command, milliseconds start_limit,
                             const std::function<void()>& before_exec, std::uint16_t port)
    : port_(port != 0 ? port : free_port()), overflown_before_(overflown_queues()),
      process_({with_port(command, port_), before_exec, false}) {
    const auto listened_on = [&] {
        const std::vector<TcpSocket> sockets = tcp_sockets(port_);
        return std::any_of(sockets.begin(), sockets.end(),
                           [](const TcpSocket& one) { return one.state == TcpState::listening; });
    };
    const bool up =
        eventually([&] { return listened_on() || process_.wait(milliseconds(0)).has_value(); }, start_limit);
    if (!up || !process_.running()) {
        throw Failed{"started it", text("a server that listens on port ", port_),
                     what_is_wrong(process_, port_, start_limit)};
    }
    expect_reachable(port_);
    address_ = parse_address("127.0.0.1", port_).value();
}

std::string RunningServer::port() const {
    return std::to_string(port_of(address_));
}

bool is_strangers(const std::string& server) {
    return server.find("{port}") != std::string::npos;
}

std::unique_ptr<RunningServer> start_server(const std::string& server, const std::vector<std::string>& more) {
    if (is_strangers(server)) return std::make_unique<RunningServer>(words_of(server), long_enough);
    return std::make_unique<RunningServer>(server, more);
}

std::string chapter_of(const std::string& program) {
    return std::filesystem::path(program).parent_path().filename();
}
