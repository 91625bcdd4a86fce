// How much memory the program holds. Linked into the unit tests, this replaces operator new and delete; new also
// changes errno.
#pragma once

#include <cstddef>

/// How many bytes that came from operator new are held now.
std::size_t memory_held();

/// While it exists, operator new has no memory for `size` bytes and more, and throws std::bad_alloc.
class NoMemoryFor {
  public:
    explicit NoMemoryFor(std::size_t size);
    ~NoMemoryFor();
    NoMemoryFor(const NoMemoryFor&) = delete;
    NoMemoryFor& operator=(const NoMemoryFor&) = delete;
};
