// Owning a descriptor. Introduced by chapter 01.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "common/check.h"

/// Owns one descriptor and closes it: exactly once, on every way out of the scope, and only here.
/// Moved from, it owns nothing (-1). close(2) is not repeated on EINTR: on Linux the descriptor is gone either way,
/// and the same number may already belong to somebody else.
class Fd {
  public:
    explicit Fd(int number = -1) noexcept : number_(number) {}
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd other) noexcept {
        std::swap(number_, other.number_); // `other` closes what was ours, here and now
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
    int number_;
};

/// Opens /dev/null as descriptor 0, 1 and 2 where the program was started without them. Otherwise a client's socket
/// would get the number 2, and with it everything that is written to standard error. Throws std::system_error.
inline void fill_standard_descriptors() {
    for (int fd = 0; fd <= 2; ++fd) {
        // open(2) takes the lowest free number, and those below are taken.
        if (fcntl(fd, F_GETFD) < 0) check(open("/dev/null", O_RDWR), "open /dev/null");
    }
}
