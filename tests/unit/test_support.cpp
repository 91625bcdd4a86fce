// The tests' own tools, as far as the other tests would not notice that they are wrong.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>

#include "tests/catch.h"
#include "tests/support/client.h"
#include "tests/support/failed.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"

namespace {

Launch shell(const std::string& script) {
    return {{"/bin/sh", "-c", script}};
}

} // namespace

TEST_CASE("random_bytes: depend on the seed only, and have every value") {
    const std::string bytes = random_bytes(1000, 1);
    CHECK(bytes.size() == 1000);
    CHECK(bytes == random_bytes(1000, 1));
    CHECK(bytes != random_bytes(1000, 2));
    CHECK(std::set<char>(bytes.begin(), bytes.end()).size() == 256);
}

TEST_CASE("difference: names the first place where two texts differ") {
    CHECK(difference("abc", "abc") == "the same");
    CHECK(difference("abc", "abX") == "byte 2 is 88 and not 99");
    CHECK(difference("abc", "ab") == "only the first 2 of 3 bytes");
    CHECK(difference("abc", "abcde") == "2 bytes too many");
    CHECK(difference("\xff", "\x01") == "byte 0 is 1 and not 255");
}

TEST_CASE("in_child: tells what the child printed and how it ended, and leaves nothing open") {
    const std::size_t open_before = open_descriptors(getpid());
    const Outcome good = in_child([] {
        std::cout << "to stdout";
        std::cerr << "to stderr";
    });
    CHECK(good.out == "to stdout");
    CHECK(good.err == "to stderr");
    CHECK(good.ended == "exit status 0");

    CHECK(in_child([] { std::exit(7); }).ended == "exit status 7");
    CHECK(in_child([] { std::raise(SIGKILL); }).ended == "ended by signal Killed");
    CHECK(in_child([] { std::raise(SIGTERM); }).ended == "ended by signal Terminated");
    CHECK(printed_by([] { throw std::runtime_error("reason"); }) == " STDERR: thrown: reason\n exit status 125");
    CHECK(open_descriptors(getpid()) == open_before);
}

TEST_CASE("wait_until_it_waits: waits for that moment") {
    Process child(forked([] {
        std::cout << "waits" << std::endl;
        pause();
    }));
    wait_until_it_waits(child, "waits");
    child.signal(SIGKILL);
    CHECK(child.outcome().ended == "ended by signal Killed");
}

TEST_CASE("Process: gives line after line, what is on stderr, and how it ended") {
    Process process(shell("echo one; echo two; echo three >&2; exit 7"));
    CHECK(process.read_line(long_enough) == "one");
    CHECK(process.read_line(long_enough) == "two");
    CHECK_FALSE(process.read_line(long_enough));
    const auto ended = process.wait(long_enough);
    REQUIRE(ended);
    CHECK(to_string(*ended) == "exit status 7");
    CHECK(process.standard_error() == "three\n");
    CHECK_FALSE(process.running());
}

TEST_CASE("Process: does not wait longer than it is told to") {
    Process process(shell("exec sleep 1000"));
    CHECK_FALSE(process.read_line(milliseconds(1)));
    CHECK_FALSE(process.wait(milliseconds(1)));
}

TEST_CASE("Process: a command that does not exist exits with 127") {
    CHECK(Process({{"/no/such/command"}}).outcome().ended == "exit status 127");
}

TEST_CASE("Process: takes its descendants along") {
    pid_t descendant = 0;
    {
        Process process(shell("sleep 1000 & echo $!; wait"));
        descendant = std::stoi(process.read_line(long_enough).value());
        CHECK(process_tree(process.pid()) == std::vector<pid_t>{process.pid(), descendant});
        CHECK(process_tree(getpid()).size() >= 3);
    }
    CHECK(eventually([&] { return process_state(descendant) == '-' || process_state(descendant) == 'Z'; }));
}

TEST_CASE("private_memory: counts what a process has of its own") {
    CHECK(private_memory(getpid()) > 0);
    CHECK(private_memory(getpid()) < std::size_t{1} << 40);
}

TEST_CASE("eventually: tries until the condition holds, or gives up") {
    int tries = 0;
    CHECK(eventually([&] { return ++tries == 3; }));
    CHECK(tries == 3);
    CHECK_FALSE(eventually([] { return false; }, milliseconds(1)));
    CHECK_NOTHROW(wait_until("that it holds", [&] { return ++tries == 5; }));
    CHECK_THROWS_AS(wait_until(
                        "that it holds", [] { return false; }, milliseconds(1)),
                    Failed);
}
