// A bash that is told one command after the other, as a terminal would.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/fd.h"
#include "tests/support/process.h"
#include "tests/tools/temporary_folder.h"

/// Where the commands of a page run: a fresh copy of the project, a folder of its own in the place of /tmp, and free
/// ports in the place of those that the page uses.
class Place {
  public:
    /// Copies the project that the current folder is. What is built already is copied, too.
    Place();

    /// The command as it can be run here.
    std::string here(std::string command);
    /// The output as the page would show it.
    [[nodiscard]] std::string as_on_page(std::string output) const;

    [[nodiscard]] std::filesystem::path project() const { return folder() / "project"; }
    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

  private:
    int free_port(int port);

    TemporaryFolder folder_{"pages"};
    std::map<int, int> ports_; // on the page: here
};

class Shell {
  public:
    explicit Shell(Place& place);

    /// Tells it the command; does not wait.
    void tell(const std::string& command);
    /// Waits until it has done what it was told. False when it takes longer than `time`.
    bool done(std::chrono::milliseconds time);
    /// Adds to `lines` what was printed since, and waits for more until `enough` says so, or for `time`.
    template <typename Enough>
    void read(std::vector<std::string>& lines, std::chrono::milliseconds time, Enough enough) {
        const auto until = std::chrono::steady_clock::now() + time;
        drain(lines);
        while (!enough() && std::chrono::steady_clock::now() < until) drain(lines);
    }

  private:
    void drain(std::vector<std::string>& lines);

    Place& place_;
    std::filesystem::path told_; // a named pipe that the shell reads its commands from
    std::filesystem::path done_; // and one that it writes to when it has done one
    Fd tell_;
    Fd hear_;
    Process process_;
};
