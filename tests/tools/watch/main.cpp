// `watcher start SERVER --port PORT ARGUMENT...` starts a server to watch; `watcher pid PID [PORT]` takes one that
// runs.

#include <csignal>
#include <fstream>
#include <iostream>

#include "tests/support/running_server.h"
#include "tests/support/sockets.h"
#include "tests/tools/watch/window.h"

namespace {

void watch_own(const std::vector<std::string>& command) {
    Process server({command});
    const auto line = server.read_line(long_enough); // listening on 127.0.0.1:7007
    if (!line) throw std::runtime_error(server.beginning_of_errors());
    watch(server.pid(), std::stoi(line->substr(line->rfind(':') + 1)), chapter_of(command[0]));
    server.signal(SIGTERM);
    server.wait(milliseconds(6000)); // it takes 5 s at most
    std::cout << server.standard_error();
}

/// The first port on which the process, or one that it has started, listens.
int port_of_process(pid_t pid) {
    if (process_state(pid) == '-') throw std::runtime_error(text("there is no process ", pid));
    const std::vector<TcpSocket> sockets = listening_sockets(pid);
    if (!sockets.empty()) return sockets.front().local_port;
    const std::string why = unreadable(pid, "fd");
    if (!why.empty()) throw std::runtime_error(why + ". So its port is not known; name it: PORT=7007");
    throw std::runtime_error(text("process ", pid, " listens on no TCP port of this network namespace"));
}

void watch_other(const std::vector<std::string>& pid_and_port) {
    const pid_t pid = std::stoi(pid_and_port.at(0));
    std::string name;
    std::getline(std::ifstream(text("/proc/", pid, "/comm")), name);
    watch(pid, pid_and_port.size() > 1 ? std::stoi(pid_and_port[1]) : port_of_process(pid), name);
}

} // namespace

int main(int argc, char* argv[]) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    try {
        const bool own = words.at(0) == "start";
        const std::vector<std::string> more(words.begin() + 1, words.end());
        own ? watch_own(more) : watch_other(more);
        return 0;
    } catch (const std::logic_error&) { // a word is missing, or is no number
        std::cerr << "usage: watcher start SERVER --port PORT ARGUMENT... | pid PID [PORT]\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
