#include "temporary_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

namespace skerry::bench {
namespace {

TEST(TemporaryFolder, IsThereAsLongAsItIsHeldAndGoesWithAllThatIsInIt) {
  std::optional<TemporaryFolder> folder(std::in_place, ::testing::TempDir());
  const std::filesystem::path path = folder->path();
  EXPECT_TRUE(std::filesystem::is_directory(path));
  EXPECT_TRUE(std::filesystem::equivalent(path.parent_path(), ::testing::TempDir()));
  std::ofstream(path / "file") << "something";
  const TemporaryFolder other(::testing::TempDir());
  EXPECT_NE(other.path(), path);
  folder.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(TemporaryFolder, SaysWhereItCannotBeMadeAndWhy) {
  const std::string nowhere = ::testing::TempDir() + "nowhere/at/all";
  try {
    const TemporaryFolder folder(nowhere);
    ADD_FAILURE() << "made in " << folder.path();
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(error.what(), nowhere + ": no folder can be made there: No such file or directory");
  }
}

}  // namespace
}  // namespace skerry::bench
