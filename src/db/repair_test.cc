// repair_test.cc - does a repair change the folder in one step, or not at all?
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "base/codec.h"
#include "base/crc32c.h"
#include "base/test_folder.h"
#include "skerry/database.h"
#include "store/environment.h"

namespace skerry {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kDimension = 300;  // three or four rows a page

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void write(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::vector<float> vector_of(Key key) {
  std::vector<float> vector(kDimension);
  std::iota(vector.begin(), vector.end(), static_cast<float>(1000 * key));
  return vector;
}
std::string bytes_of(const std::vector<float>& vector) {
  return {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)};
}

class RepairFolderTest : public ::testing::Test {
 protected:
  // 40 rows, keys 0 to 39; images are kept.
  void SetUp() override { make({.map_bytes = 1 << 20}); }

  void make(const DatabaseOptions& options) {
    Result<Database> database = Database::open(folder(), options);
    ASSERT_TRUE(database.ok());
    Result<Collection> docs = database->create("docs", {.index = {.dimension = kDimension}});
    ASSERT_TRUE(docs.ok());
    for (Key key = 0; key < 40; ++key) ASSERT_TRUE(docs->upsert(key, vector_of(key)).ok());
    ASSERT_TRUE(database->close().ok());
  }

  fs::path folder() const { return home_ / "db"; }
  fs::path file() const { return folder() / "store" / "data.mdb"; }

  // Wipes the page that the first copies of this key's components lie on. Old copies as well.
  void damage_row(Key key) {
    std::string bytes = read(file());
    const std::string part = bytes_of(vector_of(key)).substr(0, 100);
    std::size_t found = 0;
    for (std::size_t at = bytes.find(part); at != std::string::npos;
         at = bytes.find(part, at + 1)) {
      std::memset(&bytes[at], 0, part.size());
      ++found;
    }
    ASSERT_GT(found, 0U);
    write(file(), bytes);
  }

  void remove_images() const {
    fs::remove_all(folder() / "images");
    fs::create_directory(folder() / "images");
  }

  std::vector<Key> keys_in(const fs::path& at) const {
    std::vector<Key> keys;
    Result<Database> database = Database::open(at, {.create_if_missing = false});
    EXPECT_TRUE(database.ok()) << database.status().message();
    if (!database.ok()) return keys;
    Result<Collection> docs = database->open_collection("docs");
    EXPECT_TRUE(docs.ok() && docs->verify().ok());
    if (!docs.ok()) return keys;
    EXPECT_TRUE(docs->for_each([&](Key key) {
                      keys.push_back(key);
                      return true;
                    })
                    .ok());
    std::ranges::sort(keys);
    for (const Key key : keys) {
      std::vector<float> vector(kDimension);
      EXPECT_TRUE(docs->get(key, vector).ok());
      EXPECT_EQ(vector, vector_of(key)) << key;
    }
    return keys;
  }

  static std::vector<Key> all_but(std::vector<Key> gone) {
    std::vector<Key> keys;
    for (Key key = 0; key < 40; ++key) {
      if (std::ranges::find(gone, key) == gone.end()) keys.push_back(key);
    }
    return keys;
  }

  TestFolder home_;
};

TEST_F(RepairFolderTest, TakesTheDamagedStoresPlaceAndKeepsIt) {
  for (const Key key : {Key{7}, Key{20}}) {
    remove_images();
    damage_row(key);
    const std::string damaged = read(file());
    const Result<RepairReport> report = Database::repair(folder());
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_TRUE(report->has_losses);
    EXPECT_EQ(report->set_aside.filename(), key == 7 ? "store.damaged" : "store.damaged.2");
    EXPECT_EQ(read(report->set_aside / "data.mdb"), damaged);
    EXPECT_EQ(report->collections.at(0).keys_lost, std::vector<Key>{key});
    EXPECT_TRUE(report->collections.at(0).is_rows_lost_exact);
    EXPECT_EQ(keys_in(folder()), key == 7 ? all_but({7}) : all_but({7, 20}));
  }
}

TEST_F(RepairFolderTest, TakesFromTheImageWhatNothingHasChangedSince) {
  {
    // After the image: key 8 is new, key 9 is gone, and the rest as it was.
    Result<Database> database = Database::open(folder(), {.use_images = false});
    ASSERT_TRUE(database.ok());
    Result<Collection> docs = database->open_collection("docs");
    ASSERT_TRUE(docs.ok());
    ASSERT_TRUE(docs->remove(Key{9}).ok());
    ASSERT_TRUE(docs->upsert(Key{8}, vector_of(8)).ok());
  }
  damage_row(8);
  damage_row(20);
  const Result<RepairReport> report = Database::repair(folder());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->collections.at(0).rows_from_image, 1U);
  EXPECT_EQ(report->collections.at(0).keys_lost, std::vector<Key>{8});
  EXPECT_EQ(keys_in(folder()), all_but({8, 9}));
}

TEST_F(RepairFolderTest, KeepsTheImageOfWhatLostNothing) {
  std::string bytes = read(file());
  // A bit of the collection's record, in the current page and in old ones.
  const std::string name = "docs";
  for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
    bytes[at + name.size() + 5] ^= 1;
  }
  write(file(), bytes);
  const Result<RepairReport> report = Database::repair(folder());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_FALSE(report->is_whole);
  EXPECT_FALSE(report->has_losses);
  EXPECT_FALSE(report->collections.at(0).is_image_discarded);
  Result<Database> database = Database::open(folder());
  ASSERT_TRUE(database.ok());
  Result<Collection> docs = database->open_collection("docs");
  ASSERT_TRUE(docs.ok());
  EXPECT_EQ(docs->stats()->opened, Opened::image);
}

// Three bytes of M: too much to be put right. The image has the options, and with them the record's
// checksum proves its name.
TEST_F(RepairFolderTest, ACollectionsRecordIsMadeAgainFromItsImage) {
  std::string bytes = read(file());
  const std::string name = "docs";
  for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
    for (std::size_t byte = 12; byte < 15; ++byte) bytes[at + name.size() + byte] ^= 0x55;
  }
  write(file(), bytes);
  const Result<RepairReport> report = Database::repair(folder());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->collections.at(0).name, "docs");
  EXPECT_TRUE(report->collections.at(0).has_options_of_image);
  EXPECT_FALSE(report->has_losses);
  EXPECT_EQ(keys_in(folder()), all_but({}));
}

TEST_F(RepairFolderTest, WithoutItNobodyTellsWhatItWas) {
  remove_images();
  std::string bytes = read(file());
  const std::string name = "docs";
  for (std::size_t at = bytes.find(name); at != std::string::npos; at = bytes.find(name, at + 1)) {
    for (std::size_t byte = 12; byte < 15; ++byte) bytes[at + name.size() + byte] ^= 0x55;
  }
  write(file(), bytes);
  EXPECT_EQ(Database::repair(folder()).status().code(), Code::corruption);
  EXPECT_EQ(read(file()), bytes);
  EXPECT_FALSE(fs::exists(folder() / "store.repair"));
}

// The numbers of collections that were dropped are not given out again either.
TEST_F(RepairFolderTest, AFreshCollectionGetsANumberThatNobodyHad) {
  {
    Result<Database> database = Database::open(folder());
    ASSERT_TRUE(database.ok());
    for (const char* name : {"a", "b", "c"}) {
      ASSERT_TRUE(database->create(name, {.index = {.dimension = 2}}).ok());
      ASSERT_TRUE(database->drop(name).ok());
    }
  }
  remove_images();
  damage_row(3);
  ASSERT_TRUE(Database::repair(folder()).ok());
  Result<Database> database = Database::open(folder());
  ASSERT_TRUE(database.ok());
  Result<Collection> fresh = database->create("fresh", {.index = {.dimension = 2}});
  ASSERT_TRUE(fresh.ok());
  ASSERT_TRUE(fresh->upsert(1, std::vector<float>{1, 2}).ok());
  ASSERT_TRUE(database->checkpoint().ok());
  EXPECT_TRUE(fs::exists(folder() / "images" / "5.image"));
}

TEST_F(RepairFolderTest, WritesElsewhereAndLeavesTheFolderAsItIs) {
  remove_images();
  damage_row(3);
  const std::string damaged = read(file());
  const fs::path copy = home_ / "copy";
  const Result<RepairReport> report = Database::repair(folder(), {.destination = copy});
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_TRUE(report->set_aside.empty());
  EXPECT_EQ(read(file()), damaged);
  EXPECT_FALSE(fs::exists(folder() / "store.repair"));
  EXPECT_EQ(keys_in(copy), all_but({3}));
  EXPECT_EQ(Database::repair(folder(), {.destination = copy}).status().code(),
            Code::already_exists);
}

TEST_F(RepairFolderTest, IsRefusedWhileSomebodyHasTheDatabaseOpen) {
  const Result<Database> database = Database::open(folder());
  ASSERT_TRUE(database.ok());
  EXPECT_EQ(Database::repair(folder()).status().code(), Code::busy);
  EXPECT_EQ(Database::repair(folder(), {.destination = home_ / "copy"}).status().code(),
            Code::busy);
  EXPECT_EQ(Database::repair(home_ / "nowhere").status().code(), Code::not_found);
}

// As it is when a repair is killed at each of its steps.
TEST_F(RepairFolderTest, ARepairThatWasKilledIsBegunAnewOrFinished) {
  remove_images();
  damage_row(3);
  const fs::path beside = folder() / "store.repair";
  fs::create_directory(beside);
  write(beside / "unfinished", "");
  write(beside / "data.mdb", "half of it");
  ASSERT_TRUE(Database::repair(folder()).ok());
  EXPECT_FALSE(fs::exists(beside));
  EXPECT_EQ(keys_in(folder()), all_but({3}));
  EXPECT_TRUE(fs::exists(folder() / "store.damaged"));

  // Between the exchange and the new name: what is beside may be the only copy of what was lost.
  fs::create_directory(beside);
  write(beside / "data.mdb", "the damaged one");
  const Result<RepairReport> report = Database::repair(folder());
  ASSERT_TRUE(report.ok());
  EXPECT_TRUE(report->is_whole);
  EXPECT_EQ(read(folder() / "store.damaged.2" / "data.mdb"), "the damaged one");
  EXPECT_FALSE(fs::exists(beside));
}

// A file-size limit stands for a full disk: writes fail in the same call and in the same way.
TEST_F(RepairFolderTest, ARepairThatFindsNoRoomLeavesEverything) {
  remove_images();
  damage_row(3);
  const std::string damaged = read(file());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {40 << 10, RLIM_INFINITY};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(1);
    const Status status = Database::repair(folder()).status();
    ::_exit(status.code() == Code::storage_full ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read(file()), damaged);
  EXPECT_FALSE(fs::exists(folder() / "store.repair"));
  EXPECT_FALSE(fs::exists(folder() / "store.damaged"));
}

TEST_F(RepairFolderTest, AStoreOfANewerVersionIsRefused) {
  {
    const auto store = store::Environment::open(folder() / "store", {});
    ASSERT_TRUE(store.ok());
    store::Format format = (*store)->format();
    format.version = store::kVersion + 1;
    ASSERT_TRUE((*store)
                    ->write([&](store::Transaction& transaction) {
                      return transaction.put(store::Table::meta,
                                             store::bytes_of(std::string_view("format")),
                                             store::encode(format));
                    })
                    .ok());
  }
  const std::string before = read(file());
  EXPECT_EQ(Database::repair(folder()).status().code(), Code::incompatible);
  EXPECT_EQ(read(file()), before);
}

// Durability::none, and the power went: the kept root counts, and what was written since does not.
TEST_F(RepairFolderTest, GoesBackToTheRootOfTheLastSync) {
  fs::remove_all(folder());
  {
    Result<Database> database =
        Database::open(folder(), {.durability = Durability::none, .map_bytes = 1 << 20});
    ASSERT_TRUE(database.ok());
    Result<Collection> docs = database->create("docs", {.index = {.dimension = kDimension}});
    ASSERT_TRUE(docs.ok());
    for (Key key = 0; key < 40; ++key) ASSERT_TRUE(docs->upsert(key, vector_of(key)).ok());
    ASSERT_TRUE(database->sync().ok());
    for (Key key = 0; key < 40; ++key) ASSERT_TRUE(docs->upsert(key, vector_of(key + 50)).ok());
    fs::copy(folder(), home_ / "gone", fs::copy_options::recursive);
  }
  const fs::path root = home_ / "gone" / "store" / "synced.root";
  std::string kept = read(root);
  ASSERT_EQ(kept.size(), 256U);
  std::fill_n(kept.begin() + 16, 36, 'x');  // of another boot
  put_le(reinterpret_cast<std::byte*>(&kept[252]),
         crc32c(std::as_bytes(std::span(kept)).first(252)));
  write(root, kept);
  const fs::path copy = home_ / "copy";
  const Result<RepairReport> whole = Database::repair(home_ / "gone", {.destination = copy});
  ASSERT_TRUE(whole.ok()) << whole.error().message();
  EXPECT_TRUE(whole->is_whole);

  std::string bytes = read(home_ / "gone" / "store" / "data.mdb");
  const std::string part = bytes_of(vector_of(11)).substr(0, 100);
  for (std::size_t at = bytes.find(part); at != std::string::npos; at = bytes.find(part, at + 1)) {
    std::memset(&bytes[at], 0, part.size());
  }
  write(home_ / "gone" / "store" / "data.mdb", bytes);
  const Result<RepairReport> report = Database::repair(home_ / "gone");
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(keys_in(home_ / "gone"), all_but({11}));
  EXPECT_FALSE(fs::exists(home_ / "gone" / "store" / "synced.root"));
  EXPECT_TRUE(fs::exists(report->set_aside / "synced.root"));
}

}  // namespace
}  // namespace skerry
