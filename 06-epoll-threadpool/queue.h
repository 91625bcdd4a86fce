// A queue between threads. Introduced by chapter 06.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

/// First in, first out, between any number of threads that push and that pop.
/// It sets no bound of its own. Here every connection is in one queue at most, so there are never more elements than
/// connections.
template <typename T>
class Queue {
  public:
    /// Appends `item`. Nobody is woken yet: so many can be pushed before the first one is taken.
    void push(T item) {
        const std::lock_guard lock(mutex_);
        items_.push_back(std::move(item));
    }

    /// Wakes one thread that waits in `pop`, if there is something for it.
    void wake() {
        {
            const std::lock_guard lock(mutex_);
            if (items_.empty()) return;
        }
        not_empty_.notify_one();
    }

    /// Waits for the first item and takes it. Nothing when the queue has been closed: the thread shall end.
    std::optional<T> pop() {
        std::unique_lock lock(mutex_);
        not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
        if (closed_) return std::nullopt;
        T item = std::move(items_.front());
        items_.pop_front();
        const bool more = !items_.empty();
        lock.unlock();
        if (more) not_empty_.notify_one(); // who was woken wakes the next: not everyone is needed for a few items
        return item;
    }

    /// All that is queued, without waiting.
    std::deque<T> take_all() {
        const std::lock_guard lock(mutex_);
        return std::exchange(items_, {});
    }

    /// Every `pop`, waiting or to come, gives nothing from now on. What is still queued is not handed out any more.
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        not_empty_.notify_all();
    }

  private:
    std::mutex mutex_; // guards the two below
    std::deque<T> items_;
    bool closed_ = false;
    std::condition_variable not_empty_;
};
