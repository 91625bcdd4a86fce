// Text that others have written, made safe for the terminal.
#pragma once

#include <cstdio>
#include <string>

/// A newline becomes \n, and every other byte that is no visible ASCII character becomes \x1b or the like. So nothing
/// that a server prints or sends can move the cursor, change a colour or pretend to be a line of the grader's. What is
/// too long is cut.
inline std::string printable(const std::string& text, std::size_t most = 600) {
    std::string safe;
    for (const char c : text) {
        if (safe.size() >= most) return safe + " ...";
        if (c >= ' ' && c <= '~') {
            safe += c;
        } else if (c == '\n') {
            safe += "\\n";
        } else {
            char escaped[5];
            std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
            safe += escaped;
        }
    }
    return safe;
}

/// As a word for the shell that can be typed again.
inline std::string quoted(const std::string& word) {
    const bool plain = printable(word, word.size() + 1) == word;
    std::string all = plain ? "'" : "$'";
    for (const char c : word) {
        if (plain && c == '\'')
            all += "'\\'";
        else if (!plain && (c == '\'' || c == '\\'))
            all += '\\';
        all += plain ? std::string(1, c) : printable(std::string(1, c));
    }
    return all + "'";
}
