#include "06-epoll-threadpool/queue.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"

namespace {

/// Three threads that wait in `pop`, and count what it gives them.
template <typename T>
class Waiting {
  public:
    explicit Waiting(Queue<T>& queue) {
        for (std::atomic<pid_t>& tid : tids_) {
            threads_.emplace_back([this, &queue, &tid] {
                tid = gettid();
                ++(queue.pop() ? items : nothings);
            });
        }
        const auto waits = [](const std::atomic<pid_t>& tid) { return tid != 0 && process_state(tid) == 'S'; };
        eventually([&] { return std::all_of(tids_.begin(), tids_.end(), waits); });
    }
    ~Waiting() { join(); }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    void join() {
        for (std::thread& thread : threads_) thread.join();
        threads_.clear();
    }

    std::atomic<int> items = 0;
    std::atomic<int> nothings = 0;

  private:
    std::array<std::atomic<pid_t>, 3> tids_{};
    std::vector<std::thread> threads_;
};

} // namespace

TEST_CASE("Queue: first in, first out") {
    Queue<int> queue;
    queue.push(1);
    queue.push(2);
    CHECK(queue.pop() == 1);
    queue.push(3);
    CHECK(queue.pop() == 2);
    CHECK(queue.pop() == 3);
}

TEST_CASE("Queue: hands over what can only be moved") {
    Queue<std::unique_ptr<int>> queue;
    queue.push(std::make_unique<int>(7));
    const std::optional<std::unique_ptr<int>> item = queue.pop();
    REQUIRE(item);
    CHECK(**item == 7);
}

TEST_CASE("Queue: gives all that is queued at once") {
    Queue<int> queue;
    CHECK(queue.take_all().empty());
    queue.push(1);
    queue.push(2);
    CHECK(queue.take_all() == std::deque{1, 2});
    CHECK(queue.take_all().empty());
}

// What might wait for ever does so in a child.

TEST_CASE("Queue: closed, it gives nothing any more") {
    const Outcome child = in_child([] {
        Queue<int> queue;
        queue.push(1);
        queue.close();
        std::cout << queue.pop().has_value();
        queue.push(2);
        std::cout << queue.pop().has_value();
        queue.close();
        std::cout << queue.pop().has_value();
    });
    CHECK(child.out == "000");
}

TEST_CASE("Queue: wake wakes one who waits, and who was woken wakes the next") {
    const Outcome child = in_child([] {
        Queue<int> queue;
        Waiting<int> waiting(queue);
        queue.wake(); // for nothing
        queue.push(1);
        queue.wake();
        eventually([&] { return waiting.items == 1; });
        queue.push(2);
        queue.push(3);
        queue.wake();
        waiting.join();
        std::cout << waiting.items << " items, " << waiting.nothings << " nothings";
    });
    CHECK(child.out == "3 items, 0 nothings");
    CHECK(child.err.empty());
}

TEST_CASE("Queue: close wakes all who wait") {
    const Outcome child = in_child([] {
        Queue<int> queue;
        Waiting<int> waiting(queue);
        queue.close();
        waiting.join();
        std::cout << waiting.items << " items, " << waiting.nothings << " nothings";
    });
    CHECK(child.out == "0 items, 3 nothings");
    CHECK(child.err.empty());
}

TEST_CASE("Queue: between many threads nothing is lost, doubled, or overtaken by what the same thread pushed later") {
    const Outcome child = in_child([] {
        constexpr int producers = 4;
        constexpr int each = 5000;
        Queue<int> queue;

        std::array<std::vector<int>, 4> popped;
        std::vector<std::thread> consuming;
        for (std::vector<int>& mine : popped) {
            consuming.emplace_back([&queue, &mine] {
                for (;;) {
                    const int item = queue.pop().value();
                    if (item < 0) return;
                    mine.push_back(item);
                }
            });
        }
        std::vector<std::thread> producing;
        for (int producer = 0; producer < producers; ++producer) {
            producing.emplace_back([&queue, producer] {
                for (int i = 0; i < each; ++i) {
                    queue.push(producer * each + i);
                    queue.wake();
                }
            });
        }
        for (std::thread& thread : producing) thread.join();
        for (std::size_t i = 0; i < consuming.size(); ++i) queue.push(-1); // the end, for one consumer each
        queue.wake();
        for (std::thread& thread : consuming) thread.join();

        bool in_order = true;
        std::vector<int> times(producers * each, 0);
        for (const std::vector<int>& mine : popped) {
            std::array<int, producers> last;
            last.fill(-1);
            for (const int item : mine) {
                int& before = last[static_cast<std::size_t>(item / each)];
                in_order = in_order && before < item;
                before = item;
                ++times[static_cast<std::size_t>(item)];
            }
        }
        const auto once = std::count(times.begin(), times.end(), 1);
        std::cout << once << " once, " << (in_order ? "in order" : "jumbled up");
    });
    CHECK(child.out == "20000 once, in order");
    CHECK(child.err.empty()); // nothing from ThreadSanitizer either
    CHECK(child.ended == "exit status 0");
}
