// The command line, the same for all servers. Introduced by chapter 01.
#pragma once

#include <getopt.h>
#include <sys/socket.h>

#include <cctype>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/narrate.h"

/// What the command line says.
struct Options {
    Address address;                 ///< where to listen: --host and --port
    int backlog;                     ///< how many clients may wait to be accepted: listen(2)
    std::chrono::milliseconds think; ///< how long each answer takes, as if it were hard to find
};

/// An option whose value is a whole number from `least` to `most`.
struct NumberOption {
    const char* name;
    int least, most;
    int* value;
    const char* help; ///< its line in --help
};

/// Says in one line, whatever was typed, what is wrong with the command line, and exits with 2.
[[noreturn]] inline void refuse(std::string what, const std::string& why) {
    for (char& byte : what) byte = std::iscntrl(static_cast<unsigned char>(byte)) ? '?' : byte;
    complain(what, ": ", why);
    std::exit(2);
}

/// Reads `text` as the value of `option`, or refuses it.
inline void read_number(const std::string& text, const NumberOption& option) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *option.value);
    const bool is_number = error == std::errc() && *end == '\0';
    if (is_number && *option.value >= option.least && *option.value <= option.most) return;
    refuse(std::string("--") + option.name + " '" + text + "'",
           "allowed is a whole number from " + std::to_string(option.least) + " to " + std::to_string(option.most));
}

/// Reads the command line with getopt_long(3), and sets `verbose`. `numbers` are the options that only one chapter has.
/// Prints and exits for --help, and for a wrong option or value.
inline Options parse_options(int argc, char* argv[], std::vector<NumberOption> numbers = {}) {
    std::string host = "127.0.0.1";
    int port = 7007, backlog = SOMAXCONN, think = 0;
    numbers.insert(numbers.begin(),
                   {{"port", 0, 65535, &port, "N            the port, 0 for a free one (default 7007)"},
                    {"backlog", 0, 65535, &backlog, "N         how many clients may wait to be accepted"},
                    {"think", 0, 3600000, &think, "N           milliseconds that each answer takes (default 0)"}});
    std::vector<option> known{{"host", 1, nullptr, 0}, {"verbose", 0, nullptr, 0}, {"help", 0, nullptr, 0}};
    std::string allowed = "allowed are --host ADDRESS, --verbose, --help";
    std::string help = std::string("An echo server: every byte that a client sends comes back.\nusage: ") + argv[0] +
                       "\n  --host ADDRESS      an IPv4 or IPv6 address, no name (default 127.0.0.1)"
                       "\n  --verbose           narrate on standard error, one line per event"
                       "\n  --help              print this";
    for (const NumberOption& number : numbers) {
        known.push_back({number.name, 1, nullptr, 0});
        allowed.append(", --").append(number.name).append(" N");
        help.append("\n  --").append(number.name).append(" ").append(number.help);
    }
    known.push_back({}); // getopt_long wants this end

    while (optind < argc) {
        // Left alone, getopt_long skips a word that is no option ("+": it ends there), complains in its own words (":":
        // we do), and accepts the beginning of a name, so we compare.
        const std::string typed = argv[optind];
        int index = 0;
        const int result = getopt_long(argc, argv, "+:", known.data(), &index);
        const std::string name = std::string("--") + known[static_cast<std::size_t>(index)].name;
        if (result != 0 || typed.substr(0, typed.find('=')) != name) refuse(typed, allowed);

        if (name == "--host") host = optarg;
        if (name == "--verbose") verbose = true;
        if (name == "--help") {
            print(help, "\nSIGINT (Ctrl-C) or SIGTERM stops it: what was read is answered, for 5 seconds at most.\n");
            std::exit(0);
        }
        if (index > 2) read_number(optarg, numbers[static_cast<std::size_t>(index) - 3]);
    }
    const auto address = parse_address(host, port);
    if (!address) refuse("--host '" + host + "'", "allowed is an IPv4 or IPv6 address, no name");
    return {*address, backlog, std::chrono::milliseconds(think)};
}
