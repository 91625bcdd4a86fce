// Measures every statement of the article on the six servers: claims-program show | compare | write SERVER...
// It shows what it finds, compares it with the page's table, or writes it there.
#include <algorithm>
#include <array>
#include <exception>
#include <fstream>
#include <iostream>
#include <set>
#include <tuple>

#include "common/descriptor_limit.h"
#include "tests/claims/claim.h"
#include "tests/claims/matrix.h"
#include "tests/support/tally.h"

namespace {

const std::string page_name = "tests/claims/README.md";

/// Why the cell that was last left out was not measured.
std::string why_not_measured;

/// One cell and its figure. What went wrong is said on standard error; why cells are left out, once.
std::pair<std::string, std::string> measure(const Claim& claim, const Chapter& chapter) {
    if (claim.chapters.find(std::to_string(chapter.number)) == std::string::npos) return {"-", ""};
    try {
        const Finding finding = claim.measure(chapter);
        return {finding.holds ? "yes" : "no", finding.figure};
    } catch (const Skipped& skipped) {
        static std::set<std::string> said;
        why_not_measured = skipped.what();
        if (said.insert(why_not_measured).second) std::cerr << why_not_measured << '\n';
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

/// One row, measured. A fault that is there is broken, and when a chapter before had it and it is no longer there, it
/// is fixed.
Row measure(const Claim& claim, const std::vector<std::string>& servers) {
    Row row{claim.id, claim.sentence, {}, ""};
    std::array<std::string, chapter_count> figures;
    for (std::size_t i = 0; i < chapter_count; ++i) {
        std::tie(row.cells[i], figures[i]) = measure(claim, Chapter{static_cast<int>(i) + 1, servers[i]});
        if (!claim.is_fault) continue;
        if (row.cells[i] == "no" && says(row, "broken")) row.cells[i] = "fixed";
        if (row.cells[i] == "yes") row.cells[i] = "broken";
    }
    row.figure = merge_figures(figures);
    return row;
}

void show(const Row& row) {
    std::cout << std::left << std::setw(5) << row.id;
    for (const std::string& cell : row.cells) std::cout << std::setw(7) << cell;
    std::cout << row.sentence << (row.figure.empty() ? "" : ": ") << row.figure << std::endl;
}

std::string read_page() {
    std::ifstream file(page_name);
    if (!file) throw std::runtime_error("cannot read " + page_name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// Says what differs, in the manner of the tests.
void judge(Tally& tally, const std::string& name, Clock::duration took, const std::vector<std::string>& differences,
           bool measured = true) {
    std::string more;
    for (const std::string& difference : differences) more += "    " + difference + "\n";
    if (!more.empty()) more += "    (make claims WRITE=1 writes what is measured)\n";
    const Tally::Verdict if_the_same = measured ? Tally::ok : Tally::skipped;
    tally.add(more.empty() ? if_the_same : Tally::failed, took, name, measured ? "" : "skipped: " + why_not_measured,
              more);
}

int compare_with_page(const std::vector<Claim>& claims, const std::vector<std::string>& servers) {
    const std::string page = read_page();
    Tally tally;
    for (const Claim& claim : claims) {
        if (!asked_for(claim.name())) continue;
        const auto start = Clock::now();
        const Row row = measure(claim, servers);
        judge(tally, claim.name(), Clock::now() - start, differences(row, page), !says(row, "?"));
    }
    const std::string test_of_table = "claims: " + page_name + " has these rows and no others";
    std::string rows, on_page;
    for (const Claim& claim : claims) rows += claim.id + " ";
    for (const std::string& id : ids_in(page)) on_page += id + " ";
    std::vector<std::string> complaint;
    if (rows != on_page) complaint = {"the checks are " + rows, "the table has " + on_page};
    if (asked_for(test_of_table)) judge(tally, test_of_table, {}, complaint);
    return tally.finish();
}

/// In the article's order.
std::vector<Claim> sorted(std::vector<Claim> claims) {
    const auto place = [](const Claim& claim) {
        return std::pair(std::string("SCTP").find(claim.id[0]), std::stoi(claim.id.substr(1)));
    };
    std::sort(claims.begin(), claims.end(), [&](const Claim& a, const Claim& b) { return place(a) < place(b); });
    return claims;
}

int run(const std::string& what, const std::vector<std::string>& servers) {
    if (servers.size() != chapter_count) throw std::runtime_error("claims-program show | compare | write SERVER...");
    const std::vector<Claim> claims = sorted(all_claims());
    limit_descriptors(RLIM_INFINITY);
    if (what == "compare") return compare_with_page(claims, servers);
    const bool writes = what == "write"; // that needs all of them
    Matrix matrix;
    for (const Claim& claim : claims) {
        if (!writes && !asked_for(claim.name())) continue;
        matrix.push_back(measure(claim, servers));
        show(matrix.back());
    }
    const auto count = [&](const std::string& cell) {
        return std::count_if(matrix.begin(), matrix.end(), [&](const Row& row) { return says(row, cell); });
    };
    if (!writes) return count("!") > 0 ? 1 : 0;
    if (count("!") + count("?") > 0) {
        throw std::runtime_error("not every cell could be measured, so " + page_name + " is left as it is");
    }
    const std::string page = read_page();
    const std::string written = with_table(page, matrix);
    std::ofstream(page_name) << written;
    std::cout << page_name << (written == page ? " has this table already\n" : " has the new table\n");
    return 0;
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        return run(argc > 1 ? argv[1] : "", {argv + std::min(argc, 2), argv + argc});
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
