#include "tests/unit/counted_memory.h"

#include <malloc.h>

#include <cerrno>
#include <cstdlib>
#include <new>

// The forms for arrays call these, or where a sanitizer brings its own are not counted; nor are those for types with
// more alignment than usual.

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    void* memory = size < too_much_memory ? std::malloc(size == 0 ? 1 : size) : nullptr;
    memory_held += malloc_usable_size(memory); // 0 for null
    errno = ECANCELED;                         // malloc(3) may change it, so no code may rely on it afterwards
    return memory;
}

void* operator new(std::size_t size) {
    void* memory = operator new(size, std::nothrow);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void operator delete(void* memory) noexcept {
    memory_held -= malloc_usable_size(memory);
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    operator delete(memory);
}
