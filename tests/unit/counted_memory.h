// How much memory the program holds. Linked into the unit tests, counted_memory.cpp replaces operator new and delete;
// new also changes errno.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>

/// How many bytes that came from operator new are held now.
inline std::atomic<std::size_t> memory_held = 0;

/// operator new has no memory for so many bytes and more.
inline std::atomic<std::size_t> too_much_memory = std::numeric_limits<std::size_t>::max();

/// While it exists, operator new has no memory for `size` bytes and more, and throws std::bad_alloc.
struct NoMemoryFor {
    explicit NoMemoryFor(std::size_t size) { too_much_memory = size; }
    ~NoMemoryFor() { too_much_memory = std::numeric_limits<std::size_t>::max(); }
};
