#include "06-epoll-threadpool/queue.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <iostream>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/support/in_child.h"
#include "tests/unit/counted_memory.h"

namespace {

/// Pushes each of the items.
void push(Queue<int>& queue, std::initializer_list<int*> items) {
    for (int* item : items) {
        if (!queue.push(*item)) std::cout << "not pushed: " << *item;
    }
}

/// What `pop` returns; -1 for null.
int popped(Queue<int>& queue) {
    const int* const item = queue.pop();
    return item != nullptr ? *item : -1;
}

int one = 1;
int two = 2;
int three = 3;

} // namespace

TEST_CASE("Queue: first in, first out, also after it was empty") {
    Queue<int> queue;
    push(queue, {&one, &two});
    CHECK(popped(queue) == 1);
    push(queue, {&three});
    CHECK(popped(queue) == 2);
    CHECK(popped(queue) == 3);
    push(queue, {&three, &one});
    CHECK(popped(queue) == 3);
    CHECK(popped(queue) == 1);
}

TEST_CASE("Queue: without memory a push is refused, and what was pushed before is still there") {
    Queue<int> queue;
    std::vector<int> items(1000);
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int>(i);
    std::size_t pushed = 0;
    {
        const NoMemoryFor anything(1); // no assertions meanwhile
        while (pushed < items.size() && queue.push(items[pushed])) ++pushed;
    }
    REQUIRE(pushed < items.size());
    push(queue, {&three});
    for (std::size_t i = 0; i < pushed; ++i) REQUIRE(popped(queue) == static_cast<int>(i));
    CHECK(popped(queue) == 3);
}

// What might wait forever does so in a child.

TEST_CASE("Queue: closed, it returns null from then on") {
    const Outcome child = in_child([] {
        Queue<int> queue;
        push(queue, {&one});
        queue.close();
        std::cout << popped(queue);
        push(queue, {&two});
        std::cout << popped(queue);
        queue.close();
        std::cout << popped(queue);
    });
    CHECK(child.out == "-1-1-1");
}

TEST_CASE("Queue: a thread is woken for each item, also while the others are busy") {
    const Outcome child = in_child([] {
        Queue<int> queue;
        std::barrier all_are_taken(4); // three threads, each with an item, and this one
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i) {
            threads.emplace_back([&] {
                while (queue.pop() != nullptr) all_are_taken.arrive_and_wait();
            });
        }
        for (int round = 0; round < 2000; ++round) {
            push(queue, {&one, &two, &three});
            queue.wake();
            all_are_taken.arrive_and_wait();
        }
        queue.close();
        for (std::thread& thread : threads) thread.join();
    });
    CHECK(child.ended == "exit status 0");
    CHECK(child.err.empty());
}

TEST_CASE("Queue: between many threads nothing is lost, doubled, or overtaken by what the same thread pushed later") {
    const Outcome child = in_child([] {
        constexpr int producers = 4;
        constexpr int each = 5000;
        Queue<int> queue;
        std::vector<int> items(producers * each);
        for (std::size_t i = 0; i < items.size(); ++i) items[i] = static_cast<int>(i);

        std::atomic<int> left = producers * each;
        std::array<std::vector<int>, 4> popped;
        std::vector<std::thread> threads;
        for (std::vector<int>& mine : popped) {
            threads.emplace_back([&] {
                while (const int* const item = queue.pop()) {
                    mine.push_back(*item);
                    if (--left == 0) queue.close();
                }
            });
        }
        for (int producer = 0; producer < producers; ++producer) {
            threads.emplace_back([&queue, &items, producer] {
                for (int i = 0; i < each; ++i) {
                    push(queue, {&items[static_cast<std::size_t>(producer * each + i)]});
                    if (i % 3 == 0 || i == each - 1) queue.wake(); // a round of three, and the last one
                }
            });
        }
        for (std::thread& thread : threads) thread.join();

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
