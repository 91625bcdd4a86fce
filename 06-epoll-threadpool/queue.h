// A queue between threads. Introduced by chapter 06.
#pragma once

#include <condition_variable>
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

    /// Wakes a thread that waits, if there is an item for it. When it pops, it wakes the next one for what is left.
    void wake() {
        std::unique_lock lock(mutex_);
        if (items_.empty() || !may_wake_) return;
        may_wake_ = false;
        lock.unlock(); // or the woken thread would wait for it
        not_empty_.notify_one();
    }

    /// Waits for the first item and takes it. Null when the queue has been closed.
    T* pop() {
        std::unique_lock lock(mutex_);
        bool woken = false;
        while (items_.empty() && !closed_) {
            may_wake_ = true;
            not_empty_.wait(lock);
            woken = may_wake_ = true; // others may still wait
        }
        if (closed_) return nullptr;
        T* const item = items_.front();
        items_.pop_front();
        lock.unlock();
        if (woken) wake();
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
    bool may_wake_ = false; // there may be a thread that waits, and no other one is waking up
    bool closed_ = false;
    std::condition_variable not_empty_;
};
