// The table that the demonstration ends with.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "tests/tools/demo/scene.h"

/// One server's part of the table.
struct Row {
    std::string server;
    std::optional<Scene> scene;       ///< nothing: it did not start
    std::string reason;               ///< why it is so, in one line
    std::vector<std::string> remarks; ///< what is not as it should be, a line each
};

/// The table for people, at most 100 columns wide; `colour` is for terminals.
std::string table(const std::vector<Row>& rows, std::size_t crowd, bool colour);

/// "0.3 ms", "201 ms", "1.2 s".
std::string duration_text(Clock::duration duration);

/// "1,500".
std::string number_text(std::size_t number);
