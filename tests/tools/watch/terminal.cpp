#include "tests/tools/watch/terminal.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <string_view>

#if __has_include(<ncurses.h>)
#include <ncurses.h>
#else // libncurses-dev is not installed: what is used of it, so that the rest is built without
constexpr int COLS = 80;
constexpr int LINES = 0;
#endif

void print(const Lines& lines) {
    for (const Line& line : lines) std::cout << line.text.substr(0, line.text.find_last_not_of(' ') + 1) << '\n';
    std::cout << std::endl;
}

std::size_t Terminal::width() const {
    return whole_ ? static_cast<std::size_t>(COLS) : 80;
}

std::size_t Terminal::height() const {
    return whole_ ? static_cast<std::size_t>(LINES) : 0;
}

#ifdef NCURSES_VERSION
Terminal::Terminal() {
    const char* name = std::getenv("TERM");
    whole_ =
        name != nullptr && std::string_view(name) != "dumb" && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    if (!whole_) return;
    initscr();
    raw(); // Ctrl-C is a key, so that it is we who tidy up
    noecho();
    nodelay(stdscr, TRUE);
    curs_set(0);
    if (std::getenv("NO_COLOR") != nullptr || !has_colors()) return;
    start_color();
    use_default_colors();
    init_pair(1, COLOR_RED, -1);
    init_pair(2, COLOR_YELLOW, -1);
}

Terminal::~Terminal() {
    if (whole_) endwin();
}

void Terminal::show(const Lines& lines) const {
    if (!whole_) return print(lines);
    // Without colours a pair changes nothing, and bold and faint are left. In the order of Style.
    const std::array<chtype, 5> styles{A_NORMAL, A_BOLD, A_DIM, A_BOLD | COLOR_PAIR(1), COLOR_PAIR(2)};
    erase();
    for (int row = 0; row < std::min(LINES, static_cast<int>(lines.size())); ++row) {
        const Line& line = lines[static_cast<std::size_t>(row)];
        attrset(static_cast<int>(styles.at(static_cast<std::size_t>(line.style))));
        mvaddnstr(row, 0, line.text.c_str(), COLS);
    }
    refresh();
}

int Terminal::key() const {
    return whole_ ? getch() : -1;
}
#else
Terminal::Terminal() {
    std::cerr << "This is built without ncurses (libncurses-dev), so one screen is printed below the other.\n";
}
Terminal::~Terminal() = default;
void Terminal::show(const Lines& lines) const {
    print(lines);
}
int Terminal::key() const {
    return -1;
}
#endif
