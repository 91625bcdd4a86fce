// What a page says that no command shows: `docs write PAGE...` puts the code into its excerpts, and `docs check
// PAGE...` tests them.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "tests/support/failed.h"
#include "tests/support/tally.h"
#include "tests/tools/docs/excerpt.h"

namespace fs = std::filesystem;

namespace {

Lines read_lines(const std::string& name) {
    std::ifstream file(name);
    if (!file) throw std::runtime_error(name + ": cannot be read");
    Lines all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
}

void write(const std::string& name) {
    const Lines before = read_lines(name);
    Lines after;
    try {
        after = filled(before, read_lines);
    } catch (const std::exception& error) {
        throw std::runtime_error(name + ":" + error.what());
    }
    if (after == before) return;
    std::ofstream file(name);
    for (const std::string& line : after) file << line << '\n';
    std::cout << "written  " << name << '\n';
}

/// The line from which on two pages differ.
std::size_t first_difference(const Lines& a, const Lines& b) {
    std::size_t i = 0;
    while (i < a.size() && i < b.size() && a[i] == b[i]) ++i;
    return i + 1;
}

/// What is wrong with the code on a page; empty when nothing is.
std::string wrong_with_code(const std::string& name, const Lines& page) {
    const Lines after = filled(page, read_lines);
    if (after != page) {
        return text("    ", name, ":", first_difference(page, after),
                    ": this is no longer the code; `make excerpts` writes it again\n");
    }
    const fs::path chapter = fs::path(name).parent_path();
    if (excerpts_of(page).empty() || fs::path(name).filename() != "README.md" || chapter.string()[0] != '0') return "";
    std::string missing; // a chapter's page shows all of its code
    for (const auto& file : fs::directory_iterator(chapter)) {
        const fs::path kind = file.path().extension();
        if (kind != ".cpp" && kind != ".h") continue;
        for (const std::string& one : not_shown(page, file.path().string(), read_lines)) {
            missing += text("    ", name, " shows ", one, " of ", file.path().string(), " nowhere as a whole\n");
        }
    }
    return missing;
}

void check(const std::string& name, Tally& tally) {
    if (!asked_for(name + ": ")) return;
    const Lines page = read_lines(name);
    std::size_t excerpts = 0;
    std::string why;
    try {
        excerpts = excerpts_of(page).size();
        why = wrong_with_code(name, page);
    } catch (const std::exception& error) {
        why = text("    ", name, ":", error.what(), "\n");
    }
    tally.add(why.empty() ? Tally::ok : Tally::failed, {}, text(name, ": its ", excerpts, " excerpts are the code"), "",
              why);
}

} // namespace

int main(int argc, char* argv[]) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    try {
        if (words.size() >= 2 && words[0] == "write") {
            for (std::size_t i = 1; i < words.size(); ++i) write(words[i]);
            return 0;
        }
        if (words.size() >= 2 && words[0] == "check") {
            Tally tally;
            for (std::size_t i = 1; i < words.size(); ++i) check(words[i], tally);
            return tally.finish();
        }
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    std::cerr << "usage: docs write|check PAGE...\n";
    return 2;
}
