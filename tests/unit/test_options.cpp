#include "tests/catch.h"
#include "tests/support/failed.h"
#include "tests/unit/command_line.h"

namespace {

using Arguments = std::vector<std::string>;

/// The options that a good command line sets.
std::string good(const Arguments& arguments) {
    const Outcome outcome = parse(arguments);
    return outcome.ended == "exit status 0" ? outcome.out : outcome.ended + ": " + outcome.err;
}

/// What is said behind a word that is not allowed as it is.
const std::string allowed = ": allowed are --host ADDRESS, --verbose, --help, --port N, --backlog N, --think N, "
                            "--read-workers N\n";

/// The complaint about a wrong one.
std::string wrong(const Arguments& arguments) {
    const Outcome outcome = parse(arguments);
    return is_refusal(outcome) ? outcome.err : "not refused: " + outcome.ended + outcome.out + outcome.err;
}

} // namespace

TEST_CASE("parse_options: has defaults") {
    CHECK(good({}) == text("127.0.0.1:7007 backlog ", SOMAXCONN, " think 0 verbose 0 workers 4."));
}

TEST_CASE("parse_options: takes every option, its value behind a space or behind '=', in any order") {
    const std::string all = "127.0.0.2:8080 backlog 16 think 250 verbose 1 workers 8.";
    CHECK(good({"--host", "127.0.0.2", "--port", "8080", "--backlog", "16", "--think", "250", "--verbose",
                "--read-workers", "8"}) == all);
    CHECK(good({"--verbose", "--read-workers=8", "--think=250", "--backlog=16", "--port=8080", "--host=127.0.0.2"}) ==
          all);
}

TEST_CASE("parse_options: the last one counts") {
    CHECK_THAT(good({"--port", "1", "--port=2"}), StartsWith("127.0.0.1:2 "));
}

TEST_CASE("parse_options: takes the least and the most that is allowed, and no more") {
    struct Range {
        std::string option;
        std::string shown; ///< what stands before its value above
        int least;
        int most;
    };
    const auto range = GENERATE(Range{"--port", "127.0.0.1:", 0, 65535}, Range{"--backlog", " backlog ", 0, 65535},
                                Range{"--think", " think ", 0, 3600000}, Range{"--read-workers", " workers ", 1, 256});
    for (const int value : {range.least, range.most}) {
        CHECK_THAT(good({range.option, std::to_string(value)}), ContainsSubstring(text(range.shown, value)));
    }
    for (const int value : {range.least - 1, range.most + 1}) {
        CHECK(wrong({range.option, std::to_string(value)}) == text(range.option, " '", value,
                                                                   "': allowed is a whole number from ", range.least,
                                                                   " to ", range.most, "\n"));
    }
}

TEST_CASE("parse_options: refuses what is not a whole number through and through") {
    const std::string value = GENERATE("", " 80", "80 ", "+80", "0x50", "8e3", "80.0", "80,", "=80", "eighty", "-",
                                       "--verbose", "99999999999999999999", "-99999999999999999999", "4294967376");
    const std::string complaint = "--port '" + value + "': allowed is a whole number from 0 to 65535\n";
    CHECK(wrong({"--port", value}) == complaint);
    CHECK(wrong({"--port=" + value}) == complaint);
}

TEST_CASE("parse_options: refuses what is no address, as parse_address does") {
    const std::string value = GENERATE("", "localhost", "0", "*");
    const std::string complaint = "--host '" + value + "': allowed is an IPv4 or IPv6 address, no name\n";
    CHECK(wrong({"--host", value}) == complaint);
    CHECK(wrong({"--host=" + value}) == complaint);
}

TEST_CASE("parse_options: says that a value is missing, or one too many") {
    CHECK(wrong({"--host"}) == "--host" + allowed);
    CHECK(wrong({"--verbose", "--read-workers"}) == "--read-workers" + allowed);
    CHECK(wrong({"--verbose=1"}) == "--verbose=1" + allowed);
    CHECK(wrong({"--help="}) == "--help=" + allowed);
}

// Left alone, getopt_long takes the beginning of a name, skips a surplus word, and says things of its own.
TEST_CASE("parse_options: refuses what it does not know, wherever it is, and names all that is allowed") {
    const std::string argument =
        GENERATE("--prot", "--prot=80", "--write-workers", "--PORT", "-port", "-p", "-h",          // unknown
                 "--por", "--por=80", "--verb", "--hel", "--read", "--h", "--read-worker=8",       // abbreviated
                 "more", "port", "7007", "127.0.0.1", "-", "--", "--=80", "", "--host --verbose"); // surplus
    const std::string complaint = argument + allowed;
    CHECK(wrong({argument}) == complaint);
    CHECK(wrong({argument, "--verbose", "--port", "7007"}) == complaint);
    CHECK(wrong({"--verbose", "--port", "7007", argument}) == complaint);
}

TEST_CASE("parse_options: says it in one line, whatever was typed") {
    CHECK_THAT(wrong({"--port", "80\n\033[2J\x7f"}), StartsWith("--port '80??[2J?': allowed is"));
    CHECK_THAT(wrong({"--two\nlines"}), StartsWith("--two?lines: allowed are"));
    CHECK_THAT(wrong({"--größe"}), StartsWith("--größe: allowed are"));
}

TEST_CASE("parse_options: stops at the first that is wrong") {
    CHECK_THAT(wrong({"--port", "x", "--help"}), StartsWith("--port 'x': "));
    CHECK_THAT(wrong({"--port", "x", "more"}), StartsWith("--port 'x': "));
}

TEST_CASE("parse_options: --help names every option with its default, and is no failure") {
    const Outcome help = parse({"--help"});
    CHECK(help.ended == "exit status 0");
    CHECK(help.err.empty());
    for (const std::string part : {"usage: ./server\n", "\n  --host ADDRESS ", "\n  --verbose ", "\n  --help ",
                                   "\n  --port N ", "\n  --backlog N ", "\n  --think N ", "\n  --read-workers N ",
                                   "(default 127.0.0.1)", "(default 7007)", "threads that read (default 4)\n"}) {
        CHECK_THAT(help.out, ContainsSubstring(part));
    }
}
