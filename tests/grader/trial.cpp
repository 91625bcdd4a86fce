#include "tests/grader/trial.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <iomanip>
#include <sstream>
#include <system_error>

#include "common/write_all.h"
#include "tests/grader/printable.h"
#include "tests/grader/sandbox.h"
#include "tests/grader/symptoms.h"

namespace {

constexpr milliseconds start_limit(8000);
constexpr milliseconds patience(3000);

/// Ends whatever of the server is still there: it gets SIGTERM and a moment first. Notes what it does about that.
void clean_up(Subject& subject, Verdict& verdict) {
    time_is_up_at = Clock::time_point::max();
    if (!subject.started()) return;
    Process& process = subject.server().process();
    if (process.running()) {
        process.signal(SIGTERM);
        // A program of Java's takes a third of a second to end, and longer on a busy machine.
        const milliseconds moment(verdict.heeds_sigterm ? 2000 : 0);
        verdict.heeds_sigterm = process.wait(moment).has_value();
        if (!verdict.heeds_sigterm) verdict.remarks.emplace_back("It did not end at SIGTERM and was killed.");
    }
    verdict.floods = process.printed() > (8 << 20);
    // Its children may take a moment to see that their clients have gone.
    const std::vector<pid_t> children = process_tree(process.pid());
    const auto have_ended = [&] { return std::all_of(children.begin(), children.end(), has_ended); };
    static_cast<void>(eventually(have_ended, milliseconds(500))); // those that have not are killed below
    subject.end();
    const std::vector<pid_t> left = process_tree(getpid()) /* has the orphans */;
    if (std::any_of(left.begin() + 1, left.end(), [](pid_t pid) { return !has_ended(pid); })) {
        verdict.remarks.emplace_back("It left processes behind when it ended; they were killed.");
    }
}

void note_failure(Verdict& verdict, const Failed& failed, const Case& played, Subject& subject) {
    verdict.out_of_time = Clock::now() >= time_is_up_at;
    verdict.did = failed.did;
    verdict.expected = failed.expected;
    verdict.got = failed.got + where_it_waits(failed);
    verdict.not_there = !subject.started();
    std::optional<Ended> ended;
    if (subject.started()) {
        ended = subject.server().process().wait(milliseconds(50));
        if (ended) verdict.got += "; the server has gone: " + to_string(*ended);
        verdict.said = subject.server().process().last_lines(5);
    }
    const std::string symptom = hint_by_symptom(failed, ended, subject.level() == 0);
    verdict.hint = symptom.empty() ? played.lesson->hint : symptom;
    verdict.second_hint = (symptom.empty() ? "" : played.lesson->hint + " ") + played.lesson->call;
}

/// Plays it in this process.
Verdict play(const Case& played, const Request& request, bool heeds_sigterm) {
    Subject subject(request.command, start_limit, patience);
    subject.set_level(request.level);
    Verdict verdict;
    verdict.heeds_sigterm = heeds_sigterm;
    look_for_symptoms(subject);
    try {
        played.play(subject);
        verdict.kind = Verdict::passed;
    } catch (const Failed& failed) {
        note_failure(verdict, failed, played, subject);
    } catch (const Skipped& skipped) {
        verdict.kind = Verdict::skipped;
        verdict.got = skipped.what();
    } catch (const std::system_error& error) {
        if (error.code().value() != EMFILE) throw;
        verdict.kind = Verdict::skipped;
        verdict.got = text("only ", descriptor_limit(), " descriptors are allowed here (ulimit -Hn)");
    }
    verdict.remarks.insert(verdict.remarks.end(), subject.remarks().begin(), subject.remarks().end());
    clean_up(subject, verdict);
    return verdict;
}

// A verdict comes out of the sandbox as words: its numbers, its texts, and its lists with their sizes.

const auto flags = {&Verdict::out_of_time, &Verdict::floods, &Verdict::not_there, &Verdict::heeds_sigterm};
const auto texts = {&Verdict::did, &Verdict::expected, &Verdict::got, &Verdict::hint, &Verdict::second_hint};
const auto lists = {&Verdict::said, &Verdict::remarks};
const std::string end_mark = "\nend\n";

void write_verdict(int out, const Verdict& verdict) {
    std::ostringstream words;
    words << verdict.kind;
    for (const auto flag : flags) words << ' ' << verdict.*flag;
    for (const auto one : texts) words << ' ' << std::quoted(printable(verdict.*one));
    for (const auto list : lists) {
        words << ' ' << (verdict.*list).size();
        for (const std::string& one : verdict.*list) words << ' ' << std::quoted(printable(one));
    }
    write_all(out, words.str() + end_mark);
}

Verdict read_verdict(const std::string& written) {
    Verdict verdict;
    std::istringstream words(written);
    std::size_t number = 0;
    words >> number;
    verdict.kind = static_cast<Verdict::Kind>(number);
    for (const auto flag : flags) words >> verdict.*flag;
    for (const auto one : texts) words >> std::quoted(verdict.*one);
    for (const auto list : lists) {
        words >> number;
        (verdict.*list).resize(number);
        for (std::string& one : verdict.*list) words >> std::quoted(one);
    }
    return verdict;
}

} // namespace

Verdict try_case(const Case& played, const Request& request, milliseconds limit, bool heeds_sigterm) {
    const auto play_and_tell = [&](int out) {
        time_is_up_at = Clock::now() + limit;
        try {
            write_verdict(out, play(played, request, heeds_sigterm));
        } catch (const std::exception& error) {
            Verdict verdict;
            verdict.kind = Verdict::skipped;
            verdict.got = text("the grader itself failed: ", error.what());
            write_verdict(out, verdict);
        }
    };
    // The case ends itself when its time is up, and says what it did; the rest is for what it cannot interrupt.
    constexpr milliseconds rest(8000);
    const std::string written = in_sandbox(play_and_tell, limit + rest);
    if (written.ends_with(end_mark)) return read_verdict(written);
    Verdict verdict;
    verdict.out_of_time = true;
    verdict.did = "played this case";
    verdict.expected = text("that it is done after ", limit.count() / 1000, " s");
    verdict.got = "it went on, and was stopped";
    verdict.hint = played.lesson->hint;
    verdict.second_hint = played.lesson->call;
    return verdict;
}
