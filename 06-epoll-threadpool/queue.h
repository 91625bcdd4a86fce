// A queue between threads. Introduced by chapter 06.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <new>

/// First in, first out, between any number of threads that push and that pop. It does not own the items.
template <typename T>
class Queue {
  public:
    /// Appends `item`. False when there is no memory for that. It wakes nobody: so main can push all that epoll_wait
    /// has reported before it wakes the first worker.
    [[nodiscard]] bool push(T& item) {
        const std::lock_guard lock(mutex_);
        try {
            items_.push_back(&item);
        } catch (const std::bad_alloc&) {
            return false;
        }
        return true;
    }

    /// Wakes as many threads as there are new items, or all that wait.
    void wake(std::size_t new_items) {
        for (; new_items > 0; --new_items) not_empty_.notify_one();
    }

    /// Waits for the first item and takes it. Null when the queue has been closed.
    T* pop() {
        std::unique_lock lock(mutex_);
        not_empty_.wait(lock, [this] { return closed_ || !items_.empty(); });
        if (closed_) return nullptr;
        T* const item = items_.front();
        items_.pop_front();
        return item;
    }

    /// From now on every `pop` returns null, and what is still in the queue stays there.
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        not_empty_.notify_all();
    }

  private:
    std::mutex mutex_; // guards the two below
    std::deque<T*> items_;
    bool closed_ = false;
    std::condition_variable not_empty_;
};
