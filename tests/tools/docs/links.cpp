#include "tests/tools/docs/links.h"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>

namespace fs = std::filesystem;

namespace {

std::vector<std::string> read_lines(const fs::path& name) {
    std::ifstream file(name);
    std::vector<std::string> all;
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
}

/// The pages of the manual that Debian's packages bring, installed or only listed; none on other systems.
const std::set<std::string>& manual() {
    static const std::set<std::string> pages = [] {
        std::set<std::string> all;
        for (const char* package : {"manpages", "manpages-dev"}) {
            for (const std::string& line : read_lines(std::string("/var/lib/dpkg/info/") + package + ".list")) {
                if (line.ends_with(".gz")) all.insert(fs::path(line).stem().string());
            }
        }
        return all;
    }();
    return pages;
}

std::string wrong_with_manual(const std::string& target) {
    static const std::regex form(R"(https://man7\.org/linux/man-pages/man([1-8])/([\w.-]+)\.([1-8])\.html)");
    static const std::set<std::string> of_other_packages{"strace.1", "ss.8", "ps.1", "ncat.1", "io_uring.7"};
    std::smatch found;
    if (!std::regex_match(target, found, form)) return "not of the form .../man-pages/man2/accept.2.html";
    if (found[1] != found[3]) return "two sections";
    const std::string page = found[2].str() + "." + found[3].str();
    const bool known = manual().empty() || manual().contains(page) || of_other_packages.contains(page);
    return known ? "" : "there is no " + page + " in the manual";
}

} // namespace

std::vector<Link> links_of(const std::vector<std::string>& page) {
    static const std::regex link(R"re(\]\(([^)\s]+)\)|\b(src|href)="([^"]+)")re");
    static const std::regex code("`[^`]*`");
    std::vector<Link> all;
    bool in_block = false;
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (page[i].starts_with("```")) in_block = !in_block;
        if (in_block) continue;
        const std::string line = std::regex_replace(page[i], code, "CODE");
        for (auto it = std::sregex_iterator(line.begin(), line.end(), link); it != std::sregex_iterator(); ++it) {
            all.push_back({(*it)[1].matched ? (*it)[1].str() : (*it)[3].str(), i});
        }
    }
    return all;
}

std::set<std::string> anchors_of(const std::vector<std::string>& page) {
    static const std::regex heading("#+ (.*)");
    static const std::regex link("\\[([^\\]]*)\\]\\([^)]*\\)");
    static const std::regex name("<a (?:id|name)=\"([^\"]+)\"");
    std::set<std::string> all;
    bool in_block = false;
    for (const std::string& line : page) {
        if (line.starts_with("```")) in_block = !in_block;
        std::smatch found;
        if (std::regex_search(line, found, name)) all.insert(found[1]);
        if (in_block || !std::regex_match(line, found, heading)) continue;
        std::string anchor;
        for (const char c : std::regex_replace(found[1].str(), link, "$1")) {
            const auto byte = static_cast<unsigned char>(c);
            if (std::isalnum(byte) != 0 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(byte));
            if (c == ' ') anchor += '-';
        }
        all.insert(anchor);
    }
    return all;
}

std::string wrong_with(const Link& link, const std::string& page) {
    if (link.target.starts_with("https://man7.org/")) return wrong_with_manual(link.target);
    if (link.target.starts_with("https://")) return "";
    if (link.target.starts_with("http://")) return "not https";
    const std::size_t hash = link.target.find('#');
    const std::string path = link.target.substr(0, hash);
    const fs::path file = path.empty() ? fs::path(page) : fs::path(page).parent_path() / path;
    if (!fs::exists(file)) return "there is no such file";
    if (hash == std::string::npos) return "";
    const bool found = anchors_of(read_lines(file)).contains(link.target.substr(hash + 1));
    return found ? "" : "there is no such heading in " + file.lexically_normal().string();
}
