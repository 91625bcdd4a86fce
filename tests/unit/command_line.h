// What comes of a command line, in a chapter that has an option of its own.
#pragma once

#include <algorithm>
#include <cassert>
#include <iostream>
#include <string>
#include <vector>

#include "common/options.h"
#include "tests/support/in_child.h"

/// Parses it in a child, because a wrong one ends the process, and prints the options.
inline Outcome parse(std::vector<std::string> arguments) {
    return in_child([&] {
        arguments.insert(arguments.begin(), "./server");
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);

        int workers = 4;
        const Options options = parse_options(static_cast<int>(arguments.size()), argv.data(),
                                              {{"read-workers", 1, 256, &workers, "N  threads that read (default 4)"}});
        assert(options.think.count() >= 0 && options.backlog >= 0 && workers >= 1 && workers <= 256);
        std::cout << options.address << " backlog " << options.backlog << " think " << options.think.count()
                  << " verbose " << verbose << " workers " << workers << '.';
    });
}

/// Whether that is how a wrong command line is refused: exit status 2, and one line on standard error.
inline bool is_refusal(const Outcome& outcome) {
    return outcome.ended == "exit status 2" && outcome.out.empty() && outcome.err.ends_with('\n') &&
           std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1;
}
