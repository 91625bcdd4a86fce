// The figures that a table is made of.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

/// Counts durations in buckets and gives percentiles of them. A bucket is at most 1/64 wide of what is in it, so a
/// percentile is at most 1.6 % too high; the largest is kept as it is. The memory does not depend on the count.
class Histogram {
  public:
    void record(std::uint64_t nanoseconds);

    /// The duration that `percent` of all are not above; 0 when there is none. 100 gives the largest.
    [[nodiscard]] std::uint64_t percentile(double percent) const;

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t largest() const { return largest_; }

  private:
    static constexpr std::size_t fine = 64; // buckets for each power of two
    std::array<std::uint32_t, fine * 40> buckets_{};
    std::uint64_t count_ = 0;
    std::uint64_t largest_ = 0;

    static std::size_t bucket_of(std::uint64_t nanoseconds);
    static std::uint64_t upper_end(std::size_t bucket);
};

/// The value in the middle, and those a quarter of the way from either end: half of all lie between them.
struct Summary {
    double median = 0;
    double low = 0;
    double high = 0;

    /// Half the way from low to high, as a part of the median: 0.02 is "give or take 2 %".
    [[nodiscard]] double spread() const { return median == 0 ? 0 : (high - low) / 2 / median; }
};

/// Of no values: all 0. Between two values the way is divided in proportion.
Summary summarize(std::vector<double> values);
