// Injects faults into the system calls of servers, prints what came of each, and the matrix.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <thread>

#include "common/descriptor_limit.h"
#include "tests/faults/trial.h"
#include "tests/support/running_server.h"
#include "tests/support/tally.h"

namespace {

constexpr int side_by_side = 3; // most of the time they wait

/// What the command line says.
struct Arguments {
    bool few = false;
    bool verbose = false;
    std::string only; // names that contain this
    std::vector<Target> targets;
};

[[noreturn]] void refuse(const std::string& complaint) {
    std::cerr << complaint << "\nusage: faults [--few] [--verbose] [--only CALL:error=ERRNO:when=N] SERVER...\n"
              << "SERVER is one of the six (03-select-server/server), or a command with {port} in it\n";
    std::exit(2);
}

Target target_of(const std::string& word) {
    if (is_strangers(word)) return {0, word};
    const std::string chapter = chapter_of(word);
    if (chapter < "01-" || chapter > "07") refuse("'" + word + "' is none of the six, and has no {port}");
    return {chapter[1] - '0', word};
}

Arguments parse(int argc, char* argv[]) {
    Arguments arguments;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--few") {
            arguments.few = true;
        } else if (word == "--verbose") {
            arguments.verbose = true;
        } else if (word == "--only") {
            if (i + 1 == argc) refuse(word + " needs a value");
            arguments.only = argv[++i];
        } else {
            arguments.targets.push_back(target_of(word));
        }
    }
    if (arguments.targets.empty()) refuse("no server");
    return arguments;
}

/// A row of the matrix.
struct Row {
    std::string call;
    std::map<Verdict, int> count;

    [[nodiscard]] int of(Verdict verdict) const { return count.contains(verdict) ? count.at(verdict) : 0; }
    [[nodiscard]] int tried() const { return of(Verdict::served) + of(Verdict::one_lost) + of(Verdict::failed); }
};

/// All that came of the faults of one server.
struct Table {
    std::vector<Row> rows;
    std::vector<std::string> failures;
    std::string skipped; // why

    void add(const Fault& fault, Verdict verdict) {
        const std::string call = fault.calls.substr(0, fault.calls.find(','));
        auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return one.call == call; });
        if (row == rows.end()) row = rows.insert(rows.end(), Row{call, {}});
        ++row->count[verdict];
    }

    [[nodiscard]] Row sum() const {
        Row all{"all", {}};
        for (const Row& row : rows) {
            for (const auto& [verdict, count] : row.count) all.count[verdict] += count;
        }
        return all;
    }

    /// Where nothing was tried, nothing has been found out; so that is a failure, too.
    [[nodiscard]] Tally::Verdict verdict() const {
        if (failures.empty() && !skipped.empty()) return Tally::skipped;
        return failures.empty() && sum().tried() > 0 ? Tally::ok : Tally::failed;
    }
};

void print(const std::string& name, const Table& table) {
    std::cout << '\n'
              << std::left << std::setw(32) << name << std::right
              << "  tried  served  one lost  failed  (not reached)\n";
    const auto print_row = [](const Row& row) {
        std::cout << "  " << std::left << std::setw(30) << row.call << std::right << std::setw(7) << row.tried()
                  << std::setw(8) << row.of(Verdict::served) << std::setw(10) << row.of(Verdict::one_lost)
                  << std::setw(8) << row.of(Verdict::failed) << std::setw(15) << row.of(Verdict::not_reached) << '\n';
    };
    for (const Row& row : table.rows) print_row(row);
    print_row(table.sum());
}

std::string repeat_with(const std::string& program, const Target& target, const Fault& fault) {
    return program + " --only '" + fault.name() + "' '" + target.server + "'";
}

/// Tries the faults, a few side by side.
Table try_all(const std::string& program, const Target& target, const std::vector<Fault>& faults, bool verbose) {
    Table table;
    if (faults.empty()) table.skipped = "it has no such call";
    std::mutex mutex; // guards the table and the output
    std::atomic<std::size_t> next = 0;
    const auto work = [&] {
        for (std::size_t i = next++; i < faults.size(); i = next++) {
            const TrialResult outcome = try_fault(target, faults[i]);
            const std::lock_guard lock(mutex);
            table.add(faults[i], outcome.verdict);
            if (verbose) std::cout << static_cast<int>(outcome.verdict) << ' ' << faults[i].name() << std::endl;
            if (outcome.verdict == Verdict::skipped) table.skipped = outcome.why;
            if (outcome.verdict != Verdict::failed) continue;
            table.failures.push_back(faults[i].name());
            std::cout << target.server << ", " << faults[i].name() << "\n    " << outcome.why
                      << "\n    again: " << repeat_with(program, target, faults[i]) << std::endl;
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < side_by_side; ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
    return table;
}

std::vector<Fault> chosen(const Arguments& arguments, const Target& target) {
    const bool few = arguments.few && arguments.only.empty();
    std::vector<Fault> faults = few ? few_faults(target.chapter) : all_faults(target.chapter);
    std::erase_if(faults, [&](const Fault& one) { return one.name().find(arguments.only) == std::string::npos; });
    return faults;
}

/// Whether --only names anything at all.
bool any_chosen(const Arguments& arguments) {
    return std::any_of(arguments.targets.begin(), arguments.targets.end(),
                       [&](const Target& target) { return !chosen(arguments, target).empty(); });
}

} // namespace

int main(int argc, char* argv[]) {
    const Arguments arguments = parse(argc, argv);
    if (!any_chosen(arguments)) refuse("no fault has '" + arguments.only + "' in its name");
    limit_descriptors(RLIM_INFINITY);
    Tally tally;
    for (const Target& target : arguments.targets) {
        const std::vector<Fault> faults = chosen(arguments, target);
        const auto start = Clock::now();
        const Table table = try_all(argv[0], target, faults, arguments.verbose);
        if (!arguments.few) print(target.server, table);
        tally.add(table.verdict(), Clock::now() - start,
                  text("faults: ", table.sum().tried(), " tried, ", table.sum().of(Verdict::not_reached),
                       " not reached in the calls of ", target.server),
                  table.skipped.empty() ? "" : "skipped: " + table.skipped);
    }
    return tally.finish();
}
