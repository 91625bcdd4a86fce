// From a tape to the steps of a page: what each call did to the state, checked against what the kernel says.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/tools/player/scene.h"
#include "tests/tools/trace/resolve.h"

using Json = nlohmann::json;

/// The page's data: {chapter, parts, files, steps}. Each step has a sentence, the place in the code, and `patch`: what
/// it changes in the state, as a merge patch (RFC 7386). Throws Failed where the model and the kernel disagree.
/// `folder` is where the server's code is.
Json make_steps(const std::string& chapter, const Tape& tape, const std::string& folder);

/// What a step is about, as the sentences need it.
struct Call {
    const Resolved& call;
    const Json& before; ///< the state before it
    bool sleeps;        ///< it does not return before the next action of a client
    int chapter;        ///< 1 to 6
};

/// "write(5, 65,536 bytes) = 41,216"; one sentence or two; the article's statements.
struct Words {
    std::string title;
    std::string text;
    std::string ids;
    Json question; ///< {ask, choices, right, why}; null where nothing is asked
};
Words words_for(const Call& call);
Words words_for(const Segment& segment, const Json& before);

/// "65,536"
std::string with_commas(long number);
/// What epoll_wait returned or epoll_ctl was given: "IN", "OUT once"; "" for nothing.
std::string epoll_events(const std::string& strace);
/// The file descriptors in the brackets behind `label`: "in [3 5]".
std::vector<int> descriptors_in(const std::string& text, const std::string& label);
/// What is between the brackets of {events=..., data=...}: for each event its words and its data.
std::vector<std::pair<std::string, std::string>> events_in(const std::string& text);
