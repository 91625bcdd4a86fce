// A folder of its own, which goes with this object and takes along all that is in it.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/check.h"

class TemporaryFolder {
  public:
    explicit TemporaryFolder(const std::string& name) {
        std::string path = std::filesystem::temp_directory_path() / (name + "-XXXXXX");
        if (mkdtemp(path.data()) == nullptr) check(-1, "mkdtemp ", path);
        path_ = path;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};
