// The faults: which call fails, how, and what may come of it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

/// What strace does to a call.
struct Fault {
    std::string calls{};      ///< as strace names them: "read", "clone,clone3,fork,vfork"
    std::string what{};       ///< "error=EINTR", "signal=SIGCHLD", "delay_enter=20000"
    std::string when{};       ///< "1", "2", "5"; "1+": from the first on; "1+3": each third
    bool may_lose = false;    ///< the error is about one connection, so that one may end; otherwise everyone is served
    bool at_stop = false;     ///< the call comes at a stop, so strace stays until then
    bool in_a_worker = false; ///< of chapter 06's first worker only
    bool ends_it = false;     ///< no call of accept can succeed again: the server says so, delivers, and exits with 1
    std::size_t crowd = 0;    ///< so many more clients are there, so that there is something to run out of
    std::vector<std::string> options{}; ///< of the server, so that it makes the call at all

    /// Whether it is no fault, but the order to stop, at that very call.
    [[nodiscard]] bool stops() const { return what == "signal=SIGTERM"; }

    /// Whether it is about memory. Then the heap never grows, so that malloc has to ask mmap.
    [[nodiscard]] bool no_heap() const { return calls.starts_with("mmap"); }

    /// "read:error=EINTR:when=2"
    [[nodiscard]] std::string name() const { return calls + ":" + what + ":when=" + when; }
};

/// Whether there can be such a fault in chapter 1 to 6; 0 is a stranger's server, of which anything is tried.
std::vector<Fault> all_faults(int chapter);

/// A few of them: errors of every call, and one of each other kind.
std::vector<Fault> few_faults(int chapter);
