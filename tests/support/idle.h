// A server that has nothing to do: it rests. One that nobody talks to any more: it has given back what it took, and it
// ends in good order.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/running_server.h"

/// Watches whether a server rests: whether all threads of `root` and its descendants sleep, and none of them has run
/// from one look to the next. Then whatever has not come will not come, unless somebody sends something. This does not
/// depend on how busy the machine is: a thread that has something to do and gets no CPU does not sleep.
class Rest {
  public:
    explicit Rest(pid_t root) : root_(root) {}

    /// Looks. Whether it has been so at all looks of the last `time`, and at some before.
    bool has_lasted(milliseconds time = milliseconds(100));

    /// Whether a thread was in this system call when it was looked last.
    [[nodiscard]] bool is_in(long call) const;

  private:
    pid_t root_;
    std::vector<Task> last_;
    Clock::time_point since_;
};

/// Throws Failed when the server does not come to rest.
void wait_for_rest(pid_t root);

/// What it has when nobody is connected.
struct Idle {
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    std::size_t processes = 0; ///< zombies, too
    std::size_t zombies = 0;
    bool operator==(const Idle&) const = default;
};

Idle idle(pid_t server);

/// Throws Failed when it has ended; with the last that it said.
void expect_running(RunningServer& server, const std::string& did = "talked");

/// Throws Failed unless it comes to have what it had before, or at most `few` more, but no zombie. Let nobody
/// be connected: another client may come, because a child that ends between its parent's waitpid and accept stays a
/// zombie until then.
void expect_given_back(const RunningServer& server, const Idle& before, const std::string& did = "left",
                       const Idle& few = {});

/// Throws Failed when it works though there is nothing to do in this situation: when it uses more of a CPU than
/// `percent` while it is looked at, and does so each time of three. (It may have had to finish something at the first.)
void expect_no_spin(pid_t server, const std::string& situation, milliseconds look = milliseconds(60), int percent = 50);

/// After a loss of its listener: throws Failed unless it says so, in one line, and ends with status 1 in time.
void expect_end_by_lost_listener(RunningServer& server, const std::string& did);

/// Throws Failed unless they have all ended soon.
void expect_gone(const std::vector<pid_t>& processes, const std::string& did);

/// After a SIGTERM: throws Failed unless it ends with status 0 in time, and leaves no process behind.
void expect_good_end(RunningServer& server);
