// `watcher start SERVER --port PORT ARGUMENT...` starts a server and shows it, refreshed in place, until the server has
// ended or a key or a signal ends the window; `watcher pid PID [PORT]` shows one that runs. With ONCE in the
// environment it prints one snapshot. Keys play the part of clients.

#include <ncurses.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>

#include "tests/support/running_server.h"
#include "tests/support/talker.h"
#include "tests/tools/watch/screen.h"

namespace {

constexpr const char* help = R"(
 c connects a silent client; h one that says hello; n one that sends and never
 reads. x closes the last one, q quits, and ? brings the server back.

 Follow a client's bytes from left to right. What it has sent is in its kernel
 (its Send-Q), in the server's kernel (our Recv-Q), or else the server has read
 it. What the server has sent is in our Send-Q, its Recv-Q, or has been read.
 The end (FIN) counts as a byte. ? stands for an end that is gone or elsewhere.

 A client waits while it is in the listen queue, or while not all that it has
 sent has come back. The server is the reason if it is in a call for another.
 For whom a sleeping thread works is concluded from what it has read and not
 sent back, which is right only for an echo server.

 epoll: IN and OUT are asked for. With ONESHOT it is once, and afterwards the
 descriptor is disarmed. What the server keeps in its own memory (unsent
 bytes, the queues of chapter 06) cannot be seen from outside.)";

/// Set by a key or a signal.
volatile std::sig_atomic_t told_to_end = 0;

/// Takes the whole terminal, by ncurses, until nobody has what this returns any more. Returns nothing where that cannot
/// be; then each screen is printed below the one before.
std::shared_ptr<WINDOW> take_terminal() {
    const char* name = std::getenv("TERM");
    if (name == nullptr || std::string(name) == "dumb" || std::getenv("ONCE") != nullptr) return nullptr;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return nullptr;
    std::shared_ptr<WINDOW> whole(initscr(), [](WINDOW*) { endwin(); });
    raw(); // Ctrl-C is a key, so that it is we who tidy up
    noecho();
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (std::getenv("NO_COLOR") == nullptr) start_color(); // or what follows changes nothing
    use_default_colors();
    init_pair(1, COLOR_RED, -1);
    init_pair(2, COLOR_YELLOW, -1);
    return whole;
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

void print(const Lines& lines) {
    for (const Line& line : lines) std::cout << line.text << '\n';
    std::cout << std::endl;
}

/// c: a silent client; h: one that says hello; n: one that sends and never reads.
Talker connect_client(int key, const Address& server) {
    static const std::string much(32 << 20, 'n'); // more than the kernel's buffers can hold
    Role role{"silent", ""};
    if (key == 'h') role = {"hello", "hello\n"};
    if (key == 'n') role = {"never reads", much};
    role.reads_late = key == 'n';
    role.end = Role::End::stays;
    return Talker({server, milliseconds(0)}, role);
}

/// "B: hello came back after 0.08 ms"
std::string story(const Talker& client, const Snapshot& now) {
    if (client.done() && !client.served()) return client.story(); // it is gone
    const std::uint16_t port = port_of(client.address());
    std::string name = "-";
    for (const Connection& one : now.connections) {
        if (one.address.second == port) name = one.name;
    }
    if (client.role().name != "hello") return name + ": " + client.role().name;
    const auto end = client.done() ? client.done_at() : Clock::now();
    const std::chrono::duration<double, std::milli> time = end - client.connects_at();
    return text(name, client.done() ? ": hello came back after " : ": no answer for ", std::fixed, std::setprecision(2),
                time.count(), " ms");
}

class Window {
  public:
    Window(pid_t pid, int port, std::string title) : watcher_(pid, port), title_(std::move(title)) {}

    /// Looks at the server and shows it, ten times a second. False when it has ended.
    bool run() {
        auto next = Clock::now(), paid = next;
        while (told_to_end == 0) {
            const std::clock_t used = std::clock();
            now_ = watcher_.look();
            if (has_ended(now_.pid)) return false;
            show();
            if (std::getenv("ONCE") != nullptr) return true;
            // Each look has to be paid for, so that we take 4 % of a core, however many clients there are. (Then we
            // also read a long list of epoll's rarely, which is locked meanwhile, 49 ms for 10,000 clients.) 300 ms may
            // be saved, because some looks cost more than the others.
            const auto now = Clock::now();
            paid = std::max(paid, now - milliseconds(300)) + 25 * std::chrono::microseconds(std::clock() - used);
            next = std::max({next + milliseconds(terminal_ ? 100 : 1000), now, paid});
            while (told_to_end == 0 && Clock::now() < next) wait(next - Clock::now());
        }
        return true;
    }

  private:
    void show() {
        std::vector<std::string> own;
        for (auto it = clients_.rbegin(); it != clients_.rend(); ++it) own.push_back(story(*it, now_));
        if (!terminal_) return print(lay_out(now_, title_, own));
        if (helps_) return draw({{help}});
        draw(lay_out(now_, title_, own, static_cast<std::size_t>(COLS), static_cast<std::size_t>(LINES)));
    }

    /// Waits for keys, and for what our clients wait for.
    void wait(Clock::duration time) {
        std::vector<pollfd> all;
        for (const Talker& client : clients_) {
            all.push_back(client.waits_for());
            if (client.role().reads_late) all.back().events &= POLLOUT; // it never reads
        }
        all.push_back({terminal_ ? STDIN_FILENO : -1, POLLIN, 0});
        poll(all.data(), all.size(), static_cast<int>(std::chrono::ceil<milliseconds>(time).count()));
        for (std::size_t i = 0; i < clients_.size(); ++i) clients_[i].act(all[i].revents);
        if ((all.back().revents & (POLLHUP | POLLERR)) != 0) told_to_end = 1; // the terminal is gone
        for (int key = terminal_ ? getch() : ERR; key != ERR; key = getch()) press(key);
    }

    void press(int key) {
        if (key == 'q' || key == 3 /* Ctrl-C */) told_to_end = 1;
        if (key == '?') helps_ = !helps_;
        if (key == 'x' && !clients_.empty()) clients_.pop_back();
        const bool connects = key == 'c' || key == 'h' || key == 'n';
        if (connects && now_.listener.state != 0) clients_.push_back(connect_client(key, address_of(now_.listener)));
        show();
    }

    Watcher watcher_;
    std::string title_;
    Snapshot now_{};
    std::vector<Talker> clients_;
    bool helps_ = false;
    std::shared_ptr<WINDOW> terminal_ = take_terminal();
};

/// `title`: what the server is called.
void watch(pid_t pid, int port, const std::string& title) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, [](int) { told_to_end = 1; });
    if (!Window(pid, port, title).run()) std::cout << "the server has ended\n";
}

void watch_own(const std::vector<std::string>& command) {
    Process server({command});
    const auto line = server.read_line(long_enough); // listening on 127.0.0.1:7007
    if (!line) throw std::runtime_error(server.beginning_of_errors());
    watch(server.pid(), std::stoi(line->substr(line->rfind(':') + 1)), chapter_of(command[0]));
    server.signal(SIGTERM);
    const std::string end = server.how_it_ends(milliseconds(6000)); // it takes 5 s at most
    std::cout << server.standard_error();
    if (end != "exit status 0") throw std::runtime_error("the server did not end well: " + end);
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

/// A whole word that is a number from 1 to `most`. Throws std::logic_error when it is none.
int number(const std::string& word, int most) {
    std::size_t length = 0;
    const int value = std::stoi(word, &length);
    if (length != word.size() || value < 1 || value > most) throw std::out_of_range(word);
    return value;
}

void watch_other(const std::vector<std::string>& pid_and_port) {
    const pid_t pid = number(pid_and_port.at(0), INT_MAX);
    std::string name;
    std::getline(std::ifstream(text("/proc/", pid, "/comm")), name);
    watch(pid, pid_and_port.size() > 1 ? number(pid_and_port[1], 65535) : port_of_process(pid), name);
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const std::string what = argc > 1 ? argv[1] : "";
        const std::vector<std::string> words(argv + std::min(argc, 2), argv + argc);
        what == "start" ? watch_own(words) : watch_other(words);
        return 0;
    } catch (const std::logic_error&) { // a word is missing, or is no number
        std::cerr << "PID is a number, and PORT is one up to 65535: make watch PID=4711 PORT=7007\n";
        return 2;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
