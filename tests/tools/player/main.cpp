// Records scenes and has pages made of them, on which one can step through them.

#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/support/running_server.h"
#include "tests/support/tally.h"
#include "tests/tools/player/scene.h"
#include "tests/tools/temporary_folder.h"

namespace fs = std::filesystem;
using Json = nlohmann::json;

// A recording as JSON. What it means, model.js says.
NLOHMANN_JSON_SERIALIZE_ENUM(Do, {{Do::connects, "connects"},
                                  {Do::sends, "sends"},
                                  {Do::reads, "reads"},
                                  {Do::leaves, "leaves"},
                                  {Do::watches, "watches"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Watched, fd, events)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Buffers, to_server, to_client)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Reading, rests, queue, buffers, descriptors, epoll)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Action, client, what, bytes)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Segment, action, part, at, again, done, failed, after)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ReportedEvent, fd, events)
using Kind = TraceEvent::Kind;
NLOHMANN_JSON_SERIALIZE_ENUM(Kind, {{Kind::call, "call"}, {Kind::signal, "signal"}, {Kind::exit, "exit"}})
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TraceEvent, kind, thread, begin, end, name, arguments, result, value, error, stack)

namespace {

/// select and epoll_wait have one name, whichever call it is on this machine.
Json json_of(const Resolved& call) {
    Json all = call.event;
    if (call.event.is_select()) all["name"] = "select";
    if (call.event.is_epoll_wait()) all["name"] = "epoll_wait";
    all.update({{"process", call.process},
                {"waits", call.waits != Waits::nothing},
                {"client", call.client == 0 ? "" : std::string(1, call.client)},
                {"reported", call.reported},
                {"open", call.open}});
    return all;
}

/// `scene`: that of another chapter, to play the same in both. Throws Skipped where no page can be made of it.
Json record(const std::string& server, const std::string& scene) {
    if (!installed("node")) throw Skipped{"node is not installed"};
    const Tape tape = play(scene_of(scene), server);
    Json calls = Json::array();
    for (const Resolved& call : tape.calls) calls.push_back(json_of(call));
    return {{"chapter", chapter_of(server)},
            {"program", server},
            {"server", tape.server},
            {"stop", tape.stop},
            {"calls", calls},
            {"segments", tape.segments}};
}

/// Throws where the model that pages.js has of the server and what the kernel said disagree.
void make_page(const fs::path& folder, const std::string& name, const Json& runs, const Json& titles = {}) {
    fs::create_directories(folder);
    const fs::path recording = folder / (name + ".json");
    std::ofstream(recording) << Json{{"name", name}, {"titles", titles}, {"runs", runs}};
    const Outcome made = Process({{"node", "tests/tools/player/pages.js", recording}}).outcome();
    fs::remove(recording);
    if (made.ended != "exit status 0") {
        throw std::runtime_error(made.err.empty() ? "pages.js: " + made.ended : made.err);
    }
    std::cout << made.out;
}

int check(const std::vector<std::string>& servers) {
    const TemporaryFolder folder("player");
    Tally tally;
    for (const std::string& server : servers) {
        const std::string chapter = chapter_of(server);
        const std::string name = chapter + ": the player's model agrees with the kernel";
        if (!asked_for(name)) continue;
        const auto start = Clock::now();
        const auto add = [&](Tally::Verdict result, const std::string& note = "", const std::string& why = "") {
            tally.add(result, Clock::now() - start, name, note, why);
        };
        try {
            make_page(folder.path(), chapter, Json::array({record(server, chapter)}));
            add(Tally::ok);
        } catch (const Skipped& skipped) {
            add(Tally::skipped, text("skipped: ", skipped.what()));
        } catch (const std::exception& error) {
            add(Tally::failed, "", text(error.what(), "\n"));
        }
    }
    return tally.finish();
}

int write(const fs::path& folder, const std::vector<std::string>& servers) {
    std::vector<std::future<Json>> recordings;
    for (const std::string& server : servers) {
        recordings.push_back(std::async(std::launch::async, record, server, chapter_of(server)));
    }
    for (std::size_t i = 0; i < servers.size(); ++i) {
        make_page(folder, chapter_of(servers[i]), Json::array({recordings[i].get()}));
    }
    return 0;
}

/// Both play the scene of the second server's chapter.
int write_pair(const std::vector<std::string>& words) {
    const std::string scene = chapter_of(words[3]);
    auto other = std::async(std::launch::async, record, words[3], scene);
    const Json one = record(words[2], scene);
    make_page(words[1], words[4], Json::array({one, other.get()}), Json::array({words[5], words[6]}));
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
