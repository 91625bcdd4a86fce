// A conversation at random, whose seed repeats it: clients that come and go as they like, each with what it must get.
#include <getopt.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <random>
#include <utility>

#include "tests/support/failed.h"
#include "tests/support/idle.h"
#include "tests/support/talker.h"
#include "tests/support/tally.h"

namespace {

constexpr milliseconds patience(15000);

/// What the command line says.
struct Arguments {
    double seconds = 3; // for each server
    std::uint64_t seed = std::random_device()();
    std::vector<std::string> servers;
};

[[noreturn]] void refuse(const std::string& complaint) {
    std::cerr << complaint << "usage: soak [--seconds S] [--seed N] SERVER...\n"
              << "SERVER is one of the six: 03-select-server/server\n";
    std::exit(2);
}

template <typename Number>
void read(Number& value, const std::string& word) {
    const char* const end = word.data() + word.size();
    const auto [stopped_at, error] = std::from_chars(word.data(), end, value);
    if (error != std::errc() || stopped_at != end || value < Number{}) refuse("'" + word + "': no number\n");
}

Arguments parse(int argc, char* argv[]) {
    Arguments arguments;
    const option options[] = {
        {"seconds", required_argument, nullptr, 's'}, {"seed", required_argument, nullptr, 'n'}, {}};
    for (int given = 0; (given = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
        if (given == '?') refuse(""); // getopt has said why
        given == 's' ? read(arguments.seconds, optarg) : read(arguments.seed, optarg);
    }
    arguments.servers.assign(argv + optind, argv + argc);
    if (arguments.servers.empty()) refuse("no server\n");
    return arguments;
}

/// Chance. The same seed gives the same.
using Dice = std::mt19937_64;

std::size_t from_to(Dice& dice, std::size_t least, std::size_t most) {
    return least + dice() % (most - least + 1);
}

bool one_in(Dice& dice, std::size_t n) {
    return dice() % n == 0;
}

/// Small ones as often as large ones.
std::size_t random_size(Dice& dice, std::size_t most) {
    std::size_t magnitude = 1;
    while (magnitude < most && !one_in(dice, 4)) magnitude *= 8;
    return from_to(dice, 1, std::min(magnitude, most));
}

Role random_role(Dice& dice) {
    static const std::string bytes = random_bytes(1 << 20, 6);
    Role role;
    role.data = std::string_view(bytes).substr(from_to(dice, 0, 700000), random_size(dice, 300000));
    const std::size_t size = role.data.size();
    if (one_in(dice, 2)) role.piece = random_size(dice, 100000);
    if (size / std::min(role.piece, size) > 200) role.piece = size / 200;
    if (one_in(dice, 3)) role.ahead = from_to(dice, 1, size);
    if (one_in(dice, 4)) role.pause = milliseconds(from_to(dice, 1, 20));
    if (role.pause.count() > 0 && size / std::min(role.piece, size) > 20) role.piece = size / 20 + 1;
    if (role.ahead < role.piece) role.piece = role.ahead;
    if (one_in(dice, 4)) role.read_piece = std::max<std::size_t>(random_size(dice, 4096), size / 500 + 1);
    if (one_in(dice, 4)) role.receive_buffer = 4096;
    if (one_in(dice, 6)) role.segment = 536;
    if (one_in(dice, 8)) role.urgent = from_to(dice, 0, size - 1);
    role.end = static_cast<Role::End>(from_to(dice, 0, 3));
    role.leaves_after = one_in(dice, 2) ? 0 : from_to(dice, 0, size / 2);
    if (role.ahead == Role::no_limit) role.reads_late = one_in(dice, 4);
    const char* const ends[] = {"closes", "half-closes", "leaves", "resets"};
    role.name = text("a client that ", ends[static_cast<int>(role.end)], role.reads_late ? ", reads late" : "",
                     role.urgent < size ? ", has an urgent byte" : "", role.pause.count() > 0 ? ", pauses" : "");
    return role;
}

/// What has been done so far, and what plays a failure once more.
struct Sum {
    int rounds = 0;
    int stops = 0;
    std::size_t clients = 0;
    std::size_t bytes = 0;
    double again_seconds = 0;
    std::uint64_t again_seed = 0;
};

/// Clients at random, a few side by side. With `stop` a SIGTERM in the middle.
void play_round(RunningServer& server, std::uint64_t seed, bool stop, Sum& sum) {
    Dice dice(seed);
    const std::size_t clients = from_to(dice, 10, 60);
    const std::size_t side_by_side = from_to(dice, 2, 16);
    const std::size_t last = stop ? from_to(dice, 1, clients) : clients;
    std::size_t begun = 0;
    bool stopped = false;
    std::vector<Talker> talkers;
    const auto come_and_go = [&] {
        for (const Talker& one : talkers) {
            if (!one.wrong().empty()) throw Failed{"talked", "each client its own bytes", one.wrong()};
            if (one.done() && !one.served() && !stopped) throw Failed{"talked", "all of it back", one.story()};
            if (one.done()) sum.bytes += one.sent();
        }
        std::erase_if(talkers, [](const Talker& one) { return one.done(); });
        if (stop && begun == last && !std::exchange(stopped, true)) server.process().signal(SIGTERM);
        for (; begun < last && talkers.size() < side_by_side; ++begun) {
            talkers.emplace_back(server.endpoint(patience), random_role(dice));
        }
    };
    if (!play(talkers, patience, {come_and_go, {}})) {
        std::string stories;
        for (const Talker& one : talkers) stories += one.done() ? "" : one.story() + "; ";
        throw Failed{"talked", "that everyone gets on", stories + "and nothing moves"};
    }
    sum.clients += begun;
    ++sum.rounds;
}

/// Memory may grow a little with the first clients, but not with their number.
void expect_no_growth(pid_t server, std::size_t& first, const Sum& sum) {
    const std::size_t now = private_memory(server);
    if (first == 0) first = now;
    constexpr std::size_t little = 4 << 20;
    const bool sanitized = has_library(server, "san.so"); // its memory grows
    if (now <= first + little || sanitized) return;
    throw Failed{text(sum.clients, " clients came and went"), "no more memory than before",
                 text((now - first) / 1024, " KiB more")};
}

/// Rounds until the time is over. Throws Failed; mostly the round that failed repeats it.
void soak(const std::string& program, const Arguments& arguments, Sum& sum) {
    const auto until = Clock::now() + std::chrono::duration<double>(arguments.seconds);
    // One server from the first round to the last, so that what it loses in each of them adds up.
    RunningServer server(program);
    const Idle before = idle(server.pid());
    std::size_t memory = 0;
    for (std::uint64_t round = 0; round == 0 || Clock::now() < until; ++round) {
        const std::uint64_t seed = sum.again_seed = arguments.seed + round;
        sum.again_seconds = 0;
        if (seed % 5 == 4) {
            RunningServer stopped(program);
            play_round(stopped, seed, true, sum);
            expect_good_end(stopped);
            ++sum.stops;
            continue;
        }
        play_round(server, seed, false, sum);
        expect_running(server);
        expect_given_back(server, before);
        expect_no_spin(server.pid(), "everyone has left");
        sum.again_seconds = arguments.seconds; // memory grows from round to round
        sum.again_seed = arguments.seed;
        if (sum.rounds > 1) expect_no_growth(server.pid(), memory, sum);
    }
    server.process().signal(SIGTERM);
    expect_good_end(server);
}

void soak_and_say(const std::string& program, const std::string& server, const Arguments& arguments, Tally& tally) {
    Tally::Verdict verdict = Tally::ok;
    Sum sum;
    const auto start = Clock::now();
    try {
        soak(server, arguments, sum);
    } catch (const std::exception& error) {
        verdict = Tally::failed;
        std::cout << server << ": " << error.what() << "\n    again: " << program << " --seconds " << sum.again_seconds
                  << " --seed " << sum.again_seed << " '" << server << "'\n";
    }
    tally.add(verdict, Clock::now() - start,
              text("soak: seed ", arguments.seed, ", ", sum.clients, " clients in ", sum.rounds, " rounds, ",
                   sum.bytes / 1000000, " MB, stopped ", sum.stops, " times: ", server));
}

} // namespace

int main(int argc, char* argv[]) {
    const Arguments arguments = parse(argc, argv);
    Tally tally;
    for (const std::string& server : arguments.servers) soak_and_say(argv[0], server, arguments, tally);
    return tally.finish();
}
