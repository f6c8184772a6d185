// temporary_folder.cc - see temporary_folder.h.
#include "temporary_folder.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace skerry::bench {

TemporaryFolder::TemporaryFolder(const std::string& parent) {
  const std::filesystem::path place =
      parent.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(parent);
  std::string name = (place / "skerry-bench-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error(
        fmt::format("{}: no folder can be made there: {}", place.string(), std::strerror(errno)));
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // nothing is left to do about it
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace skerry::bench
