// Measures every statement of the article on the six servers and prints the matrix.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "common/descriptor_limit.h"
#include "tests/cases/case.h"
#include "tests/claims/claim.h"
#include "tests/claims/matrix.h"
#include "tests/support/tally.h"

namespace {

constexpr std::array names = {"01-blocking-server",   "02-fork-per-client", "03-select-server",
                              "04-nonblocking-fcntl", "05-epoll-server",    "06-epoll-threadpool"};

/// What the command line says.
struct Arguments {
    std::string servers = ".";    // the folder that the chapters' folders are in
    std::string compare;          // with this page's table
    std::string write;            // the table into this page
    std::vector<std::string> ids; // measure only these
};

[[noreturn]] void refuse(const std::string& complaint) {
    std::cerr << complaint << "\nusage: claims [--servers FOLDER] [--compare PAGE | --write PAGE] [ID...]\n";
    std::exit(2);
}

Arguments parse(int argc, char* argv[]) {
    Arguments arguments;
    const std::map<std::string, std::string*> options = {
        {"--servers", &arguments.servers}, {"--compare", &arguments.compare}, {"--write", &arguments.write}};
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (!word.starts_with('-')) {
            arguments.ids.push_back(word);
        } else if (!options.contains(word)) {
            refuse("there is no option " + word);
        } else if (i + 1 == argc) {
            refuse(word + " needs a value");
        } else {
            *options.at(word) = argv[++i];
        }
    }
    return arguments;
}

std::vector<Claim> all_claims() {
    std::vector<Claim> all;
    for (const auto& some : {system_calls(), readiness(), claims(), structure(), traps()}) {
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

/// The test that the page's table has all of them. It needs all of them.
std::string test_of_table(const std::string& page) {
    return "claims: " + page + " has these rows and no others";
}

/// The claims of these ids, or all that are asked for when there are none.
std::vector<Claim> chosen(const std::vector<std::string>& ids, const std::string& page) {
    std::vector<Claim> some = all_claims();
    for (const std::string& id : ids) {
        if (std::none_of(some.begin(), some.end(), [&](const Claim& claim) { return claim.id == id; })) {
            refuse("there is no statement " + id);
        }
    }
    std::erase_if(some, [&](const Claim& claim) {
        if (ids.empty()) return !asked_for(test_of_table(page)) && !asked_for(claim.id + ": " + claim.sentence);
        return std::find(ids.begin(), ids.end(), claim.id) == ids.end();
    });
    return some;
}

/// Why the cell that was last left out was not measured.
std::string why_not_measured;

/// Says why on standard error: once, as most of the reasons hold for many cells.
void say_once(const std::string& reason) {
    static std::set<std::string> said;
    if (said.insert(reason).second) std::cerr << reason << '\n';
    why_not_measured = reason;
}

/// One cell and its figure. What went wrong is said on standard error.
std::pair<std::string, std::string> measure(const Claim& claim, const Chapter& chapter) {
    if (std::find(claim.chapters.begin(), claim.chapters.end(), chapter.number) == claim.chapters.end())
        return {"-", ""};
    try {
        const Finding finding = claim.measure(chapter);
        return {finding.holds ? "yes" : "no", finding.figure};
    } catch (const Skipped& skipped) {
        say_once(skipped.what());
        return {"?", ""};
    } catch (const std::exception& error) {
        std::cerr << claim.id << ", chapter 0" << chapter.number << ": " << error.what() << '\n';
        return {"!", ""};
    }
}

/// Whether a cell of the row says so.
bool says(const Row& row, const std::string& cell) {
    return std::find(row.cells.begin(), row.cells.end(), cell) != row.cells.end();
}

/// A fault that is there is broken, and when a chapter before had it and it is no longer there, it is fixed.
std::string name_of_fault(const std::string& cell, bool was_broken) {
    if (cell == "yes") return "broken";
    return cell == "no" && was_broken ? "fixed" : cell;
}

/// One row, measured.
Row measure(const Claim& claim, const std::vector<Chapter>& chapters) {
    Row row{claim.id, claim.sentence, {}, ""};
    std::array<std::string, chapter_count> figures;
    for (std::size_t i = 0; i < chapter_count; ++i) {
        std::tie(row.cells[i], figures[i]) = measure(claim, chapters[i]);
        if (claim.is_fault) row.cells[i] = name_of_fault(row.cells[i], says(row, "broken"));
    }
    row.figure = merge_figures(figures);
    return row;
}

/// A line that shows that something goes on.
void say_measured(const Row& row, std::chrono::duration<double> took) {
    std::cerr << std::left << std::setw(5) << row.id;
    for (const std::string& cell : row.cells) std::cerr << std::setw(7) << cell;
    std::cerr << std::right << std::fixed << std::setprecision(1) << std::setw(6) << took.count() << " s  "
              << row.sentence << '\n';
}

Matrix measure_all(const std::vector<Claim>& claims, const std::vector<Chapter>& chapters) {
    Matrix matrix;
    for (const Claim& claim : claims) {
        const auto start = Clock::now();
        matrix.push_back(measure(claim, chapters));
        say_measured(matrix.back(), Clock::now() - start);
    }
    return matrix;
}

std::string read_page(const std::string& path) {
    std::ifstream file(path);
    if (!file) refuse("cannot read " + path);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
}

/// Measures all, and puts the table into the page.
int write_table(const std::vector<Claim>& claims, const std::vector<Chapter>& chapters, const std::string& path) {
    const std::string page = read_page(path);
    const Matrix matrix = measure_all(claims, chapters);
    if (std::any_of(matrix.begin(), matrix.end(), [](const Row& row) { return says(row, "!") || says(row, "?"); })) {
        throw std::runtime_error("not every cell could be measured, so " + path + " is left as it is");
    }
    const std::string written = with_table(page, matrix);
    std::ofstream(path) << written;
    std::cout << path << (written == page ? " has this table already\n" : " has the new table\n");
    return 0;
}

/// Compares rows with the page, and says of it in the manner of the tests.
void judge(const Matrix& rows, const std::string& page, bool whole, const std::string& name, Clock::duration took,
           Tally& tally) {
    const Comparison comparison = compare(rows, page, whole);
    std::string differences;
    for (const std::string& difference : comparison.differences) differences += "    " + difference + "\n";
    if (!differences.empty()) differences += "    (make claims WRITE=1 writes what is measured)\n";
    const bool measured = comparison.skipped.empty();
    tally.add(!differences.empty() ? Tally::failed
              : measured           ? Tally::ok
                                   : Tally::skipped,
              took, name, measured ? "" : "skipped: " + why_not_measured, differences);
}

int compare_with_page(const std::vector<Claim>& claims, const std::vector<Chapter>& chapters,
                      const Arguments& arguments) {
    const std::string page = read_page(arguments.compare);
    Matrix matrix;
    Tally tally;
    for (const Claim& claim : claims) {
        const auto start = Clock::now();
        matrix.push_back(measure(claim, chapters));
        judge({matrix.back()}, page, false, claim.id + ": " + claim.sentence, Clock::now() - start, tally);
    }
    const std::string table = test_of_table(arguments.compare);
    if (arguments.ids.empty() && asked_for(table)) judge(matrix, page, true, table, {}, tally);
    return tally.finish();
}

std::vector<Chapter> chapters_in(const std::string& folder) {
    std::vector<Chapter> chapters;
    for (const char* name : names) {
        const std::string program = folder + "/" + name + "/server";
        if (access(program.c_str(), X_OK) != 0) refuse("there is no program " + program + ": make builds it");
        chapters.push_back({static_cast<int>(chapters.size()) + 1, program});
    }
    return chapters;
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        const Arguments arguments = parse(argc, argv);
        const std::vector<Claim> claims = chosen(arguments.ids, arguments.compare);
        if (!arguments.write.empty() && claims.size() < all_claims().size()) refuse("--write needs all rows");
        const std::vector<Chapter> chapters = chapters_in(arguments.servers);
        limit_descriptors(RLIM_INFINITY);
        if (!arguments.compare.empty()) return compare_with_page(claims, chapters, arguments);
        if (!arguments.write.empty()) return write_table(claims, chapters, arguments.write);
        const Matrix matrix = measure_all(claims, chapters);
        std::cout << as_text(matrix);
        return std::any_of(matrix.begin(), matrix.end(), [](const Row& row) { return says(row, "!"); }) ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
