// golden_test.cc - do the databases of every version so far open, and hold what they held?
//
// Each folder of tests/golden/ is a database as one version of the store wrote it, and expected.txt
// beside it says what must be found; make.cc says in which words. None of them is ever made again.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = SKERRY_GOLDEN_DIR;

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// One collection against its lines of expected.txt. A key is a number or bytes, as `Any` says.
class Checked {
 public:
  Checked(Collection collection, std::size_t dimension, std::string_view metric,
          std::string_view scalar, bool byte_keys)
      : collection_(std::move(collection)), byte_keys_(byte_keys) {
    const Result<CollectionOptions> options = collection_.options();
    EXPECT_OK(options);
    if (!options.ok()) return;
    options_ = *options;
    EXPECT_EQ(options_.index.dimension, dimension);
    EXPECT_EQ(name_of(options_.index.metric), metric);
    EXPECT_EQ(name_of(options_.index.scalar), scalar);
    EXPECT_EQ(options_.byte_keys, byte_keys);
  }

  void row(const std::string& key, const std::string& vector, const std::string& payload) {
    ++rows_;
    std::string got(vector.size(), '\0');
    std::vector<std::byte> room(8192);
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(got));
    const Status status = byte_keys_ ? collection_.get_bytes(from_hex(key), bytes)
                                     : collection_.get_bytes(std::stoull(key), bytes);
    EXPECT_OK(status) << key;
    EXPECT_EQ(got, vector) << key;
    const Result<std::size_t> size = byte_keys_ ? collection_.get_payload(from_hex(key), room)
                                                : collection_.get_payload(std::stoull(key), room);
    ASSERT_OK(size) << key;
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(room.data()), *size), payload) << key;
  }

  void search(const std::string& query, const std::vector<std::pair<std::string, float>>& nearest) {
    const VectorView view(query.data(), options_.index.scalar, options_.index.dimension);
    const auto same = [&](const auto& hits, const auto& result, const auto& text) {
      ASSERT_OK(result);
      ASSERT_EQ(result->count, nearest.size());
      for (std::size_t i = 0; i < nearest.size(); ++i) {
        EXPECT_EQ(text(hits[i]), nearest[i].first) << "hit " << i;
        EXPECT_NEAR(hits[i].distance, nearest[i].second, 1e-4) << "hit " << i;
      }
    };
    if (byte_keys_) {
      std::vector<NamedHit> hits(5);
      const auto result = collection_.search(view, std::span(hits));
      same(hits, result, [](const NamedHit& hit) { return to_hex(hit.name.view()); });
    } else {
      std::vector<Hit> hits(5);
      const auto result = collection_.search(view, std::span(hits));
      same(hits, result, [](const Hit& hit) { return std::to_string(hit.key); });
    }
  }

  void finish() {
    EXPECT_EQ(collection_.size(), rows_);
    const Result<VerifyReport> report = collection_.verify();
    ASSERT_OK(report);
    EXPECT_EQ(report->vectors_compared, rows_);
  }

 private:
  static std::string to_hex(std::string_view bytes) {
    std::ostringstream text;
    for (const char byte : bytes) {
      text << std::hex << (static_cast<unsigned char>(byte) >> 4)
           << (static_cast<unsigned char>(byte) & 15);
    }
    return text.str();
  }

  Collection collection_;
  CollectionOptions options_;
  bool byte_keys_;
  std::size_t rows_ = 0;
};

void expect_all(Database& database, const fs::path& expected) {
  std::ifstream file(expected);
  ASSERT_TRUE(file) << expected;
  std::optional<Checked> checked;
  std::string line;
  std::size_t collections = 0;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string what, name;
    words >> what >> name;
    if (what == "row") {
      std::string vector, payload;
      words >> vector >> payload;
      ASSERT_TRUE(checked);
      checked->row(name, from_hex(vector), payload == "-" ? "" : from_hex(payload));
    } else if (what == "search") {
      std::vector<std::pair<std::string, float>> nearest;
      std::string key;
      for (float distance = 0; words >> key >> distance;) nearest.emplace_back(key, distance);
      ASSERT_TRUE(checked);
      checked->search(from_hex(name), nearest);
    } else if (what == "collection") {
      SCOPED_TRACE(name);
      if (checked) checked->finish();
      std::size_t dimension = 0;
      std::string metric, scalar;
      bool byte_keys = false;
      words >> dimension >> metric >> scalar >> byte_keys;
      Result<Collection> collection = database.open_collection(name);
      ASSERT_OK(collection);
      checked.emplace(*std::move(collection), dimension, metric, scalar, byte_keys);
      ++collections;
    } else {
      ASSERT_EQ(what, "dropped") << line;
      EXPECT_ERROR(database.open_collection(name), Code::not_found);
    }
  }
  ASSERT_TRUE(checked);
  checked->finish();
  const Result<std::vector<std::string>> list = database.list();
  ASSERT_OK(list);
  EXPECT_EQ(list->size(), collections);
}

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

TEST_F(Version1, KeepsItsImages) {
  Result<Database> database = Database::open(folder_.path());
  ASSERT_OK(database);
  Result<Collection> floats = database->open_collection("floats");
  ASSERT_OK(floats);
  const Result<CollectionStats> stats = floats->stats();
  ASSERT_OK(stats);
  EXPECT_NE(stats->opened, Opened::rebuilt_stale);
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
