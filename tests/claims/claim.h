// A statement of the article as an experiment on the real servers.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/failed.h"

/// One of the six servers.
struct Chapter {
    int number;
    std::string program;
};

/// What an experiment has found: whether the statement holds for this server, and a figure where there is one.
struct Finding {
    bool holds;
    std::string figure;
};

/// Marks a figure that is code, for the page: between backticks.
inline std::string code(const std::string& words) {
    return "`" + words + "`";
}

/// An experiment throws Skipped when a tool is missing, and Failed when it could not be carried out: neither is an
/// answer to the question whether the statement holds.
struct Claim {
    std::string id; ///< in the article's order: S the system calls, C the claims, T the structure, P the traps
    std::string sentence;
    std::vector<int> chapters; ///< where the statement says something about the server: there it is measured
    std::string elsewhere;     ///< why it does not in the other chapters
    std::function<Finding(const Chapter&)> measure;
    bool is_fault = false; ///< the statement is about a fault that one chapter has and a later one fixes
};

/// Whether the server keeps what the black-box cases of these names promise; see tests/cases/.
bool keeps(const Chapter& chapter, std::initializer_list<const char*> names);

// The claims by subject, each in the file of that name.
std::vector<Claim> system_calls(); // S1 to S10: socket, bind, listen, accept, read, fork, write, fcntl
std::vector<Claim> readiness();    // S11 to S15: select and epoll
std::vector<Claim> claims();       // C1 to C10: who waits for whom, and how far it goes
std::vector<Claim> structure();    // T1 to T15: the steps of the full server
std::vector<Claim> traps();        // P1 to P11
