// `watcher start SERVER PORT ARGUMENT...` starts a server and watches it; `watcher pid PID [PORT]` watches one that
// runs. With ONCE in the environment it prints one snapshot.

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>

#include "tests/support/process.h"
#include "tests/tools/watch/own_client.h"
#include "tests/tools/watch/picture.h"
#include "tests/tools/watch/terminal.h"

namespace {

volatile std::sig_atomic_t told_to_end = 0;

/// Where clients connect to. A server that listens on all addresses is reached on this machine's own.
Address address_of(const Snapshot& now) {
    if (!now.listener) throw std::runtime_error(text("nothing listens on port ", now.port));
    const std::string host = to_string(now.listener->local_host);
    return parse_address(host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host, now.port).value();
}

class Window {
  public:
    Window(pid_t pid, std::uint16_t port, const std::string& title) : pid_(pid), watcher_(pid, port) {
        around_.title = title;
        if (terminal_.whole()) around_.keys = "c h n x  ? help  q quit ";
    }

    /// Until it is told to end. False when the server has ended before.
    bool run() {
        while (told_to_end == 0) {
            const auto start = Clock::now();
            const std::clock_t used = std::clock();
            now_ = watcher_.look();
            if (has_ended(pid_)) return false;
            show();
            // Ten times a second; but however many clients there are, it takes at most 4 % of a core.
            const auto cpu = std::chrono::microseconds((std::clock() - used) * 1'000'000 / CLOCKS_PER_SEC);
            const auto next = start + std::max<Clock::duration>(milliseconds(terminal_.whole() ? 100 : 1000), 25 * cpu);
            while (told_to_end == 0 && Clock::now() < next) wait(next - Clock::now());
        }
        return true;
    }

  private:
    void show() {
        around_.own.clear();
        for (auto it = clients_.rbegin(); it != clients_.rend(); ++it) around_.own.push_back(it->story(now_));
        terminal_.show(screen(now_, around_, terminal_.width(), terminal_.height()));
    }

    /// Waits for keys, and for what our clients wait for.
    void wait(Clock::duration time) {
        std::vector<pollfd> all;
        for (const OwnClient& client : clients_) all.push_back(client.waits_for());
        all.push_back({terminal_.whole() ? STDIN_FILENO : -1, POLLIN, 0});
        poll(all.data(), all.size(), static_cast<int>(std::chrono::ceil<milliseconds>(time).count()));
        for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].act(all[i].revents);
        if ((all.back().revents & (POLLHUP | POLLERR)) != 0) told_to_end = 1; // the terminal is gone
        for (int key = terminal_.key(); key != -1; key = terminal_.key()) press(key);
    }

    void press(int key) {
        constexpr int ctrl_c = 3;
        if (key == 'q' || key == ctrl_c) told_to_end = 1;
        if (key == '?') around_.help = !around_.help;
        if (key == 'c' || key == 'h' || key == 'n') clients_.emplace_back(key, address_of(now_));
        if (key == 'x' && !clients_.empty()) clients_.pop_back();
        show();
    }

    pid_t pid_;
    Watcher watcher_;
    Snapshot now_{};
    Around around_{};
    std::vector<OwnClient> clients_;
    Terminal terminal_;
};

void watch(pid_t pid, std::uint16_t port, const std::string& title) {
    if (std::getenv("ONCE") != nullptr) return print(screen(Watcher(pid, port).look(), {title}, 80, 0));
    if (!Window(pid, port, title).run()) std::cout << "the server has ended\n";
}

void watch_own(const std::string& program, const std::vector<std::string>& more) {
    Launch launch{{program, "--port"}};
    launch.command.insert(launch.command.end(), more.begin(), more.end());
    Process server(launch);
    const auto line = server.read_line(long_enough); // listening on 127.0.0.1:7007
    if (!line) throw std::runtime_error(server.beginning_of_errors());
    const std::string folder = program.substr(0, program.rfind('/'));
    watch(server.pid(), static_cast<std::uint16_t>(std::stoi(line->substr(line->rfind(':') + 1))),
          folder.substr(folder.rfind('/') + 1));
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
        } else if (words.size() == 1 && words[0] == "ncurses") {
            return Terminal::has_ncurses ? 0 : 1;
        } else if (words.size() >= 2 && words[0] == "check") {
            return check_pictures({words.begin() + 1, words.end()});
        } else if (words.size() >= 2 && (words[0] == "draw" || words[0] == "redraw")) {
            draw_pictures({words.begin() + 1, words.end()}, words[0] == "redraw");
        } else {
            std::cerr
                << "usage: watcher start SERVER PORT ARGUMENT... | pid PID [PORT] | check|draw|redraw SERVER...\n";
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
