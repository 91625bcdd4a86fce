#include "06-epoll-threadpool/queue.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/support/process.h"

namespace {

/// What is queued.
struct Item {
    explicit Item(int number) : value(number) {}
    int value;
    Item* next = nullptr;
};

/// The value of what `pop` gives; -1 for nothing.
int popped(Queue<Item>& queue) {
    const Item* const item = queue.pop();
    return item != nullptr ? item->value : -1;
}

/// Three threads that wait in `pop`, and count what it gives them.
class Waiting {
  public:
    explicit Waiting(Queue<Item>& queue) {
        for (std::atomic<pid_t>& tid : tids_) {
            threads_.emplace_back([this, &queue, &tid] {
                tid = gettid();
                ++(queue.pop() != nullptr ? items : nothings);
            });
        }
        const auto waits = [](const std::atomic<pid_t>& tid) { return tid != 0 && process_state(tid) == 'S'; };
        wait_until("that all wait", [&] { return std::all_of(tids_.begin(), tids_.end(), waits); });
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
    Queue<Item> queue;
    Item one(1);
    Item two(2);
    Item three(3);
    queue.push(one);
    queue.push(two);
    CHECK(popped(queue) == 1);
    queue.push(three);
    CHECK(popped(queue) == 2);
    CHECK(popped(queue) == 3);
}

TEST_CASE("Queue: emptied, it begins anew, with the same items") {
    Queue<Item> queue;
    Item one(1);
    Item two(2);
    queue.push(one);
    CHECK(popped(queue) == 1);
    queue.push(two);
    queue.push(one);
    CHECK(popped(queue) == 2);
    CHECK(popped(queue) == 1);
}

TEST_CASE("Queue: gives all that is queued at once") {
    Queue<Item> queue;
    Item one(1);
    Item two(2);
    CHECK(queue.take_all() == nullptr);
    queue.push(one);
    queue.push(two);
    const Item* const first = queue.take_all();
    REQUIRE(first == &one);
    REQUIRE(first->next == &two);
    CHECK(first->next->next == nullptr);
    CHECK(queue.take_all() == nullptr);
}

// What might wait for ever does so in a child.

TEST_CASE("Queue: closed, it gives nothing any more") {
    const Outcome child = in_child([] {
        Queue<Item> queue;
        Item one(1);
        Item two(2);
        queue.push(one);
        queue.close();
        std::cout << popped(queue);
        queue.push(two);
        std::cout << popped(queue);
        queue.close();
        std::cout << popped(queue);
    });
    CHECK(child.out == "-1-1-1");
}

TEST_CASE("Queue: wake wakes one who waits, and who was woken wakes the next") {
    const Outcome child = in_child([] {
        Queue<Item> queue;
        Item one(1);
        Item two(2);
        Item three(3);
        Waiting waiting(queue);
        queue.wake(); // for nothing
        queue.push(one);
        queue.wake();
        wait_until("that the first is taken", [&] { return waiting.items == 1; });
        queue.push(two);
        queue.push(three);
        queue.wake();
        waiting.join();
        std::cout << waiting.items << " items, " << waiting.nothings << " nothings";
    });
    CHECK(child.out == "3 items, 0 nothings");
    CHECK(child.err.empty());
}

TEST_CASE("Queue: close wakes all who wait") {
    const Outcome child = in_child([] {
        Queue<Item> queue;
        Waiting waiting(queue);
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
        Queue<Item> queue;
        std::vector<Item> items;
        items.reserve(producers * each);
        for (int i = 0; i < producers * each; ++i) items.emplace_back(i);

        std::array<std::vector<int>, 4> popped;
        std::vector<std::thread> consuming;
        for (std::vector<int>& mine : popped) {
            consuming.emplace_back([&queue, &mine] {
                for (;;) {
                    const int item = queue.pop()->value;
                    if (item < 0) return;
                    mine.push_back(item);
                }
            });
        }
        std::vector<std::thread> producing;
        for (int producer = 0; producer < producers; ++producer) {
            producing.emplace_back([&queue, &items, producer] {
                for (int i = 0; i < each; ++i) {
                    queue.push(items[static_cast<std::size_t>(producer * each + i)]);
                    queue.wake();
                }
            });
        }
        for (std::thread& thread : producing) thread.join();
        std::vector<Item> ends(consuming.size(), Item(-1)); // one for each consumer
        for (Item& end : ends) queue.push(end);
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
