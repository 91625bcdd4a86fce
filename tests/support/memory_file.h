// A file that nobody has to remove: memfd_create(2).
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <string>

#include "common/check.h"
#include "common/fd.h"
#include "tests/support/failed.h"

class MemoryFile {
  public:
    [[nodiscard]] int fd() const { return fd_.get(); }

    /// A path by which other programs can open it, for as long as this object lives.
    [[nodiscard]] std::string path() const { return text("/proc/", getpid(), "/fd/", fd()); }

    /// All that has been written to it so far.
    [[nodiscard]] std::string content() const {
        std::string all;
        std::array<char, 1 << 16> piece{};
        for (;;) {
            const ssize_t count = pread(fd(), piece.data(), piece.size(), static_cast<off_t>(all.size()));
            if (count <= 0) return all;
            all.append(piece.data(), static_cast<std::size_t>(count));
        }
    }

  private:
    Fd fd_{check(memfd_create("memory", MFD_CLOEXEC), "memfd_create")};
};
