#include "tests/claims/calls.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>

long Call::argument(std::size_t number) const {
    std::istringstream words(arguments);
    std::string word;
    for (std::size_t i = 0; i <= number; ++i) {
        if (!std::getline(words, word, ',')) return -1;
    }
    return std::strtol(word.c_str(), nullptr, 0);
}

namespace {

/// "read(4, ""..., 65536) = 6": nothing for other lines, about signals and exits.
std::optional<Call> parse_call(pid_t thread, const std::string& text) {
    const std::size_t open = text.find('(');
    const std::size_t equals = text.rfind(" = ");
    const std::size_t close = text.rfind(')', equals);
    if (open == std::string::npos || equals == std::string::npos || close == std::string::npos || close < open) {
        return std::nullopt;
    }
    const std::string name = text.substr(0, open);
    const std::string arguments = text.substr(open + 1, close - open - 1);
    const std::string result = text.substr(equals + 3);
    return Call{thread, name, arguments, result.starts_with('?') ? -1 : std::strtol(result.c_str(), nullptr, 0),
                name + "(" + arguments + ") = " + result};
}

} // namespace

std::vector<Call> parse_strace(std::istream& lines) {
    const std::string unfinished = "<unfinished ...>";
    const std::string resumed = " resumed>";
    std::map<pid_t, std::string> begun;
    std::vector<Call> calls;
    for (std::string line; std::getline(lines, line);) {
        // 24304 read(4,  <unfinished ...>
        // 24304 <... read resumed>""..., 65536) = 6
        const auto thread = static_cast<pid_t>(std::atol(line.c_str()));
        std::string text = line.substr(std::min(line.size(), line.find_first_not_of(" 0123456789")));
        if (text.ends_with(unfinished)) {
            begun[thread] = text.substr(0, text.size() - unfinished.size());
            continue;
        }
        const std::size_t second_half = text.find(resumed);
        if (text.starts_with("<... ") && second_half != std::string::npos) {
            text = begun[thread] + text.substr(second_half + resumed.size());
        }
        if (auto call = parse_call(thread, text)) calls.push_back(std::move(*call));
    }
    return calls;
}
