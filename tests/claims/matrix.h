// The matrix: a row a statement, a column a chapter; printed, written as Markdown, and compared with a page's.
#pragma once

#include <array>
#include <cstddef>
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

/// For people, in columns.
std::string as_text(const Matrix& matrix);

/// The block between the markers, markers included.
std::string as_markdown(const Matrix& matrix);

/// The page with this table between its markers. Throws Failed when it has none.
std::string with_table(const std::string& page, const Matrix& matrix);

/// Where a page and a run do not say the same, and what could not be compared.
struct Comparison {
    std::vector<std::string> differences; ///< a sentence each
    std::vector<std::string> skipped;     ///< the rows with cells that were not measured, as a tool is missing
};

/// Compares all but the figures with the table that stands in `page` between the markers. When only some of the rows
/// were measured (`whole` is false), the page may have more.
Comparison compare(const Matrix& measured, const std::string& page, bool whole);
