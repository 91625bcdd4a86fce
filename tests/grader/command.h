// What the grader is asked to do.
#pragma once

#include <string>
#include <vector>

struct Request {
    std::string server;               ///< as it was typed
    std::vector<std::string> command; ///< its words, with {port} in them
    int level = 6;                    ///< 0 to 6
    std::string only;                 ///< the one case that is wanted; empty: all
    bool second_hint = false;
};

/// From the command line and the environment. Prints a sentence and exits with 2 when there is something wrong with it.
Request read_request(int argc, char* argv[]);

/// Prints why, and how the grader is used; exits with 2.
[[noreturn]] void refuse(const std::string& why);

/// The same without the usage, because there is nothing wrong with that.
[[noreturn]] void give_up(const std::string& why);

/// Goes to the folder in which the server's files are: the one where make was typed, or the project's.
void enter_folder_of(const Request& request);

/// The command that plays one case again.
std::string again(const Request& request, const std::string& name);
