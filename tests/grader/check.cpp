// The grader: plays the black-box cases against any echo server, in any language, and explains what it saw.
// Usage: check 'COMMAND with {port}' [LEVEL]   (LEVEL 01 to 06: the chapter whose abilities are expected)
// HINTS=1 in the environment gives the second hint, ONLY=NAME plays one case.
// Exit status: 0 all passed, 1 something failed, 2 it could not be tried.

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>

#include "common/descriptor_limit.h"
#include "common/write_all.h"
#include "tests/cases/case.h"
#include "tests/servers/excuses.h"

namespace {

constexpr milliseconds start_limit(8000);
constexpr milliseconds patience(3000);
constexpr milliseconds time_for_all(180000);

[[noreturn]] void refuse(const std::string& why) {
    std::cerr << why << "\n\nusage: make check SERVER='./my-server {port}' [LEVEL=01 ... 06] [HINTS=1]\n";
    std::exit(2);
}

/// The words of the command, quoted as in a shell; nothing is executed for it.
std::vector<std::string> shell_words(const std::string& command) {
    if (command.find_first_not_of(" \t") == std::string::npos) refuse("SERVER is missing: which program shall it be?");
    // wordexp would take the braces of {port} for the shell's, so they are kept from it.
    std::string guarded = command;
    const std::string place = "{port}";
    const std::string guard = "\x01port\x01";
    for (std::size_t at = guarded.find(place); at != std::string::npos; at = guarded.find(place)) {
        guarded.replace(at, place.size(), guard);
    }
    wordexp_t expanded{};
    if (wordexp(guarded.c_str(), &expanded, WRDE_NOCMD) != 0) {
        refuse("SERVER='" + command + "' is not a plain command (no |, ;, &, <, > or $(...); quotes are fine)");
    }
    std::vector<std::string> words(expanded.we_wordv, expanded.we_wordv + expanded.we_wordc);
    wordfree(&expanded);
    for (std::string& word : words) {
        for (std::size_t at = word.find(guard); at != std::string::npos; at = word.find(guard)) {
            word.replace(at, guard.size(), place);
        }
    }
    return words;
}

/// What the server does beside the cases, each said once, at the end.
std::set<std::string> remarks;
bool floods = false; // its standard output

/// Ends whatever of the server is still there: it gets SIGTERM and a moment first. Children that have hidden from it
/// have become ours, because we are their subreaper.
void clean_up(Subject& subject) {
    if (!subject.started()) return;
    Process& process = subject.server().process();
    if (const auto ended = process.wait(milliseconds(0)); !ended) {
        process.signal(SIGTERM);
        if (!process.wait(milliseconds(300))) remarks.insert("It did not end at SIGTERM and was killed.");
    }
    if (process.printed() > (1 << 20)) floods = true;
    // Its children may take a moment to see that their clients have gone.
    const std::vector<pid_t> children = process_tree(process.pid());
    const auto have_ended = [&] { return std::all_of(children.begin(), children.end(), has_ended); };
    static_cast<void>(eventually(have_ended, milliseconds(500))); // those that have not are killed below
    subject.end();
    for (const pid_t pid : process_tree(getpid())) {
        if (pid == getpid()) continue;
        if (process_state(pid) != 'Z') remarks.insert("It left processes behind when it ended; they were killed.");
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }
}

struct Count {
    int passed = 0;
    int failed = 0;
    int skipped = 0;
};

void print_failure(const Case& played, const Failed& failed) {
    std::cout << "FAIL    " << played.name << ": " << played.promise << "\n"
              << "        the client   " << failed.did << "\n"
              << "        expected     " << failed.expected << "\n"
              << "        got          " << failed.got << "\n"
              << "        hint         " << played.lesson->hint << "\n";
    if (const char* hints = std::getenv("HINTS"); hints != nullptr && std::string(hints) == "1") {
        std::cout << "        second hint  " << played.lesson->call << "\n";
    } else {
        std::cout << "        (HINTS=1 gives a second hint: which call, and its man page)\n";
    }
    std::cout << std::flush;
}

/// Plays one case; whether it passed.
void play(const Case& played, const std::vector<std::string>& command, int level, Count& count) {
    Subject subject(command, start_limit, patience);
    subject.set_level(level);
    try {
        played.play(subject);
        std::cout << "pass    " << played.name << ": " << played.promise << "\n        " << played.lesson->why
                  << std::endl;
        ++count.passed;
    } catch (const Failed& failed) {
        Failed shown = failed;
        if (subject.started()) {
            const auto ended = subject.server().process().wait(milliseconds(50));
            if (ended) shown.got += "; the server has gone: " + to_string(*ended);
        }
        print_failure(played, shown);
        ++count.failed;
    } catch (const Skipped& skipped) {
        std::cout << "skip    " << played.name << ": " << skipped.what() << std::endl;
        ++count.skipped;
    }
    remarks.insert(subject.remarks().begin(), subject.remarks().end());
    clean_up(subject);
}

bool asked_at(const Case& one, int level) {
    if (!one.lesson) return false;
    const auto is_this = [&](const Excuse& excuse) { return excuse.chapter == level && excuse.name == one.name; };
    return std::none_of(excuses.begin(), excuses.end(), is_this) &&
           std::none_of(not_asked.begin(), not_asked.end(), is_this) &&
           std::none_of(not_asked_of_strangers.begin(), not_asked_of_strangers.end(), is_this);
}

/// Tries whether the server comes up at all, before any case is played.
void try_to_start(const std::vector<std::string>& command) {
    Subject subject(command, start_limit, patience);
    try {
        subject.start();
    } catch (const Failed& failed) {
        clean_up(subject);
        refuse("The server does not come up: " + failed.got + ".");
    }
    clean_up(subject);
}

} // namespace

int main(int argc, char* argv[]) {
    if (argc < 2) refuse("SERVER is missing: which program shall it be?");
    const std::vector<std::string> command = shell_words(argv[1]);
    const int level = argc > 2 && *argv[2] != '\0' ? std::atoi(argv[2]) : 6;
    if (level < 1 || level > 6) refuse(std::string("LEVEL='") + argv[2] + "' is none of 01 to 06");

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    ignore_write_signals();
    limit_descriptors(RLIM_INFINITY);
    try_to_start(command);

    const char* only = std::getenv("ONLY");
    const auto until = Clock::now() + time_for_all;
    Count count;
    int above = 0;
    bool given_up = false;
    std::vector<Case> cases = all_cases();
    std::stable_partition(cases.begin(), cases.end(), [](const Case& one) { return !one.second_part; });
    for (const Case& one : cases) {
        if (!one.lesson || (only != nullptr && *only != '\0' && one.name != only)) continue;
        if (!asked_at(one, level)) {
            ++above;
        } else if (given_up || Clock::now() > until) {
            ++count.skipped;
        } else {
            play(one, command, level, count);
            given_up = count.failed == 1 && count.passed == 0; // not even one line: the others all need that
        }
    }

    std::cout << "\n";
    if (given_up) std::cout << "The first case is what all others begin with, so they were not tried.\n";
    if (Clock::now() > until) std::cout << "After " << time_for_all.count() / 1000 << " s the rest was not tried.\n";
    for (const std::string& remark : remarks) std::cout << remark << "\n";
    if (floods) {
        std::cout << "FAIL    It prints megabytes; nobody reads them.\n";
        ++count.failed;
    }
    if (above > 0) std::cout << above << " cases are not asked for at level 0" << level << ".\n";
    std::cout << count.passed << " passed, " << count.failed << " failed";
    if (count.skipped > 0) std::cout << ", " << count.skipped << " skipped";
    std::cout << std::endl;
    return count.failed == 0 && count.passed > 0 && !given_up && Clock::now() <= until ? 0 : 1;
}
