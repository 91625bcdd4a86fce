#include "06-epoll-threadpool/queue.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <iostream>
#include <numeric>
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

/// 0, 1, 2 and so on, so many.
std::vector<int> numbers(int count) {
    std::vector<int> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

int one = 1;
int two = 2;
int three = 3;

} // namespace

TEST_CASE("Queue: first in, first out; without memory a push is refused, and what was pushed before is still there") {
    Queue<int> queue;
    std::vector<int> items = numbers(1000);
    int pushed = 0;
    {
        const NoMemoryFor anything(1); // no assertions meanwhile
        for (int& item : items) pushed += queue.push(item) ? 1 : 0;
    }
    REQUIRE(pushed < 1000);
    push(queue, {&three});
    for (int i = 0; i < pushed; ++i) REQUIRE(popped(queue) == i);
    CHECK(popped(queue) == 3);
}

// What might wait forever does so in a child.

TEST_CASE("Queue: closed, it returns null from then on") {
    const std::string printed = printed_by([] {
        Queue<int> queue;
        push(queue, {&one});
        queue.close();
        std::cout << popped(queue);
        push(queue, {&two});
        std::cout << popped(queue);
        queue.close();
        std::cout << popped(queue);
    });
    CHECK(printed == "-1-1-1");
}

TEST_CASE("Queue: between many threads nothing is lost, doubled, or overtaken by what the same thread pushed later") {
    const std::string printed = printed_by([] {
        constexpr int producers = 4;
        constexpr int each = 5000;
        Queue<int> queue;
        std::vector<int> items = numbers(producers * each);
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
            threads.emplace_back([&queue, first = &items[static_cast<std::size_t>(producer * each)]] {
                for (int i = 0; i < each; ++i) {
                    push(queue, {first + i});
                    if (i % 3 == 0 || i == each - 1) queue.wake(); // a round of three, and the last one
                }
            });
        }
        for (std::thread& thread : threads) thread.join();

        std::vector<int> all;
        for (std::vector<int>& mine : popped) {
            std::ranges::stable_sort(mine, {}, [](int item) { return item / each; }); // those of each producer together
            std::cout << std::ranges::is_sorted(mine);
            all.insert(all.end(), mine.begin(), mine.end());
        }
        std::ranges::sort(all);
        std::cout << (all == items);
    });
    CHECK(printed == "11111"); // and nothing from ThreadSanitizer either
}
