#include "tests/support/running_server.h"

#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/check.h"
#include "tests/support/failed.h"

namespace {

std::vector<std::string> command(const std::string& program, const std::vector<std::string>& more) {
    std::vector<std::string> words{program, "--port", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

/// A port that is free now. It could be taken by another program before the server has it; nobody here does that.
std::uint16_t free_port() {
    Address address = parse_address("127.0.0.1", 0).value();
    const Fd probe(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    check(bind(probe.get(), address.raw(), address.size), "bind");
    const std::string name = to_string(local_address(probe.get()));
    return static_cast<std::uint16_t>(std::stoi(name.substr(name.rfind(':') + 1)));
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

struct Listening {
    std::uint16_t port;
    std::string inode;
};

/// The listening TCP sockets of this machine, from /proc/net/tcp and tcp6.
std::vector<Listening> listening_sockets() {
    std::vector<Listening> found;
    for (const char* name : {"/proc/net/tcp", "/proc/net/tcp6"}) {
        std::ifstream table(name);
        std::string line;
        std::getline(table, line);
        while (std::getline(table, line)) {
            std::istringstream fields(line);
            std::vector<std::string> words;
            for (std::string word; fields >> word;) words.push_back(word);
            if (words.size() < 10 || words[3] != "0A") continue;
            const std::string port = words[1].substr(words[1].rfind(':') + 1);
            found.push_back({static_cast<std::uint16_t>(std::stoi(port, nullptr, 16)), words[9]});
        }
    }
    return found;
}

/// The ports that `root` and its descendants listen on.
std::set<std::uint16_t> ports_of(pid_t root) {
    std::set<std::string> inodes;
    for (const pid_t pid : process_tree(root)) {
        std::error_code error;
        for (std::filesystem::directory_iterator it(text("/proc/", pid, "/fd"), error), end; !error && it != end;
             it.increment(error)) {
            std::error_code unreadable;
            const std::string target = std::filesystem::read_symlink(it->path(), unreadable);
            if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
        }
    }
    std::set<std::uint16_t> ports;
    for (const Listening& socket : listening_sockets()) {
        if (inodes.contains(socket.inode)) ports.insert(socket.port);
    }
    return ports;
}

/// Why a stranger's server is not there.
std::string what_is_wrong(Process& process, std::uint16_t port, milliseconds waited) {
    std::string what;
    if (const auto ended = process.wait(milliseconds(0))) {
        what = text("it ended at once: ", to_string(*ended));
        if (!ended->by_signal && ended->value == 127) what = "there is no such program";
        if (!ended->by_signal && ended->value == 126) what = "it cannot be executed (is it a program, and chmod +x?)";
    } else {
        what = text("after ", waited.count() / 1000, " seconds it does not listen on port ", port);
        for (const std::uint16_t other : ports_of(process.pid())) {
            what += text("; it listens on port ", other, " (does it use the {port} that it is given?)");
        }
    }
    std::string printed = process.standard_error().substr(0, 200);
    std::replace(printed.begin(), printed.end(), '\n', ' ');
    if (!printed.empty()) what += "; it printed: " + printed;
    return what;
}

} // namespace

RunningServer::RunningServer(const std::string& program, const std::vector<std::string>& more,
                             const std::function<void()>& before_exec)
    : process_(Launch{command(program, more), before_exec, true}) {
    const std::string greeting = "listening on ";
    const auto line = process_.read_line(milliseconds(20000));
    if (!line || !line->starts_with(greeting)) {
        throw Failed{"started " + program, "the line 'listening on ADDRESS:PORT'",
                     line ? "'" + *line + "'" : "no line; stderr: " + process_.standard_error()};
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
                             const std::function<void()>& before_exec)
    : port_(free_port()), process_(Launch{with_port(command, port_), before_exec, false}) {
    const auto listened_on = [&] {
        const std::vector<Listening> sockets = listening_sockets();
        return std::any_of(sockets.begin(), sockets.end(), [&](const Listening& one) { return one.port == port_; });
    };
    const bool up =
        eventually([&] { return listened_on() || process_.wait(milliseconds(0)).has_value(); }, start_limit);
    if (!up || !process_.running()) {
        throw Failed{"started it", text("a server that listens on port ", port_),
                     what_is_wrong(process_, port_, start_limit)};
    }
    address_ = parse_address("127.0.0.1", port_).value();
}
