#include "tests/tools/bench/statistics.h"

#include "tests/catch.h"

TEST_CASE("Histogram: of nothing all percentiles are 0") {
    const Histogram histogram;
    CHECK(histogram.percentile(50) == 0);
    CHECK(histogram.percentile(100) == 0);
    CHECK(histogram.count() == 0);
}

TEST_CASE("Histogram: small durations are exact") {
    Histogram histogram;
    for (std::uint64_t i = 1; i <= 100; ++i) histogram.record(i);
    CHECK(histogram.percentile(1) == 1);
    CHECK(histogram.percentile(50) == 50);
    CHECK(histogram.percentile(100) == 100);
    CHECK(histogram.count() == 100);
}

TEST_CASE("Histogram: a percentile is never too low, and at most 1/64 too high") {
    for (std::uint64_t value = 1; value < 200'000'000'000; value = value * 9 / 8 + 1) {
        Histogram histogram;
        histogram.record(value);
        histogram.record(1'000'000'000'000);
        CHECK(histogram.percentile(50) >= value);
        CHECK(histogram.percentile(50) <= value + value / 64);
    }
}

TEST_CASE("Histogram: one in a thousand is in p99.9's way, and not in p99's") {
    Histogram histogram;
    for (int i = 0; i < 998; ++i) histogram.record(10);
    histogram.record(5000);
    histogram.record(5000);
    CHECK(histogram.percentile(99) == 10);
    CHECK(histogram.percentile(99.9) == 5000);
    CHECK(histogram.largest() == 5000);
}

TEST_CASE("Histogram: what no bucket is large enough for is kept as the largest") {
    Histogram histogram;
    histogram.record(UINT64_MAX);
    CHECK(histogram.largest() == UINT64_MAX);
    CHECK(histogram.count() == 1);
}

TEST_CASE("summarize: the value in the middle and the quartiles") {
    const Summary odd = summarize({5, 1, 3, 2, 4});
    CHECK(odd.median == 3);
    CHECK(odd.low == 2);
    CHECK(odd.high == 4);
    CHECK(odd.spread() * 3 == 1);
    const Summary even = summarize({4, 1, 3, 2});
    CHECK(even.median == 2.5);
    CHECK(summarize({7}).median == 7);
    CHECK(summarize({7}).spread() == 0);
    CHECK(summarize({}).median == 0);
}
