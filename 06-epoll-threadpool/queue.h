// A queue between threads. Introduced by chapter 06.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>

/// First in, first out, between any number of threads that push and that pop. It does not own the items.
///
/// Waking a thread costs as much as serving a client, so no more threads are woken than have something to do: `push`
/// wakes one if the queue was empty, and a thread that was woken and leaves something behind wakes the next one.
template <typename T>
class Queue {
  public:
    /// Appends `item`. False when there is no memory for that.
    [[nodiscard]] bool push(T& item) {
        std::unique_lock lock(mutex_);
        const bool was_empty = items_.empty();
        try {
            items_.push_back(&item);
        } catch (const std::bad_alloc&) {
            return false;
        }
        lock.unlock();
        if (was_empty) not_empty_.notify_one();
        return true;
    }

    /// Waits for the first item and takes it. Null when the queue has been closed.
    T* pop() {
        std::unique_lock lock(mutex_);
        bool woken = false;
        while (items_.empty() && !closed_) {
            not_empty_.wait(lock);
            woken = true;
        }
        if (closed_) return nullptr;
        T* const item = items_.front();
        items_.pop_front();
        const bool wake_next = woken && !items_.empty();
        lock.unlock();
        if (wake_next) not_empty_.notify_one();
        return item;
    }

    /// From now on every `pop` returns null. What is in the queue stays there.
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
