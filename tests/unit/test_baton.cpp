#include <sys/epoll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "06-epoll-threadpool/session.h"
#include "tests/catch.h"
#include "tests/support/in_child.h"

TEST_CASE("Baton: the first event gives it, the next ones do not") {
    Baton baton;
    CHECK(baton.take(EPOLLIN));
    CHECK_FALSE(baton.take(EPOLLIN));
    CHECK_FALSE(baton.take(EPOLLIN));
}

TEST_CASE("Baton: let go, the next event gives it again") {
    Baton baton;
    CHECK(baton.take(EPOLLIN));
    baton.about_to_look();
    CHECK(baton.let_go());
    CHECK(baton.take(EPOLLIN));
}

TEST_CASE("Baton: an event in between keeps the owner from letting go") {
    Baton baton;
    CHECK(baton.take(EPOLLIN));
    baton.about_to_look();
    CHECK_FALSE(baton.take(EPOLLIN));
    CHECK_FALSE(baton.let_go());
    CHECK_FALSE(baton.take(EPOLLIN)); // still the owner
    baton.about_to_look();
    CHECK(baton.let_go());
}

TEST_CASE("Baton: knows of more than input") {
    Baton baton;
    baton.take(EPOLLIN | EPOLLOUT);
    CHECK_FALSE(baton.more_than_input());
    baton.take(EPOLLIN | EPOLLRDHUP);
    CHECK(baton.more_than_input());
    baton.take(EPOLLIN);
    CHECK(baton.more_than_input()); // once is for ever
}

TEST_CASE("Baton: who looks and is not the owner is stopped") {
    const Outcome child = in_child([] { Baton().about_to_look(); });
    CHECK(child.ended == "ended by signal Aborted");
}

TEST_CASE("Baton: two owners at a time there are never, and no event is left") {
    Baton baton;
    std::atomic<int> owners = 0;
    std::atomic<bool> two = false;
    std::atomic<int> left_over = 0; // events that nobody has looked at after they came
    const auto finder = [&] {
        for (int i = 0; i < 20000; ++i) {
            ++left_over;
            if (!baton.take(EPOLLIN)) continue;
            for (bool mine = true; mine;) {
                if (++owners != 1) two = true;
                baton.about_to_look();
                left_over = 0;
                --owners;
                mine = !baton.let_go();
            }
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back(finder);
    for (std::thread& thread : threads) thread.join();
    CHECK_FALSE(two);
    CHECK(left_over == 0);
}
