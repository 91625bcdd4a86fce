// The sentences of a page: what they measure, and the words that we do not use in them (PROSE.md).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

/// A paragraph, or an entry of a list, on one line.
struct Paragraph {
    std::string text;   ///< code between backticks is one word, links are their text
    std::size_t line;   ///< where it begins on the page, from 0
    bool first_reading; ///< not folded, and not in the reference at the end
};

/// The prose of a page: no code, no tables, no headings, no comments.
std::vector<Paragraph> prose_of(const std::vector<std::string>& page);

struct Measure {
    std::size_t words = 0;
    std::size_t colons = 0;
    std::size_t semicolons = 0;
    std::size_t you_or_we = 0;
    std::size_t sentences = 0;

    [[nodiscard]] double per_thousand(std::size_t count) const;
    [[nodiscard]] double words_per_sentence() const;
};

/// What a first reading of the page consists of.
Measure measure(const std::vector<Paragraph>& prose);

/// The words and phrases in a text that PROSE.md replaces by plainer ones.
std::vector<std::string> odd_words(const std::string& text);
