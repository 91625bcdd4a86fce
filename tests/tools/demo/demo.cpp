// make demo: plays one scene against all six servers, over real sockets, and prints what became of the clients.
// Usage: demo SERVER... where each is the path of a server's binary, as in 03-select-server/server.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/descriptor_limit.h"
#include "tests/support/running_server.h"
#include "tests/tools/demo/scene.h"
#include "tests/tools/demo/table.h"

namespace {

constexpr std::size_t wanted_crowd = 1500;

/// More than this process and a server each have open besides the clients' connections.
constexpr rlim_t other_descriptors = 32;

/// What a chapter is designed to do. Nothing that is measured depends on it: it explains what was measured, and where
/// that was something else the demonstration says so.
struct Design {
    const char* server;
    const char* reason;
    Verdict beside_silent;
    Verdict beside_never_reading;
    Verdict behind_slow;
    std::size_t most_clients;
};

using enum Verdict;

/// A set for select has a bit for each descriptor below FD_SETSIZE. Four are not clients: stdin, stdout, stderr and the
/// listener.
constexpr std::size_t most_with_select = FD_SETSIZE - 4;

constexpr Design designs[] = {
    {"01-blocking-server", "It serves one client at a time, so all the others wait until the first one leaves.", //
     not_served, not_served, not_served, 1},
    {"02-fork-per-client",
     "Each client has a process of its own, and only that one waits. The price is so many processes.", served, served,
     served, SIZE_MAX},
    {"03-select-server",
     "One process serves all. While it blocks in write it serves nobody; select ends at descriptor 1,023.", served,
     not_served, late, most_with_select},
    {"04-nonblocking-fcntl",
     "No read or write blocks any more. Slow requests still queue up; select ends at descriptor 1,023.", //
     served, served, late, most_with_select},
    {"05-epoll-server", "epoll has no such limit. But its one thread still works on one request after the other.", //
     served, served, late, SIZE_MAX},
    {"06-epoll-threadpool",
     "Four workers share the requests, so a slow one keeps only one worker busy. (A fifth would wait.)", //
     served, served, served, SIZE_MAX},
};

/// What happened to the ordinary client `when`, if that is not what the design says.
void compare(Verdict designed, const Answer& answer, const std::string& when, std::vector<std::string>& remarks) {
    if (answer.verdict == designed) return;
    switch (answer.verdict) {
    case Verdict::served:
        return remarks.push_back(text("unexpected here: served ", when));
    case Verdict::late:
        return remarks.push_back(text("unexpected here: late ", when, ": ", duration_text(answer.after)));
    case Verdict::not_served:
        return remarks.push_back("unexpected here: not served " + when);
    }
}

/// All that is not as designed, and would make the reason untrue.
std::vector<std::string> surprises(const Scene& scene, const Design& design) {
    std::vector<std::string> remarks;
    compare(design.beside_silent, scene.beside_silent, "beside the idle client", remarks);
    compare(design.beside_never_reading, scene.beside_never_reading, "beside the one that never reads", remarks);
    compare(design.behind_slow, scene.behind_slow, "behind the slow requests", remarks);
    const CrowdAnswers& crowd = scene.crowd;
    const bool all = crowd.served == crowd.clients;
    const bool one_more = crowd.one_more.verdict != Verdict::not_served;
    if (all != (crowd.clients <= design.most_clients) || one_more != (crowd.clients < design.most_clients)) {
        remarks.push_back(text("unexpected here: of the crowd ", number_text(crowd.served), " of ",
                               number_text(crowd.clients), " served, one more ", one_more ? "served" : "not served"));
    }
    return remarks;
}

/// Adds the reason to what was measured, and what the reason does not explain.
void explain(Row& row) {
    const auto* design = std::find_if(std::begin(designs), std::end(designs),
                                      [&](const Design& one) { return one.server == row.server; });
    if (design == std::end(designs)) return;
    row.reason = design->reason;
    for (const std::string& surprise : surprises(*row.scene, *design)) row.remarks.push_back(surprise);
}

/// Plays the scene against one server, and says meanwhile how far it is.
Row measure(const std::string& program, std::size_t crowd) {
    const auto start = Clock::now();
    Row row{chapter_of(program), {}, "", {}};
    std::cout << std::left << std::setw(22) << row.server << std::flush;
    try {
        check(access(program.c_str(), X_OK), "access ", program);
        row.scene = play(program, crowd, [](const std::string& act) { std::cout << act << " ... " << std::flush; });
        row.remarks = row.scene->troubles;
        explain(row);
        std::cout << "done in " << duration_text(Clock::now() - start) << std::endl;
    } catch (const std::exception& error) {
        row.remarks.push_back(error.what());
    }
    if (!row.scene) std::cout << "did not start: " << row.remarks.back() << std::endl;
    return row;
}

/// Make leaves some of its own descriptors open in what it starts. The servers shall have none but their own, so that
/// the table shows where select really ends.
void keep_inherited_descriptors() {
    for (int fd = STDERR_FILENO + 1; fd < FD_SETSIZE; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/// As many as are wanted, or as the limit on descriptors, which holds for the servers too, allows.
std::size_t possible_crowd() {
    limit_descriptors(RLIM_INFINITY);
    rlimit limit{};
    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    if (limit.rlim_cur >= wanted_crowd + other_descriptors) return wanted_crowd;
    return limit.rlim_cur > other_descriptors ? limit.rlim_cur - other_descriptors : 1;
}

/// The limit on descriptors did not allow all that were wanted.
void say_that_few(std::size_t crowd) {
    std::cout << "The limit on open files (ulimit -n) allows only " << crowd << " clients here. "
              << number_text(wanted_crowd) << " would need " << number_text(wanted_crowd + other_descriptors) << ".\n";
    if (crowd < most_with_select) std::cout << "So select was not taken to its limit.\n";
}

bool wants_colour() {
    return isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        keep_inherited_descriptors();
        const std::size_t crowd = possible_crowd();
        std::cout << "Each server meets the same clients: one that is idle, one that never reads, slow requests, and a "
                     "crowd.\n";
        std::vector<Row> rows;
        for (int i = 1; i < argc; ++i) rows.push_back(measure(argv[i], crowd));

        std::cout << '\n' << table(rows, crowd, wants_colour());
        if (crowd < wanted_crowd) say_that_few(crowd);
        std::cout << "\nNow try it yourself. In one terminal:   make run CHAPTER=01\n"
                     "In a second one:                        nc 127.0.0.1 7007      Type a line, and it comes back.\n"
                     "In a third one, at the same time:       nc 127.0.0.1 7007      Its line waits until you leave "
                     "the first nc.\n"
                     "Ctrl-C leaves nc, and stops the server.\n";
        return std::all_of(rows.begin(), rows.end(), [](const Row& row) { return row.scene.has_value(); }) ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
