#include "tests/claims/matrix.h"

#include <algorithm>
#include <regex>
#include <sstream>

#include "tests/support/failed.h"

namespace {

const std::string begin_marker = "<!-- claims -->\n";
const std::string end_marker = "<!-- /claims -->\n";

std::string chapter_name(std::size_t index) {
    return text("0", index + 1);
}

/// The cells of each row that stands in the page between the markers. "| S1 | `socket` ... | yes |" has "", "S1",
/// "`socket` ..." and "yes".
std::vector<std::vector<std::string>> rows_in(const std::string& page) {
    static const std::regex bar(R"( *\| *)");
    std::vector<std::vector<std::string>> rows;
    const std::size_t begin = std::min(page.find(begin_marker), page.size());
    std::istringstream lines(page.substr(begin, page.find(end_marker, begin) - begin));
    for (std::string line; std::getline(lines, line);) {
        const std::vector<std::string> cells(std::sregex_token_iterator(line.begin(), line.end(), bar, -1), {});
        if (cells.size() > 1 && !cells[1].empty() && !cells[1].starts_with('-'))
            rows.push_back(cells); // not the titles
    }
    return rows;
}

} // namespace

std::string merge_figures(const std::array<std::string, chapter_count>& figures) {
    std::string all;
    for (std::size_t i = 0; i < chapter_count; ++i) {
        const auto first = std::find(figures.begin(), figures.end(), figures[i]);
        if (figures[i].empty() || first != figures.begin() + i) continue;
        std::string chapters;
        bool only_one = true;
        for (std::size_t j = 0; j < chapter_count; ++j) {
            if (figures[j] == figures[i]) chapters += (chapters.empty() ? "" : ", ") + chapter_name(j);
            only_one = only_one && (figures[j].empty() || figures[j] == figures[i]);
        }
        if (only_one) return figures[i];
        all += text(all.empty() ? "" : "; ", chapters, ": ", figures[i]);
    }
    return all;
}

std::string as_markdown(const Matrix& matrix) {
    static const std::regex bar(R"(\|)"); // within a cell it would end it
    std::ostringstream out;
    out << begin_marker
        << "|  | Statement | 01 | 02 | 03 | 04 | 05 | 06 | Measured |\n|---|---|---|---|---|---|---|---|---|\n";
    for (const Row& row : matrix) {
        out << "| " << row.id << " | " << row.sentence << " |";
        for (const std::string& cell : row.cells) out << ' ' << cell << " |";
        out << ' ' << std::regex_replace(row.figure, bar, R"(\$&)") << (row.figure.empty() ? "|\n" : " |\n");
    }
    out << end_marker;
    return out.str();
}

std::string with_table(const std::string& page, const Matrix& matrix) {
    const std::size_t begin = page.find(begin_marker);
    const std::size_t end = page.find(end_marker, begin);
    if (begin == std::string::npos || end == std::string::npos) {
        throw Failed{"looked for the table's place", begin_marker + " and " + end_marker, "not both"};
    }
    return page.substr(0, begin) + as_markdown(matrix) + page.substr(end + end_marker.size());
}

std::vector<std::string> ids_in(const std::string& page) {
    std::vector<std::string> ids;
    for (const auto& row : rows_in(page)) ids.push_back(row[1]);
    return ids;
}

std::vector<std::string> differences(const Row& row, const std::string& page) {
    std::vector<std::string> cells;
    for (const auto& one : rows_in(page)) {
        if (one[1] == row.id) cells = one;
    }
    if (cells.empty()) return {row.id + ": the table has no such row"};
    cells.resize(std::max(cells.size(), 3 + chapter_count));
    std::vector<std::string> all;
    if (cells[2] != row.sentence) {
        all.push_back(text(row.id, ": the table says '", cells[2], "', the check '", row.sentence, "'"));
    }
    for (std::size_t i = 0; i < chapter_count; ++i) {
        if (row.cells[i] == "?" || row.cells[i] == cells[3 + i]) continue;
        all.push_back(text(row.id, ", chapter ", chapter_name(i), ": the table says '", cells[3 + i],
                           "', measured was '", row.cells[i], "'", row.figure.empty() ? "" : " (" + row.figure + ")"));
    }
    return all;
}
