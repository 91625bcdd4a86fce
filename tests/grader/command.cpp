#include "tests/grader/command.h"

#include <unistd.h>
#include <wordexp.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>
#include <sstream>

#include "tests/grader/printable.h"

namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

/// The words of the command, quoted as in a shell; nothing is executed for it.
std::vector<std::string> shell_words(const std::string& command) {
    if (command.find_first_not_of(" \t\n") == std::string::npos)
        refuse("SERVER is missing: which program do you mean?");
    // wordexp would take the braces of {port} for the shell's, so they are kept from it.
    const std::string place = "{port}";
    const std::string guard = "\x01port\x01";
    wordexp_t expanded{};
    if (wordexp(replaced(command, place, guard).c_str(), &expanded, WRDE_NOCMD) != 0) {
        refuse("SERVER=" + quoted(command) + " is not a plain command (no |, ;, &, <, > or $(...); quotes are fine)");
    }
    std::vector<std::string> words;
    for (std::size_t i = 0; i < expanded.we_wordc; ++i) words.push_back(replaced(expanded.we_wordv[i], guard, place));
    wordfree(&expanded);
    if (words.empty() || words[0].empty()) refuse("SERVER is missing: " + quoted(command) + " names no program");
    return words;
}

/// "3" or "03"; nothing for anything else.
std::optional<int> level_of(const std::string& text) {
    const std::string digit = text.size() == 2 && text[0] == '0' ? text.substr(1) : text;
    if (digit.size() != 1 || digit[0] < '0' || digit[0] > '6') return std::nullopt;
    return digit[0] - '0';
}

} // namespace

void give_up(const std::string& why) {
    std::cout.flush();
    std::cerr << why << "\n";
    std::exit(2);
}

void refuse(const std::string& why) {
    give_up(why +
            "\n\n"
            "usage: make check SERVER='./my-server {port}' [LEVEL=00 ... 06] [ONLY='one line'] [HINTS=1]\n"
            "       {port} stands for the port that it gets. Level 00 takes about 5 seconds, the others about 30;\n"
            "       ONLY plays one case, and HINTS=1 gives a second hint.");
}

Request read_request(int argc, char* argv[]) {
    Request request;
    request.server = argc > 1 ? argv[1] : "";
    request.command = shell_words(request.server);
    const std::string level = argc > 2 ? argv[2] : "";
    if (!level.empty()) {
        const auto number = level_of(level);
        if (!number) refuse("LEVEL=" + quoted(level) + " is none of 01 to 06, nor 00, the first steps");
        request.level = *number;
    }
    request.only = environment("ONLY");
    request.second_hint = environment("HINTS") == "1";
    return request;
}

void enter_folder_of(const Request& request) {
    // `make check` says where it was typed, as in 05-epoll-server; that is where a relative path begins. A path from
    // the project's folder is fine as well, so both are tried.
    std::istringstream folders(environment("CHECK_FOLDERS"));
    for (std::string folder; std::getline(folders, folder, ':');) {
        for (const std::string& word : request.command) {
            std::error_code error;
            const bool is_path = word != request.command[0] || word.find('/') != std::string::npos;
            if (!is_path || folder.empty() || !std::filesystem::exists(folder + "/" + word, error)) continue;
            if (chdir(folder.c_str()) == 0) return;
        }
    }
}

std::string again(const Request& request, const std::string& name) {
    return "make check SERVER=" + quoted(request.server) + " LEVEL=0" + std::to_string(request.level) +
           " ONLY=" + quoted(name);
}
