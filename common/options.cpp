#include "common/options.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

[[noreturn]] void refuse(const std::string& option, const std::string& complaint) {
    std::string line = option + ": " + complaint;
    const auto is_control = [](unsigned char byte) { return byte < ' ' || byte == 127; };
    std::replace_if(line.begin(), line.end(), is_control, '?'); // one line, whatever was typed
    std::cerr << line << '\n';
    std::exit(2);
}

/// "--port 'x'"
std::string quoted(std::string name, const std::string& value) {
    return name.append(" '").append(value).append("'");
}

std::string range(const NumberOption& option) {
    return "a whole number from " + std::to_string(option.least) + " to " + std::to_string(option.most);
}

/// The whole of `text` as a number within the option's range, or nothing.
std::optional<int> parse_number(std::string_view text, const NumberOption& option) {
    int number = 0;
    const char* end = text.data() + text.size();
    const auto [stopped_at, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped_at != end || number < option.least || number > option.most) return std::nullopt;
    return number;
}

void print_help(const char* program, std::span<const NumberOption> numbers) {
    std::cout << "An echo server (RFC 862 over TCP): every byte that a client sends comes back, in order.\n\n"
              << "usage: " << program << " [options]\n\n"
              << "  --host ADDRESS    where to listen: an IPv4 or IPv6 literal (default 127.0.0.1)\n";
    for (const NumberOption& option : numbers) {
        std::string left = "--" + std::string(option.name) + " N";
        left.resize(std::max<std::size_t>(left.size(), 18), ' ');
        std::cout << "  " << left << option.meaning << " (default " << *option.value << ")\n";
    }
    std::cout << "  --verbose         narrate on stderr what happens, a line an event\n"
              << "  --help            print this\n\n"
              << "SIGINT (Ctrl-C) or SIGTERM stops it: what was read is delivered, for 5 seconds at most.\n"
              << "A second signal ends it at once.\n";
}

} // namespace

Options parse_options(int argc, char* argv[], std::span<const NumberOption> more) {
    Options options;
    std::string host = "127.0.0.1";
    int port = 7007;
    int think = 0;

    std::vector<NumberOption> numbers = {
        {"port", "which port; 0 takes a free one", 0, 65535, &port},
        {"backlog", "how many clients may wait to be accepted", 0, 65535, &options.backlog},
        {"think", "milliseconds that the answer to each piece read takes", 0, 3600000, &think},
    };
    numbers.insert(numbers.end(), more.begin(), more.end());

    std::string allowed = "--host";
    for (const NumberOption& option : numbers) allowed.append(" --").append(option.name);
    allowed += " --verbose --help";

    for (int i = 1; i < argc; ++i) {
        // Both `--port 7007` and `--port=7007`.
        const std::string argument = argv[i];
        const std::size_t equals = argument.starts_with("--") ? argument.find('=') : std::string::npos;
        const std::string name = argument.substr(0, equals);
        const auto take_value = [&](const std::string& expected) -> std::string {
            if (equals != std::string::npos) return argument.substr(equals + 1);
            if (i + 1 == argc) refuse(name, "needs a value: " + expected);
            return argv[++i];
        };
        const auto is_this = [&](const NumberOption& option) { return name == "--" + std::string(option.name); };

        if (const auto option = std::find_if(numbers.begin(), numbers.end(), is_this); option != numbers.end()) {
            const std::string text = take_value(range(*option));
            const std::optional<int> number = parse_number(text, *option);
            if (!number) refuse(quoted(name, text), "allowed is " + range(*option));
            *option->value = *number;
        } else if (name == "--host") {
            host = take_value("an IPv4 or IPv6 address");
            if (!parse_address(host, 0)) refuse(quoted(name, host), "allowed is an IPv4 or IPv6 address, no name");
        } else if (argument == "--verbose") {
            options.verbose = true;
        } else if (argument == "--help") {
            print_help(argv[0], numbers);
            std::exit(0);
        } else {
            refuse(argument, "no such option; allowed are " + allowed);
        }
    }

    options.address = parse_address(host, static_cast<std::uint16_t>(port)).value();
    options.think = std::chrono::milliseconds(think);
    return options;
}
