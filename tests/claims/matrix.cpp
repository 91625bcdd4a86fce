#include "tests/claims/matrix.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "tests/support/failed.h"

namespace {

const std::string begin_marker = "<!-- claims -->";
const std::string end_marker = "<!-- /claims -->";

std::string chapter_name(std::size_t index) {
    return text("0", index + 1);
}

/// How many columns the text takes on the screen: UTF-8's continuation bytes take none.
std::size_t width(const std::string& words) {
    return static_cast<std::size_t>(std::count_if(
        words.begin(), words.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string pad(const std::string& words, std::size_t to) {
    return words + std::string(to - std::min(to, width(words)), ' ');
}

std::string trim(const std::string& words) {
    const std::size_t first = words.find_first_not_of(" \t\r");
    if (first == std::string::npos) return "";
    return words.substr(first, words.find_last_not_of(" \t\r") - first + 1);
}

/// Without the backticks that mark code on a page.
std::string plain(std::string words) {
    std::erase(words, '`');
    return words;
}

/// A bar within a table's cell would end it.
std::string with_escaped_bars(const std::string& words) {
    std::string escaped;
    for (const char c : words) {
        if (c == '|') escaped += '\\';
        escaped += c;
    }
    return escaped;
}

/// "| a | b |": "a" and "b". Nothing for a line that is not a table's.
std::vector<std::string> table_cells(const std::string& line) {
    const std::string row = trim(line);
    if (!row.starts_with('|')) return {};
    std::vector<std::string> cells;
    std::istringstream parts(row.substr(1));
    for (std::string part; std::getline(parts, part, '|');) cells.push_back(trim(part));
    return cells;
}

/// Where the table is in a page, from the beginning of one marker's line to behind the other's; 0 when there is none.
struct Block {
    std::size_t begin = 0;
    std::size_t end = 0;
};

Block find_block(const std::string& page) {
    const std::size_t begin = page.find(begin_marker);
    const std::size_t end = page.find(end_marker + "\n", begin);
    if (begin == std::string::npos || end == std::string::npos) return {};
    return {begin, end + end_marker.size() + 1};
}

} // namespace

std::string merge_figures(const std::array<std::string, chapter_count>& figures) {
    // chapters with the same figure, in the order in which the figures come first
    std::vector<std::pair<std::string, std::string>> said;
    for (std::size_t i = 0; i < chapter_count; ++i) {
        if (figures[i].empty()) continue;
        const auto same =
            std::find_if(said.begin(), said.end(), [&](const auto& one) { return one.first == figures[i]; });
        if (same == said.end()) {
            said.emplace_back(figures[i], chapter_name(i));
        } else {
            same->second += ", " + chapter_name(i);
        }
    }
    if (said.size() == 1) return said.front().first;
    std::string all;
    for (const auto& [figure, chapters] : said) all += text(all.empty() ? "" : "; ", chapters, ": ", figure);
    return all;
}

std::string as_text(const Matrix& matrix) {
    std::size_t longest = 0;
    for (const Row& row : matrix) longest = std::max(longest, width(plain(row.sentence)));
    std::ostringstream out;
    out << pad("", 5 + longest);
    for (std::size_t i = 0; i < chapter_count; ++i) out << ' ' << pad(chapter_name(i), 6);
    out << '\n';
    for (const Row& row : matrix) {
        std::string line = pad(row.id, 5) + pad(plain(row.sentence), longest);
        for (const std::string& cell : row.cells) line += ' ' + pad(cell, 6);
        out << trim(line + " " + plain(row.figure)) << '\n';
    }
    return out.str();
}

std::string as_markdown(const Matrix& matrix) {
    std::ostringstream out;
    out << begin_marker << "\n|  | Statement |";
    for (std::size_t i = 0; i < chapter_count; ++i) out << ' ' << chapter_name(i) << " |";
    out << " Measured |\n|---|---|";
    for (std::size_t i = 0; i < chapter_count; ++i) out << "---|";
    out << "---|\n";
    for (const Row& row : matrix) {
        out << "| " << row.id << " | " << row.sentence << " |";
        for (const std::string& cell : row.cells) out << ' ' << cell << " |";
        out << ' ' << with_escaped_bars(row.figure) << (row.figure.empty() ? "|\n" : " |\n");
    }
    out << end_marker << '\n';
    return out.str();
}

std::string with_table(const std::string& page, const Matrix& matrix) {
    const Block block = find_block(page);
    if (block.end == 0) throw Failed{"looked for the table's place", begin_marker + " and " + end_marker, "not both"};
    return page.substr(0, block.begin) + as_markdown(matrix) + page.substr(block.end);
}

Comparison compare(const Matrix& measured, const std::string& page, bool whole) {
    const Block block = find_block(page);
    if (block.end == 0) return {{"there is no table between " + begin_marker + " and " + end_marker}, {}};
    std::map<std::string, std::vector<std::string>> rows; // by id
    std::istringstream lines(page.substr(block.begin, block.end - block.begin));
    Comparison result;
    for (std::string line; std::getline(lines, line);) {
        const std::vector<std::string> cells = table_cells(line);
        if (cells.empty() || cells[0].empty() || cells[0].starts_with('-')) continue; // the titles
        if (!rows.emplace(cells[0], cells).second) result.differences.push_back(cells[0] + ": the table has it twice");
    }

    for (const Row& row : measured) {
        const auto found = rows.find(row.id);
        if (found == rows.end()) {
            result.differences.push_back(row.id + ": the table has no such row");
            continue;
        }
        std::vector<std::string> cells = found->second;
        rows.erase(found);
        cells.resize(std::max(cells.size(), 2 + chapter_count));
        if (cells[1] != row.sentence) {
            result.differences.push_back(
                text(row.id, ": the table says '", cells[1], "', the check '", row.sentence, "'"));
        }
        for (std::size_t i = 0; i < chapter_count; ++i) {
            if (row.cells[i] == "?" || row.cells[i] == cells[2 + i]) continue;
            result.differences.push_back(text(row.id, ", chapter ", chapter_name(i), ": the table says '", cells[2 + i],
                                              "', measured was '", row.cells[i], "'",
                                              row.figure.empty() ? "" : " (" + row.figure + ")"));
        }
        if (std::count(row.cells.begin(), row.cells.end(), "?") > 0) result.skipped.push_back(row.id);
    }
    for (const auto& [id, cells] : rows) {
        if (whole) result.differences.push_back(id + ": the table has this row, and there is no such check");
    }
    return result;
}
