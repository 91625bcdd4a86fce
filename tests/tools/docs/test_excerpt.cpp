#include "tests/catch.h"

#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/tools/docs/excerpt.h"

namespace {

Lines lines_of(const std::string& text) {
    Lines all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
}

/// What a file of a chapter may look like.
const Lines& code() {
    static const Lines lines = lines_of(R"(// About the file.

#define TWO_LINES \
    2

namespace {

struct Server {
    int listener;
    const char* brace = "}"; // not the end: }
    void run();
    template <typename T>
    struct Inner {
        int inner;
    };
    int twice() const { return 2 * listener; }
};

/// Says why,
/// in two lines.
template <typename T>
int watch(T what) {
    return what == '}' ? 1 : 0;
}

int declared(int only);
constexpr int big = 1'000;

// serves
void Server::run() {
    while (!stopping()) {
        const int ready = wait(Set{1, 2}, [](int i) { return i; });
        if (ready < 0)
            again();
        else
            end();
        if (ready > 2) {
            one();
        } else {
            two();
        }
    }
    deliver(clients);
    deliver(the, rest);
}

} // namespace

int main() {}
)");
    return lines;
}

Lines read_code(const std::string& name) {
    if (name != "a.cpp") throw std::runtime_error(name + ": cannot be read");
    return code();
}

Lines cut_from_code(const std::string& name, const std::string& from = "", const std::string& to = "") {
    return cut({"a.cpp", name, from, to}, code());
}

const std::string ask_for_watch = "text\n<!-- code: a.cpp watch -->\n```cpp\nold\n```\nmore\n";

} // namespace

TEST_CASE("excerpt: the definitions of a file") {
    std::vector<std::string> names;
    for (const Definition& one : definitions_of(code())) names.push_back(one.name + (one.is_member ? " (member)" : ""));
    CHECK(names == std::vector<std::string>{"Server", "Server::listener (member)", "Server::brace (member)",
                                            "Server::Inner (member)", "Server::Inner::inner (member)",
                                            "Server::twice (member)", "watch", "big", "Server::run", "main"});
}

TEST_CASE("excerpt: a function with the comment above it, and a member at the margin") {
    CHECK(cut_from_code("watch") == lines_of("/// Says why,\n/// in two lines.\ntemplate <typename T>\n"
                                             "int watch(T what) {\n    return what == '}' ? 1 : 0;\n}\n"));
    CHECK(cut_from_code("run").front() == "// serves");
    CHECK(cut_from_code("run") == cut_from_code("Server::run"));
    CHECK(cut_from_code("Server::twice") == lines_of("int twice() const { return 2 * listener; }"));
    CHECK(cut_from_code("Server").size() == 10);
    CHECK(cut_from_code("") == code());
}

TEST_CASE("excerpt: a statement to its end, or lines to others") {
    CHECK(cut_from_code("run", "while (!stop").size() == 12);
    CHECK(cut_from_code("run", "const int ready") ==
          lines_of("const int ready = wait(Set{1, 2}, [](int i) { return i; });"));
    CHECK(cut_from_code("run", "if (ready < 0)") == lines_of("if (ready < 0)\n    again();\nelse\n    end();"));
    CHECK(cut_from_code("run", "if (ready > 2)") == lines_of("if (ready > 2) {\n    one();\n} else {\n    two();\n}"));
    CHECK(cut_from_code("run", "one", "two") == lines_of("    one();\n} else {\n    two();"));
    CHECK(cut_from_code("run", "deliver(clients)", "deliver") == lines_of("deliver(clients);\ndeliver(the, rest);"));
}

TEST_CASE("excerpt: what is not there, or is there twice, is refused") {
    CHECK_THROWS_AS(cut_from_code("declared"), std::runtime_error);
    CHECK_THROWS_AS(cut_from_code("runs"), std::runtime_error);
    CHECK_THROWS_AS(cut_from_code("run", "until"), std::runtime_error);
    CHECK_THROWS_AS(cut_from_code("run", "deliver("), std::runtime_error);
    CHECK_THROWS_AS(cut_from_code("run", "deliver(clients)", "while"), std::runtime_error);
    CHECK_THROWS_AS(cut({"a.cpp", "f", "", ""}, lines_of("void A::f() {}\nvoid B::f() {}")), std::runtime_error);
}

TEST_CASE("excerpt: a page is filled") {
    const Lines page = filled(lines_of(ask_for_watch), read_code);
    REQUIRE(page.size() == 11);
    CHECK(page[3] == "/// Says why,");
    CHECK(page[8] == "}");
    CHECK(page[10] == "more");
    CHECK(filled(page, read_code) == page);
    CHECK(filled(lines_of("no code\n"), read_code) == lines_of("no code\n"));
}

TEST_CASE("excerpt: a comment that cannot be followed is refused") {
    for (const char* text : {"<!-- code: a.cpp watch -->\n", "<!-- code: a.cpp watch -->\n```c\n```\n",
                             "<!-- code: a.cpp watch -->\n```cpp\n", "<!-- code: a.cpp wat ch -->\n```cpp\n```\n",
                             "<!-- code: b.cpp watch -->\n```cpp\n```\n"}) {
        INFO(text);
        CHECK_THROWS_AS(filled(lines_of(text), read_code), std::runtime_error);
    }
}

TEST_CASE("excerpt: a page shows each definition as a whole, or it is named") {
    CHECK(not_shown(lines_of(ask_for_watch), "a.cpp", read_code) ==
          std::vector<std::string>{"Server", "big", "Server::run", "main"});
    CHECK(not_shown(lines_of("<!-- code: a.cpp run \"while\" -->\n```cpp\n```\n"), "a.cpp", read_code).size() == 5);
    CHECK(not_shown(lines_of("<!-- code: a.cpp -->\n```cpp\n```\n"), "a.cpp", read_code).empty());
}
