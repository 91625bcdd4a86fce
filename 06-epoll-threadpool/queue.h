// A queue between threads. Introduced by chapter 06.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

/// First in, first out, between any number of threads that push and that pop. It refers to the items and does not own
/// them: a `T` has a member `T* next` by which the queue links them, and is in one queue at most. So a push needs no
/// memory and cannot fail, and there are never more items than connections.
template <typename T>
class Queue {
  public:
    /// Appends `item`. Nobody is woken yet: so many can be pushed before the first one is taken.
    void push(T& item) {
        const std::lock_guard lock(mutex_);
        item.next = nullptr;
        *(first_ == nullptr ? &first_ : &last_->next) = &item;
        last_ = &item;
    }

    /// Wakes one thread that waits in `pop`, if there is something for it.
    void wake() {
        {
            const std::lock_guard lock(mutex_);
            if (first_ == nullptr) return;
        }
        not_empty_.notify_one();
    }

    /// Waits for the first item and takes it. Null when the queue has been closed: the thread shall end.
    /// Who was woken and finds more wakes the next one; so there are not more threads awake than have something to do.
    T* pop() {
        std::unique_lock lock(mutex_);
        bool woken = false;
        while (!closed_ && first_ == nullptr) {
            not_empty_.wait(lock);
            woken = true;
        }
        if (closed_) return nullptr;
        T* const item = first_;
        first_ = item->next;
        const bool more = first_ != nullptr;
        lock.unlock();
        if (woken && more) not_empty_.notify_one();
        return item;
    }

    /// All that is queued, without waiting: the first item, or null. The others follow by their `next`.
    T* take_all() {
        const std::lock_guard lock(mutex_);
        return std::exchange(first_, nullptr);
    }

    /// Every `pop`, waiting or to come, gives null from now on. What is still queued is not handed out any more.
    void close() {
        {
            const std::lock_guard lock(mutex_);
            closed_ = true;
        }
        not_empty_.notify_all();
    }

  private:
    std::mutex mutex_; // guards the three below
    T* first_ = nullptr;
    T* last_ = nullptr; // if there is a first one
    bool closed_ = false;
    std::condition_variable not_empty_;
};
