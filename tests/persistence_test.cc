// persistence_test.cc - is it all still there, and is damage told from absence?
//
// Contract: "damaged or foreign file: corruption or incompatible, naming what is wrong; never a
// crash, never a silent empty collection; missing, empty and damaged are three different answers",
// "durability", "crash", and the one law: the store is the truth, images may go.
//
// Run as `persistence_test --write FOLDER` this program is the child that the crash tests kill.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "skerry/index.h"
#include "support/files.h"
#include "support/reference.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kDimension = 16;

Code code_of(const Status& status) {
  return status.code();
}

bool refused_as_damaged(const Status& status) {
  return status.code() == Code::corruption || status.code() == Code::incompatible;
}

// -- images of an Index
// ------------------------------------------------------------------------------

class ImageTest : public ::testing::TestWithParam<Codes> {
 protected:
  void SetUp() override {
    auto made = Index::create({.dimension = kDimension,
                               .metric = Metric::cosine,
                               .codes = GetParam(),
                               .M = 5,
                               .ef_construction = 40,
                               .ef = 20,
                               .flat_below = 0});
    ASSERT_OK(made);
    index_.emplace(*std::move(made));
    for (Key key = 0; key < 150; ++key) ASSERT_OK(index_->upsert(key, table_.row(key)));
    for (Key key = 0; key < 150; key += 6) ASSERT_OK(index_->remove(key));
    for (Key key = 1; key < 150; key += 7) ASSERT_OK(index_->upsert(key, table_.row(key + 40)));
    ASSERT_OK(index_->save(path_));
  }

  static std::vector<Hit> find(const Index& index, VectorView query) {
    std::vector<Hit> hits(12);
    const auto result = index.search(query, hits);
    EXPECT_OK(result);
    hits.resize(result.ok() ? result->count : 0);
    return hits;
  }

  // The same keys, the same vectors, the same answers to walks.
  void expect_same(const Index& other) {
    EXPECT_EQ(other.size(), index_->size());
    EXPECT_OK(other.check());
    for (Key key = 0; key < 150; ++key) {
      std::array<float, kDimension> here{}, there{};
      EXPECT_EQ(code_of(index_->get(key, here)), code_of(other.get(key, there)));
      EXPECT_EQ(here, there);
    }
    for (std::size_t q = 0; q < 40; ++q) {
      EXPECT_EQ(find(other, table_.row(150 + q)), find(*index_, table_.row(150 + q)));
    }
  }

  TempDir folder_;
  fs::path path_ = folder_ / "index";
  Random random_{1};
  Table table_ = random_table(random_, Scalar::f32, 200, kDimension);
  std::optional<Index> index_;
};
INSTANTIATE_TEST_SUITE_P(, ImageTest, ::testing::Values(Codes::exact, Codes::sq8, Codes::rot4),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(ImageTest, ALoadedIndexAnswersAsTheSavedOneAndTakesWrites) {
  auto loaded = Index::load(path_);
  ASSERT_OK(loaded);
  expect_same(*loaded);
  ASSERT_OK(loaded->upsert(1000, table_.row(199)));
  ASSERT_OK(loaded->remove(1));
  EXPECT_TRUE(loaded->contains(1000));
  EXPECT_FALSE(loaded->contains(1));
  EXPECT_OK(loaded->check());
}

TEST_P(ImageTest, AViewAnswersAsTheSavedOneAndRefusesWrites) {
  auto view = Index::view(path_);
  ASSERT_OK(view);
  expect_same(*view);
  const std::vector<Key> keys = {1, 2};
  EXPECT_ERROR(view->insert(1000, table_.row(0)), Code::read_only);
  EXPECT_ERROR(view->upsert(1, table_.row(0)), Code::read_only);
  EXPECT_ERROR(view->upsert(keys, table_.matrix(0, 2)), Code::read_only);
  EXPECT_ERROR(view->remove(1), Code::read_only);
  EXPECT_ERROR(view->remove(keys), Code::read_only);
  expect_same(*view);
}

TEST_P(ImageTest, AnEmptyIndexIsSavedAndLoaded) {
  auto empty = Index::create({.dimension = 3, .codes = GetParam()});
  ASSERT_OK(empty);
  ASSERT_OK(empty->save(path_));
  auto loaded = Index::load(path_);
  ASSERT_OK(loaded);
  EXPECT_EQ(loaded->size(), 0u);
  ASSERT_OK(loaded->insert(1, std::array{1.0F, 2.0F, 3.0F}));
  EXPECT_OK(Index::view(path_));
}

TEST_P(ImageTest, SavingOverAFileReplacesItWhole) {
  ASSERT_OK(index_->upsert(5000, table_.row(0)));
  ASSERT_OK(index_->save(path_));
  auto loaded = Index::load(path_);
  ASSERT_OK(loaded);
  EXPECT_TRUE(loaded->contains(5000));
  // Nothing is left beside it.
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_P(ImageTest, AMissingFileIsNotFound) {
  EXPECT_ERROR(Index::load(folder_ / "absent"), Code::not_found);
  EXPECT_ERROR(Index::view(folder_ / "absent"), Code::not_found);
}

TEST_P(ImageTest, WhatCannotBeWrittenIsAnErrorAndLeavesNothing) {
  EXPECT_FALSE(index_->save(folder_ / "absent" / "index").ok());
  EXPECT_FALSE(index_->save(folder_.path()).ok());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1);
}

TEST_P(ImageTest, AForeignFileIsIncompatible) {
  const fs::path other = folder_ / "other";
  for (const std::string& bytes : {std::string("hello, I am a letter"), std::string(100'000, 'x'),
                                   std::string(100'000, '\0'), std::string(64, '\xff')}) {
    write_file(other, bytes);
    EXPECT_ERROR(Index::load(other), Code::incompatible);
    EXPECT_ERROR(Index::view(other), Code::incompatible);
  }
}

TEST_P(ImageTest, AFileOfANewerVersionIsIncompatible) {
  std::string newer = read_file(path_);
  ASSERT_EQ(newer[8], 1);  // the format's version, docs/file-format.md
  newer[8] = 2;
  write_file(path_, newer);
  EXPECT_ERROR_SAYING(Index::load(path_), Code::incompatible, 2);
  EXPECT_ERROR_SAYING(Index::view(path_), Code::incompatible, 2);
}

TEST_P(ImageTest, AnEmptyFileIsNeitherMissingNorAnEmptyIndex) {
  const fs::path other = folder_ / "other";
  write_file(other, "");
  EXPECT_TRUE(refused_as_damaged(Index::load(other).status()));
  EXPECT_TRUE(refused_as_damaged(Index::view(other).status()));
}

TEST_P(ImageTest, AFolderIsNoImage) {
  EXPECT_FALSE(Index::load(folder_.path()).ok());
  EXPECT_FALSE(Index::view(folder_.path()).ok());
}

TEST_P(ImageTest, ATruncatedFileIsCorruption) {
  const std::string whole = read_file(path_);
  std::vector<std::size_t> lengths = {1, 2, 7, 8, 15, 16, 31, 63, 64, whole.size() - 1};
  for (std::size_t length = 100; length < whole.size(); length += whole.size() / 60) {
    lengths.push_back(length);
  }
  for (const std::size_t length : lengths) {
    SCOPED_TRACE(length);
    write_file(path_, whole.substr(0, length));
    EXPECT_TRUE(refused_as_damaged(Index::load(path_).status()));
    EXPECT_TRUE(refused_as_damaged(Index::view(path_).status()));
  }
}

// A flipped bit is noticed, or lies in padding and changes nothing.
TEST_P(ImageTest, AFlippedBitIsCorruptionOrChangesNothing) {
  const std::string whole = read_file(path_);
  std::size_t noticed = 0, tried = 0;
  const auto flip = [&](std::size_t at, int bit) {
    SCOPED_TRACE("byte " + std::to_string(at) + " of " + std::to_string(whole.size()));
    std::string bent = whole;
    bent[at] = static_cast<char>(bent[at] ^ (1 << bit));
    write_file(path_, bent);
    const auto loaded = Index::load(path_);
    const auto view = Index::view(path_);
    ++tried;
    if (loaded.ok()) {
      expect_same(*loaded);
    } else {
      ++noticed;
      EXPECT_TRUE(refused_as_damaged(loaded.status())) << loaded.status().message();
    }
    if (view.ok()) {
      expect_same(*view);
    } else {
      EXPECT_TRUE(refused_as_damaged(view.status())) << view.status().message();
    }
  };
  for (std::size_t at = 0; at < std::min<std::size_t>(whole.size(), 256); ++at) flip(at, at % 8);
  for (std::size_t at = 256; at < whole.size(); at += scaled(512, 1)) {
    flip(at + random_() % std::min<std::size_t>(512, whole.size() - at),
         static_cast<int>(random_() % 8));
  }
  EXPECT_GT(noticed, tried / 2);
}

TEST_P(ImageTest, ACustomMetricIsNotLoadedWithoutItsFunction) {
  auto custom =
      Index::create({.dimension = 2, .metric = Metric::custom, .custom = custom_distance()});
  ASSERT_OK(custom);
  ASSERT_OK(custom->insert(1, std::array{1.0F, 2.0F}));
  ASSERT_OK(custom->save(path_));
  EXPECT_ERROR(Index::load(path_), Code::invalid_argument);
  EXPECT_ERROR(Index::view(path_), Code::invalid_argument);
  EXPECT_OK(Index::load(path_, custom_distance()));
  EXPECT_OK(Index::view(path_, custom_distance()));
}

// -- databases
// ---------------------------------------------------------------------------------------

class FolderTest : public ::testing::Test {
 protected:
  void open(const DatabaseOptions& options = {}) {
    close();
    auto opened = Database::open(folder_, options);
    ASSERT_OK(opened);
    database_.emplace(*std::move(opened));
    auto docs = database_->open_or_create(
        "docs", {.index = {.dimension = kDimension, .M = 6, .flat_below = 0}});
    ASSERT_OK(docs);
    docs_.emplace(*std::move(docs));
  }
  void close() {
    docs_.reset();
    if (database_) {
      EXPECT_OK(database_->close());
    }
    database_.reset();
  }
  void put(Key key, std::size_t row) {
    ASSERT_OK(docs_->upsert(key, table_.row(row)));
    model_.put(key, table_.row(row));
  }
  void remove(Key key) {
    ASSERT_OK(docs_->remove(key));
    model_.erase(key);
  }
  // 200 writes and 20 removals.
  void fill() {
    for (Key key = 0; key < 200; ++key) put(key, key);
    for (Key key = 0; key < 200; key += 10) remove(key);
  }
  void expect_all_there() {
    EXPECT_EQ(docs_->size(), model_.size());
    for (const auto& [key, bytes] : model_.rows()) {
      std::vector<std::byte> got(bytes.size());
      ASSERT_OK(docs_->get_bytes(key, got));
      EXPECT_EQ(got, bytes);
    }
    for (std::size_t q = 0; q < 10; ++q) {
      std::vector<Hit> hits(10);
      const auto found = docs_->search(table_.row(q), hits, {.exact = true});
      ASSERT_OK(found);
      hits.resize(found->count);
      EXPECT_TRUE(model_.perfect(table_.row(q), hits, 10));
    }
    EXPECT_OK(docs_->verify());
  }
  Opened opened() const {
    const auto stats = docs_->stats();
    EXPECT_OK(stats);
    return stats.ok() ? stats->opened : Opened::created;
  }
  std::vector<fs::path> images() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "images")) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    return files;
  }

  TempDir home_;
  fs::path folder_ = home_ / "db";
  Random random_{2};
  Table table_ = random_table(random_, Scalar::f32, 400, kDimension);
  Model model_{Metric::l2, Scalar::f32, kDimension};
  std::optional<Database> database_;
  std::optional<Collection> docs_;
};

TEST_F(FolderTest, WhatWasWrittenIsThereAfterReopening) {
  open({.durability = Durability::none});
  EXPECT_EQ(opened(), Opened::created);
  fill();
  open();
  EXPECT_EQ(opened(), Opened::image);
  expect_all_there();
}

TEST_F(FolderTest, EveryDurabilityKeepsWhatWasClosed) {
  for (const Durability durability : {Durability::commit, Durability::interval, Durability::none}) {
    open({.durability = durability, .sync_interval_ms = 10});
    for (Key key = 0; key < 10; ++key) put(key, 10 * static_cast<std::size_t>(durability) + key);
    ASSERT_OK(database_->sync());
    open();
    expect_all_there();
  }
}

TEST_F(FolderTest, DeletingEveryImageIsSafe) {
  open({.durability = Durability::none});
  fill();
  close();
  ASSERT_FALSE(images().empty());
  fs::remove_all(folder_ / "images");
  open();
  EXPECT_EQ(opened(), Opened::rebuilt_absent);
  expect_all_there();
}

TEST_F(FolderTest, ADamagedImageIsRebuiltAndSaidSo) {
  open({.durability = Durability::none});
  fill();
  close();
  for (const fs::path& image : images()) {
    std::string bytes = read_file(image);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_file(image, bytes);
  }
  open();
  EXPECT_EQ(opened(), Opened::rebuilt_damaged);
  expect_all_there();
}

TEST_F(FolderTest, AnImageCutShortIsRebuilt) {
  for (const std::size_t keep : {0, 1, 100, 5000}) {
    open({.durability = Durability::none});
    fill();
    close();
    for (const fs::path& image : images()) fs::resize_file(image, keep);
    open();
    // Of a few bytes nobody can say whether they were ever an image.
    EXPECT_TRUE(opened() == Opened::rebuilt_damaged ||
                (keep < 100 && opened() == Opened::rebuilt_stale))
        << keep;
    expect_all_there();
  }
}

TEST_F(FolderTest, TheLogAfterAnImageIsReplayed) {
  open({.durability = Durability::none});
  fill();
  ASSERT_OK(docs_->save_image());
  const auto image = images();
  ASSERT_EQ(image.size(), 1u);
  const std::string older = read_file(image[0]);
  for (Key key = 0; key < 50; ++key) put(key * 3, 200 + key);
  remove(7);
  // As a crash leaves it: the store is ahead of the image.
  const fs::path copy = home_ / "copy";
  ASSERT_OK(database_->sync());
  fs::copy(folder_, copy, fs::copy_options::recursive);
  ASSERT_EQ(read_file(copy / fs::relative(image[0], folder_)), older);
  close();
  folder_ = copy;
  open();
  EXPECT_EQ(opened(), Opened::image);
  const auto stats = docs_->stats();
  ASSERT_OK(stats);
  EXPECT_EQ(stats->replayed, 51u);
  expect_all_there();
}

TEST_F(FolderTest, AnImageOfAnotherCollectionIsNotTrusted) {
  open({.durability = Durability::none});
  fill();
  auto other =
      database_->create("other", {.index = {.dimension = kDimension, .M = 6, .flat_below = 0}});
  ASSERT_OK(other);
  for (Key key = 0; key < 30; ++key) ASSERT_OK(other->upsert(key, table_.row(300 + key)));
  close();
  const auto files = images();
  ASSERT_EQ(files.size(), 2u);
  const std::string a = read_file(files[0]);
  const std::string b = read_file(files[1]);
  write_file(files[0], b);
  write_file(files[1], a);
  open();
  EXPECT_NE(opened(), Opened::image);
  expect_all_there();
}

TEST_F(FolderTest, TheMapGrowsByItself) {
  open({.durability = Durability::none, .map_bytes = 1 << 20});
  auto large = database_->create("large", {.index = {.dimension = 4096}});
  ASSERT_OK(large);
  const std::vector<float> vector(4096, 0.25F);
  for (Key key = 0; key < 400; ++key) ASSERT_OK(large->insert(key, vector));  // 6.5 MB
  const auto stats = database_->stats();
  ASSERT_OK(stats);
  EXPECT_GE(stats->grown, 1u);
  EXPECT_GE(stats->map_bytes, 400u * 4096 * 4);
  EXPECT_EQ(large->size(), 400u);
  EXPECT_OK(large->verify());
}

TEST_F(FolderTest, ABackupIsADatabase) {
  open({.durability = Durability::none});
  fill();
  ASSERT_OK(database_->backup(home_ / "copy"));
  EXPECT_ERROR(database_->backup(home_ / "copy"), Code::already_exists);
  put(1000, 0);  // not in the backup
  model_.erase(1000);
  close();
  folder_ = home_ / "copy";
  open();
  expect_all_there();
}

TEST_F(FolderTest, CompactGivesSpaceBackAndLosesNothing) {
  open({.durability = Durability::none});
  auto large = database_->create("large", {.index = {.dimension = 4096}});
  ASSERT_OK(large);
  const std::vector<float> vector(4096, 0.25F);
  for (Key key = 0; key < 200; ++key) ASSERT_OK(large->insert(key, vector));
  fill();
  ASSERT_OK(database_->drop("large"));
  ASSERT_OK(database_->sync());
  const auto before = database_->stats();
  ASSERT_OK(before);
  ASSERT_OK(database_->compact());
  const auto after = database_->stats();
  ASSERT_OK(after);
  EXPECT_LT(after->store_disk_bytes, before->store_disk_bytes / 2);
  expect_all_there();
  put(500, 1);
  open();
  expect_all_there();
}

TEST_F(FolderTest, ADamagedOrForeignStoreIsRefusedAndNeverAnEmptyDatabase) {
  open({.durability = Durability::none});
  fill();
  close();
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ / "store")) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && !name.starts_with("lock")) files.push_back(entry.path());
  }
  ASSERT_EQ(files.size(), 1u);
  const std::string whole = read_file(files[0]);
  for (const std::string& bytes :
       {std::string(whole.size(), 'x'), std::string("a letter"), whole.substr(0, 100),
        whole.substr(0, 5000), std::string(whole.size(), '\0')}) {
    write_file(files[0], bytes);
    const auto opened = Database::open(folder_);
    EXPECT_TRUE(refused_as_damaged(opened.status())) << opened.status().message();
  }
  write_file(files[0], "");
  const auto empty = Database::open(folder_);
  EXPECT_TRUE(!empty.ok()) << "an empty store where a full one was";
}

TEST_F(FolderTest, AFileWhereTheFolderShouldBeIsAnError) {
  write_file(folder_, "a letter");
  const auto opened = Database::open(folder_);
  EXPECT_FALSE(opened.ok());
  EXPECT_EQ(read_file(folder_), "a letter");
}

TEST_F(FolderTest, AFolderOfSomethingElseIsLeftAlone) {
  fs::create_directory(folder_);
  write_file(folder_ / "letters.txt", "dear");
  const auto opened = Database::open(folder_);
  EXPECT_TRUE(!opened.ok() || fs::exists(folder_ / "letters.txt"));
  EXPECT_EQ(read_file(folder_ / "letters.txt"), "dear");
}

TEST_F(FolderTest, WhatKilledProcessesLeftGoesWhenItIsOpenedForWriting) {
  open();
  close();
  const std::array left = {fs::path("images") / "1.image.new", fs::path("store") / "compact.mdb",
                           fs::path("store") / "synced.root.new",
                           fs::path("store") / "upgrade" / "data.mdb"};
  fs::create_directory(folder_ / "store" / "upgrade");
  for (const fs::path& file : left) write_file(folder_ / file, "half of it");
  ASSERT_OK(Database::open(folder_, {.read_only = true}));
  for (const fs::path& file : left) EXPECT_TRUE(fs::exists(folder_ / file)) << file;
  ASSERT_OK(Database::open(folder_));
  for (const fs::path& file : left) EXPECT_FALSE(fs::exists(folder_ / file)) << file;
  EXPECT_FALSE(fs::exists(folder_ / "store" / "upgrade"));
}

// -- kill -9
// -----------------------------------------------------------------------------------------

// What the child writes for step `n`: key n / 3, its n-th vector, and now and then a removal.
constexpr std::uint64_t kCrashKeys = 40;

std::array<float, kDimension> crash_vector(std::uint64_t step) {
  std::array<float, kDimension> vector{};
  for (std::size_t i = 0; i < kDimension; ++i) {
    vector[i] = static_cast<float>(step * 31 % 1009) + static_cast<float>(i) / 16;
  }
  return vector;
}

bool removes(std::uint64_t step) {
  return step % 7 == 6;
}

// Writes for ever and says each step on standard output when it has returned.
int write_until_killed(const char* folder) {
  auto database = Database::open(folder);
  if (!database.ok()) return 2;
  auto docs = database->open_or_create(
      "docs", {.index = {.dimension = kDimension, .M = 6, .flat_below = 16}});
  if (!docs.ok()) return 3;
  // The next step stands in the payload of a key of its own.
  std::uint64_t step = 0;
  if (docs->contains(kCrashKeys)) {
    const auto read = docs->get_payload(kCrashKeys, std::as_writable_bytes(std::span(&step, 1)));
    if (!read.ok()) return 4;
  }
  for (;; ++step) {
    const Key key = step % kCrashKeys;
    const auto vector = crash_vector(step);
    if (removes(step)) {
      if (!docs->remove(key).ok()) return 5;
    } else {
      const Payload payload = std::as_bytes(std::span(&step, 1));
      if (!docs->upsert(key, vector, payload).ok()) return 6;
    }
    const std::uint64_t next = step + 1;
    if (!docs->upsert(kCrashKeys, vector, std::as_bytes(std::span(&next, 1))).ok()) return 7;
    if (step % 50 == 49 && !docs->save_image().ok()) return 8;
    if (::write(STDOUT_FILENO, &step, sizeof step) != sizeof step) return 9;
  }
}

TEST_F(FolderTest, WhatHadReturnedSurvivesKillNineAndNothingIsHalf) {
  for (std::size_t round = 0; round < scaled(8, 4); ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::dup2(pipe[1], STDOUT_FILENO);
      ::close(pipe[0]);
      ::close(pipe[1]);
      ::execl("/proc/self/exe", "persistence_test", "--write", folder_.c_str(), nullptr);
      ::_exit(99);
    }
    ::close(pipe[1]);
    // Killed at some point between two acknowledgements, or in the middle of an image.
    std::uint64_t acknowledged = 0, seen = 0;
    const std::uint64_t enough = 20 + random_() % 90;
    while (seen < enough && ::read(pipe[0], &acknowledged, 8) == 8) ++seen;
    EXPECT_OK(Database::open(folder_, {.read_only = true}));  // others may look on
    ::kill(child, SIGKILL);
    while (::read(pipe[0], &acknowledged, 8) == 8) ++seen;
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child gave up: " << WEXITSTATUS(status);
    ASSERT_EQ(WTERMSIG(status), SIGKILL) << "the child fell over by itself";
    ASSERT_GE(seen, enough);

    auto database = Database::open(folder_, {.create_if_missing = false});
    ASSERT_OK(database);
    auto docs = database->open_collection("docs");
    ASSERT_OK(docs);
    ASSERT_OK(docs->verify());
    // Per key: the last step acknowledged, or the one that was under way.
    for (Key key = 0; key < kCrashKeys; ++key) {
      const std::uint64_t under_way = acknowledged + 1;
      std::uint64_t last = acknowledged - (acknowledged + kCrashKeys - key) % kCrashKeys;
      if (key > acknowledged && acknowledged < kCrashKeys) continue;
      if (under_way % kCrashKeys == key && docs->contains(key) != !removes(last)) last = under_way;
      ASSERT_EQ(docs->contains(key), !removes(last)) << "key " << key << " after " << acknowledged;
      if (removes(last)) continue;
      std::uint64_t written = 0;
      ASSERT_OK(docs->get_payload(key, std::as_writable_bytes(std::span(&written, 1))));
      EXPECT_TRUE(written == last || written == under_way) << written << " for " << last;
      std::array<float, kDimension> got{};
      ASSERT_OK(docs->get(key, got));
      EXPECT_EQ(got, crash_vector(written)) << "vector and payload of different steps";
    }
  }
}

}  // namespace
}  // namespace skerry::testing

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--write") == 0) {
    return skerry::testing::write_until_killed(argv[2]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
