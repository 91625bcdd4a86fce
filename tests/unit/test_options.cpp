#include "common/options.h"

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/support/failed.h"
#include "tests/support/in_child.h"

namespace {

using Arguments = std::vector<std::string>;

/// What comes of a command line in a chapter that has an option of its own; in a child, because a wrong one ends the
/// process.
Outcome parse(Arguments arguments) {
    return in_child([&] {
        arguments.insert(arguments.begin(), "./server");
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        argv.push_back(nullptr);

        int workers = 4;
        const NumberOption own[] = {{"read-workers", "threads that read", 1, 256, &workers}};
        const Options options = parse_options(static_cast<int>(arguments.size()), argv.data(), own);
        std::cout << to_string(options.address) << " backlog " << options.backlog << " think " << options.think.count()
                  << " verbose " << options.verbose << " workers " << workers;
    });
}

/// The options that a good command line gives.
std::string good(const Arguments& arguments) {
    const Outcome outcome = parse(arguments);
    return outcome.ended == "exit status 0" ? outcome.out : outcome.ended + ": " + outcome.err;
}

/// The complaint about a wrong command line, when it is as it should be: exit status 2, and one line on stderr.
std::string wrong(const Arguments& arguments) {
    const Outcome outcome = parse(arguments);
    if (outcome.ended != "exit status 2") return "not refused: " + outcome.ended;
    if (!outcome.out.empty()) return "on stdout: " + outcome.out;
    if (std::count(outcome.err.begin(), outcome.err.end(), '\n') != 1 || !outcome.err.ends_with('\n')) {
        return "not one line: " + outcome.err;
    }
    return outcome.err;
}

} // namespace

using Catch::Matchers::StartsWith;

TEST_CASE("parse_options: has defaults") {
    CHECK(good({}) == text("127.0.0.1:7007 backlog ", SOMAXCONN, " think 0 verbose 0 workers 4"));
}

TEST_CASE("parse_options: takes every option, its value behind a space or behind '='") {
    const std::string all = "127.0.0.2:8080 backlog 16 think 250 verbose 1 workers 8";
    CHECK(good({"--host", "127.0.0.2", "--port", "8080", "--backlog", "16", "--think", "250", "--verbose",
                "--read-workers", "8"}) == all);
    CHECK(good({"--host=127.0.0.2", "--port=8080", "--backlog=16", "--think=250", "--verbose", "--read-workers=8"}) ==
          all);
    CHECK(good({"--verbose", "--read-workers=8", "--think", "250", "--backlog=16", "--port", "8080", "--host",
                "127.0.0.2"}) == all);
}

TEST_CASE("parse_options: listens on IPv6 just the same") {
    CHECK_THAT(good({"--host", "::1"}), StartsWith("[::1]:7007 "));
    CHECK_THAT(good({"--host=::", "--port=0"}), StartsWith("[::]:0 "));
}

TEST_CASE("parse_options: the last one counts") {
    CHECK_THAT(good({"--port", "1", "--port=2"}), StartsWith("127.0.0.1:2 "));
}

TEST_CASE("parse_options: takes the least and the most that is allowed, and no more") {
    CHECK_THAT(good({"--port", "0"}), StartsWith("127.0.0.1:0 "));
    CHECK_THAT(good({"--port", "65535"}), StartsWith("127.0.0.1:65535 "));
    CHECK(wrong({"--port", "-1"}) == "--port '-1': allowed is a whole number from 0 to 65535\n");
    CHECK(wrong({"--port", "65536"}) == "--port '65536': allowed is a whole number from 0 to 65535\n");

    CHECK(good({"--backlog", "0"}).find(" backlog 0 ") != std::string::npos);
    CHECK(good({"--backlog", "65535"}).find(" backlog 65535 ") != std::string::npos);
    CHECK_THAT(wrong({"--backlog", "-1"}), StartsWith("--backlog '-1': allowed is "));
    CHECK_THAT(wrong({"--backlog", "65536"}), StartsWith("--backlog '65536': allowed is "));

    CHECK(good({"--think", "3600000"}).find(" think 3600000 ") != std::string::npos);
    CHECK_THAT(wrong({"--think", "-1"}), StartsWith("--think '-1': allowed is "));
    CHECK_THAT(wrong({"--think", "3600001"}), StartsWith("--think '3600001': allowed is "));

    CHECK(good({"--read-workers", "1"}).ends_with(" workers 1"));
    CHECK(good({"--read-workers", "256"}).ends_with(" workers 256"));
    CHECK(wrong({"--read-workers", "0"}) == "--read-workers '0': allowed is a whole number from 1 to 256\n");
    CHECK(wrong({"--read-workers=257"}) == "--read-workers '257': allowed is a whole number from 1 to 256\n");
}

TEST_CASE("parse_options: refuses what is not a whole number through and through") {
    const std::string value = GENERATE("", " 80", "80 ", "+80", "0x50", "8e3", "80.0", "80,", "eighty", "-",
                                       "--verbose", "99999999999999999999", "-99999999999999999999", "4294967376");
    CHECK(wrong({"--port", value}) == "--port '" + value + "': allowed is a whole number from 0 to 65535\n");
}

TEST_CASE("parse_options: refuses host names and everything else that is no address") {
    const std::string value = GENERATE("", "localhost", "127.0.0.1:7007", "[::1]", " 127.0.0.1", "256.0.0.1");
    CHECK(wrong({"--host", value}) == "--host '" + value + "': allowed is an IPv4 or IPv6 address, no name\n");
}

TEST_CASE("parse_options: refuses wrong values behind '=' just the same") {
    CHECK(wrong({"--port="}) == "--port '': allowed is a whole number from 0 to 65535\n");
    CHECK(wrong({"--port=80 "}) == "--port '80 ': allowed is a whole number from 0 to 65535\n");
    CHECK(wrong({"--port==80"}) == "--port '=80': allowed is a whole number from 0 to 65535\n");
    CHECK(wrong({"--host="}) == "--host '': allowed is an IPv4 or IPv6 address, no name\n");
    CHECK(wrong({"--host=localhost"}) == "--host 'localhost': allowed is an IPv4 or IPv6 address, no name\n");
}

TEST_CASE("parse_options: says what value is missing") {
    CHECK(wrong({"--host"}) == "--host: needs a value: an IPv4 or IPv6 address\n");
    CHECK(wrong({"--verbose", "--port"}) == "--port: needs a value: a whole number from 0 to 65535\n");
    CHECK(wrong({"--read-workers"}) == "--read-workers: needs a value: a whole number from 1 to 256\n");
}

TEST_CASE("parse_options: refuses what it does not know, and names all that is allowed") {
    const std::string argument = GENERATE("--prot", "--prot=80", "-p", "-h", "--", "7007", "127.0.0.1", "port",
                                          "--PORT", "--verbose=1", "--help=1", "--write-workers");
    CHECK(wrong({argument}) ==
          argument + ": no such option; allowed are --host --port --backlog --think --read-workers --verbose --help\n");
}

TEST_CASE("parse_options: refuses an empty argument") {
    CHECK(wrong({""}).find("no such option; allowed are --host ") != std::string::npos);
}

TEST_CASE("parse_options: says it in one line, whatever was typed") {
    CHECK_THAT(wrong({"--port", "80\n\033[2J"}), StartsWith("--port '80??[2J': allowed is"));
    CHECK_THAT(wrong({"--two\nlines"}), StartsWith("--two?lines: no such option"));
}

TEST_CASE("parse_options: stops at what is wrong, wherever it stands") {
    CHECK_THAT(wrong({"--port", "7007", "--verbose", "more"}), StartsWith("more: no such option"));
    CHECK_THAT(wrong({"--port", "x", "--help"}), StartsWith("--port 'x': "));
}

TEST_CASE("parse_options: --help names every option with its default, and is no failure") {
    const Outcome help = parse({"--help"});
    CHECK(help.ended == "exit status 0");
    CHECK(help.err.empty());
    CHECK(help.out.find("usage: ./server ") != std::string::npos);
    for (const std::string name : {"host", "port", "backlog", "think", "read-workers", "verbose", "help"}) {
        CAPTURE(name);
        CHECK(help.out.find("\n  --" + name + " ") != std::string::npos);
    }
    CHECK(help.out.find("(default 127.0.0.1)") != std::string::npos);
    CHECK(help.out.find("(default 7007)") != std::string::npos);
    CHECK(help.out.find("threads that read (default 4)") != std::string::npos);
}

TEST_CASE("parse_options: --help keeps the longest option apart from its meaning") {
    const Outcome help = in_child([] {
        std::string program = "./server";
        std::string option = "--help";
        char* argv[] = {program.data(), option.data(), nullptr};
        int number = 2;
        const NumberOption longest[] = {{"write-workers", "threads that send", 1, 256, &number}};
        parse_options(2, argv, longest);
    });
    CHECK(help.out.find("\n  --write-workers N ") != std::string::npos);
}
