// The load generator as a program, for any echo server: build/bench/load --help.

#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>

#include "common/descriptor_limit.h"
#include "tests/tools/bench/load.h"

namespace {

constexpr const char* usage = R"(build/bench/load [OPTION VALUE]...   loads an echo server, and checks every byte
  --port N           where it listens (7007)
  --host ADDRESS     (127.0.0.1)
  --connections N    active clients (100)
  --message BYTES    size of a message (64)
  --in-flight N      messages on their way in each connection: 1 is ping-pong (1)
  --idle N           clients beside them that say nothing (0)
  --rate N           messages a second, all together; latency counts from when each was due (0: as fast as it goes)
  --churn 1          a new connection for each message (0)
  --seconds S        how long (2)
  --messages N       or how many
)";

struct CommandLine {
    std::string host = "127.0.0.1";
    double port = 7007;
    double seconds = 2;
    double messages = 0;
    LoadOptions load;
};

[[noreturn]] void wrong(const std::string& words) {
    std::cerr << words << "; --help says what there is\n";
    std::exit(2);
}

CommandLine parse(int argc, char* argv[]) {
    CommandLine line;
    const auto size = [](std::size_t& value) {
        return [&value](double number) { value = static_cast<std::size_t>(number); };
    };
    const auto same = [](double& value) { return [&value](double number) { value = number; }; };
    const std::map<std::string, std::function<void(double)>> numbers{
        {"--port", same(line.port)},
        {"--seconds", same(line.seconds)},
        {"--messages", same(line.messages)},
        {"--rate", same(line.load.rate)},
        {"--connections", size(line.load.connections)},
        {"--message", size(line.load.message)},
        {"--in-flight", size(line.load.in_flight)},
        {"--idle", size(line.load.idle)},
        {"--churn", [&line](double number) { line.load.churn = number != 0; }},
    };
    for (int i = 1; i < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--help") {
            std::cout << usage;
            std::exit(0);
        }
        if (i + 1 == argc) wrong(option + " has no value");
        const std::string value = argv[i + 1];
        if (option == "--host") {
            line.host = value;
            continue;
        }
        const auto number = numbers.find(option);
        char* end = nullptr;
        const double read = std::strtod(value.c_str(), &end);
        if (number == numbers.end()) wrong("there is no option " + option);
        if (*end != '\0' || read < 0) wrong(option + " " + value + " is not a number from 0 up");
        number->second(read);
    }
    if (line.load.message == 0 || line.load.in_flight == 0) wrong("--message and --in-flight are at least 1");
    return line;
}

void print(const LoadResult& result, const LoadOptions& load) {
    const auto us = [&](double percent) { return static_cast<double>(result.latency.percentile(percent)) / 1000; };
    std::cout << std::fixed << std::setprecision(0) << result.messages << " messages, every byte right, in "
              << std::setprecision(2) << result.seconds << " s: " << std::setprecision(0) << result.per_second()
              << "/s, " << std::setprecision(1) << result.per_second() * static_cast<double>(load.message) / 1e6
              << " MB/s\n"
              << "latency in microseconds: p50 " << us(50) << "  p90 " << us(90) << "  p99 " << us(99) << "  p99.9 "
              << us(99.9) << "  max " << us(100) << '\n'
              << (load.rate > 0 ? "(from when each message was due)\n"
                                : "(each connection waits for its answer: a slow one delays the next question)\n");
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const CommandLine line = parse(argc, argv);
        const auto address = parse_address(line.host, static_cast<std::uint16_t>(line.port));
        if (!address) wrong("--host " + line.host + " is no IPv4 or IPv6 address");
        std::signal(SIGINT, [](int) { interrupted = true; });
        limit_descriptors(RLIM_INFINITY);
        Load load(*address, line.load);
        const LoadResult result =
            line.messages > 0 ? load.run_count(static_cast<std::uint64_t>(line.messages)) : load.run_for(line.seconds);
        load.finish();
        print(result, line.load);
        return 0;
    } catch (const Failed& failed) {
        std::cerr << "WRONG: " << failed.what() << '\n';
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return 1;
}
