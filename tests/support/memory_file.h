// A file that nobody has to remove: memfd_create(2).
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
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
    [[nodiscard]] std::string content() const { return text(std::ifstream(path()).rdbuf()); }

  private:
    Fd fd_{check(memfd_create("memory", MFD_CLOEXEC), "memfd_create")};
};
