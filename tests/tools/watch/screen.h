// A snapshot as lines of text, for a terminal, a script or a picture.
#pragma once

#include <string>
#include <vector>

#include "tests/tools/watch/look.h"

enum class Style { plain, strong, faint, waits, works };

struct Line {
    std::string text;
    Style style = Style::plain;
};
using Lines = std::vector<Line>;

/// What is shown beside the server.
struct Around {
    std::string title;              ///< "03-select-server"
    std::string keys{};             ///< that can be pressed
    std::vector<std::string> own{}; ///< what our own clients do
    bool help = false;
};

/// At most `height` lines of `width` letters. 0 stands for as many as are needed.
Lines screen(const Snapshot& now, const Around& around, std::size_t width, std::size_t height);
