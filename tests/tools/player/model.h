// From a tape to the steps of a page: what each call did to the state, checked against what the kernel says.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/tools/player/scene.h"
#include "tests/tools/trace/resolve.h"

using Json = nlohmann::json;

/// The page's data: {chapter, files, statements, steps}. Each step has a sentence, the place in the code, and the state
/// behind it. Throws Failed where the model and the kernel disagree. `folder` is where the server's code is.
Json make_steps(const std::string& chapter, const Tape& tape, const std::string& folder);

/// What a step is about, as the sentences need it.
struct Call {
    const Resolved& call;
    const Json& before; ///< the state before it, and behind it
    const Json& now;
    bool sleeps; ///< it does not return before the next action of a client
    bool slept;  ///< it has not returned before the last action of a client
    int chapter; ///< 1 to 6
};

/// "write(5, 65,536 bytes) = 41,216"; one sentence or two; the article's statements.
struct Words {
    std::string title;
    std::string text;
    std::string ids;
    Json question; ///< {ask, choices, right, why}; null where nothing is asked
};
Words words_for(const Call& call);
Words words_for(const Segment& segment, const Json& before, int chapter);
/// Of a server that does not come to rest, and has made so many more calls.
Words words_for_spin(long calls);

/// "65,536"
std::string with_commas(long number);
/// "A", and "" where there is no client.
inline std::string name_of(char client) {
    return client == 0 ? "" : std::string(1, client);
}
