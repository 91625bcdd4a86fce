// Whatever a parser is given, it reads or refuses it; nothing else comes of it. The seed is printed with a failure, and
// FUZZ_SEED=... in the environment repeats it.
#include <algorithm>
#include <cstdlib>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/claims/matrix.h"
#include "tests/support/strace_reader.h"
#include "tests/tools/trace/page.h"
#include "tests/unit/command_line.h"

namespace {

using Random = std::mt19937_64;

std::size_t below(Random& random, std::size_t limit) {
    return random() % limit;
}

/// One change to a text: some of it, often nothing, makes way for a byte, for nothing, or for a piece from elsewhere.
void change(std::string& text, Random& random) {
    const auto somewhere = [&] { return below(random, text.size() + 1); };
    const auto some = [&] { return below(random, 31) * below(random, 2); };
    const bool byte = below(random, 2) == 0;
    const std::string piece = byte ? std::string(1, static_cast<char>(random())) : text.substr(somewhere(), some());
    text.replace(somewhere(), some(), piece);
}

/// Gives a parser texts that were good before some bytes of them changed.
template <typename Parser>
void fuzz(const std::string& good, std::uint64_t times, Parser parser) {
    const char* given = std::getenv("FUZZ_SEED");
    const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
    for (std::uint64_t seed = first; seed < first + times; ++seed) {
        Random random(seed);
        std::string bad = good;
        for (std::size_t i = below(random, 6) + 1; i > 0; --i) change(bad, random);
        INFO("FUZZ_SEED=" << seed);
        parser(bad, random); // what it throws fails the test
    }
}

} // namespace

TEST_CASE("fuzz: a command line is accepted, or refused with status 2 and one line") {
    const std::string words = "--host --port --backlog --think --read-workers --verbose --help -- = -1 0 7007 65535 "
                              "65536 ::1 127.0.0.1 ::ffff:1 9223372036854775808 --port=7007 --host=:: --think=5 "
                              "--verbose --backlog=0 --read-workers=8 +1 1e3 0x10 - %s%n  \n1";
    fuzz(words, 200, [](const std::string& damaged, Random& random) {
        std::vector<std::string> some;
        std::istringstream in(damaged);
        for (std::string word; std::getline(in, word, ' ');) some.push_back(word);
        std::shuffle(some.begin(), some.end(), random);
        some.resize(std::min(some.size(), below(random, 6)));
        const Outcome outcome = parse(some);
        CAPTURE(some, outcome.ended, outcome.out, outcome.err);
        CHECK((is_refusal(outcome) || (outcome.ended == "exit status 0" && outcome.err.empty())));
    });
}

TEST_CASE("fuzz: a damaged record of strace is read or refused") {
    const std::string record =
        "2755  1795527200.067000 read(4, \"hello\\n\", 65536) = 6 <0.000093>\n"
        "2755  1795527200.068000 pselect6(5, [3 4], NULL, NULL, NULL, NULL <unfinished ...>\n"
        "58 1795527200.5 close(7) = 0 <0.1>\n"
        "2756  1795527200.069 write(5, \"a\\\"b\\\\\"..., 9) = -1 EAGAIN (Resource temporarily unavailable) <0.1>\n"
        "2755  1795527200.568000 <... pselect6 resumed>) = 1 (in [4]) <0.500000>\n"
        "2755  1795527201.0 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=1, si_uid=0} ---\n"
        "2755  1795527201.1 epoll_wait(4, [{events=EPOLLIN, data={u32=1, u64=1}}], 64, -1) = ? ERESTARTSYS (To be)\n"
        "2755  1795527201.2 +++ exited with 0 +++\n";
    fuzz(record, 3000, [](const std::string& damaged, Random&) {
        try {
            read_strace(damaged);
        } catch (const UnreadableTrace&) {
        }
    });
}

TEST_CASE("fuzz: a damaged table of claims differs or is the same") {
    const Matrix matrix = {{"S1", "a `socket`", {"yes", "no", "-", "?", "yes", "no"}, "5 | 6"},
                           {"S2", "one more", {"yes", "yes", "yes", "yes", "yes", "yes"}, ""}};
    fuzz("# Page\n" + as_markdown(matrix) + "the end\n", 3000, [&](const std::string& damaged, Random&) {
        ids_in(damaged);
        differences(matrix[0], damaged);
    });
}

TEST_CASE("fuzz: a damaged page is read or refused") {
    const std::string page = "# Title\n"
                             "<!-- varies: [0-9]+ kB -->\n"
                             "```console\n$ make\n$ echo a; echo b\na\n...\nb\n```\n"
                             "```cpp\n$ not a command\n```\n"
                             "<!-- made by make docs -->\n```console\n$ strace true\n```\n"
                             "<!-- end of what make docs made -->\n";
    fuzz(page, 3000, [](const std::string& damaged, Random&) {
        try {
            std::istringstream in(damaged);
            read_page("README.md", in);
        } catch (const std::runtime_error&) {
        }
    });
}
