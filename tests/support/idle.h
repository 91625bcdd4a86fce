// A server that nobody talks to any more: it has given back what it took, it rests, and it ends in good order.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "tests/support/running_server.h"

/// What it has when nobody is connected.
struct Idle {
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    std::size_t processes = 0; ///< zombies, too
    bool operator==(const Idle&) const = default;
};

Idle idle(pid_t server);

/// Throws Failed when it has ended; with the last that it said.
void expect_running(RunningServer& server);

/// Throws Failed unless it comes to have what it had before. Let nobody be connected: another client may come, because
/// a child that ends between its parent's waitpid and accept stays a zombie until then.
void expect_given_back(const RunningServer& server, const Idle& before);

/// Throws Failed when it works though there is nothing to do in this situation: when it uses more of a CPU than
/// `percent` while it is looked at, and does so each time of three. (It may have had to finish something at the first.)
void expect_no_spin(pid_t server, const std::string& situation, milliseconds look = milliseconds(60), int percent = 50);

/// After a SIGTERM: throws Failed unless it ends with status 0 in time, and leaves no process behind.
void expect_good_end(RunningServer& server);
