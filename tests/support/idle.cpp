#include "tests/support/idle.h"

#include <algorithm>
#include <utility>

#include "tests/support/failed.h"

namespace {

constexpr milliseconds stop_limit(8000); // 5 s are promised; the rest is for a busy machine

std::string to_string(const Idle& idle) {
    return text(idle.descriptors, " descriptors, ", idle.threads, " threads, ", idle.processes, " processes (",
                idle.zombies, " zombies)");
}

/// Whether it uses more of a CPU than `percent`, and what was seen.
bool spins(pid_t server, milliseconds look, int percent, std::string& seen) {
    const std::vector<pid_t> tree = process_tree(server);
    const auto before = cpu_time(server);
    const auto start = Clock::now();
    int moments = 0;
    int busy = 0;
    while (Clock::now() - start < look) {
        ++moments;
        if (std::any_of(tree.begin(), tree.end(), wants_the_cpu)) ++busy;
        pause_a_millisecond();
    }
    const auto used = cpu_time(server) - before;
    seen = text(used.count() / 1000, " ms of CPU time in ", look.count(), " ms, running or ready to run at ", busy,
                " moments of ", moments);
    // On a busy machine a server that spins may not get the CPU; then it wants it nearly all the time.
    return used > look * percent / 100 || (moments >= 10 && busy * 10 > moments * 9);
}

} // namespace

bool Rest::has_lasted(milliseconds time) {
    const std::vector<Task> before = std::exchange(last_, tasks(root_));
    const bool has_slept =
        std::equal(before.begin(), before.end(), last_.begin(), last_.end(), [](const Task& was, const Task& is) {
            return was.thread == is.thread && was.switches == is.switches && is.state == 'S';
        });
    if (!has_slept) since_ = Clock::now();
    return has_slept && Clock::now() - since_ >= time;
}

bool Rest::is_in(long call) const {
    return std::any_of(last_.begin(), last_.end(), [&](const Task& task) { return task.call == call; });
}

void wait_for_rest(pid_t root) {
    Rest rest(root);
    wait_until("that the server has nothing left to do and sleeps", [&] {
        std::this_thread::sleep_for(milliseconds(10));
        return rest.has_lasted();
    });
}

Idle idle(pid_t server) {
    const std::vector<pid_t> tree = process_tree(server);
    const auto is_zombie = [](pid_t pid) { return process_state(pid) == 'Z'; };
    const auto zombies = std::count_if(tree.begin(), tree.end(), is_zombie);
    return {open_descriptors(server), threads_of(server).size(), tree.size(), static_cast<std::size_t>(zombies)};
}

void expect_running(RunningServer& server, const std::string& did) {
    if (server.process().running()) return;
    const std::string last = server.process().beginning_of_errors();
    throw Failed{did, "a server that goes on",
                 server.process().how_it_ends(milliseconds(0)) + (last.empty() ? "" : ": " + last)};
}

void expect_given_back(const RunningServer& server, const Idle& before, const std::string& did, const Idle& few) {
    Idle after;
    const auto given_back = [&] {
        after = idle(server.pid());
        if (few == Idle{}) return after == before;
        return after.descriptors <= before.descriptors + few.descriptors &&
               after.threads <= before.threads + few.threads && after.processes <= before.processes + few.processes &&
               after.zombies == 0;
    };
    for (int i = 0; i < 10; ++i) {
        if (eventually(given_back, milliseconds(1000))) return;
        Client(server.endpoint()).expect_echo("one more\n"); // see the header
    }
    if (after.zombies > 0) throw Failed{did, "no zombie: a child that has ended is waited for", to_string(after)};
    throw Failed{did, to_string(before) + (few == Idle{} ? ", as before" : ", as before, or a few more"),
                 to_string(after)};
}

void expect_no_spin(pid_t server, const std::string& situation, milliseconds look, int percent) {
    std::string seen;
    constexpr int looks = 3;
    for (int i = 0; i < looks; ++i) {
        if (!spins(server, look, percent, seen)) return;
    }
    throw Failed{situation, "a server that waits without using the CPU", "it spins: " + seen};
}

void expect_end_by_lost_listener(RunningServer& server, const std::string& did) {
    const std::string ended = server.process().how_it_ends(stop_limit);
    const std::string errors = server.process().standard_error();
    const bool says_so = errors.starts_with("the listening socket is lost: ") && errors.find('\n') == errors.size() - 1;
    if (ended == "exit status 1" && says_so) return;
    throw Failed{did, "one line on standard error, 'the listening socket is lost', and exit status 1",
                 ended + ", '" + errors + "'"};
}

void expect_good_end(RunningServer& server) {
    const std::vector<pid_t> tree = process_tree(server.pid());
    const std::string ended = server.process().how_it_ends(stop_limit);
    if (ended != "exit status 0") throw Failed{"SIGTERM", "exit status 0 within 5 s", ended};
    expect_gone(tree, "SIGTERM");
}

void expect_gone(const std::vector<pid_t>& processes, const std::string& did) {
    for (const pid_t pid : processes) {
        if (eventually([&] { return has_ended(pid); }, milliseconds(4000))) continue;
        throw Failed{did, "that none of its processes runs on", text("process ", pid, " does")};
    }
}
