#include "tests/tools/trace/scene.h"

#include <thread>
#include <vector>

#include "tests/support/served.h"
#include "tests/support/sockets.h"

namespace {

/// More than fits into the buffers of a connection with small segments, and less than the server reads at once.
constexpr std::size_t unread_size = 60000;
constexpr int small_buffer = 2048;
constexpr int small_segment = 400;

/// B, who just wants its line back.
class Asker {
  public:
    explicit Asker(TracedServer& server) : server_(server), client_(server.connect('B')) {}

    void ask() {
        server_.mark('B', "asks");
        asked_ = Clock::now();
        send_line(client_, "hello\n");
    }

    [[nodiscard]] Clock::time_point asked() const { return asked_; }

    /// Waits until the answer is there, or it is certain that none will come while nobody else does anything.
    void wait_for_answer_or_rest() {
        server_.wait_for_rest_or_answer(client_);
        if (client_.hears_within(milliseconds(0))) finish();
    }

    /// Has its answer and leaves, if it has not done so yet.
    void finish() {
        if (client_.fd() < 0) return;
        client_.receive(6);
        server_.mark('B', "has its answer");
        server_.mark('B', "leaves");
        client_.close();
    }

  private:
    TracedServer& server_;
    Client client_;
    Clock::time_point asked_;
};

void hold_since(Clock::time_point since) {
    std::this_thread::sleep_until(since + timeline_hold);
}

void silent(TracedServer& server) {
    server.mark(0, "A says nothing");
    Client a = server.connect('A');
    server.wait_for_rest();
    Asker b(server);
    b.ask();
    b.wait_for_answer_or_rest();
    hold_since(b.asked());
    server.mark('A', "leaves");
    a.close();
    b.finish();
    server.wait_for_rest();
}

void not_reading(TracedServer& server) {
    server.mark(0, "A does not read");
    Client a = server.connect('A', small_buffer, small_segment);
    // The first line makes the server think, and meanwhile all the rest arrives; so it is read as one piece.
    server.mark('A', "asks");
    a.send("hello\n");
    server.wait_for_thinking(a);
    send_line(a, std::string(unread_size, '.'));
    server.wait_for_rest();
    server.mark('A', "is known not to read");
    Asker b(server);
    b.ask();
    b.wait_for_answer_or_rest();
    hold_since(b.asked());
    // The kernel may have made more room meanwhile, enough for all of it.
    if (written_and_unread(a) == unread_size + 6) throw Missed{"A's answer had room in the buffers"};
    server.mark('A', "reads");
    a.receive(unread_size + 6);
    server.mark('A', "has its answer");
    server.mark('A', "leaves");
    a.close();
    b.finish();
    server.wait_for_rest();
}

void both_ask(TracedServer& server) {
    server.mark(0, "both ask");
    Client a = server.connect('A');
    Asker b(server);
    server.mark('A', "asks");
    a.send("hello\n");
    server.wait_for_thinking(a);
    b.ask();
    if (a.hears_within(milliseconds(0))) throw Missed{"B asked when A had its answer"};
    a.receive(6);
    server.mark('A', "has its answer");
    server.mark('A', "leaves");
    a.close();
    b.finish();
    server.wait_for_rest();
}

} // namespace

bool has_workers(const std::string& program) {
    return program.find("06-epoll-threadpool") != std::string::npos;
}

Recording play_timeline(const std::string& program) {
    std::vector<std::string> options{"--think", std::to_string(timeline_think.count())};
    if (has_workers(program)) {
        options.insert(options.end(), {"--read-workers", std::to_string(timeline_readers), "--write-workers",
                                       std::to_string(timeline_writers)});
    }
    std::string missed;
    for (int times = 0; times < 10; ++times) {
        TracedServer server(program, options);
        try {
            silent(server);
            not_reading(server);
            both_ask(server);
        } catch (const Missed& moment) {
            missed = moment.what();
            continue;
        }
        Recording recording = server.finish();
        if (!recording.clock_was_set) return recording;
        missed = "somebody set the clock";
    }
    throw Failed{"played the scene ten times", "that no moment of it is missed", missed};
}

Recording play_round(const std::string& program) {
    TracedServer server(program, {});
    std::vector<Client> idle;
    for (int i = 0; i < timeline_idle; ++i) idle.push_back(server.connect('?'));
    Client b = server.connect('B');
    server.wait_for_rest();
    server.mark('B', "asks");
    b.expect_echo("hello\n");
    return server.finish();
}

Recording play_trace(const std::string& program) {
    // One worker each: which of several takes an event is chance.
    std::vector<std::string> options;
    if (has_workers(program)) options = {"--read-workers", "1", "--write-workers", "1"};
    TracedServer server(program, options);
    server.mark(0, "A connects");
    Client a = server.connect('A');
    server.wait_for_rest();
    server.mark(0, "A says hello and has it back");
    a.expect_echo("hello\n");
    server.wait_for_rest();
    server.mark(0, "B connects while A stays");
    Client b = server.connect('B');
    server.wait_for_rest();
    server.mark(0, "A sends the first half of a message");
    a.expect_echo("good ");
    server.wait_for_rest();
    server.mark(0, "and the second half");
    a.expect_echo("bye\n");
    server.wait_for_rest();
    server.mark(0, "A closes its writing side, and reads to the end");
    a.finish_sending();
    a.receive_all();
    a.close();
    server.wait_for_rest();
    server.mark(0, "B says hello and has it back");
    b.expect_echo("hello\n");
    server.wait_for_rest();
    server.mark(0, "B resets its connection");
    b.reset();
    server.wait_for_rest();
    return server.finish();
}
