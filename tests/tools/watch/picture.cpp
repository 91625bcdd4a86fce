#include "tests/tools/watch/picture.h"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <regex>

#include "tests/support/idle.h"
#include "tests/support/tally.h"
#include "tests/tools/watch/own_client.h"
#include "tests/tools/watch/screen.h"

namespace {

/// What is pressed. A thinking server thinks for longer than the scene lasts.
struct Scene {
    std::string keys;
    std::vector<std::string> options{};
};
const std::map<std::string, Scene> scenes = {{"01", {"ch"}},  {"02", {"cnh"}},
                                             {"03", {"hnh"}}, {"04", {"hnh"}},
                                             {"05", {"hnh"}}, {"06", {"chhhhh", {"--think", "60000"}}}};

/// Lets our clients do what they wait for; whether any of them could, within so many milliseconds.
bool serve(std::vector<OwnClient>& clients, int time) {
    std::vector<pollfd> all;
    for (const OwnClient& client : clients) all.push_back(client.waits_for());
    const bool any = poll(all.data(), all.size(), time) > 0;
    for (std::size_t i = 0; i < all.size(); ++i) clients[i].act(all[i].revents);
    return any;
}

/// Presses the keys, each when the server rests again, and gives the screen.
Lines play(const std::string& server) {
    const std::string chapter = chapter_of(server);
    const Scene& scene = scenes.at(chapter.substr(0, 2));
    const RunningServer running(server, scene.options);
    const Address address = running.endpoint().address;
    std::vector<OwnClient> clients;
    Around around{chapter};
    Watcher watcher(running.pid(), port_of(address));
    for (const char key : scene.keys) {
        clients.emplace_back(key, address);
        watcher.look(); // each gets its name in turn
        Rest rest(running.pid());
        do {
            while (serve(clients, 20)) continue;
        } while (!rest.has_lasted(milliseconds(clients.size() < scene.keys.size() ? 100 : 300)));
    }
    const Snapshot now = watcher.look();
    for (auto it = clients.rbegin(); it != clients.rend(); ++it) around.own.push_back(it->story(now));
    return screen(now, around, 80, 0);
}

std::string text_of(const Lines& lines) {
    std::string all;
    for (const Line& line : lines) all += line.text.substr(0, line.text.find_last_not_of(' ') + 1) + "\n";
    return all;
}

std::string escape(std::string words) {
    words = std::regex_replace(words, std::regex("&"), "&amp;");
    return std::regex_replace(words, std::regex("<"), "&lt;");
}

/// What differs from time to time: ports, process IDs, times, and how much the buffers hold, as long as it is not 0.
std::string without_numbers(const std::string& words) {
    return std::regex_replace(std::regex_replace(words, std::regex("[0-9]+\\.[0-9]+|[1-9][0-9]*"), "N"),
                              std::regex("\\s+"), " ");
}

std::string svg(const Lines& lines, const std::string& title) {
    constexpr const char* style = R"(
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; fill: #1f2328; }
.paper { fill: #f6f8fa; } .strong { font-weight: 700; } .faint { fill: #57606a; }
.waits { fill: #a61e4d; font-weight: 700; } .works { fill: #7d4e00; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .paper { fill: #161b22; } .faint { fill: #9aa4af; } .waits { fill: #ff9abf; } .works { fill: #e3b341; }
}
)";
    static const std::vector<std::string> names{"plain", "strong", "faint", "waits", "works"}; // as in Style
    std::string all =
        text("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 700 ", lines.size() * 18 + 16,
             "' role='img'>\n<title>", title, "</title>\n<desc>\n", escape(text_of(lines)), "</desc>\n<style>", style,
             "</style>\n<rect width='100%' height='100%' rx='6' class='paper'/>\n");
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string line = text_of({lines[i]});
        if (line.size() < 2) continue;
        // Its length is given, because fonts differ in their width.
        all += text("<text x='8' y='", i * 18 + 24, "' textLength='", (line.size() - 1) * 85 / 10,
                    "' xml:space='preserve' class='", names[static_cast<std::size_t>(lines[i].style)], "'>",
                    escape(line.substr(0, line.size() - 1)), "</text>\n");
    }
    return all + "</svg>\n";
}

std::string picture_of(const std::string& server) {
    return chapter_of(server) + "/watch.svg";
}

/// Plays until the screen is that of the picture, up to three times. Empty when it is; else the screen.
std::string difference_from(const std::string& server) {
    std::ifstream file(picture_of(server));
    const std::string drawn{std::istreambuf_iterator<char>(file), {}};
    std::string last;
    for (int i = 0; i < 3; ++i) {
        last = text_of(play(server));
        if (without_numbers(drawn).find(without_numbers("<desc>\n" + escape(last) + "</desc>")) != std::string::npos)
            return "";
    }
    return last;
}

} // namespace

void draw_pictures(const std::vector<std::string>& servers, bool all) {
    for (const std::string& server : servers) {
        if (!all && difference_from(server).empty()) continue;
        std::ofstream(picture_of(server)) << svg(play(server), "make watch, " + chapter_of(server));
        std::cout << "drawn    " << picture_of(server) << '\n';
    }
}

int check_pictures(const std::vector<std::string>& servers) {
    Tally tally;
    for (const std::string& server : servers) {
        const std::string name = "watch: " + picture_of(server) + " is what is to be seen";
        if (!asked_for(name)) continue;
        const auto start = Clock::now();
        try {
            const std::string other = difference_from(server);
            tally.add(other.empty() ? Tally::ok : Tally::failed, Clock::now() - start, name, "",
                      other.empty() ? "" : "now it is this; make docs draws it again:\n" + other);
        } catch (const Skipped& why) {
            tally.add(Tally::skipped, Clock::now() - start, name, text("skipped: ", why.what()));
        }
    }
    return tally.finish();
}
