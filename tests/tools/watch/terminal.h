// Where the screen is shown.
#pragma once

#include "tests/tools/watch/screen.h"

/// Prints them, one below the other.
void print(const Lines& lines);

/// The whole terminal, by ncurses, where that is built in and the terminal can. If not, each screen is printed below
/// the one before, one per second.
class Terminal {
  public:
#if __has_include(<ncurses.h>)
    static constexpr bool has_ncurses = true;
#else
    static constexpr bool has_ncurses = false;
#endif
    Terminal();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    void show(const Lines& lines) const;
    [[nodiscard]] bool whole() const {
        return whole_;
    }
    [[nodiscard]] std::size_t width() const;
    [[nodiscard]] std::size_t height() const; ///< 0: as many lines as there are
    [[nodiscard]] int key() const;            ///< -1: none has been pressed

  private:
    bool whole_ = false;
};
