// A queue between threads. Introduced by chapter 06.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <new>

/// First in, first out, between any number of threads that push and that pop. It does not own the items. `push` wakes
/// nobody: waking a thread costs as much as serving a client, so push all there is first, and then call `wake` once.
template <typename T>
class Queue {
  public:
    /// Appends `item`. False when there is no memory for that.
    [[nodiscard]] bool push(T& item) {
        const std::lock_guard lock(mutex_);
        try {
            items_.push_back(&item);
        } catch (const std::bad_alloc&) {
            return false;
        }
        return true;
    }

    /// Wakes a thread for each item, as far as there are threads that wait.
    void wake() {
        std::unique_lock lock(mutex_);
        std::size_t count = std::min(items_.size(), waiting_);
        lock.unlock(); // or the woken threads would wait for it
        for (; count > 0; --count) not_empty_.notify_one();
    }

    /// Waits for the first item and takes it. Null when the queue has been closed.
    T* pop() {
        std::unique_lock lock(mutex_);
        while (items_.empty() && !closed_) {
            ++waiting_;
            not_empty_.wait(lock);
            --waiting_;
        }
        if (closed_) return nullptr;
        T* const item = items_.front();
        items_.pop_front();
        return item;
    }

    /// From now on every `pop` returns null. What is in the queue stays there.
    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        not_empty_.notify_all();
    }

  private:
    std::mutex mutex_; // guards the three below
    std::deque<T*> items_;
    std::size_t waiting_ = 0; // threads that wait
    bool closed_ = false;
    std::condition_variable not_empty_;
};
