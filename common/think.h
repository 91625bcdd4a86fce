// The request that takes time. Introduced by chapter 01.
#pragma once

#include <chrono>

/// Sleeps for the whole of `time`, whatever signals come: clock_nanosleep(2). It stands in for the work that an answer
/// would need, a database query say; the thread (or process) that calls it does nothing else meanwhile.
void think(std::chrono::milliseconds time);
