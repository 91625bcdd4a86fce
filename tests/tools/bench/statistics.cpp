#include "tests/tools/bench/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>

/// The first `fine` buckets are a nanosecond wide each, the next `fine` two, the next four ...
std::size_t Histogram::bucket_of(std::uint64_t nanoseconds) {
    const auto bits = static_cast<std::size_t>(std::bit_width(nanoseconds / fine)); // 0: below `fine`
    if (bits == 0) return nanoseconds;
    return bits * fine + (nanoseconds >> (bits - 1)) - fine;
}

std::uint64_t Histogram::upper_end(std::size_t bucket) {
    const std::size_t bits = bucket / fine;
    if (bits == 0) return bucket;
    return ((bucket % fine + fine + 1) << (bits - 1)) - 1;
}

void Histogram::record(std::uint64_t nanoseconds) {
    ++buckets_[std::min(bucket_of(nanoseconds), buckets_.size() - 1)];
    ++count_;
    largest_ = std::max(largest_, nanoseconds);
}

std::uint64_t Histogram::percentile(double percent) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
        seen += buckets_[bucket];
        if (seen >= wanted && seen > 0) return std::min(upper_end(bucket), largest_);
    }
    return largest_;
}

namespace {

/// What is `part` (0 to 1) of the way through the sorted values.
double at(const std::vector<double>& sorted, double part) {
    const double place = part * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (place - static_cast<double>(below));
}

} // namespace

Summary summarize(std::vector<double> values) {
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    return {at(values, 0.5), at(values, 0.25), at(values, 0.75)};
}
