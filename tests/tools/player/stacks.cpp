#include "tests/tools/player/stacks.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/support/process.h"

namespace fs = std::filesystem;

namespace {

/// The function around a line of a file: the nearest line above it with less indentation that opens one, or the line
/// itself where a function has only one. addr2line names an inlined function after the function that it is in.
std::string function_around(const fs::path& path, std::size_t line) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string one; std::getline(file, one);) lines.push_back(one);
    std::size_t inner = std::string::npos;
    for (std::size_t at = std::min(line, lines.size()); at-- > 0;) {
        const std::string& one = lines[at];
        const std::size_t indent = one.find_first_not_of(' ');
        if (indent >= inner) continue;
        inner = indent;
        const std::size_t open = one.find('(');
        const std::set<std::string> statements{"if", "for", "while", "switch", "}"};
        if (open == std::string::npos || statements.contains(words_of(one).front())) continue;
        if (!one.ends_with("{") && (at + 1 != line || !one.ends_with("}"))) continue;
        const std::size_t start = one.rfind(' ', open) + 1;
        return one.substr(start, open - start);
    }
    return "";
}

/// Where each address is in this project's code: in more than one place where functions were inlined.
std::map<unsigned long, Stack> places_of(const std::set<unsigned long>& addresses, const std::string& program) {
    Launch launch{{"addr2line", "-a", "-i", "-e", program}};
    for (const unsigned long address : addresses) {
        std::ostringstream hex;
        hex << std::hex << "0x" << address;
        launch.command.push_back(hex.str());
    }
    std::map<unsigned long, Stack> found;
    std::istringstream lines(addresses.empty() ? "" : Process(launch).outcome().out);
    Stack* stack = nullptr;
    for (std::string line;
         std::getline(lines, line);) { // "0x000000000000425f", "/home/me/common/fd.h:27 (discriminator 2)"
        if (line.starts_with("0x")) stack = &found[std::strtoul(line.c_str(), nullptr, 16)];
        const std::size_t colon = line.rfind(':');
        if (stack == nullptr || colon == std::string::npos) continue;
        const fs::path file = fs::path(line.substr(0, colon)).lexically_normal();
        const std::string folder = file.parent_path().filename();
        if (folder != "common" && folder != fs::path(program).parent_path().filename()) continue;
        const int number = std::atoi(line.c_str() + colon + 1);
        const std::string function = function_around(file, static_cast<std::size_t>(number));
        if (!function.empty()) stack->push_back({function, folder + "/" + file.filename().string(), number});
    }
    return found;
}

/// " > /home/me/05-epoll-server/server(main+0x5c0) [0x4260]": the address before the one it would return to, so
/// that it is in the call. 0 when the frame is not in the program.
unsigned long address_in(const std::string& line, const fs::path& program) {
    const std::string name = program.parent_path().filename() / program.filename();
    if (line.find("/" + name + "(") == std::string::npos) return 0;
    return std::strtoul(line.c_str() + line.rfind('[') + 1, nullptr, 16) - 1;
}

} // namespace

bool strace_has_stacks() {
    return Process({{"strace", "-V"}}).outcome().out.find("stack-trace=") != std::string::npos;
}

std::vector<Stack> stacks_of(const std::vector<TraceEvent>& events, const std::string& program) {
    std::set<unsigned long> addresses;
    for (const TraceEvent& event : events) {
        for (const std::string& line : event.stack) addresses.insert(address_in(line, program));
    }
    const auto places = places_of(addresses, program);
    std::vector<Stack> stacks;
    for (const TraceEvent& event : events) {
        Stack& stack = stacks.emplace_back();
        for (const std::string& line : event.stack) {
            const auto found = places.find(address_in(line, program));
            if (found != places.end()) stack.insert(stack.end(), found->second.begin(), found->second.end());
        }
    }
    return stacks;
}
