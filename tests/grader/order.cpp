#include "tests/grader/order.h"

#include <algorithm>
#include <map>

#include "tests/grader/steps.h"
#include "tests/servers/excuses.h"

namespace {

/// These come first, in this order; the others follow in the order of their files.
const std::vector<std::string> first = {
    // one client, and the next
    "one line", "two halves", "answers promptly", "nothing at all", "one after the other", "every byte value",
    // what ends more than one connection, or stays behind
    "reset before a word", "reset after a word", "stopped and continued", "gone reader", "idle costs no CPU",
    "all is given back",
    // who waits for whom
    "in order of arrival", "silent client", "half a message", "300 silent clients", "no process or thread per client",
    // much data
    "half-close", "a lot both ways", "half-close, slow reader", "drop by drop"};

/// A case, and those whose failure is probably a consequence of its own.
const std::map<std::string, std::vector<std::string>> consequences = {
    {"nothing at all",
     {"half-close", "half-close, slow reader", "drop by drop", "five stalls", "stopped while it writes",
      "one after the other", "in order of arrival", "reset before a word", "all is given back", "thirty leave at once",
      "descriptors reused", "out of descriptors", "idle costs no CPU"}},
    {"one after the other",
     {"in order of arrival", "silent client", "half a message", "never-reading client", "five at once", "fifty clients",
      "1,100 clients", "reset before a word", "reset after a word", "reset with a lot unread", "gone reader",
      "stopped and continued", "descriptors reused", "all is given back", "thirty leave at once", "out of descriptors",
      "more than a set holds", "five stalls", "memory is bounded"}},
    {"every byte value",
     {"a lot both ways", "half-close", "half-close, slow reader", "drop by drop", "fifty clients", "five stalls",
      "nothing lost after a stall", "stopped while it writes", "room costs no CPU"}},
    {"reset before a word",
     {"reset after a word", "reset with a lot unread", "gone reader", "descriptors reused", "all is given back"}},
    {"reset after a word", {"reset with a lot unread", "gone reader", "descriptors reused", "all is given back"}},
    {"gone reader", {"reset with a lot unread", "descriptors reused"}},
    {"idle costs no CPU", {"room costs no CPU", "memory is bounded", "out of descriptors", "more than a set holds"}},
    {"all is given back",
     {"thirty leave at once", "descriptors reused", "out of descriptors", "more than a set holds",
      "thousands of clients", "a newcomer when there is room"}},
    {"silent client",
     {"half a message", "300 silent clients", "more slow clients than threads", "never-reading client", "fifty clients",
      "1,100 clients", "five stalls", "memory is bounded", "thirty leave at once", "more than a set holds",
      "out of descriptors", "a child killed"}},
    {"300 silent clients", {"1,100 clients", "more than a set holds", "idle clients cost nothing"}},
    {"never-reading client", {"more slow clients than threads"}},
    {"answers promptly",
     {"every byte value", "a lot both ways", "half-close", "half-close, slow reader", "drop by drop", "fifty clients",
      "stopped while it writes", "memory is bounded", "nothing lost after a stall", "five stalls", "1,100 clients",
      "more than a set holds", "thousands of clients", "thousands of messages"}},
    {"half-close", {"half-close, slow reader", "drop by drop", "five stalls", "stopped while it writes"}},
    {"a lot both ways",
     {"half-close", "half-close, slow reader", "drop by drop", "fifty clients", "five stalls",
      "nothing lost after a stall", "memory is bounded", "stopped while it writes", "room costs no CPU"}},
    {"half-close, slow reader", {"drop by drop", "five stalls", "nothing lost after a stall"}},
    {"out of descriptors", {"more than a set holds"}},
    {"more than a set holds", {"1,100 clients"}},
};

std::ptrdiff_t place(const Case& one) {
    const auto count = static_cast<std::ptrdiff_t>(first.size());
    return std::find(first.begin(), first.end(), one.name) - first.begin() + (one.second_part ? count + 1 : 0);
}

} // namespace

std::vector<Case> cases_in_order(int level) {
    if (level == 0) return steps();
    std::vector<Case> cases = all_cases();
    std::erase_if(cases, [&](const Case& one) { return !why_not_asked(one.name, level).empty(); });
    std::stable_sort(cases.begin(), cases.end(), [](const Case& a, const Case& b) { return place(a) < place(b); });
    return cases;
}

std::string why_not_asked(const std::string& name, int level) {
    const std::vector<Case> cases = level == 0 ? steps() : all_cases();
    const auto it = std::find_if(cases.begin(), cases.end(), [&](const Case& one) { return one.name == name; });
    if (it == cases.end()) return "there is no case of that name";
    if (!it->lesson) return "only the project's own servers are asked that (make test)";
    for (const auto* list : {&excuses, &not_asked, &not_asked_of_strangers}) {
        if (const Excuse* excuse = find_excuse(*list, name, std::to_string(level))) return excuse->why;
    }
    return "";
}

bool follows_from(const std::string& name, const std::string& got, const std::string& name_before,
                  const std::string& got_before) {
    for (const std::string sign : {"the server has gone: ", "(backlog "}) {
        const std::size_t at = got.find(sign), at_before = got_before.find(sign);
        if (at == std::string::npos || at_before == std::string::npos) continue;
        if (got.substr(at) == got_before.substr(at_before)) return true;
    }
    const auto it = consequences.find(name_before);
    return it != consequences.end() && std::find(it->second.begin(), it->second.end(), name) != it->second.end();
}
