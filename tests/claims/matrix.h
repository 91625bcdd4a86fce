// The matrix: a row a statement, a column a chapter; written into a page as a table, and compared with the page's.
#pragma once

#include <array>
#include <string>
#include <vector>

constexpr std::size_t chapter_count = 6;

/// What a cell says: "yes" or "no"; of a fault "broken", then "fixed", and "no" before; "-" (not applicable), "?" (a
/// tool is missing), "!" (the experiment went wrong).
struct Row {
    std::string id;
    std::string sentence;
    std::array<std::string, chapter_count> cells;
    std::string figure;
};

using Matrix = std::vector<Row>;

/// One figure for the row, from one of each chapter: what is the same everywhere is said once.
std::string merge_figures(const std::array<std::string, chapter_count>& figures);

/// The block between the markers, markers included.
std::string as_markdown(const Matrix& matrix);

/// The page with this table between its markers. Throws Failed when it has none.
std::string with_table(const std::string& page, const Matrix& matrix);

/// The ids of the rows that stand in the page between the markers.
std::vector<std::string> ids_in(const std::string& page);

/// Where the page says something else of this row, the figure aside: a sentence each. A cell with "?" is not compared.
std::vector<std::string> differences(const Row& row, const std::string& page);
