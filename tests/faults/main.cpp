// Injects faults into the system calls of servers, prints what came of each, and the matrix.
#include <getopt.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <map>
#include <mutex>

#include "common/descriptor_limit.h"
#include "tests/faults/trial.h"
#include "tests/support/running_server.h"
#include "tests/support/tally.h"

namespace {

constexpr int side_by_side = 3; // most of the time they wait

[[noreturn]] void refuse(const std::string& complaint) {
    std::cerr << complaint << "usage: faults [--few] [--only CALL:error=ERRNO:when=N] SERVER...\n"
              << "SERVER is one of the six (03-select-server/server), or a command with {port} in it\n";
    std::exit(2);
}

Target target_of(const std::string& word) {
    if (is_strangers(word)) return {0, word};
    const std::string chapter = chapter_of(word);
    if (chapter < "01-" || chapter > "07") refuse("'" + word + "' is none of the six, and has no {port}\n");
    return {chapter[1] - '0', word};
}

/// A row of the matrix: how many faults came to this.
using Row = std::map<Verdict, int>;

int tried(Row& row) {
    return row[Verdict::served] + row[Verdict::one_lost] + row[Verdict::failed];
}

/// All that came of the faults of one server.
struct Table {
    std::map<std::string, Row> rows; // by the call
    Row all;
    std::string skipped; // why

    /// Where nothing was tried, nothing has been found out; so that is a failure, too.
    Tally::Verdict verdict() {
        if (all[Verdict::failed] == 0 && !skipped.empty()) return Tally::skipped;
        return all[Verdict::failed] == 0 && tried(all) > 0 ? Tally::ok : Tally::failed;
    }
};

void print(const std::string& name, Table& table) {
    std::cout << '\n' << std::left << std::setw(32) << name << "  tried  served  one lost  failed  (not reached)\n";
    const auto print_row = [](const std::string& call, Row& row) {
        std::cout << "  " << std::left << std::setw(30) << call << std::right << std::setw(7) << tried(row)
                  << std::setw(8) << row[Verdict::served] << std::setw(10) << row[Verdict::one_lost] << std::setw(8)
                  << row[Verdict::failed] << std::setw(15) << row[Verdict::not_reached] << '\n';
    };
    for (auto& [call, row] : table.rows) print_row(call, row);
    print_row("all", table.all);
}

/// Tries the faults, a few side by side.
Table try_all(const std::string& program, const Target& target, const std::vector<Fault>& faults) {
    Table table;
    if (faults.empty()) table.skipped = "it has no such call";
    std::mutex mutex; // guards the table and the output
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < faults.size(); i = next++) {
            const Fault& fault = faults[i];
            const TrialResult outcome = try_fault(target, fault);
            const std::lock_guard lock(mutex);
            ++table.rows[fault.calls.substr(0, fault.calls.find(','))][outcome.verdict];
            ++table.all[outcome.verdict];
            if (outcome.verdict == Verdict::skipped) table.skipped = outcome.why;
            if (outcome.verdict != Verdict::failed) continue;
            std::cout << target.server << ", " << fault.name() << "\n    " << outcome.why << "\n    again: " << program
                      << " --only '" << fault.name() << "' '" << target.server << "'" << std::endl;
        }
    };
    std::vector<std::jthread> threads;
    for (int i = 0; i < side_by_side; ++i) threads.emplace_back(work);
    threads.clear(); // joins them
    return table;
}

} // namespace

int main(int argc, char* argv[]) {
    bool few = false;
    std::string only; // names that contain this
    const option options[] = {{"few", no_argument, nullptr, 'f'}, {"only", required_argument, nullptr, 'o'}, {}};
    for (int given = 0; (given = getopt_long(argc, argv, "", options, nullptr)) != -1;) {
        if (given == '?') refuse(""); // getopt has said why
        few = few || given == 'f';
        if (given == 'o') only = optarg;
    }
    std::vector<Target> targets;
    std::transform(argv + optind, argv + argc, std::back_inserter(targets), target_of);
    if (targets.empty()) refuse("no server\n");
    limit_descriptors(RLIM_INFINITY);
    Tally tally;
    bool any = false;
    for (const Target& target : targets) {
        std::vector<Fault> faults = few && only.empty() ? few_faults(target.chapter) : all_faults(target.chapter);
        std::erase_if(faults, [&](const Fault& one) { return one.name().find(only) == std::string::npos; });
        any = any || !faults.empty();
        const auto start = Clock::now();
        Table table = try_all(argv[0], target, faults);
        if (!few) print(target.server, table);
        tally.add(table.verdict(), Clock::now() - start,
                  text("faults: ", tried(table.all), " tried, ", table.all[Verdict::not_reached],
                       " not reached in the calls of ", target.server),
                  table.skipped.empty() ? "" : "skipped: " + table.skipped);
    }
    if (!any) refuse("no fault has '" + only + "' in its name\n");
    return tally.finish();
}
