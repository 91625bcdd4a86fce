// Records scenes and writes pages on which one can step through them.
// player write FOLDER SERVER... | pair FOLDER ONE OTHER NAME TITLE TITLE | check SERVER...

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>

#include "tests/support/failed.h"
#include "tests/support/running_server.h"
#include "tests/support/straced.h"
#include "tests/support/tally.h"
#include "tests/tools/player/model.h"

namespace fs = std::filesystem;

namespace {

const fs::path here = "tests/tools/player";

std::string content_of(const fs::path& path) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path.string() + ": cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream file(path);
    file << content;
    if (!file.flush()) throw std::runtime_error(path.string() + ": cannot be written");
    std::cout << path.string() << '\n';
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    return text.replace(text.find(what), what.size(), with);
}

/// One file with everything in it. A "<" in the data must not end the script that it is in.
void write_page(const fs::path& path, const Json& data) {
    std::string text = data.dump();
    for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) text.replace(at, 1, "\\u003c");
    std::string page = content_of(here / "page.html");
    page = replaced(page, "STYLE", content_of(here / "page.css"));
    page = replaced(page, "SCRIPTS", content_of(here / "state.js") + content_of(here / "page.js"));
    write_file(path, replaced(page, "DATA", text));
}

/// `scene`: that of another chapter, to play the same in both.
Json record(const std::string& server, const std::string& scene) {
    return make_steps(chapter_of(server), play(scene_of(scene), server),
                      fs::path(server).parent_path().parent_path() / ".");
}

void write_index(const fs::path& folder, const std::vector<std::string>& servers) {
    std::string page =
        "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=color-scheme content='light dark'>\n"
        "<meta name=viewport content='width=device-width'><title>See inside</title>\n<h1>See inside</h1>\n"
        "<p>Six servers, recorded call by call. Step through with the arrow keys.</p>\n";
    for (const std::string& server : servers) {
        const std::string chapter = chapter_of(server);
        page += "<p><a href='" + chapter + ".html'>" + chapter + "</a></p>\n";
    }
    write_file(folder / "index.html", page + "</html>\n");
}

int check(const std::vector<std::string>& servers) {
    Tally tally;
    for (const std::string& server : servers) {
        const std::string name = chapter_of(server) + ": the player's model agrees with the kernel";
        if (!asked_for(name)) continue;
        const auto start = Clock::now();
        const auto add = [&](Tally::Verdict result, const std::string& note, const std::string& why) {
            tally.add(result, Clock::now() - start, name, note, why);
        };
        try {
            const std::size_t steps = record(server, chapter_of(server))["steps"].size();
            add(steps < 20 ? Tally::failed : Tally::ok, "", steps < 20 ? text("only ", steps, " steps\n") : "");
        } catch (const Skipped& skipped) {
            add(Tally::skipped, text("skipped: ", skipped.what()), "");
        } catch (const std::exception& error) {
            add(Tally::failed, "", text(error.what(), "\n"));
        }
    }
    return tally.finish();
}

/// Records them side by side, because most of the time they wait.
int write(const fs::path& folder, const std::vector<std::string>& servers) {
    std::vector<std::future<Json>> recordings;
    for (const std::string& server : servers) {
        recordings.push_back(std::async(std::launch::async, record, server, chapter_of(server)));
    }
    for (std::size_t i = 0; i < servers.size(); ++i) {
        const std::string chapter = chapter_of(servers[i]);
        write_page(folder / (chapter + ".html"), {{"runs", {recordings[i].get()}}, {"name", chapter}});
    }
    if (servers.size() > 1) write_index(folder, servers);
    return 0;
}

/// Both play the scene of the second server's chapter.
int write_pair(const std::vector<std::string>& words) {
    const std::string scene = chapter_of(words[3]);
    write_page(fs::path(words[1]) / (words[4] + ".html"), {{"runs", {record(words[2], scene), record(words[3], scene)}},
                                                           {"name", words[4]},
                                                           {"titles", {words[5], words[6]}}});
    return 0;
}

int run(const std::vector<std::string>& words) {
    const std::string command = words.empty() ? "" : words[0];
    if (command == "write" && words.size() > 2) return write(words[1], {words.begin() + 2, words.end()});
    if (command == "pair" && words.size() == 7) return write_pair(words);
    if (command == "check" && words.size() > 1) return check({words.begin() + 1, words.end()});
    std::cerr << "usage: player write FOLDER SERVER... | pair FOLDER ONE OTHER NAME TITLE TITLE | check SERVER...\n";
    return 2;
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        return run({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
    }
    return 1;
}
