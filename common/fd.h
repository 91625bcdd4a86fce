// Owning a descriptor. Introduced by chapter 01.
#pragma once

#include <unistd.h>

#include <utility>

/// Owns one descriptor and closes it: exactly once, on every way out of the scope, and only here.
/// Moved from, it owns nothing (-1). close(2) is not repeated on EINTR: on Linux the descriptor is gone either way,
/// and the same number may already be someone else's.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int number) noexcept : number_(number) {}
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    ~Fd() { reset(); }

    /// Closes now what is owned, if anything is.
    void reset() noexcept {
        if (number_ >= 0) close(std::exchange(number_, -1));
    }

    /// The number to give to a system call; it stays owned by this object.
    [[nodiscard]] int get() const noexcept { return number_; }

    /// Whether there is a descriptor: false where the call that should have made it failed.
    explicit operator bool() const noexcept { return number_ >= 0; }

  private:
    int number_ = -1;
};
