// A queue between threads. Introduced by chapter 06.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <new>

/// First in, first out, between any number of threads that push and that pop. It does not own the items. `push` wakes
/// nobody: waking a thread costs as much as an answer to a client. So push all there is, and then call `wake` or `pop`.
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

    /// Wakes one thread that waits, if there is an item for it and no thread is waking up. That one wakes the next.
    void wake() {
        std::unique_lock lock(mutex_);
        if (items_.empty() || skip_-- > 0) return;
        skip_ = 2;     // not for ever, because a C library may lose a notify (glibc's bug 25847)
        lock.unlock(); // or the woken thread might wait for it
        not_empty_.notify_one();
    }

    /// Waits for the first item and takes it. Null when the queue has been closed.
    T* pop() {
        std::unique_lock lock(mutex_);
        bool waited = false;
        while (items_.empty() && !closed_) {
            skip_ = 0; // this thread may be woken
            not_empty_.wait(lock);
            skip_ = 0; // and now the next one
            waited = true;
        }
        if (closed_) return nullptr;
        T* const item = items_.front();
        items_.pop_front();
        lock.unlock();
        if (waited) wake();
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
    int skip_ = 0; // how many calls of `wake` do nothing, because a thread is waking up
    bool closed_ = false;
    std::condition_variable not_empty_;
};
