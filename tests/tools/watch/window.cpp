#include "tests/tools/watch/window.h"

#include <ncurses.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "tests/tools/watch/own_client.h"

namespace {

constexpr const char* help = R"(
 c connects a silent client; h one that says hello; n one that sends and never
 reads. x closes the last one, q quits, and ? brings the server back.

 Follow a client's bytes from left to right. What it has sent is in its kernel
 (its Send-Q), in the server's kernel (our Recv-Q), or else the server has read
 it. What the server has sent is in our Send-Q, its Recv-Q, or has been read.
 The end (FIN) counts as a byte. You see ? for an end that is gone, or that is
 on another machine.

 A client waits while it is in the listen queue, or while not all that it has
 sent has come back. The server is the reason if it is in a call for another.
 For whom a sleeping thread works is concluded from what it has read and not
 sent back, which is right only for an echo server.

 epoll: IN and OUT are asked for. With EPOLLONESHOT it is once, and afterwards
 the descriptor is disarmed. What the server keeps in its own memory (unsent
 bytes, the queues of chapter 06) cannot be seen from outside.)";

/// Takes the whole terminal, by ncurses, if it can. If not, each screen is printed below the one before.
bool take_terminal() {
    const char* name = std::getenv("TERM");
    if (name == nullptr || std::string(name) == "dumb" || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return false;
    initscr();
    raw(); // Ctrl-C is a key, so that it is we who tidy up
    noecho();
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (std::getenv("NO_COLOR") != nullptr || !has_colors()) return true;
    start_color();
    use_default_colors();
    init_pair(1, COLOR_RED, -1);
    init_pair(2, COLOR_YELLOW, -1);
    return true;
}

void draw(const Lines& lines) {
    // Without colours a pair changes nothing, and bold is left. In the order of Style.
    const std::array<chtype, 4> styles{A_NORMAL, A_BOLD, A_BOLD | COLOR_PAIR(1), COLOR_PAIR(2)};
    erase();
    for (std::size_t row = 0; row < lines.size(); ++row) {
        attrset(static_cast<int>(styles.at(static_cast<std::size_t>(lines[row].style))));
        mvaddstr(static_cast<int>(row), 0, lines[row].text.c_str());
    }
    refresh();
}

class Window {
  public:
    Window(pid_t pid, std::uint16_t port, std::string title) : watcher_(pid, port), title_(std::move(title)) {}
    ~Window() {
        if (whole_) endwin();
    }
    Window(const Window&) = delete;
    Window& operator=(const Window&) = delete;

    /// Looks at the server and shows it, again and again. False when it has ended.
    bool run(pid_t pid) {
        while (told_to_end == 0) {
            const auto start = Clock::now();
            const std::clock_t used = std::clock();
            now_ = watcher_.look();
            if (has_ended(pid)) return false;
            show();
            // Ten times a second; but however many clients there are, it takes at most 4 % of a core.
            const auto cpu = std::chrono::microseconds((std::clock() - used) * 1'000'000 / CLOCKS_PER_SEC);
            const auto next = start + std::max<Clock::duration>(milliseconds(whole_ ? 100 : 1000), 25 * cpu);
            while (told_to_end == 0 && Clock::now() < next) wait(next - Clock::now());
        }
        return true;
    }

  private:
    void show() {
        std::vector<std::string> own;
        for (auto it = clients_.rbegin(); it != clients_.rend(); ++it) own.push_back(it->story(now_));
        if (!whole_) return print(screen(now_, title_, own));
        if (helps_) return draw({{help}});
        draw(screen(now_, title_, own, static_cast<std::size_t>(COLS), static_cast<std::size_t>(LINES)));
    }

    /// Waits for keys, and for what our clients wait for.
    void wait(Clock::duration time) {
        std::vector<pollfd> all;
        for (const OwnClient& client : clients_) all.push_back(client.waits_for());
        all.push_back({whole_ ? STDIN_FILENO : -1, POLLIN, 0});
        poll(all.data(), all.size(), static_cast<int>(std::chrono::ceil<milliseconds>(time).count()));
        for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].act(all[i].revents);
        if ((all.back().revents & (POLLHUP | POLLERR)) != 0) told_to_end = 1; // the terminal is gone
        for (int key = whole_ ? getch() : ERR; key != ERR; key = getch()) press(key);
    }

    void press(int key) {
        constexpr int ctrl_c = 3;
        if (key == 'q' || key == ctrl_c) told_to_end = 1;
        if (key == '?') helps_ = !helps_;
        if (key == 'c' || key == 'h' || key == 'n') clients_.emplace_back(key, address_of(now_.listener));
        if (key == 'x' && !clients_.empty()) clients_.pop_back();
        show();
    }

    Watcher watcher_;
    std::string title_;
    Snapshot now_{};
    std::vector<OwnClient> clients_;
    bool helps_ = false;
    bool whole_ = take_terminal();
};

} // namespace

void print(const Lines& lines) {
    for (const Line& line : lines) std::cout << line.text.substr(0, line.text.find_last_not_of(' ') + 1) << '\n';
    std::cout << std::endl;
}

bool show_window(pid_t pid, std::uint16_t port, const std::string& title) {
    return Window(pid, port, title).run(pid);
}
