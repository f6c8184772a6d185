// killed_repair_test.cc - what is there when a repair is killed?
//
// A database with a damaged page is repaired by a process that is killed before its first system
// call, before its second, ... until it comes through. The folder then has the damaged store or the
// repaired one, never a mixture: the next repair ends with the same rows and says as much of what
// is lost, or finds the repaired store whole.

#include <stdlib.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "torture/killed.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kDimension = 64;
constexpr Key kKeys = 300;
constexpr std::uint64_t kCallsMin = 50;  // fewer would be no repair
constexpr DatabaseOptions kSmall = {.map_bytes = 1 << 20};

using Rows = std::map<Key, std::vector<float>>;

std::vector<float> vector_of(Key key) {
  std::vector<float> vector(kDimension, 0.25F);
  vector[key % kDimension] = static_cast<float>(key);
  return vector;
}

// What the database holds; empty when it does not open.
Rows rows_of(const fs::path& folder) {
  Rows rows;
  auto database = Database::open(folder, kSmall);
  if (!database.ok()) return rows;
  auto docs = database->open_collection("docs");
  if (!docs.ok()) return rows;
  EXPECT_OK(docs->verify({.level = VerifyLevel::full}));
  EXPECT_OK(docs->for_each([&](Key key) {
    rows[key].resize(kDimension);
    EXPECT_OK(docs->get(key, rows[key]));
    return true;
  }));
  return rows;
}

class KilledRepair : public ::testing::Test {
 protected:
  // A page that a repair cannot do without: with it gone, some rows are lost and most are not.
  void SetUp() override {
    if (fs::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
    {
      auto database = Database::open(made_, kSmall);
      ASSERT_OK(database);
      auto docs = database->create("docs", {.index = {.dimension = kDimension}});
      ASSERT_OK(docs);
      for (Key key = 0; key < kKeys; ++key) ASSERT_OK(docs->upsert(key, vector_of(key)));
      ASSERT_OK(database->close());
    }
    fs::remove_all(made_ / "images");
    fs::create_directory(made_ / "images");
    const fs::path file = made_ / "store" / "data.mdb";
    const std::string bytes = read_file(file);
    for (std::size_t page = 2; page < bytes.size() / kPage; ++page) {
      std::string damaged = bytes;
      damaged.replace(page * kPage, kPage, kPage, '\0');
      write_file(file, damaged);
      if (Database::open(made_, kSmall).ok()) continue;
      fs::remove_all(damaged_);
      fs::copy(made_, damaged_, fs::copy_options::recursive);
      fs::copy(made_, once_, fs::copy_options::recursive);
      const auto report = Database::repair(once_);
      if (report.ok() && report->has_losses && !report->collections.empty()) {
        kept_ = rows_of(once_);
        lost_ = report->collections[0].rows_lost;
      }
      fs::remove_all(once_);
      if (kept_.size() > kKeys / 2 && lost_ > 0) return;
    }
    FAIL() << "no page of the store is that one";
  }

  // Whatever the killed one left, a repair says what is lost, or it was done already.
  void expect_repaired(const fs::path& folder) const {
    const auto report = Database::repair(folder);
    ASSERT_OK(report);
    if (!report->is_whole) {
      ASSERT_EQ(report->collections.size(), 1U);
      EXPECT_EQ(report->collections[0].rows_lost, lost_);
    }
    EXPECT_EQ(rows_of(folder), kept_);
    EXPECT_FALSE(fs::exists(folder / "store.repair"));
    EXPECT_TRUE(fs::exists(folder / "store.damaged"));
    EXPECT_FALSE(fs::exists(folder / "store.damaged.2"));
  }

  const TempDir home_;
  const fs::path made_ = home_ / "made";
  const fs::path damaged_ = home_ / "damaged";
  const fs::path once_ = home_ / "once";
  Rows kept_;
  std::uint64_t lost_ = 0;
};

TEST_F(KilledRepair, InPlaceLeavesTheDamagedStoreOrTheRepairedOne) {
  const fs::path folder = home_ / "db";
  const std::uint64_t calls = torture::killed_before_each_call(
      [&] {
        fs::remove_all(folder);
        fs::copy(damaged_, folder, fs::copy_options::recursive);
      },
      [&] { return Database::repair(folder).ok(); }, [&] { expect_repaired(folder); });
  EXPECT_GE(calls, kCallsMin);
}

TEST_F(KilledRepair, IntoAnotherFolderNeverTouchesTheDamagedOne) {
  const fs::path destination = home_ / "destination";
  const std::string before = read_file(damaged_ / "store" / "data.mdb");
  const RepairOptions options = {.destination = destination};
  const std::uint64_t calls = torture::killed_before_each_call(
      [&] { fs::remove_all(destination); },
      [&] { return Database::repair(damaged_, options).ok(); },
      [&] {
        ASSERT_TRUE(read_file(damaged_ / "store" / "data.mdb") == before);
        if (!fs::exists(destination / "store")) {
          ASSERT_OK(Database::repair(damaged_, options));
        }
        EXPECT_EQ(rows_of(destination), kept_);
      });
  EXPECT_GE(calls, kCallsMin);
}

}  // namespace
}  // namespace skerry::testing
