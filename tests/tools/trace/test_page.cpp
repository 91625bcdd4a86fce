#include "tests/catch.h"

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/tools/trace/page.h"

namespace {

Page read_text(const std::string& text) {
    std::istringstream in(text);
    return read_page("README.md", in);
}

using Lines = std::vector<std::string>;

} // namespace

TEST_CASE("page: commands, and what is below them") {
    const Page page = read_text("# Title\n"
                                "```console\n$ make\n$ echo a; echo b\na\nb\n```\n"
                                "```cpp\n$ not a command\n```\n"
                                "<!-- made by make docs -->\n<!-- varies: [0-9]+ kB -->\n<!-- varies: x -->\n"
                                "```console\n$ strace true\n```\n<!-- end of what make docs made -->\n");
    REQUIRE(page.blocks.size() == 2);
    REQUIRE(page.blocks[0].commands.size() == 2);
    CHECK(page.blocks[0].commands[0].expected.empty());
    CHECK(page.blocks[0].commands[1].text == "echo a; echo b");
    CHECK(page.blocks[0].commands[1].line == 3);
    CHECK(page.blocks[0].commands[1].expected == Lines{"a", "b"});
    CHECK_FALSE(page.blocks[0].made);
    CHECK(page.blocks[0].varies.empty());
    CHECK(page.blocks[1].made);
    CHECK(page.blocks[1].varies.size() == 2);
}

TEST_CASE("page: what it cannot read it refuses") {
    for (const char* text :
         {"```console\n$ make\n", "```console\noutput\n```\n", "<!-- varies: [ -->\n```console\n$ make\n```\n",
          "<!-- varies: x -->\nno block\n", "<!-- made by make docs -->\n", "<!-- end of what make docs made -->\n"}) {
        INFO(text);
        CHECK_THROWS_AS(read_text(text), std::runtime_error);
    }
}

TEST_CASE("page: dots stand for any lines, also for none") {
    CHECK(same({"a", "...", "c"}, {"a", "b", "b", "c"}, {}));
    CHECK(same({"a", "...", "c"}, {"a", "c"}, {}));
    CHECK(same({"..."}, {}, {}));
    CHECK(same({"...", "c", "..."}, {"a", "c", "c", "d"}, {}));
    CHECK_FALSE(same({"a", "...", "c"}, {"a", "b"}, {}));
    CHECK_FALSE(same({}, {"a"}, {}));
    CHECK_FALSE(same({"a"}, {}, {}));
    CHECK_FALSE(same({"a", "b"}, {"b", "a"}, {}));
}

TEST_CASE("page: what varies everywhere is not compared, everything else is") {
    const auto alike = [](const std::string& a, const std::string& b) { return same({a}, {b}, {}); };
    CHECK(alike("fd 4: 127.0.0.1:39568 connected", "fd 4: 127.0.0.1:60618 connected"));
    CHECK_FALSE(alike("fd 4: 127.0.0.1:39568 connected", "fd 5: 127.0.0.1:39568 connected"));
    CHECK_FALSE(alike("listening on 127.0.0.1:7101", "listening on 127.0.0.1:7102"));
    CHECK(alike("read(4, \"\", 65536)     = 0", "read(4, \"\", 65536) = 0"));
    CHECK_FALSE(alike("read(4, \"\", 65536) = 0", "read(4, \"\", 65536) = 1"));
    CHECK(alike("{events=EPOLLIN, data={u32=50, u64=9426}}", "{events=EPOLLIN, data=0x55baa10}"));
    CHECK(alike("{events=EPOLLIN, data={u32=0, u64=0}}", "{events=EPOLLIN, data=NULL}"));
    CHECK_FALSE(alike("{events=EPOLLIN, data={u32=0, u64=0}}", "{events=EPOLLIN, data=0x55baa10}"));
    CHECK(alike("wait4(-1, NULL, WNOHANG, NULL)   = 12613", "wait4(-1, NULL, WNOHANG, NULL) = 77"));
    CHECK_FALSE(alike("wait4(-1, NULL, WNOHANG, NULL) = 0", "wait4(-1, NULL, WNOHANG, NULL) = 77"));
    CHECK(alike("--- SIGTERM {si_signo=SIGTERM, si_pid=26045, si_uid=0} ---",
                "--- SIGTERM {si_signo=SIGTERM, si_pid=1, si_uid=1000} ---"));
}

TEST_CASE("page: what the page says varies is not compared") {
    const std::vector<std::regex> varies{std::regex("[0-9]+ kB")};
    CHECK(same({"RssAnon: 228 kB"}, {"RssAnon: 1904 kB"}, varies));
    CHECK_FALSE(same({"RssAnon: 228 kB"}, {"VmPTE: 228 kB"}, varies));
    CHECK_FALSE(same({"RssAnon: 228 kB"}, {"RssAnon: 228 MB"}, varies));
}
