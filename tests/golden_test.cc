// golden_test.cc - do the databases of every version so far open, and hold what they held?
//
// Each folder of tests/golden/ is a database as one version of the store wrote it. None of them is
// ever made again.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/golden.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = SKERRY_GOLDEN_DIR;

class GoldenTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    fs::copy(kGolden / GetParam() / "store", folder_ / "store", fs::copy_options::recursive);
    fs::copy(kGolden / GetParam() / "images", folder_ / "images", fs::copy_options::recursive);
  }

  void expect_all_of(const DatabaseOptions& options) {
    Result<Database> database = Database::open(folder_.path(), options);
    ASSERT_OK(database);
    expect_all(*database, kGolden / GetParam() / "expected.txt");
    EXPECT_OK(database->close());
  }

  TempDir folder_;
};

std::vector<std::string> versions() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(kGolden)) {
    if (entry.is_directory()) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}
INSTANTIATE_TEST_SUITE_P(, GoldenTest, ::testing::ValuesIn(versions()),
                         [](const auto& info) { return info.param; });

TEST_P(GoldenTest, HoldsWhatItHeldAtEveryOpen) {
  expect_all_of({});
  expect_all_of({});
  expect_all_of({.read_only = true});
}

TEST_P(GoldenTest, HoldsWhatItHeldWithoutItsImages) {
  fs::remove_all(folder_ / "images");
  expect_all_of({});
}

TEST_P(GoldenTest, TakesWritesAndKeepsThem) {
  const std::vector<float> vector(12, 0.5F);
  {
    Result<Database> database = Database::open(folder_.path());
    ASSERT_OK(database);
    Result<Collection> floats = database->open_collection("floats");
    ASSERT_OK(floats);
    ASSERT_OK(floats->upsert(123'456, vector));
    const Result<std::uint64_t> removed = floats->remove(~Key{0});
    ASSERT_OK(removed);
    EXPECT_EQ(*removed, 1U);
    EXPECT_OK(floats->verify());
  }
  {
    Result<Database> database = Database::open(folder_.path());
    ASSERT_OK(database);
    Result<Collection> floats = database->open_collection("floats");
    ASSERT_OK(floats);
    std::vector<float> got(12);
    EXPECT_OK(floats->get(123'456, got));
    EXPECT_EQ(got, vector);
    EXPECT_FALSE(floats->contains(~Key{0}));
    EXPECT_OK(floats->verify());
    ASSERT_OK(database->compact());
    ASSERT_OK(floats->remove(123'456).status());
    ASSERT_OK(floats->upsert(~Key{0}, vector));
  }
}

// -- bringing a store of version 1 up to date -----------------------------------------------------

class Version1 : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(kGolden / "v1" / "store", folder_ / "store", fs::copy_options::recursive);
    fs::copy(kGolden / "v1" / "images", folder_ / "images", fs::copy_options::recursive);
  }
  bool is_untouched() const {
    return read_file(folder_ / "store" / "data.mdb") ==
           read_file(kGolden / "v1" / "store" / "data.mdb");
  }
  void expect_all_of_it() {
    Result<Database> database = Database::open(folder_.path());
    ASSERT_OK(database);
    expect_all(*database, kGolden / "v1" / "expected.txt");
  }

  TempDir folder_;
};

TEST_F(Version1, IsRefusedReadOnlyUntilItIsOpenedForWriting) {
  EXPECT_ERROR_SAYING(Database::open(folder_.path(), {.read_only = true}), Code::incompatible, 1, 2,
                      "open it once for writing");
  EXPECT_TRUE(is_untouched());
  ASSERT_OK(Database::open(folder_.path()));
  EXPECT_FALSE(is_untouched());
  EXPECT_OK(Database::open(folder_.path(), {.read_only = true}));
}

TEST_F(Version1, IsNotRepairedButBroughtUpToDate) {
  EXPECT_ERROR_SAYING(Database::repair(folder_.path()), Code::incompatible, 1, 2,
                      "open it once for writing");
  EXPECT_TRUE(is_untouched());
  expect_all_of_it();
  const Result<RepairReport> report = Database::repair(folder_.path());
  ASSERT_OK(report);
  EXPECT_TRUE(report->is_whole);
}

// They are of this very moment of the store still, and only of a layout that is no more.
TEST_F(Version1, KeepsItsImages) {
  Result<Database> database = Database::open(folder_.path());
  ASSERT_OK(database);
  Result<Collection> floats = database->open_collection("floats");
  ASSERT_OK(floats);
  const Result<CollectionStats> stats = floats->stats();
  ASSERT_OK(stats);
  EXPECT_NE(stats->image.message().find("6 sections, of another layout"), std::string::npos)
      << stats->image.message();
}

TEST_F(Version1, AnUpgradeThatWasKilledIsBegunAnew) {
  fs::create_directory(folder_ / "store" / "upgrade");
  write_file(folder_ / "store" / "upgrade" / "data.mdb", "half of it");
  expect_all_of_it();
  EXPECT_FALSE(fs::exists(folder_ / "store" / "upgrade"));
}

TEST_F(Version1, WhatAKilledUpgradeLeftBehindGoesAtTheNextOpen) {
  expect_all_of_it();
  fs::create_directory(folder_ / "store" / "upgrade");
  write_file(folder_ / "store" / "upgrade" / "lock.mdb", "of the one that was killed");
  expect_all_of_it();
  EXPECT_FALSE(fs::exists(folder_ / "store" / "upgrade"));
}

// A file-size limit stands for a full disk: writes fail in the same call and in the same way.
TEST_F(Version1, AnUpgradeThatFindsNoRoomLeavesTheOldStore) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {80 << 10, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    const Status status = Database::open(folder_.path()).status();
    ::_exit(status.code() == Code::storage_full ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_untouched());
  EXPECT_FALSE(fs::exists(folder_ / "store" / "upgrade"));
  expect_all_of_it();
}

}  // namespace
}  // namespace skerry::testing
