#include "tests/tools/trace/page.h"

#include <istream>
#include <stdexcept>

namespace {

constexpr std::string_view made_begins = "<!-- made by make docs -->";
constexpr std::string_view made_ends = "<!-- end of what make docs made -->";
constexpr std::string_view varies_begins = "<!-- varies: ";

[[noreturn]] void refuse(const Page& page, std::size_t line, const std::string& why) {
    throw std::runtime_error(page.name + ":" + std::to_string(line + 1) + ": " + why);
}

/// Reads a page from top to bottom.
class PageReader {
  public:
    explicit PageReader(Page& page) : page_(page) {}

    void read() {
        for (at_ = 0; at_ < page_.lines.size(); ++at_) read_line();
        if (made_) refuse(page_, page_.lines.size(), "what make docs makes does not end");
    }

  private:
    void read_line() {
        const std::string& line = page_.lines[at_];
        if (line == made_begins || line == made_ends) {
            if (made_ == (line == made_begins)) refuse(page_, at_, "a marker of make docs too many");
            made_ = line == made_begins;
        } else if (line.starts_with(varies_begins)) {
            read_varies(line);
        } else if (line == "```console") {
            read_block();
        } else if (!varies_.empty()) {
            refuse(page_, at_, "no console block follows what varies");
        }
    }

    void read_varies(const std::string& line) {
        const std::size_t end = line.find(" -->");
        if (end == std::string::npos) refuse(page_, at_, "the comment does not end");
        try {
            varies_.emplace_back(line.substr(varies_begins.size(), end - varies_begins.size()));
        } catch (const std::regex_error& error) {
            refuse(page_, at_, error.what());
        }
    }

    void read_block() {
        Block block;
        block.made = made_;
        std::swap(block.varies, varies_);
        const std::size_t start = at_;
        for (++at_; at_ < page_.lines.size() && page_.lines[at_] != "```"; ++at_) {
            const std::string& line = page_.lines[at_];
            if (line.starts_with("$ ")) {
                block.commands.push_back({line.substr(2), at_, {}});
            } else if (block.commands.empty()) {
                refuse(page_, at_, "a console block begins with a command");
            } else {
                block.commands.back().expected.push_back(line);
            }
        }
        if (at_ == page_.lines.size()) refuse(page_, start, "the block does not end");
        page_.blocks.push_back(std::move(block));
    }

    Page& page_;
    std::size_t at_ = 0;
    bool made_ = false;
    std::vector<std::regex> varies_;
};

/// What varies wherever strace, ss and the kernel show it, and what its place is taken by.
const std::vector<std::pair<std::regex, std::string>>& always_varies() {
    static const std::vector<std::pair<std::regex, std::string>> all{
        {std::regex(R"((127\.0\.0\.1:|htons\()(3[2-9]|[45][0-9]|6[0-5])[0-9]{3}\b)"), "$1PORT"},
        {std::regex(R"(data=(\{u32=0, u64=0\}|NULL|0\b))"), "data=NOTHING"}, // strace prints it in two ways
        {std::regex(R"(data=(\{[^}]*\}|0x[0-9a-f]+))"), "data=POINTER"},
        {std::regex(R"(0x[0-9a-f]{6,})"), "POINTER"},
        {std::regex(R"(si_pid=[0-9]+, si_uid=[0-9]+)"), "si_pid=PID, si_uid=USER"},
        {std::regex(R"(, si_utime=[0-9]+.* ---)"), " ---"},
        {std::regex(R"(((clone|clone3|wait4)\(.*\) += )[1-9][0-9]+)"), "$1PID"},
        {std::regex(R"(listen\(3, [0-9]+\))"), "listen(3, BACKLOG)"},
        {std::regex("^([SZ])[N<] "), "$1 "},               // ps marks who is nice
        {std::regex("^(State .*Port) *Process *$"), "$1"}, // newer ss leave this title out where the column is empty
        {std::regex("[ \t]+"), " "},
        {std::regex(" $"), ""},
    };
    return all;
}

bool same_from(const std::vector<std::string>& expected, std::size_t e, const std::vector<std::string>& got,
               std::size_t g) {
    for (; e < expected.size(); ++e, ++g) {
        if (expected[e] == "...") {
            for (std::size_t rest = g; rest <= got.size(); ++rest) {
                if (same_from(expected, e + 1, got, rest)) return true;
            }
            return false;
        }
        if (g == got.size() || expected[e] != got[g]) return false;
    }
    return g == got.size();
}

} // namespace

Page read_page(const std::string& name, std::istream& text) {
    Page page{name, {}, {}};
    for (std::string line; std::getline(text, line);) page.lines.push_back(line);
    PageReader(page).read();
    return page;
}

std::string without_what_varies(std::string line, const std::vector<std::regex>& varies) {
    for (const std::regex& one : varies) line = std::regex_replace(line, one, "~");
    for (const auto& [what, instead] : always_varies()) line = std::regex_replace(line, what, instead);
    return line;
}

bool same(const std::vector<std::string>& expected, const std::vector<std::string>& got,
          const std::vector<std::regex>& varies) {
    std::vector<std::string> wanted;
    std::vector<std::string> found;
    for (const std::string& line : expected) wanted.push_back(line == "..." ? line : without_what_varies(line, varies));
    for (const std::string& line : got) found.push_back(without_what_varies(line, varies));
    return same_from(wanted, 0, found, 0);
}
