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
    CHECK(compare(matrix, written, true).differences.empty());
    CHECK(with_table(written, matrix) == written);
    CHECK_THROWS_AS(with_table("no markers", matrix), Failed);
}

TEST_CASE("claims: a table that says something else is told, cell by cell") {
    const std::string written = with_table(page, matrix);
    Matrix other = matrix;
    other[0].cells[1] = "yes";
    other[0].figure = "another figure";
    CHECK(compare(other, written, true).differences ==
          std::vector<std::string>{"S1, chapter 02: the table says 'no', measured was 'yes' (another figure)"});
    other[0].cells[1] = "?";
    CHECK(compare(other, written, true).differences.empty());
    CHECK(compare(other, written, true).skipped == std::vector<std::string>{"S1"});
    other.pop_back();
    CHECK(compare(other, written, false).differences.empty());
    CHECK(compare(other, written, true).differences.size() == 1); // C2 is on the page only
    CHECK(compare(matrix, page, true).differences.size() == 2);   // both rows are missing
}
