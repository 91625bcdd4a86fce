// What a test program says for tests/run.sh: a line a test as it goes, and in the end how many there were.
#pragma once

#include <array>
#include <chrono>
#include <string>

/// Whether a test is to be played: each, unless ONLY in the environment names one, in full or by what is before its
/// colon.
bool asked_for(const std::string& test);

class Tally {
  public:
    enum Verdict { ok, failed, skipped };

    /// Counts a test and prints its line: its name, `remark` in parentheses behind it, and `more` below it. In one
    /// write, so that the lines of programs that run side by side do not mix.
    void add(Verdict verdict, std::chrono::duration<double> took, const std::string& name,
             const std::string& remark = "", const std::string& more = "");

    /// Writes the counts to the file that TALLY names. Gives the exit status: 0 when no test has failed.
    [[nodiscard]] int finish() const;

  private:
    std::array<int, 3> counts_{};
};
