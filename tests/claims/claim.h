// A statement of the article as an experiment on the real servers, and what nearly every experiment uses.
#pragma once

#include <functional>
#include <initializer_list>
#include <iomanip>
#include <string>
#include <vector>

#include "common/check.h"
#include "tests/support/idle.h"
#include "tests/support/running_server.h"
#include "tests/support/served.h"
#include "tests/support/sockets.h"

/// One of the six servers.
struct Chapter {
    int number;
    std::string program;
};

/// What an experiment has found: whether the statement holds for this server, and a figure where there is one.
struct Finding {
    bool holds;
    std::string figure{};
};

/// Marks a figure that is code, for the page: between backticks.
inline std::string code(const std::string& words) {
    return "`" + words + "`";
}

/// "2.6 MB"
inline std::string rounded(double amount, const std::string& unit) {
    return text(std::fixed, std::setprecision(1), amount, unit);
}

/// An experiment throws Skipped when a tool is missing, and Failed when it could not be carried out: neither is an
/// answer to the question whether the statement holds.
struct Claim {
    std::string id; ///< in the article's order: S the system calls, C the claims, T the structure, P the traps
    std::string sentence;
    std::function<Finding(const Chapter&)> measure;
    std::string chapters = "123456"; ///< where the statement says something about the server: there it is measured
    bool is_fault = false;           ///< the statement is about a fault that one chapter has and a later one fixes

    /// Its test: "S1: `socket` returns ..."
    [[nodiscard]] std::string name() const { return id + ": " + sentence; }
};

/// All claims, file by file. Each is listed before main begins.
inline std::vector<Claim>& all_claims() {
    static std::vector<Claim> all;
    return all;
}

inline bool list(const Claim& claim) {
    all_claims().push_back(claim);
    return true;
}

/// CLAIM(id, sentence, chapters, is_fault) { how `chapter` is measured; gives a Finding }. The last two may be left
/// out.
#define CLAIM(id, sentence, ...)                                                                                       \
    Finding id(const Chapter& chapter);                                                                                \
    const bool id##_is_listed = list({#id, sentence, id __VA_OPT__(, ) __VA_ARGS__});                                  \
    Finding id(const Chapter& chapter)

/// The same with `server`, which has just been started.
#define CLAIM_OF_SERVER(id, sentence, ...)                                                                             \
    Finding id(const Chapter& chapter, RunningServer& server);                                                         \
    Finding id##_started(const Chapter& chapter) {                                                                     \
        RunningServer server(chapter.program);                                                                         \
        return id(chapter, server);                                                                                    \
    }                                                                                                                  \
    const bool id##_is_listed = list({#id, sentence, id##_started __VA_OPT__(, ) __VA_ARGS__});                        \
    Finding id([[maybe_unused]] const Chapter& chapter, RunningServer& server)

constexpr bool is_fault = true;

/// Whether the server keeps what the black-box cases of these names promise; see tests/cases/.
bool keeps(const Chapter& chapter, std::initializer_list<const char*> names);
