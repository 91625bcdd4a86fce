// What a test program says for tests/run.sh: a line a test as it goes, and in the end how many there were.
#pragma once

#include <array>
#include <chrono>
#include <string>

class Tally {
  public:
    enum Verdict { ok, failed, skipped };

    /// Counts a test and prints its line, and `more` below it. In one write, so that the lines of programs that run
    /// side by side do not mix.
    void add(Verdict verdict, std::chrono::duration<double> took, const std::string& words,
             const std::string& more = "");

    /// Writes the counts to the file that TALLY names. Gives the exit status: 0 when no test has failed.
    [[nodiscard]] int finish() const;

  private:
    std::array<int, 3> counts_{};
};
