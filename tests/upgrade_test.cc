// upgrade_test.cc - is a store of version 1 whole, whenever its upgrade is cut off?
//
// The golden database of version 1 is opened by a process that is killed before its first system
// call, before its second, ... until it comes through; and the power goes before each of them, in
// eight ways (torture/disk.h). Whoever opens it next finds everything, in a store of ours, and
// nothing that the one before left lying about.

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "torture/disk.h"
#include "torture/killed.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;
using torture::Disk;
using torture::Film;

const fs::path kVersion1 = fs::path(SKERRY_GOLDEN_DIR) / "v1";
constexpr std::uint64_t kCallsMin = 50;  // fewer would be no upgrade

// What is opened next has everything, and is a store of our version afterwards.
void expect_whole(const fs::path& folder) {
  {
    Result<Database> database = Database::open(folder);
    ASSERT_OK(database);
    expect_all(*database, kVersion1 / "expected.txt");
  }
  EXPECT_FALSE(fs::exists(folder / "store" / "upgrade"));
  EXPECT_OK(Database::open(folder, {.read_only = true}));
}

// A file as it was installed long ago: written and synced by calls that a film sees.
void install(const fs::path& from, const fs::path& to) {
  const std::string bytes = read_file(from);
  const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  ASSERT_EQ(::fsync(fd), 0);
  ::close(fd);
}
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::fsync(fd), 0);
  ::close(fd);
}
void install_version_1(const fs::path& folder) {
  for (const char* name : {"store", "images"}) {
    ASSERT_TRUE(fs::create_directory(folder / name));
    for (const fs::directory_entry& file : fs::directory_iterator(kVersion1 / name)) {
      install(file.path(), folder / name / file.path().filename());
    }
    sync_folder(folder / name);
  }
  sync_folder(folder);
}

class Upgrade : public ::testing::Test {
 protected:
  // In memory where there is such a place: no state needs a device that is slow to sync.
  static void SetUpTestSuite() {
    if (fs::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  }
};

TEST_F(Upgrade, KilledBeforeAnyOfItsSystemCallsLosesNothing) {
  const TempDir home;
  const fs::path folder = home / "db";
  const std::uint64_t calls = torture::killed_before_each_call(
      [&] {
        fs::remove_all(folder);
        fs::create_directory(folder);
        install_version_1(folder);
      },
      [&] { return Database::open(folder).ok(); }, [&] { expect_whole(folder); });
  EXPECT_GE(calls, kCallsMin);
}

TEST_F(Upgrade, PowerLostBeforeAnyOfItsSystemCallsLosesNothing) {
  const TempDir home;
  const fs::path folder = home / "db";
  const fs::path left = home / "left";
  fs::create_directory(folder);
  Film film(folder);
  install_version_1(folder);
  const std::size_t begin = film.events().size();
  ASSERT_OK(Database::open(folder));
  film.stop();
  ASSERT_GE(film.events().size() - begin, kCallsMin);

  std::mt19937_64 random(1);
  for (std::size_t event = begin; event <= film.events().size(); ++event) {
    // Each way is met at every eighth event: the next ones find much the same disk.
    const auto way = static_cast<unsigned>(event % torture::kWays);
    SCOPED_TRACE("before event " + std::to_string(event) + ", way " + std::to_string(way));
    Disk(film, event).lose_power(torture::loss_of(way, random), random, left);
    expect_whole(left);
    fs::remove_all(left);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace skerry::testing
