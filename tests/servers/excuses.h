// What a chapter by design cannot do. A case that a chapter is excused from is checked to fail there.
#pragma once

#include <string>
#include <vector>

struct Excuse {
    std::string chapters; // "34"; 0 is first.cpp, which also has those of 1
    std::string name;     // of the case
    std::string why;
    std::string sign = {}; // of a failure as excused: a part of what the client did or got
};

/// The excuse of one of these chapters for the case; null when there is none.
inline const Excuse* find_excuse(const std::vector<Excuse>& list, const std::string& name,
                                 const std::string& chapters) {
    for (const Excuse& one : list) {
        if (one.name == name && one.chapters.find_first_of(chapters) != std::string::npos) return &one;
    }
    return nullptr;
}

inline const std::vector<Excuse> excuses = {
    {"0", "gone reader", "it does not ignore SIGPIPE", "Broken pipe"},
    {"0", "stopped while it writes", "it does not look at what write returned", "byte"},
    {"0", "starts again", "it does not set SO_REUSEADDR, nor see that bind fails", "it listens on port"},
    {"0", "urgent", "it does not set SO_OOBINLINE", "'abcd"},
    {"0", "address taken", "it does not see that bind fails", "it listens on port"},

    {"1", "silent client", "it serves one client at a time", "nothing in"},
    {"1", "half a message", "it serves one client at a time", "nothing in"},
    {"1", "never-reading client", "it serves one client at a time", "nothing in"},
    {"1", "slow request", "it serves one client at a time", "answers for"},
    {"1", "newcomers", "it serves one client at a time", "nothing in"},
    {"1", "fifty clients", "it serves one client at a time", "nothing more in"},
    {"1", "1,100 clients", "it serves one client at a time", "only 1 answers"},
    {"1", "thirty leave at once", "it serves one client at a time", "nothing in"},
    {"1", "raises its limit", "it serves one client at a time", "only 1 answers"},
    {"1", "one read, one write", "it serves one client at a time, so 50 cannot take turns", "nothing in"},
    {"1", "no read in vain", "it serves one client at a time, so 50 cannot take turns", "nothing in"},
    {"1", "300 silent clients", "it serves one client at a time", "nothing in"},
    {"1", "more slow clients than threads", "it serves one client at a time", "nothing in"},

    {"2", "no process or thread per client", "a process for each client is its idea", "processes and threads with"},

    {"3", "more slow clients than threads", "its write waits for the client, and everyone with it", "nothing in"},
    {"34", "idle clients cost nothing", "select goes through all of them for each request", "of CPU time beside 10"},
    {"3", "never-reading client", "its write waits for the client, and everyone with it", "nothing in"},
    {"345", "slow request", "one thread answers one request after the other", "the last one after"},
    {"3", "newcomers", "it takes one newcomer a round, so the 20th waits 20 rounds: some 4 s", "still wait"},
    {"34", "1,100 clients", "a set of select's holds descriptors below 1024", "only 1020 answers"},
};

/// What the grader does not ask of a stranger's server at a level, though the chapter's own server can do it.
inline const std::vector<Excuse> not_asked_of_strangers = {
    {"2", "slow request", "chapter 06 is about it"},
    {"1", "more than a set holds", "it would need a backlog of more than 128, the default of many libraries"},
};

/// Cases that make no sense for a chapter; they are not played there.
inline const std::vector<Excuse> not_asked = {
    {"0", "slow request", "it cannot be told to be slow"},
    {"1", "no process or thread per client", "it serves one client at a time"},
    {"1", "idle clients cost nothing", "it serves one client at a time"},
    {"2", "idle clients cost nothing", "it would need as many processes"},
    {"1", "children let go of the listener", "it has no children"},
    {"12", "few waits", "it has no call that waits for several clients"},
    {"6", "few waits", "its main thread waits while the workers work, for one client or for many"},
    {"1", "a newcomer when there is room", "it serves one client at a time"},
    {"1", "room again", "it serves one client at a time"},
    {"2", "room again", "the process that accepts keeps no client's descriptor, and has only its pauses"},
    {"6", "room again", "the thread that closes does not wake the one that accepts, which waits for its pause to end"},
    {"13456", "a child killed", "it has no process for each client"},
    {"13456", "a child stopped", "it has no process for each client"},
    {"1", "nineteen thousand", "it serves one client at a time"},
    {"2", "nineteen thousand", "it would need as many processes"},
    {"34", "nineteen thousand", "a set of select's holds descriptors below 1024"},
    {"12345", "slow workers", "it has no threads that wait for work"},
    {"1234", "interest told once", "it has no epoll"},
    {"6", "no read in vain", "it looks for more before it arms a client, which costs less than arming"},
    {"1234", "an error alone", "it has no epoll"},
    {"12345", "counts who waits", "it has no threads that wait for work"},
    {"6", "interest told once", "each event disarms the client, so that only one thread has it (EPOLLONESHOT)"},
};
