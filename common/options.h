// The command line, the same for all servers. Introduced by chapter 01.
#pragma once

#include <getopt.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/narrate.h"

/// What the command line says.
struct Options {
    Address address;                    ///< where to listen: --host and --port
    int backlog = SOMAXCONN;            ///< how many clients may wait to be accepted: listen(2)
    std::chrono::milliseconds think{0}; ///< how long each answer takes, as if it were hard to find
};

/// An option whose value is a whole number from `least` to `most`.
struct NumberOption {
    const char* name;
    int least;
    int most;
    int* value;
    const char* help; ///< its line in --help
};

/// Says in one line, whatever was typed, what is wrong with the command line, and exits with 2.
[[noreturn]] inline void refuse(std::string what, const std::string& why) {
    std::replace_if(
        what.begin(), what.end(), [](unsigned char byte) { return byte < ' ' || byte == 127; }, '?');
    complain(what, ": ", why);
    std::exit(2);
}

/// Reads `text` as the value of `option`, or refuses it.
inline void read_number(const char* text, const NumberOption& option) {
    const char* end = text + std::strlen(text);
    const auto [stopped_at, error] = std::from_chars(text, end, *option.value);
    if (error == std::errc() && stopped_at == end && *option.value >= option.least && *option.value <= option.most)
        return;
    refuse(std::string("--") + option.name + " '" + text + "'",
           "allowed is a whole number from " + std::to_string(option.least) + " to " + std::to_string(option.most));
}

/// Reads the command line with getopt_long(3), and sets `verbose`. `numbers` are the options that only one chapter has.
/// Prints and exits for --help, and for a wrong option or value.
inline Options parse_options(int argc, char* argv[], std::vector<NumberOption> numbers = {}) {
    Options options;
    std::string host = "127.0.0.1";
    int port = 7007;
    int think = 0;
    numbers.insert(numbers.begin(),
                   {{"port", 0, 65535, &port, "N            the port, 0 for a free one (default 7007)"},
                    {"backlog", 0, 65535, &options.backlog, "N         how many clients may wait to be accepted"},
                    {"think", 0, 3600000, &think, "N           milliseconds that each answer takes (default 0)"}});
    std::vector<option> known;
    std::string allowed;
    std::string help = std::string("An echo server: every byte that a client sends comes back.\nusage: ") + argv[0];
    const auto add = [&](const char* name, int has_value, const char* meaning) {
        known.push_back({name, has_value, nullptr, 0});
        allowed.append(" --").append(name);
        help.append("\n  --").append(name).append(" ").append(meaning);
    };
    add("host", required_argument, "ADDRESS      an IPv4 or IPv6 address, no name (default 127.0.0.1)");
    add("verbose", no_argument, "          narrate on standard error, one line per event");
    add("help", no_argument, "             print this");
    for (const NumberOption& number : numbers) add(number.name, required_argument, number.help);
    known.push_back({}); // getopt_long wants this end

    while (optind < argc) {
        // getopt_long also accepts the beginning of a name, and skips a word that is no option. We refuse both.
        const std::string typed = argv[optind];
        const std::string name = typed.substr(0, typed.find('='));
        if ((allowed + " ").find(" " + name + " ") == std::string::npos) {
            refuse(typed, "no such option; allowed are" + allowed);
        }
        int index = 0;
        const int result = getopt_long(argc, argv, ":", known.data(), &index); // the colon: we say what is wrong
        if (result == ':') refuse(name, "needs a value; --help says which");
        if (result == '?') refuse(typed, "takes no value");

        if (name == "--host") {
            host = optarg;
            if (!parse_address(host, 0)) refuse("--host '" + host + "'", "allowed is an IPv4 or IPv6 address, no name");
        } else if (name == "--verbose") {
            verbose = true;
        } else if (name == "--help") {
            print(help + "\nSIGINT (Ctrl-C) or SIGTERM stops it: what was read is answered, for 5 seconds at most.\n");
            std::exit(0);
        } else {
            read_number(optarg, numbers[static_cast<std::size_t>(index) - 3]);
        }
    }
    options.address = parse_address(host, port).value();
    options.think = std::chrono::milliseconds(think);
    return options;
}
