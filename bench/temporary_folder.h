// temporary_folder.h - a new folder that goes when this does.
#pragma once

#include <filesystem>
#include <string>

namespace skerry::bench {

class TemporaryFolder {
 public:
  // Inside `parent`, or where the system puts temporary files when that is "". Throws
  // std::runtime_error when it cannot be made.
  explicit TemporaryFolder(const std::string& parent);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace skerry::bench
