// Whatever a parser is given, it reads or refuses it; nothing else comes of it. The seed is printed with a failure, and
// FUZZ_SEED=... in the environment repeats it.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/options.h"
#include "tests/catch.h"
#include "tests/claims/matrix.h"
#include "tests/support/failed.h"
#include "tests/support/in_child.h"
#include "tests/support/strace_reader.h"
#include "tests/tools/trace/page.h"

namespace {

std::uint64_t first_seed() {
    const char* given = std::getenv("FUZZ_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return random() % limit;
}

template <typename List>
const auto& one_of(const List& list, Random& random) {
    return list[below(random, std::size(list))];
}

std::string noise(Random& random, std::size_t most) {
    std::string bytes(below(random, most + 1), '\0');
    for (char& byte : bytes) byte = static_cast<char>(1 + below(random, 255)); // an argument has no 0 in it
    return bytes;
}

/// One change to a text: a byte, a piece taken out, doubled or moved, noise put in.
void change(std::string& text, Random& random) {
    const std::size_t at = below(random, text.size() + 1);
    const std::size_t length = below(random, std::min<std::size_t>(text.size() - at, 30) + 1);
    switch (below(random, 5)) {
    case 0:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
    case 1:
        text.erase(at, length);
        break;
    case 2:
        text.insert(at, text.substr(at, length));
        break;
    case 3:
        text.insert(below(random, text.size() + 1), text.substr(at, length));
        break;
    default:
        text.insert(at, noise(random, 8));
    }
}

const std::vector<std::string>& words() {
    static const std::vector<std::string> all = [] {
        std::vector<std::string> some =
            words_of("--host --port --backlog --think --read-workers --verbose --help -- = -1 0 7007 65535 65536 ::1 "
                     "127.0.0.1 ::ffff:1 9223372036854775808 --port=7007 --host=:: --think=5 +1 1e3 0x10 - %s%n");
        some.insert(some.end(), {"", " 1"});
        return some;
    }();
    return all;
}

std::vector<std::string> random_command_line(Random& random) {
    std::vector<std::string> arguments(below(random, 6));
    for (std::string& argument : arguments) {
        argument = one_of(words(), random);
        if (below(random, 3) == 0) argument += one_of(words(), random);
        if (below(random, 4) == 0) change(argument, random);
        std::replace(argument.begin(), argument.end(), '\0', '0');
    }
    return arguments;
}

/// In the child, as a wrong command line ends the process.
void parse(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "./server");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int workers = 4;
    const Options options = parse_options(static_cast<int>(arguments.size()), argv.data(),
                                          {{"read-workers", 1, 256, &workers, "threads that read"}});
    const bool in_range = options.think.count() >= 0 && options.backlog >= 0 && workers >= 1 && workers <= 256;
    std::cout << (in_range ? "accepted" : "out of range");
}

std::size_t count_lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

/// Empty when that is an end as it should be.
std::string what_is_wrong(const Outcome& outcome) {
    const std::string all = outcome.ended + "; stdout: " + outcome.out + "; stderr: " + outcome.err;
    const bool asks_help = outcome.out.find("usage:") != std::string::npos;
    if (outcome.ended == "exit status 0") return outcome.out == "accepted" || asks_help ? "" : all;
    return outcome.ended == "exit status 2" && outcome.out.empty() && count_lines(outcome.err) == 1 ? "" : all;
}

const std::string record =
    "2755  1795527200.067000 read(4, \"hello\\n\", 65536) = 6 <0.000093>\n"
    "2755  1795527200.068000 pselect6(5, [3 4], NULL, NULL, NULL, NULL <unfinished ...>\n"
    "58 1795527200.5 close(7) = 0 <0.1>\n"
    "2756  1795527200.069 write(5, \"a\\\"b\\\\\"..., 9) = -1 EAGAIN (Resource temporarily unavailable) <0.1>\n"
    "2755  1795527200.568000 <... pselect6 resumed>) = 1 (in [4]) <0.500000>\n"
    "2755  1795527201.0 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---\n"
    "2755  1795527201.1 epoll_wait(4, [{events=EPOLLIN, data={u32=1, u64=1}}], 64, -1) = ? ERESTARTSYS (To be)\n"
    "2755  1795527201.2 +++ exited with 0 +++\n";

const std::string page = "# Title\n"
                         "<!-- varies: [0-9]+ kB -->\n"
                         "```console\n$ make\n$ echo a; echo b\na\n...\nb\n```\n"
                         "```cpp\n$ not a command\n```\n"
                         "<!-- made by make docs -->\n```console\n$ strace true\n```\n"
                         "<!-- end of what make docs made -->\n";

/// Gives a parser texts that were good before some bytes of them changed.
template <typename Parser>
void fuzz(const std::string& good, std::uint64_t first, Parser parser) {
    for (std::uint64_t seed = first; seed < first + 3000; ++seed) {
        Random random(seed);
        std::string bad = good;
        for (std::size_t i = below(random, 6) + 1; i > 0; --i) change(bad, random);
        INFO("FUZZ_SEED=" << seed);
        CHECK_NOTHROW(parser(bad));
    }
}

} // namespace

TEST_CASE("fuzz: a command line is accepted, or refused with status 2 and one line") {
    const std::uint64_t first = first_seed();
    for (std::uint64_t seed = first; seed < first + 200; ++seed) {
        Random random(seed);
        const std::vector<std::string> arguments = random_command_line(random);
        const Outcome outcome = in_child([&] { parse(arguments); });
        INFO("FUZZ_SEED=" << seed);
        CHECK(what_is_wrong(outcome).empty());
    }
}

TEST_CASE("fuzz: a damaged record of strace is read or refused") {
    fuzz(record, first_seed(), [](const std::string& damaged) {
        try {
            read_strace(damaged);
        } catch (const UnreadableTrace&) {
        }
    });
}

TEST_CASE("fuzz: a damaged table of claims differs or is the same") {
    const Matrix matrix = {{"S1", "a `socket`", {"yes", "no", "-", "?", "yes", "no"}, "5 | 6"},
                           {"S2", "one more", {"yes", "yes", "yes", "yes", "yes", "yes"}, ""}};
    fuzz("# Page\n" + as_markdown(matrix) + "the end\n", first_seed(), [&](const std::string& damaged) {
        ids_in(damaged);
        differences(matrix[0], damaged);
    });
}

TEST_CASE("fuzz: a damaged page is read or refused") {
    fuzz(page, first_seed(), [](const std::string& damaged) {
        try {
            std::istringstream in(damaged);
            read_page("README.md", in);
        } catch (const std::runtime_error&) {
        }
    });
}
