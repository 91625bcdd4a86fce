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

/// "(anonymous namespace)::Server::run()" becomes "Server::run".
std::string short_function(std::string name) {
    for (const std::string noise : {"(anonymous namespace)::", "[abi:cxx11]"}) {
        for (std::size_t at = 0; (at = name.find(noise)) != std::string::npos;) name.erase(at, noise.size());
    }
    std::string plain; // without what is between < and >
    int depth = 0;
    for (const char c : name.substr(0, name.find('('))) {
        if (c == '<') ++depth;
        if (depth == 0) plain += c;
        if (c == '>') --depth;
    }
    return plain.substr(plain.rfind(' ') + 1);
}

/// The function around a line of a file: the nearest line above it with less indentation that opens one. addr2line
/// itself names an inlined member function after the function that it is in.
std::string function_around(const std::string& path, int line, const std::string& otherwise) {
    static std::map<std::string, std::vector<std::string>> files;
    auto& lines = files[path];
    if (lines.empty()) {
        std::ifstream file(path);
        for (std::string one; std::getline(file, one);) lines.push_back(one);
    }
    const auto indent = [&](std::size_t at) { return lines[at].find_first_not_of(' '); };
    if (line < 1 || static_cast<std::size_t>(line) > lines.size()) return otherwise;
    std::size_t inner = indent(static_cast<std::size_t>(line) - 1);
    for (std::size_t at = static_cast<std::size_t>(line) - 1; at-- > 0;) {
        if (lines[at].empty() || indent(at) >= inner) continue;
        inner = indent(at);
        const std::size_t open = lines[at].find('(');
        const std::string first = words_of(lines[at]).front();
        const bool is_statement =
            first == "if" || first == "for" || first == "while" || first == "}" || first == "switch";
        if (open == std::string::npos || !lines[at].ends_with("{") || is_statement) continue;
        return lines[at].substr(lines[at].rfind(' ', open) + 1, open - lines[at].rfind(' ', open) - 1);
    }
    return otherwise;
}

/// The frames of an address, more than one where functions were inlined.
std::map<unsigned long, Stack> ask_addr2line(const std::string& program, const std::set<unsigned long>& addresses) {
    Launch launch{{"addr2line", "-a", "-i", "-f", "-C", "-e", program}};
    for (const unsigned long address : addresses) {
        std::ostringstream hex;
        hex << std::hex << "0x" << address;
        launch.command.push_back(hex.str());
    }
    std::map<unsigned long, Stack> found;
    std::istringstream lines(addresses.empty() ? "" : Process(launch).outcome().out);
    Stack* stack = nullptr;
    for (std::string line, where; std::getline(lines, line);) {
        if (line.starts_with("0x")) {
            stack = &found[std::strtoul(line.c_str(), nullptr, 16)];
            continue;
        }
        if (stack == nullptr || !std::getline(lines, where)) break;
        where = where.substr(0, where.find(" (discriminator"));
        const std::size_t colon = where.rfind(':');
        const fs::path file = fs::path(where.substr(0, colon)).lexically_normal();
        // The project's folder is where the server was compiled: the files that count are <folder>/common/fd.h and so
        // on.
        const std::string folder = file.parent_path().filename();
        const bool ours = folder == "common" || folder == fs::path(program).parent_path().filename();
        if (!ours) continue;
        const int number = std::atoi(where.c_str() + colon + 1);
        stack->push_back(
            {function_around(file, number, short_function(line)), folder + "/" + file.filename().string(), number});
    }
    return found;
}

/// " > /home/me/05-epoll-server/server(main+0x5c0) [0x4260]": the address before the one it would return to, so
/// that it is in the call. 0 when the frame is not in the program.
unsigned long address_in(const std::string& line, const std::string& program) {
    if (line.find(fs::path(program).filename().string() + "(") == std::string::npos) return 0;
    if (line.find(fs::path(program).parent_path().filename().string()) == std::string::npos) return 0;
    return std::strtoul(line.c_str() + line.rfind('[') + 1, nullptr, 16) - 1;
}

} // namespace

bool strace_has_stacks() {
    return Process({{"strace", "-V"}}).outcome().out.find("stack-trace=") != std::string::npos;
}

std::vector<Stack> take_stacks(std::string& record, const std::string& program) {
    std::vector<std::vector<unsigned long>> stacks; // of each event
    std::map<std::string, std::size_t> last;        // of each thread: its latest event
    std::string rest;
    std::string thread;
    std::set<unsigned long> all;
    std::istringstream lines(record);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(" > ")) {
            const unsigned long address = address_in(line, program);
            if (address == 0 || !last.contains(thread)) continue;
            stacks[last[thread]].push_back(address);
            all.insert(address);
            continue;
        }
        rest += line + "\n";
        if (line.empty() || line.starts_with("strace: ")) continue;
        thread = line.substr(0, line.find(' '));
        if (line.find(" <... ") != std::string::npos && line.find("resumed>") != std::string::npos) continue;
        last[thread] = stacks.size();
        stacks.emplace_back();
    }
    record = rest;
    auto frames = ask_addr2line(program, all);
    std::vector<Stack> found;
    for (const auto& addresses : stacks) {
        Stack& stack = found.emplace_back();
        for (const unsigned long address : addresses) {
            const Stack& more = frames[address];
            stack.insert(stack.end(), more.begin(), more.end());
        }
    }
    return found;
}
