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

void stop_or_continue(const RunningServer& server, int signal) {
    static std::vector<pid_t> processes; // a grandchild that has been stopped may be nobody's when all go on
    if (signal == SIGSTOP) processes = process_tree(server.pid());
    for (const pid_t pid : processes) kill(pid, signal);
    const auto has_done_so = [&](pid_t pid) {
        return has_ended(pid) || (process_state(pid) == 'T') == (signal == SIGSTOP); // a stopped parent reaps no child
    };
    wait_until(signal == SIGSTOP ? "that it has stopped" : "that it goes on",
               [&] { return std::all_of(processes.begin(), processes.end(), has_done_so); });
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
