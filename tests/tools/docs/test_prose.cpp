#include "tests/catch.h"

#include <set>
#include <string>
#include <vector>

#include "tests/tools/docs/links.h"
#include "tests/tools/docs/prose.h"

namespace {

const std::vector<std::string> page{
    "# A title: not prose",                                                   // 0
    "You read `a: b`; we [wait](x.md)",                                       //
    "for it. Is it here?",                                                    //
    "",                                                                       //
    "- an entry:",                                                            // 4
    "- *another*, which is longer",                                           //
    "```console",                                                             //
    "$ you: you; you",                                                        //
    "```",                                                                    //
    "| you | a table; |",                                                     //
    "<details><summary>Whoever asks?</summary>",                              // 10
    "",                                                                       //
    "You get it at once.",                                                    //
    "</details>",                                                             //
    "The end.",                                                               //
    "## Reference",                                                           //
    "More of [it](https://man7.org/linux/man-pages/man2/accept.2.html#here)." // 16
};

} // namespace

TEST_CASE("prose: paragraphs, and which of them a first reading skips") {
    const std::vector<Paragraph> all = prose_of(page);
    REQUIRE(all.size() == 7);
    CHECK(all[0].text == "You read CODE; we wait for it. Is it here? ");
    CHECK(all[0].line == 1);
    CHECK(all[2].text == "another, which is longer ");
    CHECK(all[3].text == " Whoever asks? ");
    std::vector<bool> first;
    for (const Paragraph& one : all) first.push_back(one.first_reading);
    CHECK(first == std::vector<bool>{true, true, true, false, false, true, false});
}

TEST_CASE("prose: what is counted") {
    const Measure all = measure(prose_of(page));
    CHECK(all.words == 18);
    CHECK(all.colons == 1);
    CHECK(all.semicolons == 1);
    CHECK(all.you_or_we == 2);
    CHECK(all.sentences == 5);
    CHECK(Measure{}.words_per_sentence() == 0);
}

TEST_CASE("prose: odd words are found, also in capitals, and plain ones are not") {
    CHECK(odd_words("Whoever waits for ever, for it is late, shall have it at once.") ==
          std::vector<std::string>{"Whoever", "for ever", ", for it", "shall", "at once"});
    CHECK(odd_words("It cures what holds everyone").size() == 2);
    CHECK(odd_words("Henceforth a marshall waits for the client, forever and at 1 once.").empty());
}

TEST_CASE("links: those of the text and the pictures, none of the code") {
    const std::vector<Link> all = links_of({"[a](b.md) and ![c](d.svg)", "`[e](f.md)`", "```", "[g](h.md)", "```",
                                            "<a href=\"i.md\"><img src=\"j.svg\"></a>"});
    std::vector<std::string> targets;
    for (const Link& one : all) targets.push_back(one.target);
    CHECK(targets == std::vector<std::string>{"b.md", "d.svg", "i.md", "j.svg"});
    CHECK(all[2].line == 5);
}

TEST_CASE("links: headings have the anchors that GitHub makes") {
    CHECK(anchors_of({"# Nagle's algorithm", "### TIME_WAIT", "```", "# not one", "```", "## A `b` [c](d.md): e-f",
                      "<a id=\"here\"></a>"}) ==
          std::set<std::string>{"nagles-algorithm", "time_wait", "a-b-c-e-f", "here"});
}

TEST_CASE("links: one that leads nowhere is found") {
    const auto leads = [](const std::string& target) { return wrong_with({target, 0}, "tests/README.md").empty(); };
    CHECK(leads("faults/README.md"));
    CHECK(leads("../LICENSE"));
    CHECK(leads("../README.md#limits"));
    CHECK(leads("https://man7.org/linux/man-pages/man2/accept.2.html"));
    CHECK_FALSE(leads("fault/README.md"));
    CHECK_FALSE(leads("../README.md#limit"));
    CHECK_FALSE(leads("#limits"));
    CHECK_FALSE(leads("http://example.com/"));
    CHECK_FALSE(leads("https://man7.org/linux/man-pages/man2/accept.3.html"));
    CHECK_FALSE(leads("https://man7.org/linux/man-pages/accept.2.html"));
}
