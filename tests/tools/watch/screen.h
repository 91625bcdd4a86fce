// A snapshot as lines of text, for a terminal or a script.
#pragma once

#include "tests/tools/watch/look.h"

enum class Style { plain, strong, waits, works };

struct Line {
    std::string text;
    Style style = Style::plain;
};
using Lines = std::vector<Line>;

/// `title`: what the server is called; `own`: what our own clients do.
/// For a terminal of so many letters and lines. 0 stands for as many lines as are needed.
Lines lay_out(const Snapshot& now, const std::string& title, const std::vector<std::string>& own,
              std::size_t width = 80, std::size_t height = 0);
