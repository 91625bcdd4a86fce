// A black-box case: what clients do to a server, and what they must get. The same cases are played against every
// server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/client.h"
#include "tests/support/failed.h"
#include "tests/support/running_server.h"

/// The server that a case is played against. It starts when the case first asks for it or for a client; a case that
/// needs it with options of its own starts it itself.
class Subject {
  public:
    /// `program` is one of the six, started anew for each case; its clients wait for `patience` at most.
    Subject(std::string program, milliseconds patience) : program_(std::move(program)), patience_(patience) {}

    /// A stranger's server: `command` with the place for `{port}`. It has no options that we know of.
    Subject(std::vector<std::string> command, milliseconds start_limit, milliseconds patience)
        : command_(std::move(command)), start_limit_(start_limit), patience_(patience) {}

    /// Starts the server; one that runs already is ended first.
    RunningServer& start(const std::vector<std::string>& more = {}, const std::function<void()>& before_exec = {});

    /// The same on this port.
    RunningServer& start_on(std::uint16_t port);

    /// The same, and each answer takes so long. False, and nothing is started, where a stranger's command has no
    /// `--think 0` whose number can be replaced.
    bool start_thinking(milliseconds think);

    /// Ends it. (So does the end of this object.)
    void end() { server_.reset(); }

    [[nodiscard]] bool started() const { return server_ != nullptr; }
    RunningServer& server() { return started() ? *server_ : start(); }
    [[nodiscard]] Endpoint endpoint() { return server().endpoint(patience_); }
    [[nodiscard]] Client connect(int receive_buffer = 0, int segment = 0) {
        return Client(endpoint(), receive_buffer, segment);
    }
    /// One that has got a line back, so the server has accepted it.
    [[nodiscard]] Client served_client();
    [[nodiscard]] const std::string& program() const { return program_; }
    [[nodiscard]] const std::vector<std::string>& command() const { return command_; }
    [[nodiscard]] milliseconds patience() const { return patience_; }

    /// The level that the grader has been asked for: 1 to 6. 0 where the project's own servers are tested.
    [[nodiscard]] int level() const { return level_; }
    void set_level(int level) { level_ = level; }

    /// Something worth saying that is not a failure. The grader says each remark once, at the end.
    void remark(const std::string& words) { remarks_.push_back(words); }
    [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

  private:
    RunningServer& start_strangers(const std::vector<std::string>& command,
                                   const std::function<void()>& before_exec = {}, std::uint16_t port = 0);

    std::string program_;
    std::vector<std::string> command_;
    milliseconds start_limit_{0};
    milliseconds patience_;
    int level_ = 0;
    std::vector<std::string> remarks_;
    std::unique_ptr<RunningServer> server_;
};

/// What the grader says of a case beside the verdict.
struct Lesson {
    std::string why;  ///< after a pass: why it matters
    std::string hint; ///< after a failure: where to look
    std::string call; ///< the second hint: which call does it, and its man page
};

struct Case {
    std::string name;    ///< short, and stable: excuses and exercises name it
    std::string promise; ///< what holds, as a sentence
    std::function<void(Subject&)> play;
    std::optional<Lesson> lesson = std::nullopt; ///< with one, the case is played against any echo server
    bool second_part = false;                    ///< takes time or many clients: the grader plays it after the others
    std::chrono::seconds limit{30};              ///< after this, the grader ends it, and the case has failed
};

/// Throws Failed unless another client is served, in this situation.
void expect_served(Subject& subject, const std::string& situation);

/// Stops the server and all its processes (SIGSTOP), and returns them when they have stopped, for `let_go_on`. A server
/// that is stopped stands for one that is busy: it finds all that came meanwhile when it looks next.
[[nodiscard]] std::vector<pid_t> halt(const RunningServer& server);

/// SIGCONT: returns when they go on. These, because a grandchild may be nobody's by now and not be found again.
void let_go_on(const std::vector<pid_t>& processes);

/// Throws Failed unless `holds`.
void expect(bool holds, const std::string& did, const std::string& expected, const std::string& got);

// The cases by subject, each in the file of that name.
std::vector<Case> echo_cases();         // every byte comes back
std::vector<Case> waiting_cases();      // who waits for whom
std::vector<Case> trouble_cases();      // clients and signals that do what they like
std::vector<Case> resource_cases();     // memory, descriptors, processes, CPU
std::vector<Case> stopping_cases();     // SIGINT and SIGTERM
std::vector<Case> command_line_cases(); // options and messages
std::vector<Case> tool_cases();         // nc, socat and others as clients; strace as the witness
std::vector<Case> manners_cases();      // what a server owes to anyone: prompt answers, no magic words, an end
std::vector<Case> idea_cases();         // what each level is about, as the kernel sees it
std::vector<Case> many_cases();         // what only shows with many clients or messages

/// All of them, in this order.
std::vector<Case> all_cases();
