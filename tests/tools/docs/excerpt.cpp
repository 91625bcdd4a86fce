#include "tests/tools/docs/excerpt.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <stdexcept>

namespace {

constexpr std::size_t none = std::string::npos;

std::string trimmed(const std::string& line) {
    const std::size_t first = line.find_first_not_of(" \t");
    return first == none ? "" : line.substr(first, line.find_last_not_of(" \t") + 1 - first);
}

/// The end of what begins at `at` and is neither code nor blank: a comment, a string or a character. Else `at`.
std::size_t end_of_no_code(const std::string& text, std::size_t at) {
    const auto after = [&](const std::string& end) {
        const std::size_t found = text.find(end, at + 1);
        return found == none ? text.size() : found + end.size();
    };
    if (text.compare(at, 2, "//") == 0) return std::min(text.find('\n', at), text.size());
    if (text.compare(at, 2, "/*") == 0) return after("*/");
    if (text.compare(at, 3, "R\"(") == 0) return after(")\"");
    const char quote = text[at];
    const bool is_separator = quote == '\'' && at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1])) != 0;
    if ((quote != '"' && quote != '\'') || is_separator) return at; // 1'000 has a separator
    std::size_t end = at + 1;
    while (end < text.size() && text[end] != quote) end += text[end] == '\\' ? 2 : 1;
    return std::min(end + 1, text.size());
}

/// C++ code as one text, in which comments, strings and characters are blank.
class Code {
  public:
    explicit Code(const Lines& lines) {
        for (const std::string& line : lines) {
            starts_.push_back(text_.size());
            text_ += line + '\n';
        }
        for (std::size_t at = 0; at < text_.size();) {
            const std::size_t end = end_of_no_code(text_, at);
            for (std::size_t i = at; i < end; ++i) text_[i] = text_[i] == '\n' ? '\n' : ' ';
            at = std::max(end, at + 1);
        }
    }

    [[nodiscard]] std::string line(std::size_t number) const {
        return trimmed(text_.substr(starts_[number], text_.find('\n', starts_[number]) - starts_[number]));
    }

    /// The line at which the statement or definition ends that begins at line `number`.
    [[nodiscard]] std::size_t end_of_statement(std::size_t number) const {
        int depth = 0;
        for (std::size_t at = starts_[number]; at < text_.size(); ++at) {
            const char c = text_[at];
            if (c == '(' || c == '[' || c == '{') ++depth;
            if (c == ')' || c == ']' || c == '}') --depth;
            if (depth == 0 && ((c == ';' && !else_follows(at)) || (c == '}' && ends_line(at)))) return line_of(at);
        }
        throw std::runtime_error("a statement does not end");
    }

    [[nodiscard]] std::size_t line_with_brace(std::size_t number) const {
        return line_of(text_.find('{', starts_[number]));
    }

    /// The lines from `first` to `last` as one text.
    [[nodiscard]] std::string between(std::size_t first, std::size_t last) const {
        std::string all;
        for (std::size_t i = first; i <= last; ++i) all += line(i) + '\n';
        return all;
    }

  private:
    [[nodiscard]] bool ends_line(std::size_t at) const {
        return text_.find_first_not_of(" \t", at + 1) == text_.find('\n', at);
    }
    [[nodiscard]] bool else_follows(std::size_t at) const {
        const std::size_t next = text_.find_first_not_of(" \t\n", at + 1);
        return next != none && text_.compare(next, 4, "else") == 0 &&
               std::isspace(static_cast<unsigned char>(text_[next + 4])) != 0;
    }
    [[nodiscard]] std::size_t line_of(std::size_t at) const {
        return static_cast<std::size_t>(std::upper_bound(starts_.begin(), starts_.end(), at) - starts_.begin()) - 1;
    }

    std::string text_;
    std::vector<std::size_t> starts_; // of the lines
};

/// The name of what this code defines; empty when it only declares, or has no name.
std::string name_in(const std::string& code, bool& is_type) {
    static const std::regex no_name("(template <[^>]*>\\s*)?(using|static_assert|friend|typedef)\\b[^]*");
    static const std::regex type("(template <[^>]*>\\s*)?(struct|class|union|enum|enum class) (\\w+)\\b[^;(]*\\{[^]*");
    static const std::regex other("[^({=;]*?((\\w+::)*(operator[^(]+|~?\\w+))(\\[\\w+\\])?\\s*([({=;])[^]*");
    std::smatch found;
    is_type = std::regex_match(code, found, type);
    if (is_type) return found[3];
    if (std::regex_match(code, no_name) || !std::regex_match(code, found, other)) return "";
    const bool only_declared = found[5] == "(" && code.find('{') == none;
    return only_declared ? "" : trimmed(found[1]);
}

bool is_between_definitions(const std::string& line) {
    return line.empty() || line[0] == '#' || line[0] == '}' || line.starts_with("namespace") ||
           line.starts_with("extern") || line == "public:" || line == "private:" || line == "protected:";
}

/// The definitions from line `at` to before line `end`.
void add_definitions(const Lines& lines, const Code& code, std::size_t at, std::size_t end, const std::string& prefix,
                     std::vector<Definition>& all) {
    std::size_t comment = none;
    for (; at < end; ++at) {
        const std::string line = code.line(at);
        if (is_between_definitions(line)) {
            const bool is_comment = line.empty() && !trimmed(lines[at]).empty();
            comment = is_comment ? std::min(comment, at) : none;
            while (line[0] == '#' && lines[at].ends_with('\\')) ++at; // a macro of several lines
            continue;
        }
        const std::size_t last = code.end_of_statement(at);
        bool is_type = false;
        const std::string name = name_in(code.between(at, last), is_type);
        if (!name.empty()) all.push_back({prefix + name, std::min(comment, at), at, last, !prefix.empty()});
        if (is_type) add_definitions(lines, code, code.line_with_brace(at) + 1, last, prefix + name + "::", all);
        comment = none;
        at = last;
    }
}

/// These lines, as far to the left as they can be.
Lines part(const Lines& code, std::size_t first, std::size_t last) {
    std::size_t indent = none;
    for (std::size_t i = first; i <= last; ++i) indent = std::min(indent, code[i].find_first_not_of(' '));
    Lines all;
    for (std::size_t i = first; i <= last; ++i) all.push_back(code[i].substr(std::min(indent, code[i].size())));
    return all;
}

Definition find_definition(const Excerpt& excerpt, const Lines& code) {
    std::vector<Definition> found = definitions_of(code);
    const bool has_exact =
        std::any_of(found.begin(), found.end(), [&](const Definition& one) { return one.name == excerpt.name; });
    std::erase_if(found, [&](const Definition& one) {
        return has_exact ? one.name != excerpt.name : !one.name.ends_with("::" + excerpt.name);
    });
    if (found.size() == 1) return found[0];
    throw std::runtime_error(excerpt.file + (found.empty() ? " does not define " : " defines more than one ") +
                             excerpt.name);
}

/// The first line that begins with these words; `only`: no other may begin so.
std::size_t find_line(const Excerpt& excerpt, const Lines& code, std::size_t first, std::size_t last,
                      const std::string& words, bool only) {
    std::size_t found = none;
    for (std::size_t i = last + 1; i-- > first;) {
        if (!trimmed(code[i]).starts_with(words)) continue;
        if (only && found != none) {
            throw std::runtime_error("two lines of " + excerpt.name + " in " + excerpt.file + " begin with \"" + words +
                                     '"');
        }
        found = i;
    }
    if (found != none) return found;
    throw std::runtime_error("no line of " + excerpt.name + " in " + excerpt.file + " begins with \"" + words + '"');
}

[[noreturn]] void refuse(std::size_t line, const std::string& why) {
    throw std::runtime_error(std::to_string(line + 1) + ": " + why);
}

} // namespace

std::vector<Definition> definitions_of(const Lines& code) {
    std::vector<Definition> all;
    add_definitions(code, Code(code), 0, code.size(), "", all);
    return all;
}

std::vector<Excerpt> excerpts_of(const Lines& page) {
    static const std::regex comment("<!-- code: (\\S+)( [^\\s\"]+)?( \"(.*?)\")?( \"(.*?)\")? -->");
    std::vector<Excerpt> all;
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (!trimmed(page[i]).starts_with("<!-- code:")) continue;
        std::smatch found;
        if (!std::regex_match(page[i], found, comment))
            refuse(i, "not `<!-- code: FILE NAME \"first words\" \"last words\" -->`");
        if (i + 1 >= page.size() || page[i + 1] != "```cpp") refuse(i, "no ```cpp follows this comment");
        Excerpt one{found[1], trimmed(found[2]), found[4], found[6], i, i + 2};
        while (one.fence < page.size() && page[one.fence] != "```") ++one.fence;
        if (one.fence == page.size()) refuse(i, "the code does not end");
        all.push_back(one);
    }
    return all;
}

Lines cut(const Excerpt& excerpt, const Lines& code) {
    if (excerpt.name.empty()) return code;
    const Definition definition = find_definition(excerpt, code);
    if (excerpt.from.empty()) return part(code, definition.comment, definition.last);
    const std::size_t first = find_line(excerpt, code, definition.first, definition.last, excerpt.from, true);
    const std::size_t last = excerpt.to.empty()
                                 ? Code(code).end_of_statement(first)
                                 : find_line(excerpt, code, first + 1, definition.last, excerpt.to, false);
    return part(code, first, last);
}

Lines filled(const Lines& page, const ReadFile& read) {
    Lines all;
    std::size_t copied = 0;
    for (const Excerpt& one : excerpts_of(page)) {
        const auto from = page.begin() + static_cast<std::ptrdiff_t>(copied);
        all.insert(all.end(), from, page.begin() + static_cast<std::ptrdiff_t>(one.line + 2));
        copied = one.fence;
        try {
            const Lines code = cut(one, read(one.file));
            all.insert(all.end(), code.begin(), code.end());
        } catch (const std::exception& error) {
            refuse(one.line, error.what());
        }
    }
    all.insert(all.end(), page.begin() + static_cast<std::ptrdiff_t>(copied), page.end());
    return all;
}

std::vector<std::string> not_shown(const Lines& page, const std::string& file, const ReadFile& read) {
    const Lines code = read(file);
    std::vector<Definition> missing = definitions_of(code);
    std::erase_if(missing, [](const Definition& one) { return one.is_member; });
    for (const Excerpt& shown : excerpts_of(page)) {
        if (shown.file != file || !shown.from.empty()) continue;
        if (shown.name.empty()) return {};
        const std::size_t line = find_definition(shown, code).first;
        std::erase_if(missing, [&](const Definition& one) { return one.first == line; });
    }
    std::vector<std::string> names;
    for (const Definition& one : missing) names.push_back(one.name);
    return names;
}
