// The console blocks of a README: what a reader types, and what the page says that they will see.
#pragma once

#include <cstddef>
#include <regex>
#include <string>
#include <vector>

/// A line that follows "$ ", and the lines below it.
struct Command {
    std::string text;
    std::size_t line; ///< of the page, from 0
    std::vector<std::string> expected;
};

/// From ```console to ```.
///
/// What differs from run to run and machine to machine is named in comments right above the block, which readers do not
/// see: `<!-- varies: [0-9]+ microseconds -->`, a regular expression. Ports that the kernel chose, process numbers and
/// addresses are known to vary, see `same`.
///
/// Between `<!-- made by make docs -->` and `<!-- end of what make docs made -->` the output is written by `make docs`.
struct Block {
    std::vector<Command> commands;
    std::vector<std::regex> varies;
    bool made = false;
};

struct Page {
    std::string name; ///< "01-blocking-server/README.md"
    std::vector<std::string> lines;
    std::vector<Block> blocks;
};

/// Throws std::runtime_error when a block or a marker does not end, or a `varies` is no regular expression.
Page read_page(const std::string& name, std::istream& text);

/// Whether that is what the page promises. A line `...` of the page stands for any lines.
bool same(const std::vector<std::string>& expected, const std::vector<std::string>& got,
          const std::vector<std::regex>& varies);

/// The line without what varies in it.
std::string without_what_varies(std::string line, const std::vector<std::regex>& varies);
