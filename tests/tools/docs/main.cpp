// What a page says that no command shows: `docs write PAGE...` puts the code into its excerpts, and `docs check
// PAGE...` tests them.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <regex>
#include <set>
#include <stdexcept>

#include "tests/support/failed.h"
#include "tests/support/tally.h"
#include "tests/tools/docs/excerpt.h"
#include "tests/tools/docs/links.h"
#include "tests/tools/docs/prose.h"

namespace fs = std::filesystem;

namespace {

/// How many words of a page a first reading may have: one sitting.
constexpr std::size_t most_words = 2200;

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
    if (name[0] != '0' || fs::path(name).filename() != "README.md") return "";
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

std::string wrong_with_links(const std::string& name, const Lines& page) {
    std::string all;
    for (const Link& link : links_of(page)) {
        const std::string why = wrong_with(link, name);
        if (!why.empty()) all += text("    ", name, ":", link.line + 1, ": ", link.target, ": ", why, "\n");
    }
    return all;
}

std::string wrong_with_words(const std::string& name, const Lines& page) {
    std::string all;
    for (const Paragraph& paragraph : prose_of(page)) {
        for (const std::string& odd : odd_words(paragraph.text)) {
            all += text("    ", name, ":", paragraph.line + 1, ": a plainer word for \"", odd, "\"\n");
        }
    }
    const std::size_t words = measure(prose_of(page)).words;
    if (words > most_words)
        all += text("    ", name, ": a first reading has ", words, " words, more than ", most_words, "\n");
    return all;
}

/// Whether some page of the folder has this term, in large or small letters.
bool is_explained_in(const fs::path& folder, const std::string& term) {
    const std::regex pattern(term, std::regex::icase);
    for (const auto& file : fs::directory_iterator(folder)) {
        if (file.path().extension() != ".md") continue;
        for (const std::string& line : read_lines(file.path().string())) {
            if (std::regex_search(line, pattern)) return true;
        }
    }
    return false;
}

/// Each term of the glossary, `### term`, is in the chapter to which its paragraph links.
std::string wrong_with_glossary(const Lines& page) {
    std::string all;
    std::string term;
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (page[i].starts_with("### ")) term = page[i].substr(4);
        const std::size_t link = page[i].find("](../0");
        if (link == std::string::npos) continue;
        const std::string chapter = page[i].substr(link + 5, page[i].find('/', link + 5) - link - 5);
        if (is_explained_in(chapter, term)) continue;
        all += text("    common/glossary.md:", i + 1, ": ", term, " is on no page of ", chapter, "\n");
    }
    return all;
}

/// A chapter's page offers each exercise of the chapter, that is each of its breakages, and no other.
std::string wrong_with_exercises(const fs::path& name, const Lines& page) {
    static const std::regex number("\\b0[1-6]-[0-9]+\\b");
    static const std::string field = "Exercise: ";
    if (name.filename() != "README.md" || name.string()[0] != '0') return "";
    std::set<std::string> offered;
    for (const std::string& line : page) {
        for (auto it = std::sregex_iterator(line.begin(), line.end(), number); it != std::sregex_iterator(); ++it) {
            offered.insert(it->str());
        }
    }
    std::string all;
    for (const auto& patch : fs::directory_iterator("tests/breakages")) {
        if (patch.path().filename().string().substr(0, 2) != name.string().substr(0, 2)) continue;
        for (const std::string& line : read_lines(patch.path().string())) {
            if (!line.starts_with(field) || offered.erase(line.substr(field.size())) > 0) continue;
            all += text("    ", name.string(), " does not offer exercise ", line.substr(field.size()), "\n");
        }
    }
    for (const std::string& one : offered) all += text("    ", name.string(), ": there is no exercise ", one, "\n");
    return all;
}

void check(const std::string& name, Tally& tally) {
    if (!asked_for(name + ": ")) return;
    const Lines page = read_lines(name);
    std::string why;
    try {
        why = wrong_with_code(name, page) + wrong_with_links(name, page) + wrong_with_words(name, page) +
              wrong_with_exercises(name, page);
        if (name == "common/glossary.md") why += wrong_with_glossary(page);
    } catch (const std::exception& error) {
        why = text("    ", name, ":", error.what(), "\n");
    }
    tally.add(why.empty() ? Tally::ok : Tally::failed, {},
              name + ": its code is in the files, its links lead somewhere", "", why);
}

void print_measures(const std::vector<std::string>& names) {
    std::cout << "Prose of a first reading: not what is folded, no code, no tables, no reference.\n\n"
              << "words   colons, semicolons, you or we    words per\n"
              << "        per 1,000 words                  sentence\n";
    for (const std::string& name : names) {
        const Measure all = measure(prose_of(read_lines(name)));
        std::cout << std::fixed << std::setprecision(1) << std::setw(5) << all.words << std::setw(9)
                  << all.per_thousand(all.colons) << std::setw(12) << all.per_thousand(all.semicolons) << std::setw(11)
                  << all.per_thousand(all.you_or_we) << std::setw(12) << all.words_per_sentence() << "    " << name
                  << (all.words > most_words ? "    too long" : "") << '\n';
    }
}

} // namespace

int main(int argc, char* argv[]) {
    const std::string what = argc > 2 ? argv[1] : "";
    const std::vector<std::string> pages(argv + std::min(argc, 2), argv + argc);
    try {
        if (what == "write") {
            for (const std::string& page : pages) write(page);
            return 0;
        }
        if (what == "check") {
            Tally tally;
            for (const std::string& page : pages) check(page, tally);
            return tally.finish();
        }
        if (what == "prose") {
            print_measures(pages);
            return 0;
        }
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
    std::cerr << "usage: docs check|write|prose PAGE...\n";
    return 2;
}
