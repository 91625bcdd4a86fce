// Plays every case against one server, each as a test of its own. CHAPTER (01 to 06, or first for first.cpp), SERVER
// (the path of its program) and ONLY (see asked_for) come from the environment.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <set>
#include <system_error>

#include "common/descriptor_limit.h"
#include "tests/cases/case.h"
#include "tests/servers/excuses.h"
#include "tests/support/idle.h"
#include "tests/support/tally.h"

namespace {

constexpr milliseconds patience(15000);
// A case that is bound to fail need not be waited for as long as one that shall pass.
constexpr milliseconds patience_for_a_failure(1000);

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

const std::string chapter = environment("CHAPTER");

/// first.cpp takes a port and no options, so it gets the cases that any echo server gets, without what 01 cannot do.
const bool is_first = chapter == "first";

const Excuse* find(const std::vector<Excuse>& list, const std::string& name) {
    return find_excuse(list, name, is_first ? "01" : chapter.substr(chapter.size() / 2)); // "03": the 3
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
void expect_end(Subject& subject) {
    if (is_first || !subject.started() || !subject.server().process().running()) return;
    subject.server().process().signal(SIGTERM);
    expect_good_end(subject.server());
}

/// Plays the case: nothing when its promise holds, else what went wrong.
std::optional<Failed> play(const Case& played, milliseconds with_patience) {
    const std::string program = environment("SERVER");
    Subject subject =
        is_first ? Subject({program, "{port}"}, 3 * with_patience, with_patience) : Subject(program, with_patience);
    std::optional<Failed> failed;
    try {
        played.play(subject);
        expect_end(subject);
    } catch (const Failed& failure) {
        failed = failure;
        // A client of a server that has died may see a reset or the end; what killed the server says more.
        const auto ended =
            is_first && subject.started() ? subject.server().process().wait(milliseconds(50)) : std::nullopt;
        if (ended) failed->got += "; the server has gone: " + to_string(*ended);
    } catch (const std::system_error& error) {
        if (error.code().value() != EMFILE) throw;
        throw Skipped{"there may not be so many descriptors here (ulimit -Hn)"};
    }
    const auto report = report_of_a_sanitizer(subject); // it says more
    return report ? report : failed;
}

/// What came of a case: the remark behind its name, and what is said below.
struct Result {
    Tally::Verdict verdict;
    std::string remark{};
    std::string more{};
};

Result judge(const Case& played) {
    const Excuse* excuse = find(excuses, played.name);
    std::optional<Failed> failed;
    try {
        failed = play(played, excuse != nullptr ? patience_for_a_failure : patience);
    } catch (const Skipped& skipped) {
        return {Tally::skipped, text("skipped: ", skipped.what())};
    } catch (const std::exception& error) {
        return {Tally::failed, "", text("    ", error.what(), "\n")};
    }
    const std::string story = failed ? text("  the client  ", failed->did, "\n  expected    ", failed->expected,
                                            "\n  got         ", failed->got, "\n")
                                     : "  but it was kept\n";
    if (excuse == nullptr) return {failed ? Tally::failed : Tally::ok, "", failed ? story : ""};
    if (failed && (failed->did + failed->got).find(excuse->sign) != std::string::npos) {
        return {Tally::ok, "not here: " + excuse->why};
    }
    return {Tally::failed, "", text("  excused as: ", excuse->why, " ('", excuse->sign, "')\n", story)};
}

/// Each excuse is for a case that there is; and no two cases have the same name.
Result judge_excuses(const std::vector<Case>& cases) {
    std::set<std::string> names;
    std::string more;
    for (const Case& one : cases) {
        if (!names.insert(one.name).second) more += "  two cases are called " + one.name + "\n";
    }
    for (const auto& list : {excuses, not_asked, not_asked_of_strangers}) {
        for (const Excuse& excuse : list) {
            if (!names.contains(excuse.name)) more += "  there is no case " + excuse.name + "\n";
        }
    }
    return {more.empty() ? Tally::ok : Tally::failed, "", more};
}

} // namespace

int main() {
    limit_descriptors(RLIM_INFINITY); // for a thousand clients and more
    Tally tally;
    const auto test = [&](const std::string& name, const auto& judgement) {
        if (!asked_for(name)) return;
        const auto start = Clock::now();
        const Result result = judgement();
        tally.add(result.verdict, Clock::now() - start, chapter + "  " + name, result.remark, result.more);
    };
    const std::vector<Case> cases = all_cases();
    test("excuses: every excuse names a case", [&] { return judge_excuses(cases); });
    for (const Case& one : cases) {
        const bool makes_sense = find(not_asked, one.name) == nullptr && (!is_first || one.lesson);
        if (makes_sense) test(one.name + ": " + one.promise, [&] { return judge(one); });
    }
    return tally.finish();
}
