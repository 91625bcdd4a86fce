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
/// At most `height` lines of `width` letters. 0 stands for as many as are needed.
Lines screen(const Snapshot& now, const std::string& title, const std::vector<std::string>& own, std::size_t width = 80,
             std::size_t height = 0);
