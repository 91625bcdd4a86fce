// The code that a page shows. A comment above a ```cpp fence names it, and `make docs` writes it into the fence:
//
//     <!-- code: 05-epoll-server/server.cpp -->                          the whole file
//     <!-- code: 05-epoll-server/server.cpp watch -->                    a function or a type, with the comment above
//     it
//     <!-- code: common/connection.h Connection::send -->                a member
//     <!-- code: 05-epoll-server/server.cpp run "while (" -->            in run, the statement that begins so
//     <!-- code: 05-epoll-server/server.cpp run "constexpr" "while" -->  in run, from one line to another
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

using Lines = std::vector<std::string>;

/// A function, a type or a variable of a file.
struct Definition {
    std::string name;    ///< "Server::watch"
    std::size_t comment; ///< the line at which the comment above it begins, from 0
    std::size_t first;   ///< the line at which it begins
    std::size_t last;    ///< the line at which it ends
    bool is_member;      ///< inside another definition
};

/// The definitions of C++ code that clang-format has laid out. Declarations are not among them.
std::vector<Definition> definitions_of(const Lines& code);

/// What a comment on a page asks for, and where.
struct Excerpt {
    std::string file;
    std::string name;      ///< empty: the whole file
    std::string from;      ///< empty: the whole of `name`
    std::string to;        ///< empty: the statement that begins with `from`
    std::size_t line = 0;  ///< of the comment on the page, from 0
    std::size_t fence = 0; ///< the line that ends the fence
};

/// Throws std::runtime_error, with the number of the line, when a comment cannot be read or no ```cpp fence follows it.
std::vector<Excerpt> excerpts_of(const Lines& page);

/// What belongs into the fence. Throws std::runtime_error when it is not in the code, or is there twice.
Lines cut(const Excerpt& excerpt, const Lines& code);

/// Returns the lines of a file.
using ReadFile = std::function<Lines(const std::string& name)>;

/// The page with each fence filled. Throws std::runtime_error, as the two above do.
Lines filled(const Lines& page, const ReadFile& read);

/// Those definitions of `file` that the page does not show as a whole; members are shown with their class.
std::vector<std::string> not_shown(const Lines& page, const std::string& file, const ReadFile& read);
