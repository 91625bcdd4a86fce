#include "tests/cases/case.h"

#include <signal.h>

#include <algorithm>

RunningServer& Subject::start(const std::vector<std::string>& more, const std::function<void()>& before_exec) {
    if (!command_.empty()) return start_strangers(command_, before_exec);
    server_.reset();
    server_ = std::make_unique<RunningServer>(program_, more, before_exec);
    return *server_;
}

RunningServer& Subject::start_strangers(const std::vector<std::string>& command,
                                        const std::function<void()>& before_exec, std::uint16_t port) {
    server_.reset();
    server_ = std::make_unique<RunningServer>(command, start_limit_, before_exec, port);
    return *server_;
}

RunningServer& Subject::start_on(std::uint16_t port) {
    return command_.empty() ? start({"--port", std::to_string(port)}) : start_strangers(command_, {}, port);
}

bool Subject::start_thinking(milliseconds think) {
    const std::string value = std::to_string(think.count());
    if (command_.empty()) {
        start({"--think", value});
        return true;
    }
    std::vector<std::string> command = command_;
    const auto option = std::find(command.begin(), command.end(), "--think");
    if (option == command.end() || option + 1 == command.end()) return false;
    *(option + 1) = value;
    start_strangers(command);
    return true;
}

Client Subject::served_client() {
    Client client = connect();
    client.expect_echo("hello\n");
    return client;
}

void expect_served(Subject& subject, const std::string& situation) {
    say_first(situation + "; then another client ", [&] { subject.connect().expect_echo("am I served?\n"); });
}

std::vector<pid_t> halt(const RunningServer& server) {
    const std::vector<pid_t> processes = process_tree(server.pid());
    for (const pid_t pid : processes) kill(pid, SIGSTOP);
    // A process that has ended stays until its parent goes on and reaps it.
    const auto has_stopped = [](pid_t pid) { return has_ended(pid) || process_state(pid) == 'T'; };
    wait_until("that it has stopped", [&] { return std::ranges::all_of(processes, has_stopped); });
    return processes;
}

void let_go_on(const std::vector<pid_t>& processes) {
    for (const pid_t pid : processes) kill(pid, SIGCONT);
    const auto goes_on = [](pid_t pid) { return process_state(pid) != 'T'; };
    wait_until("that it goes on", [&] { return std::ranges::all_of(processes, goes_on); });
}

void expect(bool holds, const std::string& did, const std::string& expected, const std::string& got) {
    if (!holds) throw Failed{did, expected, got};
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    for (const auto& some : {echo_cases(), waiting_cases(), trouble_cases(), resource_cases(), stopping_cases(),
                             manners_cases(), command_line_cases(), tool_cases(), idea_cases(), many_cases()}) {
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}
