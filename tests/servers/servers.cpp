// Plays every case against one server, each as a test of its own. CHAPTER (01 to 06, or first for first.cpp) and SERVER
// (the path of its program) come from the environment.
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "common/descriptor_limit.h"
#include "tests/cases/case.h"
#include "tests/catch.h"
#include "tests/report.h"
#include "tests/servers/excuses.h"
#include "tests/support/idle.h"

namespace {

constexpr milliseconds patience(15000);
// A case that is bound to fail need not be waited for as long as one that shall pass.
constexpr milliseconds patience_for_a_failure(1000);

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

/// first.cpp takes a port and no options, so it gets the cases that any echo server gets, without what 01 cannot do.
bool is_first() {
    return environment("CHAPTER") == "first";
}

const Excuse* find(const std::vector<Excuse>& list, const std::string& name) {
    const std::string chapter = environment("CHAPTER"); // "03"
    return find_excuse(list, name, is_first() ? "01" : chapter.substr(chapter.size() / 2));
}

/// What a sanitizer has reported so far. Writing that takes a second or two, so clients may fail because of it.
std::optional<Failed> report_of_a_sanitizer(Subject& subject) {
    if (!subject.started()) return std::nullopt;
    const std::string errors = subject.server().process().standard_error();
    for (const std::string word : {"Sanitizer", "runtime error:"}) {
        const std::size_t at = errors.find(word);
        if (at != std::string::npos) return Failed{"left", "no report of a sanitizer", errors.substr(at, 2000)};
    }
    return std::nullopt;
}

/// The case is over and its clients have left. A sanitizer reports some things only at the end of the process.
void expect_end_without_report(Subject& subject) {
    if (!subject.started() || is_first()) return;
    RunningServer& server = subject.server();
    std::optional<Failed> bad_end;
    try {
        if (server.process().running()) {
            server.process().signal(SIGTERM);
            expect_good_end(server);
        }
    } catch (const Failed& failed) {
        bad_end = failed; // a report says more
    }
    if (const auto report = report_of_a_sanitizer(subject)) throw *report;
    if (bad_end) throw *bad_end;
}

/// Plays the case: nothing when its promise holds, else what went wrong.
std::optional<Failed> play(const Case& played, milliseconds with_patience) {
    const std::string program = environment("SERVER");
    Subject subject =
        is_first() ? Subject({program, "{port}"}, 3 * with_patience, with_patience) : Subject(program, with_patience);
    try {
        played.play(subject);
        expect_end_without_report(subject);
    } catch (Failed& failed) {
        if (const auto report = report_of_a_sanitizer(subject)) return report;
        // A client of a server that has died may see a reset or the end; what killed the server says more.
        const auto ended =
            is_first() && subject.started() ? subject.server().process().wait(milliseconds(50)) : std::nullopt;
        if (ended) failed.got += "; the server has gone: " + to_string(*ended);
        return failed;
    } catch (const std::system_error& error) {
        if (error.code().value() != EMFILE) throw;
        throw Skipped{"there may not be so many descriptors here (ulimit -Hn)"};
    }
    return std::nullopt;
}

void judge(const Case& played) {
    const Excuse* excuse = find(excuses, played.name);
    try {
        const auto failed = play(played, excuse != nullptr ? patience_for_a_failure : patience);
        if (excuse != nullptr) {
            INFO("excused as: " << excuse->why << "; but it was kept: " << played.promise);
            REQUIRE(failed);
            INFO(failed->did << "; expected " << failed->expected << "; got " << failed->got);
            REQUIRE((failed->did + failed->got).find(excuse->sign) != std::string::npos);
            remark("not here: " + excuse->why);
        } else if (failed) {
            FAIL(played.promise << "\n  the client  " << failed->did << "\n  expected    " << failed->expected
                                << "\n  got         " << failed->got);
        } else {
            SUCCEED();
        }
    } catch (const Skipped& skipped) {
        SUCCEED();
        skip(skipped.what());
    }
}

// Catch2 registers functions without arguments: one a case.
template <std::size_t Number>
void test() {
    judge(all_cases().at(Number));
}

template <std::size_t... Numbers>
std::vector<void (*)()> tests(std::index_sequence<Numbers...>) {
    return {test<Numbers>...};
}

constexpr std::size_t most_cases = 150;

/// Registers each case that makes sense for the chapter.
const bool registered = [] {
    limit_descriptors(RLIM_INFINITY); // for a thousand clients and more
    const std::vector<Case> cases = all_cases();
    const auto functions = tests(std::make_index_sequence<most_cases>());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        if (find(not_asked, cases[i].name) != nullptr || (is_first() && !cases[i].lesson)) continue;
        REGISTER_TEST_CASE(functions.at(i), cases[i].name + ": " + cases[i].promise);
    }
    return true;
}();

} // namespace

TEST_CASE("excuses: every excuse names a case") {
    const std::vector<Case> cases = all_cases();
    for (const auto& list : {excuses, not_asked}) {
        for (const Excuse& excuse : list) {
            INFO(excuse.name);
            CHECK(std::any_of(cases.begin(), cases.end(), [&](const Case& one) { return one.name == excuse.name; }));
        }
    }
}
