// The grader: plays the black-box cases against any echo server, in any language, and explains what it saw.
// Usage: check 'COMMAND with {port}' [LEVEL]   (LEVEL 01 to 06: the chapter whose abilities are expected; 00: the first
// steps) HINTS=1 in the environment gives the second hint, ONLY=NAME plays one case. Exit status: 0 all passed, 1
// something failed, 2 it could not be tried.

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "common/descriptor_limit.h"
#include "common/write_all.h"
#include "tests/grader/command.h"
#include "tests/grader/order.h"
#include "tests/grader/printable.h"
#include "tests/grader/sandbox.h"
#include "tests/grader/trial.h"
#include "tests/support/tcp_pair.h"

namespace {

constexpr std::chrono::seconds time_for_first_part(180);
constexpr std::chrono::seconds time_for_second_part(120);
constexpr int too_many = 3; ///< cases that were not done in time

struct Grading {
    const Request request;
    int passed = 0;
    int skipped = 0;
    struct Failure {
        std::string name, got, cause;
    };
    std::vector<Failure> failures{};
    std::vector<std::string> untried{};
    std::set<std::string> remarks{};
    int out_of_time = 0; ///< cases that were not done in time
    bool heeds_sigterm = true;
    bool floods = false;
    Clock::time_point until = Clock::now() + time_for_first_part;
    bool in_second_part = false;

    [[nodiscard]] bool stops_at_first() const { return request.level == 0; }
};

/// A server that is not there, or a machine without a loopback interface, would fail everything.
void try_to_connect(const Request& request) {
    const Case probe{"probe", "a client can connect",
                     [](Subject& subject) { subject.start(), static_cast<void>(subject.connect()); }, Lesson{}};
    const Verdict verdict = try_case(probe, request, milliseconds(20000), true);
    if (verdict.kind == Verdict::passed) return;
    if (verdict.not_there) {
        give_up("The server does not come up: " + verdict.got + ".\nLEVEL=00 leads to the first answer step by step.");
    }
    give_up("A client cannot connect to it at 127.0.0.1: " + verdict.got +
            ". Does it listen on another address only? :: is for IPv4, too, but not with IPV6_V6ONLY, ipv6(7).");
}

/// The kernel itself answers here, so this is about the machine and not about the server.
void expect_loopback() {
    try {
        static_cast<void>(tcp_pair());
    } catch (const std::runtime_error& error) {
        refuse(text(
            "The loopback interface of this machine does not work (", error.what(),
            "), so no client can reach 127.0.0.1. That is no fault of the server's. `ip link set lo up` may help."));
    }
}

void print_failure(const Request& request, const Verdict& verdict) {
    std::cout << "        the client   " << verdict.did << "\n"
              << "        expected     " << verdict.expected << "\n"
              << "        got          " << verdict.got << "\n";
    for (const std::string& line : verdict.said) std::cout << "        it printed   " << line << "\n";
    std::cout << "        hint         " << verdict.hint << "\n";
    if (request.second_hint) {
        std::cout << "        second hint  " << verdict.second_hint << "\n";
    } else {
        std::cout << "        (HINTS=1 gives a second hint: which call, and its man page)\n";
    }
}

/// Which failure so far explains this one; empty when none does.
std::string cause_of(const Grading& grading, const std::string& name, const std::string& got) {
    for (const Grading::Failure& before : grading.failures) {
        if (follows_from(name, got, before.name, before.got)) return before.name;
    }
    return "";
}

/// The first failure is told in full, the others by name: they are often consequences.
void tell_failure(Grading& grading, const Case& played, const Verdict& verdict) {
    const std::string cause = cause_of(grading, played.name, verdict.got);
    std::cout << "FAIL    " << played.name << ": " << played.promise << "\n";
    if (grading.failures.empty()) {
        print_failure(grading.request, verdict);
    } else if (!cause.empty()) {
        std::cout << "        probably follows from '" << cause << "'\n";
    } else {
        std::cout << "        got          " << verdict.got << "\n";
    }
    grading.failures.push_back({played.name, verdict.got, cause});
}

/// On a terminal, what is being played now, until the verdict takes its place.
void show_progress(const std::string& words) {
    if (isatty(STDOUT_FILENO) == 1) std::cout << "\r\x1b[K" << words << std::flush;
}

void play(Grading& grading, const Case& one) {
    const auto left = std::chrono::duration_cast<milliseconds>(grading.until - Clock::now());
    const milliseconds limit = std::min<milliseconds>(one.limit, left);
    show_progress("        " + one.name + " ...");
    const Verdict verdict = try_case(one, grading.request, limit, grading.heeds_sigterm);
    show_progress("");
    grading.heeds_sigterm = grading.heeds_sigterm && verdict.heeds_sigterm;
    grading.floods = grading.floods || verdict.floods;
    if (verdict.out_of_time && limit < one.limit) return grading.untried.push_back(one.name); // it had too little
    if (verdict.out_of_time) ++grading.out_of_time;
    grading.remarks.insert(verdict.remarks.begin(), verdict.remarks.end());
    if (verdict.kind == Verdict::passed) {
        std::cout << "pass    " << one.name << ": " << one.promise << "\n        " << one.lesson->why << "\n";
        ++grading.passed;
    } else if (verdict.kind == Verdict::skipped) {
        std::cout << "skip    " << one.name << ": " << verdict.got << "\n";
        ++grading.skipped;
    } else {
        tell_failure(grading, one, verdict);
    }
    std::cout << std::flush;
}

/// Not even one line came back, or a step has failed: all that follows would need it.
bool is_pointless(const Grading& grading) {
    return !grading.failures.empty() && (grading.stops_at_first() || grading.passed == 0);
}

/// All in all it took too long, or the server is so slow that this is what will come of it.
bool is_too_late(const Grading& grading) {
    return Clock::now() > grading.until || grading.out_of_time >= too_many;
}

void begin_second_part(Grading& grading) {
    grading.in_second_part = true;
    grading.until = Clock::now() + time_for_second_part;
    if (!grading.request.only.empty()) return;
    std::cout << "\nNow the second part: about 30 more seconds, and " << time_for_second_part.count()
              << " at most, for what only shows with time or with many clients.\n";
}

void play_all(Grading& grading, const std::vector<Case>& cases) {
    for (const Case& one : cases) {
        if (is_pointless(grading) || is_too_late(grading)) {
            grading.untried.push_back(one.name);
            continue;
        }
        if (one.second_part && !grading.in_second_part) begin_second_part(grading);
        play(grading, one);
    }
}

void tell_untried(const Grading& grading) {
    if (grading.untried.empty()) return;
    if (grading.stops_at_first()) {
        std::cout << "The next steps:";
    } else if (is_pointless(grading)) {
        std::cout << "The first case is what all others begin with, so they were not tried. LEVEL=00 leads to it step "
                     "by step.\n";
        return;
    } else {
        std::cout << (grading.out_of_time >= too_many ? "Too many cases were not done in time. Not tried:"
                                                      : "The time that a grading may take is over. Not tried:");
    }
    for (const std::string& name : grading.untried) std::cout << (name == grading.untried[0] ? " " : ", ") << name;
    std::cout << ".\n";
}

/// Ends the grading; its exit status.
int sum_up(Grading& grading, std::size_t not_asked) {
    std::cout << "\n";
    tell_untried(grading);
    for (const std::string& remark : grading.remarks) std::cout << remark << "\n";
    if (grading.floods) std::cout << "FAIL    It prints megabytes; nobody reads them.\n";
    if (not_asked > 0)
        std::cout << not_asked << " cases are not asked for at level 0" << grading.request.level << ".\n";
    if (!grading.failures.empty() && grading.request.only.empty()) {
        std::cout << "What failed, and how to play only that, with the whole story:\n";
        for (const auto& [name, got, cause] : grading.failures) {
            std::cout << "    " << again(grading.request, name)
                      << (cause.empty() ? "" : "   # probably from '" + cause + "'") << "\n";
        }
    }
    const std::size_t failed = grading.failures.size() + (grading.floods ? 1 : 0);
    const std::size_t skipped = static_cast<std::size_t>(grading.skipped) + grading.untried.size();
    const bool good = failed == 0 && grading.passed > 0 && grading.untried.empty();
    if (good && grading.request.level == 0 && grading.request.only.empty()) {
        std::cout << "All steps are done. LEVEL=01 asks for what comes next.\n";
    }
    std::cout << grading.passed << " passed, " << failed << " failed";
    if (skipped > 0) std::cout << ", " << skipped << " skipped";
    std::cout << std::endl;
    return good ? 0 : 1;
}

void tell_what_is_ahead(const Request& request, const std::vector<Case>& cases) {
    constexpr std::size_t for_all_clients = 1300;
    if (descriptor_limit() < for_all_clients) {
        std::cout << "Only " << descriptor_limit()
                  << " descriptors are allowed here (ulimit -Hn). What needs more clients than that is skipped.\n";
    }
    if (!request.only.empty()) return;
    const auto minutes = time_for_first_part.count() / 60;
    std::cout << "Level 0" << request.level << ": " << cases.size()
              << (request.level == 0
                      ? " steps, about 5 seconds."
                      : text(" cases, about half a minute, and never longer than ", minutes, " minutes."))
              << "\n\n"
              << std::flush;
}

/// The cases that are played.
std::vector<Case> choose(const Request& request, std::size_t& not_asked) {
    std::vector<Case> cases = cases_in_order(request.level);
    not_asked = 0;
    if (request.only.empty()) {
        for (const Case& one : all_cases()) {
            if (request.level > 0 && one.lesson && !why_not_asked(one.name, request.level).empty()) ++not_asked;
        }
        return cases;
    }
    std::string names;
    for (const Case& one : cases) names += (names.empty() ? "" : "; ") + one.name;
    std::erase_if(cases, [&](const Case& one) { return one.name != request.only; });
    if (cases.empty()) {
        refuse(text("ONLY=", quoted(request.only), " is not played at level 0", request.level, ": ",
                    why_not_asked(request.only, request.level), ". These are:\n", names));
    }
    return cases;
}

} // namespace

int main(int argc, char* argv[]) {
    const Request request = read_request(argc, argv);
    std::size_t not_asked = 0;
    enter_folder_of(request);
    prepare_to_clean_up();
    ignore_write_signals();
    limit_descriptors(RLIM_INFINITY);
    expect_loopback();
    const std::vector<Case> cases = choose(request, not_asked);
    if (request.level > 0) try_to_connect(request);
    tell_what_is_ahead(request, cases);
    Grading grading{request};
    play_all(grading, cases);
    return sum_up(grading, not_asked);
}
