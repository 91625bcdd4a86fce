// Prose cites code by its names. A name that is no longer in the code is found here.
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
}

bool in_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// All words of a text: letters, digits and underscores.
std::set<std::string> words_of(const std::string& text) {
    std::set<std::string> words;
    std::string word;
    for (const char c : text + " ") {
        if (in_word(c)) {
            word += c;
        } else {
            words.insert(word);
            word.clear();
        }
    }
    return words;
}

/// The words of all the C++, shell and make files of the project. make test is run in the project's folder.
std::set<std::string> words_of_the_code() {
    const std::set<std::string> kinds{".cpp", ".h", ".sh", ".py"};
    std::set<std::string> all = words_of(read_file("Makefile"));
    for (const auto& folder : fs::directory_iterator(".")) {
        const std::string name = folder.path().filename().string();
        if (!folder.is_directory() || name == "build" || name == "mine" || name.starts_with('.')) continue;
        for (const auto& file : fs::recursive_directory_iterator(folder)) {
            if (kinds.contains(file.path().extension().string())) all.merge(words_of(read_file(file.path())));
        }
    }
    return all;
}

/// What stands between backticks in a page's prose, not in its blocks.
std::vector<std::string> code_spans(const std::string& page) {
    std::vector<std::string> spans;
    std::istringstream lines(page);
    bool in_block = false;
    for (std::string line; std::getline(lines, line);) {
        const bool fence = line.starts_with("```");
        if (fence) in_block = !in_block;
        if (fence || in_block) continue;
        std::istringstream parts(line);
        std::string part;
        for (bool is_code = false; std::getline(parts, part, '`'); is_code = !is_code) {
            if (is_code) spans.push_back(part);
        }
    }
    return spans;
}

/// The parts of a name of the code, as Server::wait; none when it is something else, a command say. Words without an
/// underscore or a colon may be anything.
std::vector<std::string> parts_of_name(const std::string& span) {
    if (span.starts_with("std::") || span.find_first_of("_:") == std::string::npos) return {};
    std::vector<std::string> parts;
    std::string part;
    for (std::size_t i = 0; i < span.size(); ++i) {
        if (span.compare(i, 2, "::") == 0) {
            parts.push_back(part);
            part.clear();
            ++i;
        } else if (in_word(span[i])) {
            part += span[i];
        } else {
            return {};
        }
    }
    parts.push_back(part);
    return parts;
}

std::vector<fs::path> pages() {
    std::vector<fs::path> all{"README.md"};
    for (const auto& folder : fs::directory_iterator(".")) {
        if (!fs::exists(folder.path() / "README.md")) continue;
        for (const auto& file : fs::directory_iterator(folder)) {
            if (file.path().extension() == ".md") all.push_back(file.path());
        }
    }
    return all;
}

} // namespace

TEST_CASE("Pages: the names that they cite are in the code") {
    const std::set<std::string> code = words_of_the_code();
    std::size_t names = 0;
    for (const fs::path& page : pages()) {
        for (const std::string& span : code_spans(read_file(page))) {
            const std::vector<std::string> parts = parts_of_name(span);
            if (!parts.empty()) ++names;
            for (const std::string& part : parts) {
                INFO(page.string() << " cites " << span);
                CHECK(code.contains(part));
            }
        }
    }
    CHECK(names > 100); // they are found at all
}

TEST_CASE("Pages: what is a name of the code, and what is not") {
    CHECK(parts_of_name("Server::wait") == std::vector<std::string>{"Server", "wait"});
    CHECK(parts_of_name("echo_piece") == std::vector<std::string>{"echo_piece"});
    CHECK(parts_of_name("std::thread").empty());
    CHECK(parts_of_name("epoll_wait(2)").empty());
    CHECK(parts_of_name("nc").empty());
    CHECK(code_spans("a `b` c `d`\n```\n`e`\n```\n") == std::vector<std::string>{"b", "d"});
}
