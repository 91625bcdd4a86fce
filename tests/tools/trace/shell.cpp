#include "tests/tools/trace/shell.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <regex>
#include <stdexcept>

#include "common/check.h"

namespace fs = std::filesystem;

namespace {

/// The commands come through a named pipe that is opened anew for each: so the shell, and what it starts, has no
/// descriptors that a reader's would not have. Standard error goes where the output goes, as on a terminal.
constexpr const char* loop = R"(cd "$1" || exit; exec 2>&1
for fd in /proc/$$/fd/*; do [ "${fd##*/}" -le 2 ] || [ "${fd##*/}" -ge 255 ] || eval "exec ${fd##*/}>&-"; done
while IFS= read -r line <"$2"; do
    eval "$line"
    echo >"$3"
done)";

/// What is built is copied with its times, so nothing is built again.
constexpr const char* copy = R"(set -e; mkdir -p "$1"
cp -a .ci 0?-* common tests Makefile README.md .clang-format .clang-tidy "$1"
for part in build/flags build/01-blocking-server build/tests/tools/demo build/tests/tools/network build/tests/support; do
    [ ! -e "$part" ] || cp -a --parents "$part" "$1"
done)";

bool is_free(int port) {
    const Fd probe(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

void replace_all(std::string& text, const std::string& what, const std::string& instead) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + instead.size())) {
        text.replace(at, what.size(), instead);
    }
}

/// The text with `instead(number)` for each number that `wanted` matches and that stands alone.
template <typename Instead>
std::string replace_numbers(const std::string& text, const std::regex& wanted, Instead instead) {
    std::string replaced;
    auto from = text.begin();
    for (std::sregex_iterator it(text.begin(), text.end(), wanted), end; it != end; ++it) {
        replaced.append(from, text.begin() + it->position());
        replaced += std::to_string(instead(std::stoi(it->str())));
        from = text.begin() + it->position() + it->length();
    }
    return replaced.append(from, text.end());
}

/// A bash with the environment of one that a reader starts, not of one in a test.
std::vector<std::string> command(Place& place, std::initializer_list<std::string> script) {
    std::vector<std::string> words = words_of("env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u CHAPTER -u ONLY -u TALLY");
    words.insert(words.end(), {"LC_ALL=C.UTF-8", place.here("PORT=7007"), "bash", "-c"});
    words.insert(words.end(), script);
    return words;
}

Fd named_pipe(const fs::path& path) {
    check(mkfifo(path.c_str(), 0600), "mkfifo ", path.string());
    return Fd(check(open(path.c_str(), O_RDWR | O_CLOEXEC), "open ", path.string()));
}

} // namespace

Place::Place() {
    fs::create_directories(folder() / "tmp");
    const Outcome copying = Process({{"bash", "-c", copy, "copy", project()}}).outcome(milliseconds(60000));
    if (copying.ended != "exit status 0") throw std::runtime_error("copying the project: " + copying.err);
}

/// Of four digits, like those on the pages, so that what shows their length is the same. No port twice in this process.
int Place::free_port(int port) {
    constexpr int first = 8300;
    constexpr int count = 1400;
    static std::atomic<int> next = getpid() * 37;
    int& here = ports_[port];
    while (here == 0) {
        const int candidate = first + next++ % count;
        if (is_free(candidate)) here = candidate;
    }
    return here;
}

std::string Place::here(std::string command) {
    static const std::regex on_page(R"(\b(7007|71[0-9][0-9])\b)");
    replace_all(command, "/tmp/", (folder() / "tmp").string() + "/");
    return replace_numbers(command, on_page, [&](int port) { return free_port(port); });
}

std::string Place::as_on_page(std::string output) const {
    static const std::regex four_digits(R"(\b[0-9]{4}\b)");
    replace_all(output, (folder() / "tmp").string() + "/", "/tmp/");
    return replace_numbers(output, four_digits, [&](int number) {
        for (const auto& [page, here] : ports_) {
            if (here == number) return page;
        }
        return number;
    });
}

Shell::Shell(Place& place)
    : place_(place), told_([&] {
          static std::atomic<int> number = 0;
          return place.folder() / ("shell-" + std::to_string(number++));
      }()),
      done_(told_.string() + "-done"), tell_(named_pipe(told_)), hear_(named_pipe(done_)),
      process_({command(place, {loop, "bash", place.project(), told_, done_})}) {}

void Shell::tell(const std::string& command) {
    const std::string line = place_.here(command) + "\n";
    if (write(tell_.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        throw std::runtime_error("the shell takes no more commands");
    }
}

bool Shell::done(milliseconds time) {
    pollfd heard{hear_.get(), POLLIN, 0};
    if (poll(&heard, 1, static_cast<int>(time.count())) <= 0) return false;
    std::array<char, 1> newline{};
    return ::read(hear_.get(), newline.data(), newline.size()) == 1;
}

void Shell::drain(std::vector<std::string>& lines) {
    while (const auto line = process_.read_line(milliseconds(20))) lines.push_back(place_.as_on_page(*line));
}
