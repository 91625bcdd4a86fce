#include "tests/tools/docs/prose.h"

#include <algorithm>
#include <iterator>
#include <regex>

namespace {

/// Reads a page from top to bottom.
class ProseReader {
  public:
    std::vector<Paragraph> read(const std::vector<std::string>& page) {
        for (at_ = 0; at_ < page.size(); ++at_) read_line(page[at_]);
        end_paragraph();
        return std::move(all_);
    }

  private:
    void read_line(const std::string& line) {
        static const std::regex list("\\s*([-*]|[0-9]+\\.) .*");
        static const std::regex tag("<[^>]*>");
        const bool is_blank = std::regex_replace(line, tag, "").empty() || line.starts_with("<!--");
        if (line.starts_with("```")) in_block_ = !in_block_;
        const bool is_prose = !in_block_ && !is_blank && line[0] != '|' && line[0] != '#' && !line.starts_with("```");
        if (!is_prose || std::regex_match(line, list)) end_paragraph();
        if (in_block_) return;
        if (line.starts_with("#")) in_reference_ = std::regex_search(line, std::regex("^#+ Reference"));
        if (line.find("<details") != std::string::npos) ++folded_; // there may be more inside
        if (is_prose && text_.empty()) start_ = at_;
        if (is_prose) text_ += line + ' ';
        if (line.find("</details>") != std::string::npos) --folded_;
    }

    void end_paragraph() {
        if (!text_.empty()) all_.push_back({plain(text_), start_, folded_ == 0 && !in_reference_});
        text_.clear();
    }

    /// Without marks: code is the word CODE, a link its text.
    static std::string plain(std::string text) {
        static const std::vector<std::pair<std::regex, std::string>> marks{
            {std::regex("`[^`]*`"), "CODE"},       {std::regex("!?\\[([^\\]]*)\\]\\([^)]*\\)"), "$1"},
            {std::regex("<[^>]*>"), " "},          {std::regex("^\\s*([-*]|[0-9]+\\.) "), ""},
            {std::regex("[*_]{1,2}(\\S)"), "$1"},  {std::regex("(\\S)\\*{1,2}"), "$1"},
            {std::regex("https?://\\S+"), "LINK"}, {std::regex("\\s+"), " "}};
        for (const auto& [mark, instead] : marks) text = std::regex_replace(text, mark, instead);
        return text;
    }

    std::vector<Paragraph> all_;
    std::string text_;
    std::size_t at_ = 0;
    std::size_t start_ = 0;
    bool in_block_ = false;
    int folded_ = 0;
    bool in_reference_ = false;
};

std::size_t count(const std::string& text, const char* what) {
    const std::regex pattern(what, std::regex::icase);
    return static_cast<std::size_t>(std::distance(std::sregex_iterator(text.begin(), text.end(), pattern), {}));
}

} // namespace

std::vector<Paragraph> prose_of(const std::vector<std::string>& page) {
    return ProseReader().read(page);
}

double Measure::per_thousand(std::size_t number) const {
    return words == 0 ? 0 : 1000.0 * static_cast<double>(number) / static_cast<double>(words);
}

double Measure::words_per_sentence() const {
    return sentences == 0 ? 0 : static_cast<double>(words) / static_cast<double>(sentences);
}

Measure measure(const std::vector<Paragraph>& prose) {
    Measure all;
    for (const Paragraph& one : prose) {
        if (!one.first_reading) continue;
        all.words += count(one.text, "[a-z0-9][a-z0-9'_.,-]*");
        all.colons += count(one.text, ":(\\s|$)");
        all.semicolons += count(one.text, ";");
        all.you_or_we += count(one.text, "\\b(you|we)\\b");
        all.sentences += std::max<std::size_t>(1, count(one.text, "[.!?][\"')]*(\\s|$)"));
    }
    return all;
}

std::vector<std::string> odd_words(const std::string& text) {
    static const std::regex odd("\\b(whoever|hence|anew|learnt|shall|for ever|cures?|holds (everyone|nobody)|at once|"
                                "per cent|process numbers?|sees? to it|end of data|when the time is up)\\b|"
                                ", for (it|there|the|select)\\b",
                                std::regex::icase);
    std::vector<std::string> all;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), odd); it != std::sregex_iterator(); ++it) {
        all.push_back(it->str());
    }
    return all;
}
