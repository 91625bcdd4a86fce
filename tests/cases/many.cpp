// What only shows with many clients or messages: a leak, and a server that ends at its 5,000th client. The grader plays
// these after all others, because they take time.
#include <algorithm>
#include <cstdlib>

#include "tests/cases/case.h"

namespace {

/// What a server has when nobody is connected, in all its processes.
struct Holdings {
    std::size_t memory = 0;
    std::size_t descriptors = 0;
    std::size_t threads = 0;
};

Holdings holdings(pid_t server) {
    Holdings all{private_memory(server), 0, 0};
    for (const pid_t pid : process_tree(server)) {
        all.descriptors += open_descriptors(pid);
        all.threads += threads_of(pid).size();
    }
    return all;
}

constexpr std::chrono::seconds time_for_rounds(20);
constexpr std::size_t least_rounds = 6; ///< so that all is over 5,000
constexpr std::size_t ten_rounds = 10;
constexpr std::size_t most_rounds = 22; ///< with 1,000 clients each, there are ports enough
constexpr std::size_t leak = 64 << 10;  ///< so many bytes more in each round

/// Whether each of the last rounds ended with more than each of those before, by more than `few`: five and five of
/// them, or three and three where there was no time for more.
bool grows(const std::vector<Holdings>& after, std::size_t Holdings::*what, std::size_t few) {
    const auto window = static_cast<std::ptrdiff_t>(std::min(after.size(), ten_rounds) / 2);
    const auto less = [what](const Holdings& a, const Holdings& b) { return a.*what < b.*what; };
    const auto last = after.end() - window;
    return (*std::min_element(last, after.end(), less)).*what >
           (*std::max_element(last - window, last, less)).*what + few;
}

/// Plays equal rounds. What is there for good comes with the first of them, and a garbage collector gives back in some
/// what it took in others; a leak grows until the end.
template <typename Round>
void expect_no_growth(Subject& subject, const std::string& what, Round round) {
    const pid_t server = subject.server().pid();
    if (has_library(server, "san.so")) throw Skipped{"a sanitizer's own memory grows"};
    const auto start = Clock::now();
    std::vector<Holdings> after;
    const auto any_grows = [&] {
        return grows(after, &Holdings::memory, leak) || grows(after, &Holdings::descriptors, 2) ||
               grows(after, &Holdings::threads, 2);
    };
    while ((after.size() < ten_rounds || any_grows()) && after.size() < most_rounds &&
           Clock::now() - start < time_for_rounds) {
        round();
        after.push_back(holdings(server));
    }
    if (after.size() < least_rounds) {
        throw Skipped{text("in ", time_for_rounds.count(), " s, ", what, " only ", after.size(), " times, and not ",
                           least_rounds)};
    }
    const Holdings& middle = after[after.size() / 2];
    const Holdings& last = after.back();
    const std::string did = text(after.size(), " times ", what);
    expect(!grows(after, &Holdings::descriptors, 2), did, "as many descriptors after each time",
           text("it has ever more: ", middle.descriptors, ", and later ", last.descriptors));
    expect(!grows(after, &Holdings::threads, 2), did, "as many processes and threads after each time",
           text("it has ever more: ", middle.threads, ", and later ", last.threads));
    expect(!grows(after, &Holdings::memory, leak), did, "memory that stops growing",
           text("it grows on and on: ", middle.memory / 1024, " KiB, and later ", last.memory / 1024, " KiB"));
}

/// For before_exec. A Java or Node program that has much room leaves its garbage there for long, and that looks like a
/// leak. So does what a compiler takes that runs beside the program, and gives back later.
void little_room_for_new_objects() {
    setenv("JAVA_TOOL_OPTIONS", "-Xmn2m -XX:+UseSerialGC -XX:TieredStopAtLevel=1", 1);
    setenv("NODE_OPTIONS", "--max-semi-space-size=1", 1);
}

/// Five at a time, as at level 01 the others wait in the queue. A few reset.
void thousand_clients(Subject& subject, int& count) {
    const auto five = [&] {
        std::vector<Client> clients = connect_clients(subject.endpoint(), 5);
        for (Client& client : clients) client.send("hello\n");
        for (Client& client : clients) {
            ++count;
            client.receive(6);
            count % 50 == 0 ? client.reset() : client.close();
        }
    };
    for (int i = 0; i < 1000 / 5; ++i)
        say_first(text("came as client number ", count + 1, " or soon after, and "), five);
}

void thousands_of_clients(Subject& subject) {
    subject.start({}, little_room_for_new_objects);
    int count = 0;
    expect_no_growth(subject, "1,000 clients came, sent a line, got it back and left",
                     [&] { thousand_clients(subject, count); });
}

void thousands_of_messages(Subject& subject) {
    subject.start({}, little_room_for_new_objects);
    Client client = subject.connect();
    const std::string line = random_bytes(60, 1);
    expect_no_growth(subject, "a client sent 10,000 messages of 60 bytes and got them back", [&] {
        for (int i = 0; i < 10000; ++i) client.expect_echo(line);
    });
}

} // namespace

std::vector<Case> many_cases() {
    return {
        {"thousands of clients", "10,000 clients come and go, and the server neither ends nor grows",
         thousands_of_clients,
         Lesson{"A server runs for months. What it keeps of each client, however little, ends it some day.",
                "What is allocated, opened or started for a client, and is it given back on every way out?",
                "close(2) for each accept(2); delete for each new; pthread_join(3) or pthread_detach(3) for each "
                "thread, or its stack stays. Lists of clients or threads must shrink again."},
         true, std::chrono::seconds(45)},
        {"thousands of messages", "100,000 messages of one client do not let it grow", thousands_of_messages,
         Lesson{"What is kept of each message grows without a limit, with a single client.",
                "Is something appended for each message, and never taken away?",
                "A buffer is used again, or freed when its bytes are sent. A log in memory is a leak."},
         true, std::chrono::seconds(45)},
    };
}
