// Shows a server's system calls: `tracer trace SERVER`, as text; `tracer timeline FOLDER SERVER...`, as pictures.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "tests/support/failed.h"
#include "tests/support/straced.h"
#include "tests/support/tally.h"
#include "tests/tools/trace/scene.h"
#include "tests/tools/trace/svg.h"
#include "tests/tools/trace/timeline.h"
#include "tests/tools/trace/trace.h"

namespace fs = std::filesystem;

namespace {

void write_file(const fs::path& path, const std::string& content) {
    fs::create_directories(path.parent_path());
    std::ofstream file(path);
    file << content;
    if (!file.flush()) throw std::runtime_error(path.string() + ": cannot be written");
}

/// All pictures under each other, for any browser.
std::string page(const std::vector<std::string>& pictures) {
    std::string html =
        "<!DOCTYPE html>\n<html lang='en'>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width'>\n<title>Who waits for whom</title>\n"
        "<style>body { margin: 1rem auto; padding: 0 0.5rem; max-width: 830px; color: #1f2328; "
        "background: #ffffff; font-family: system-ui, sans-serif; } svg { width: 100%; height: auto; "
        "margin: 1rem 0; } @media (prefers-color-scheme: dark) { body { color: #e6edf3; background: "
        "#0d1117; } }</style>\n<h1>Who waits for whom</h1>\n<p>One scene, six servers. Three times B "
        "connects and wants its line back. A is already there. First A is idle, then it sends and does not read, and "
        "then it asks for something, too. Point at a bar to see the system calls.</p>\n";
    for (const std::string& picture : pictures) html += picture;
    return html + "</html>\n";
}

/// For a server that waits for many clients in one call: how many it asks about.
void add_round(Timeline& timeline, const std::string& server) {
    const bool for_many = std::any_of(timeline.lanes.begin(), timeline.lanes.end(), [](const Lane& lane) {
        return !lane.waits_in.empty() && !lane.waits_in.starts_with("accept");
    });
    if (for_many) timeline.round = find_round(play_round(server));
}

/// On a busy machine the steps of the scene lie further apart, and the picture gets smaller; so the shortest of a few.
Timeline shortest_timeline(const std::string& server) {
    Timeline best = lay_out(play_timeline(server));
    for (int more = 0; more < 4 && lengths_of(best, usual_lengths()) != usual_lengths(); ++more) {
        Timeline next = lay_out(play_timeline(server));
        if (next.parts.back().to - next.parts.front().from < best.parts.back().to - best.parts.front().from) {
            best = std::move(next);
        }
    }
    add_round(best, server);
    return best;
}

/// FOLDER/03-select-server.svg for each server, and for several FOLDER/index.html, all with one time scale.
void timelines(const fs::path& folder, const std::vector<std::string>& servers) {
    std::vector<Timeline> all;
    Lengths lengths = usual_lengths();
    for (const std::string& server : servers) {
        all.push_back(shortest_timeline(server));
        lengths = lengths_of(all.back(), lengths);
    }
    std::vector<std::string> pictures;
    for (std::size_t i = 0; i < servers.size(); ++i) {
        pictures.push_back(draw(all[i], chapter_of(servers[i]), lengths));
        const fs::path path = folder / (chapter_of(servers[i]) + ".svg");
        write_file(path, pictures.back());
        std::cout << path.string() << ": " << finding(all[i]) << '\n';
    }
    if (servers.size() < 2) return;
    write_file(folder / "index.html", page(pictures));
    std::cout << (folder / "index.html").string() << '\n';
}

/// What the picture beside the server tells; see `draw`.
std::string committed_story(const std::string& server) {
    std::ifstream file(fs::path(server).parent_path() / "timeline.svg");
    const std::string picture(std::istreambuf_iterator<char>(file), {});
    const std::size_t from = picture.find("<desc>");
    const std::size_t to = picture.find("</desc>");
    return from == std::string::npos || to == std::string::npos ? "" : picture.substr(from + 6, to - from - 6);
}

/// Plays the scene: whether the picture beside the server still tells what happens.
void check_story(const std::string& server, Tally& tally) {
    const std::string picture = chapter_of(server) + ": timeline.svg tells what happens";
    if (!asked_for(picture)) return;
    const auto start = Clock::now();
    std::string happened;
    try {
        Timeline timeline = lay_out(play_timeline(server));
        add_round(timeline, server);
        happened = story(timeline);
    } catch (const Skipped& skipped) {
        return tally.add(Tally::skipped, {}, picture, text("skipped: ", skipped.what()));
    } catch (const std::exception& error) { // one picture's trouble is not the others'
        happened = text(error.what(), "\n");
    }
    const std::string told = committed_story(server);
    const bool ok = escape(happened) == told;
    tally.add(ok ? Tally::ok : Tally::failed, Clock::now() - start, picture, "",
              ok ? "" : "it tells:\n" + told + "and this happened:\n" + escape(happened) + "(make docs draws it)\n");
}

int run(const std::vector<std::string>& words) {
    const std::string command = words.empty() ? "" : words[0];
    if (command == "trace" && words.size() == 2) {
        std::cout << annotated_trace(chapter_of(words[1]), play_trace(words[1]));
    } else if (command == "raw" && words.size() == 2) {
        std::cout << play_trace(words[1]).raw;
    } else if (command == "timeline" && words.size() > 2) {
        timelines(words[1], {words.begin() + 2, words.end()});
    } else if (command == "check" && words.size() > 1) {
        Tally tally;
        std::for_each(words.begin() + 1, words.end(), [&](const std::string& server) { check_story(server, tally); });
        return tally.finish();
    } else {
        std::cerr << "usage: tracer trace SERVER | raw SERVER | timeline FOLDER SERVER... | check SERVER...\n";
        return 2;
    }
    return 0;
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
