// Who waits for whom: a client that takes its time must not take that of the others.
#include "tests/cases/case.h"
#include "tests/support/crowd.h"

namespace {

void silent_client(Subject& subject) {
    subject.start();
    const Client silent = subject.connect();
    subject.connect().expect_echo("am I served?\n");
}

void half_a_message(Subject& subject) {
    subject.start();
    Client slow = subject.connect();
    slow.expect_echo("the first ha");
    subject.connect().expect_echo("am I served?\n");
    slow.expect_echo("lf of a line\n");
}

void never_reading_client(Subject& subject) {
    subject.start();
    Client deaf = subject.connect();
    deaf.send_until_stuck(random_bytes(1 << 16, 5));
    subject.connect().expect_echo("am I served?\n");
}

void slow_request(Subject& subject) {
    const milliseconds think(300);
    subject.start({"--think", std::to_string(think.count())});
    const auto start = Clock::now();
    Crowd crowd(subject.endpoint(), 4);
    const std::size_t served = crowd.wait_for_lines(subject.patience());
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    const std::string did = "4 clients at once sent a request that takes 300 ms";
    expect(served == 4, did, "an answer for each", text("answers for ", served));
    expect(took >= think, did, "that it takes 300 ms", text("all answers after ", took.count(), " ms"));
    expect(took < think * 5 / 2, did, "all answers within 750 ms, as no request waits for another",
           text("the last one after ", took.count(), " ms"));
}

void eleven_hundred_clients(Subject& subject) {
    subject.start();
    Crowd crowd(subject.endpoint(), 1100);
    const std::size_t served = crowd.wait_for_lines(subject.patience());
    expect(served == 1100, "1,100 clients connected, and each sent a line", "1,100 answers", text(served, " answers"));
}

} // namespace

std::vector<Case> waiting_cases() {
    return {
        {"silent client", "a client that says nothing holds nobody", silent_client},
        {"half a message", "a client that has sent half of its message holds nobody", half_a_message},
        {"never-reading client", "a client that does not take its data holds nobody", never_reading_client},
        {"slow request", "a request that takes long holds nobody", slow_request},
        {"1,100 clients", "1,100 clients at once are all served", eleven_hundred_clients},
    };
}
