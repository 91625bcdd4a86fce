// The command line: options, messages, exit status.
#include <algorithm>

#include "tests/cases/case.h"

namespace {

struct Output {
    Ended ended;
    std::string out;
    std::string errors;
};

/// Runs the server's program to its end.
Output run(Subject& subject, const std::vector<std::string>& arguments) {
    std::vector<std::string> command{subject.program()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process process({command, {}, true});
    Output output;
    while (const auto line = process.read_line(milliseconds(10000))) output.out += *line + "\n";
    const auto ended = process.wait(milliseconds(10000));
    std::string words = "ran it with";
    for (const std::string& argument : arguments) words += " '" + argument + "'";
    expect(ended.has_value(), words, "that it ends", "it runs");
    output.ended = *ended;
    output.errors = process.standard_error();
    return output;
}

void wrong_options(Subject& subject) {
    const std::vector<std::vector<std::string>> wrong = {
        {"--port"},
        {"--port", "65536"},
        {"--port", "-1"},
        {"--port", ""},
        {"--port", "80x"},
        {"--port=99999999999"},
        {"--backlog", "-5"},
        {"--think", "soon"},
        {"--host", "nobody"},
        {"--host", "1.2.3"},
        {"--host"},
        {"--colour"},
        {"7007"},
        {"--verbose=yes"},
        {"--port", " 7007 "},
        {"-p", "7007"},
    };
    for (const auto& arguments : wrong) {
        const Output output = run(subject, arguments);
        std::string words = "ran it with";
        for (const std::string& argument : arguments) words += " '" + argument + "'";
        const std::string name = arguments[0].substr(0, arguments[0].find('='));
        expect(!output.ended.by_signal && output.ended.value == 2, words, "exit status 2", to_string(output.ended));
        expect(std::count(output.errors.begin(), output.errors.end(), '\n') == 1, words, "one line on standard error",
               "'" + output.errors + "'");
        expect(output.errors.find(name) != std::string::npos, words, "a message that names " + name, output.errors);
        expect(output.out.empty(), words, "nothing on standard output", output.out);
    }
}

void help(Subject& subject) {
    const Output output = run(subject, {"--help"});
    expect(!output.ended.by_signal && output.ended.value == 0, "ran it with --help", "exit status 0",
           to_string(output.ended));
    for (const char* option : {"--host", "--port", "--backlog", "--think", "--verbose", "--help"}) {
        expect(output.out.find(option) != std::string::npos, "ran it with --help", text("a line about ", option),
               output.out);
    }
}

void address_taken(Subject& subject) {
    subject.start();
    const std::string where = subject.server().listening_line().substr(std::string("listening on ").size());
    const Output output = run(subject, {"--port", where.substr(where.rfind(':') + 1)});
    expect(!output.ended.by_signal && output.ended.value == 1, "started it twice on the same port", "exit status 1",
           to_string(output.ended));
    const std::string message = "bind " + where + ": Address already in use\n";
    expect(output.errors == message, "started it twice on the same port", "'" + message + "'",
           "'" + output.errors + "'");
}

void the_port_asked_for(Subject& subject) {
    // Two ports: the bytes of one may happen to be the same in either order.
    for (int i = 0; i < 2; ++i) {
        subject.start();
        const std::string line = subject.server().listening_line();
        const std::string port = line.substr(line.rfind(':') + 1);
        subject.start({"--port", port});
        expect(subject.server().listening_line() == line, "started it with --port " + port, "'" + line + "'",
               "'" + subject.server().listening_line() + "'");
    }
}

void loopback_by_default(Subject& subject) {
    subject.start();
    expect(subject.server().listening_line().starts_with("listening on 127.0.0.1:"), "started it without --host",
           "listening on 127.0.0.1", subject.server().listening_line());
}

void ipv6(Subject& subject) {
    try {
        subject.start({"--host", "::1"});
    } catch (const Failed& failed) {
        if (failed.got.find("Cannot assign requested address") != std::string::npos ||
            failed.got.find("Address family not supported") != std::string::npos) {
            throw Skipped{"this machine has no IPv6"};
        }
        throw;
    }
    expect(subject.server().listening_line().starts_with("listening on [::1]:"), "started it with --host ::1",
           "listening on [::1]:PORT", subject.server().listening_line());
    subject.connect().expect_echo("hello\n");
}

void silent_and_verbose(Subject& subject) {
    subject.start();
    {
        Client client = subject.connect();
        client.expect_echo("hello\n");
        client.reset();
    }
    subject.connect().expect_echo("hello\n");
    const std::string silent = subject.server().process().standard_error();
    expect(silent.empty(), "two clients came and went", "nothing on standard error", "'" + silent + "'");

    subject.start({"--verbose"});
    std::string who;
    {
        Client client = subject.connect();
        client.expect_echo("hello\n");
        who = to_string(client.address());
    }
    const Process& process = subject.server().process();
    for (const std::string& word : {who + " connected", std::string("echoed 6"), who + " left"}) {
        expect(eventually([&] { return process.standard_error().find(word) != std::string::npos; }, subject.patience()),
               "came and went, with --verbose", "'" + word + "' on standard error",
               "'" + process.standard_error() + "'");
    }
}

void thinking(Subject& subject) {
    subject.start({"--think", "100"});
    Client client = subject.connect();
    const auto start = Clock::now();
    client.expect_echo("hello\n");
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    expect(took >= milliseconds(100), "asked a server with --think 100", "an answer after 100 ms at the earliest",
           text("after ", took.count(), " ms"));
}

void a_short_queue(Subject& subject) {
    subject.start({"--backlog", "0"});
    for (int i = 0; i < 3; ++i) subject.connect().expect_echo("hello\n");
}

} // namespace

std::vector<Case> command_line_cases() {
    return {
        {"wrong options", "a wrong option or value: one line that names it, exit status 2", wrong_options},
        {"help", "--help names every option, exit status 0", help},
        {"address taken", "an address in use: the call, the address and the reason, exit status 1", address_taken},
        {"the port asked for", "--port is the port that it listens on", the_port_asked_for},
        {"loopback by default", "without --host nobody outside gets in", loopback_by_default},
        {"IPv6", "--host ::1 listens on [::1]", ipv6},
        {"silent and verbose", "it prints nothing while all is well; with --verbose it tells who came, sent and left",
         silent_and_verbose},
        {"thinking", "--think delays each answer", thinking},
        {"a short queue", "--backlog 0 still serves one after the other", a_short_queue},
    };
}
