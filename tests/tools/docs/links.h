// What a page points to.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

struct Link {
    std::string target; ///< "../common/glossary.md#backlog"
    std::size_t line;   ///< on the page, from 0
};

/// The links of a page and the pictures in it, but not those in its code.
std::vector<Link> links_of(const std::vector<std::string>& page);

/// The anchors of a page's headings, as GitHub makes them.
std::set<std::string> anchors_of(const std::vector<std::string>& page);

/// Why a link leads nowhere; empty when it does lead somewhere. `page` is the path of the page it is on. Web addresses
/// are only looked at: a page of the manual has to be one that this machine knows, if it knows any.
std::string wrong_with(const Link& link, const std::string& page);
