// `watcher start SERVER PORT ARGUMENT...` starts a server and watches it; `watcher pid PID [PORT]` watches one that
// runs. With ONCE in the environment it prints one snapshot.

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/support/running_server.h"
#include "tests/tools/watch/window.h"

namespace {

void watch(pid_t pid, std::uint16_t port, const std::string& title) {
    if (std::getenv("ONCE") != nullptr) return print(screen(Watcher(pid, port).look(), title, {}));
    if (!show_window(pid, port, title)) std::cout << "the server has ended\n";
}

void watch_own(const std::string& program, const std::vector<std::string>& more) {
    Launch launch{{program, "--port"}};
    launch.command.insert(launch.command.end(), more.begin(), more.end());
    Process server(launch);
    const auto line = server.read_line(long_enough); // listening on 127.0.0.1:7007
    if (!line) throw std::runtime_error(server.beginning_of_errors());
    watch(server.pid(), static_cast<std::uint16_t>(std::stoi(line->substr(line->rfind(':') + 1))), chapter_of(program));
    server.signal(SIGTERM);
    server.wait(milliseconds(6000)); // it takes 5 s at most
    std::cout << server.standard_error();
}

void watch_other(pid_t pid, const std::vector<std::string>& port) {
    std::string name;
    std::getline(std::ifstream(text("/proc/", pid, "/comm")), name);
    watch(pid, port.empty() ? port_of_process(pid) : static_cast<std::uint16_t>(std::stoi(port[0])), name);
}

} // namespace

int main(int argc, char* argv[]) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, [](int) { told_to_end = 1; });
    try {
        if (words.size() >= 3 && words[0] == "start") {
            watch_own(words[1], {words.begin() + 2, words.end()});
        } else if (words.size() >= 2 && words[0] == "pid") {
            watch_other(std::stoi(words[1]), {words.begin() + 2, words.end()});
        } else {
            std::cerr << "usage: watcher start SERVER PORT ARGUMENT... | pid PID [PORT]\n";
            return 2;
        }
        return 0;
    } catch (const std::invalid_argument&) {
        std::cerr << "PID and PORT are numbers\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
