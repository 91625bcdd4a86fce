#include "tests/catch.h"

#include <string>

#include "tests/claims/matrix.h"
#include "tests/support/failed.h"

namespace {

const Matrix matrix = {{"S1", "a `socket`", {"yes", "no", "-", "-", "yes", "no"}, "`5 | 6`"},
                       {"C2", "one more", {"yes", "yes", "yes", "yes", "yes", "yes"}, ""}};

const std::string page = "# Page\n\n<!-- claims -->\nan old table\n<!-- /claims -->\nthe end\n";

} // namespace

TEST_CASE("claims: the table is written in its place, and then says what was measured") {
    const std::string written = with_table(page, matrix);
    CHECK(written.starts_with("# Page\n\n<!-- claims -->\n|"));
    CHECK(written.ends_with("|\n<!-- /claims -->\nthe end\n"));
    CHECK_THAT(written, ContainsSubstring("| S1 | a `socket` | yes | no | - | - | yes | no | `5 \\| 6` |\n"));
    CHECK(ids_in(written) == std::vector<std::string>{"S1", "C2"});
    for (const Row& row : matrix) CHECK(differences(row, written).empty());
    CHECK(with_table(written, matrix) == written);
    CHECK_THROWS_AS(with_table("no markers", matrix), Failed);
}

TEST_CASE("claims: a table that says something else is told, cell by cell") {
    const std::string written = with_table(page, matrix);
    Row other = matrix[0];
    other.cells[1] = "yes";
    other.figure = "another figure";
    CHECK(differences(other, written) ==
          std::vector<std::string>{"S1, chapter 02: the table says 'no', measured was 'yes' (another figure)"});
    other.cells[1] = "?";
    CHECK(differences(other, written).empty());
    other.sentence = "the `socket`";
    CHECK(differences(other, written) ==
          std::vector<std::string>{"S1: the table says 'a `socket`', the check 'the `socket`'"});
    for (const Row& row : matrix) CHECK(differences(row, page) == std::vector{row.id + ": the table has no such row"});
}

TEST_CASE("claims: a figure that is the same everywhere is said once, and others with their chapters") {
    CHECK(merge_figures({"", "3 s", "", "3 s", "", ""}) == "3 s");
    CHECK(merge_figures({"", "3 s", "4 s", "3 s", "", ""}) == "02, 04: 3 s; 03: 4 s");
}
