// database_test.cc - is everything that was acknowledged there, whatever happened in between?
#include "skerry/database.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "base/test_folder.h"
#include "index/test_image.h"

namespace skerry {
namespace {

using Point = std::array<float, 4>;

const CollectionOptions kPoints{.index = {.dimension = 4}};
const CollectionOptions kNamed{.index = {.dimension = 4}, .byte_keys = true};

Point point(Key key, std::uint32_t version = 0) {
  return {static_cast<float>(key), static_cast<float>(version), 1.0F, -0.5F};
}

Payload payload_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Database opened(const std::filesystem::path& folder, const DatabaseOptions& options = {}) {
  Result<Database> database = Database::open(folder, options);
  EXPECT_TRUE(database.ok()) << database.error().message();
  return std::move(*database);
}

Collection points(Database& database, const CollectionOptions& options = kPoints) {
  Result<Collection> collection = database.open_or_create("points", options);
  EXPECT_TRUE(collection.ok()) << collection.error().message();
  return *collection;
}

void expect_verified(const Collection& collection) {
  const Result<VerifyReport> report = collection.verify();
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_EQ(report->vectors_compared, collection.size());
}

// What a collection of kPoints holds, by key: the version that point() was given.
std::map<Key, std::uint32_t> versions_of(const Collection& collection) {
  std::map<Key, std::uint32_t> versions;
  EXPECT_TRUE(collection
                  .for_each([&](Key key) {
                    Point found{};
                    EXPECT_TRUE(collection.get(key, found).ok());
                    EXPECT_EQ(found[0], static_cast<float>(key));
                    versions[key] = static_cast<std::uint32_t>(found[1]);
                    return true;
                  })
                  .ok());
  return versions;
}

std::filesystem::path image_of(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder / "images")) {
    return entry.path();
  }
  return {};
}

std::string contents_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Opened opened_of(const Collection& collection) {
  const Result<CollectionStats> stats = collection.stats();
  EXPECT_TRUE(stats.ok());
  return stats->opened;
}

// -- keeping -------------------------------------------------------------------------------------

TEST(Database, WhatWasWrittenIsThereAfterReopening) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    EXPECT_EQ(opened_of(collection), Opened::created);
    ASSERT_TRUE(collection.insert(1, point(1), payload_of("one")).ok());
    ASSERT_TRUE(collection.upsert(2, point(2), payload_of("two")).ok());
    ASSERT_TRUE(collection.upsert(2, point(2, 7)).ok());  // the payload goes
    ASSERT_TRUE(collection.insert(3, point(3)).ok());
    EXPECT_EQ(*collection.remove(3), 1U);
    EXPECT_EQ(*collection.remove(3), 0U);
    ASSERT_TRUE(database.close().ok());
  }
  Database database = opened(folder / "db");
  const Collection collection = points(database);
  EXPECT_EQ(opened_of(collection), Opened::image);
  EXPECT_EQ(versions_of(collection), (std::map<Key, std::uint32_t>{{1, 0}, {2, 7}}));
  std::array<std::byte, 8> room{};
  EXPECT_EQ(*collection.get_payload(1, room), 3U);
  EXPECT_EQ(std::memcmp(room.data(), "one", 3), 0);
  EXPECT_EQ(*collection.get_payload(2, room), 0U);
  EXPECT_EQ(collection.get_payload(3, room).error().code(), Code::not_found);
  std::array<std::byte, 2> little{};
  EXPECT_EQ(*collection.get_payload(1, little), 3U);
  EXPECT_EQ(std::memcmp(little.data(), "on", 2), 0);
  std::array<Hit, 4> hits;
  const Result<SearchResult> found = collection.search(point(2, 7), hits);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->count, 2U);
  EXPECT_EQ(hits[0], (Hit{2, 0.0F}));
  expect_verified(collection);
}

TEST(Database, FollowsAModelThroughChanceAndReopening) {
  TestFolder folder;
  const unsigned seed = 20261;
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  std::map<Key, std::uint32_t> model;
  std::map<Key, std::string> payloads;
  std::optional<Database> database(opened(folder / "db", {.durability = Durability::none}));
  std::optional<Collection> collection(points(*database));
  std::uint32_t version = 0;
  for (int step = 0; step < 1500; ++step) {
    const Key key = random() % 60;
    switch (random() % 8) {
      case 0:
      case 1:
      case 2: {
        const std::string payload = random() % 2 == 0 ? "" : "p" + std::to_string(step);
        ASSERT_TRUE(collection->upsert(key, point(key, ++version), payload_of(payload)).ok());
        model[key] = version;
        payloads[key] = payload;
        break;
      }
      case 3: {
        const Status status = collection->insert(key, point(key, ++version));
        ASSERT_EQ(status.code(), model.contains(key) ? Code::already_exists : Code::ok);
        if (status.ok()) {
          model[key] = version;
          payloads[key] = "";
        }
        break;
      }
      case 4:
        ASSERT_EQ(*collection->remove(key), model.erase(key));
        break;
      case 5: {
        std::vector<Key> keys(1 + random() % 20);
        std::vector<float> rows;
        for (Key& each : keys) {
          each = random() % 60;
          const Point row = point(each, ++version);
          rows.insert(rows.end(), row.begin(), row.end());
          model[each] = version;
          payloads[each] = "";
        }
        ASSERT_TRUE(collection->upsert(keys, MatrixView(rows, 4)).ok());
        break;
      }
      case 6: {
        std::vector<Key> keys(random() % 10);
        std::set<Key> present;
        for (Key& each : keys) {
          each = random() % 60;
          if (model.contains(each)) present.insert(each);
        }
        ASSERT_EQ(*collection->remove(keys), present.size());
        for (const Key each : present) model.erase(each);
        break;
      }
      default:
        if (random() % 10 == 0) {
          ASSERT_TRUE(collection->save_image().ok());
        }
        if (random() % 20 == 0) {
          collection.reset();
          database.reset();
          if (random() % 3 == 0) std::filesystem::remove_all(folder / "db" / "images");
          database.emplace(opened(folder / "db", {.durability = Durability::none}));
          collection.emplace(points(*database));
        }
    }
    ASSERT_EQ(collection->size(), model.size());
  }
  EXPECT_EQ(versions_of(*collection), model);
  for (const auto& [key, _] : model) {
    std::array<std::byte, 32> room{};
    const Result<std::size_t> size = collection->get_payload(key, room);
    ASSERT_TRUE(size.ok());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(room.data()), *size), payloads[key]);
  }
  expect_verified(*collection);
}

// -- where the index comes from -------------------------------------------------------------------

TEST(Database, DeletingEveryImageIsSafe) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    for (Key key = 0; key < 50; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
    EXPECT_EQ(*collection.remove(7), 1U);
  }
  std::filesystem::remove_all(folder / "db" / "images");
  Database database = opened(folder / "db");
  const Collection collection = points(database);
  EXPECT_EQ(opened_of(collection), Opened::rebuilt_absent);
  EXPECT_EQ(collection.size(), 49U);
  EXPECT_FALSE(collection.contains(7));
  expect_verified(collection);
}

TEST(Database, ADamagedImageIsRebuiltAndSaidSo) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    for (Key key = 0; key < 50; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
  }
  const std::filesystem::path image = image_of(folder / "db");
  {
    // The vectors of the points, wherever they stand: a byte between the sections matters to
    // nobody.
    std::ifstream in(image, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const Point seven = point(7);
    const std::size_t at =
        bytes.find(std::string_view(reinterpret_cast<const char*>(seven.data()), sizeof seven));
    ASSERT_NE(at, std::string::npos);
    bytes[at + 1] = static_cast<char>(bytes[at + 1] ^ 0x20);
    std::ofstream(image, std::ios::binary) << bytes;
  }
  {
    Database database = opened(folder / "db");
    const Collection collection = points(database);
    EXPECT_EQ(opened_of(collection), Opened::rebuilt_damaged);
    EXPECT_EQ(collection.size(), 50U);
    expect_verified(collection);
  }
  Database database = opened(folder / "db");
  EXPECT_EQ(opened_of(points(database)), Opened::image);  // a good one was saved at close
}

TEST(Database, AnImageOfAnotherCollectionOrTimeIsStale) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    for (Key key = 0; key < 5; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
    Collection other = *database.create("other", kPoints);
    for (Key key = 0; key < 9; ++key) ASSERT_TRUE(other.insert(key, point(key)).ok());
  }
  std::filesystem::copy_file(folder / "db" / "images" / "2.image",
                             folder / "db" / "images" / "1.image",
                             std::filesystem::copy_options::overwrite_existing);
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    EXPECT_EQ(opened_of(collection), Opened::rebuilt_stale);
    EXPECT_EQ(collection.size(), 5U);
    // An old image, from before the log was trimmed.
    ASSERT_TRUE(collection.save_image().ok());
    std::filesystem::copy_file(folder / "db" / "images" / "1.image", folder / "old.image");
    for (Key key = 5; key < 9; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
  }
  std::filesystem::copy_file(folder / "old.image", folder / "db" / "images" / "1.image",
                             std::filesystem::copy_options::overwrite_existing);
  Database database = opened(folder / "db");
  const Collection collection = points(database);
  EXPECT_EQ(opened_of(collection), Opened::rebuilt_stale);
  EXPECT_EQ(collection.size(), 9U);
  expect_verified(collection);
}

// Leaves the folder as a killed process would, after `body` has written to it.
template <class Body>
void killed_after(const std::filesystem::path& folder, Body body) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Result<Database> database = Database::open(folder);
    if (!database.ok()) _exit(1);
    body(*database);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(Database, TheLogAfterTheImageIsReplayed) {
  TestFolder folder;
  killed_after(folder / "db", [](Database& database) {
    Collection collection = *database.create("points", kPoints);
    for (Key key = 0; key < 100; ++key) {
      if (!collection.insert(key, point(key)).ok()) _exit(2);
    }
    if (!collection.save_image().ok()) _exit(3);
    if (!collection.upsert(3, point(3, 1)).ok()) _exit(4);
    if (*collection.remove(4) != 1) _exit(5);
    if (!collection.upsert(3, point(3, 2)).ok()) _exit(6);
    if (*collection.remove(5) != 1) _exit(7);
    if (!collection.insert(5, point(5, 9)).ok()) _exit(8);
    if (!collection.insert(200, point(200)).ok()) _exit(9);
    if (*collection.remove(200) != 1) _exit(10);
    if (!collection.insert(201, point(201)).ok()) _exit(11);
  });
  Database database = opened(folder / "db");
  const Collection collection = points(database);
  const Result<CollectionStats> stats = collection.stats();
  EXPECT_EQ(stats->opened, Opened::image);
  EXPECT_EQ(stats->replayed, 8U);
  EXPECT_EQ(stats->index.sequence, 108U);
  std::map<Key, std::uint32_t> expected;
  for (Key key = 0; key < 100; ++key) expected[key] = 0;
  expected[3] = 2;
  expected.erase(4);
  expected[5] = 9;
  expected[201] = 0;
  EXPECT_EQ(versions_of(collection), expected);
  expect_verified(collection);
}

// Opening does not wait for the graph: what the log holds is found by a scan until it is linked.
TEST(Database, TheLogIsSearchableAtOnceAndLinkedByAndBy) {
  constexpr CollectionOptions kGraph{.index = {.dimension = 4, .M = 8, .flat_below = 0}};
  // Not on a line, where a graph of few links has its worst case.
  const auto scattered = [](Key key, std::uint64_t version) {
    std::mt19937_64 random(2 * key + version);
    std::normal_distribution<float> normal;
    return Point{normal(random), normal(random), normal(random), normal(random)};
  };
  TestFolder folder;
  killed_after(folder / "db", [&](Database& database) {
    Collection collection = *database.create("points", kGraph);
    for (Key key = 0; key < 600; ++key) {
      if (!collection.insert(key, scattered(key, 0)).ok()) _exit(2);
    }
    if (!collection.save_image().ok()) _exit(3);
    for (Key key = 500; key < 800; ++key) {
      if (!collection.upsert(key, scattered(key, 1)).ok()) _exit(4);
    }
    for (Key key = 0; key < 100; ++key) {
      if (*collection.remove(key) != 1) _exit(5);
    }
  });
  for (const bool read_only : {true, false}) {
    SCOPED_TRACE(read_only);
    Database database = opened(folder / "db", {.read_only = read_only});
    const Collection collection = *database.open_collection("points");
    const auto expect_all = [&] {
      for (Key key = 100; key < 800; ++key) {
        std::array<Hit, 2> hits;
        const auto result = collection.search(scattered(key, key < 500 ? 0 : 1), hits, {.ef = 200});
        ASSERT_TRUE(result.ok()) << result.error().message();
        ASSERT_EQ(result->count, 2U);
        ASSERT_EQ(hits[0], (Hit{key, 0})) << key;
        ASSERT_GE(hits[1].key, 100U);
      }
    };
    expect_all();
    const Result<CollectionStats> stats = collection.stats();
    EXPECT_EQ(stats->opened, Opened::image);
    EXPECT_EQ(stats->replayed, 400U);
    while (collection.stats()->index.backlog != 0) std::this_thread::yield();
    expect_all();
    expect_verified(collection);
    EXPECT_EQ(collection.verify()->index.unreachable, 0U);
  }
  // Closed with an image of it, whatever was left to be done.
  Database database = opened(folder / "db");
  const Collection collection = *database.open_collection("points");
  EXPECT_EQ(collection.stats()->replayed, 0U);
  EXPECT_EQ(collection.size(), 700U);
  expect_verified(collection);
}

TEST(Database, ThePersistedGraphHasTheShapeThatItHad) {
  TestFolder folder;
  GraphShape before;
  {
    Database database = opened(folder / "db");
    Collection collection =
        *database.create("points", {.index = {.dimension = 4, .flat_below = 0}});
    for (Key key = 0; key < 300; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
    for (Key key = 0; key < 300; key += 3) ASSERT_TRUE(collection.remove(key).ok());
    const Result<GraphShape> shape = collection.shape();
    ASSERT_TRUE(shape.ok()) << shape.error().message();
    before = *shape;
    EXPECT_EQ(before.nodes, 200U);
    ASSERT_TRUE(database.close().ok());
    EXPECT_EQ(collection.shape().error().code(), Code::closed);
  }
  Database database = opened(folder / "db");
  const Result<GraphShape> after = database.open_collection("points")->shape();
  ASSERT_TRUE(after.ok()) << after.error().message();
  EXPECT_EQ(after->nodes, before.nodes);
  EXPECT_EQ(after->levels, before.levels);
  EXPECT_EQ(after->out_degrees, before.out_degrees);
  EXPECT_EQ(after->in_degrees, before.in_degrees);
}

TEST(Database, ACollectionThatWasEmptiedStaysEmpty) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    ASSERT_TRUE(collection.insert(1, point(1)).ok());
    EXPECT_EQ(*collection.remove(1), 1U);
  }
  std::filesystem::remove_all(folder / "db" / "images");
  for (int round = 0; round < 2; ++round) {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    EXPECT_EQ(opened_of(collection), round == 0 ? Opened::rebuilt_absent : Opened::image);
    EXPECT_EQ(collection.size(), 0U);
  }
  Database database = opened(folder / "db");
  Collection collection = points(database);
  EXPECT_TRUE(collection.insert(1, point(1)).ok());
}

TEST(Database, AnImageIsSavedInTheBackgroundWhenTheLogHasGrown) {
  TestFolder folder;
  std::vector<Key> keys(12'000);
  std::vector<float> rows(keys.size() * 4, 1.0F);
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i % 500;
  {
    Database database = opened(folder / "db", {.durability = Durability::none});
    Collection collection = points(database);
    ASSERT_TRUE(collection.upsert(keys, MatrixView(rows, 4)).ok());
    while (collection.stats()->log_entries != 0) std::this_thread::yield();
    EXPECT_GT(collection.stats()->image_bytes, 0U);
    EXPECT_EQ(collection.stats()->index.live, 500U);
    expect_verified(collection);
  }
  // Let go while one is being saved, in every way there is.
  for (int round = 0; round < 12; ++round) {
    std::optional<Database> database(opened(folder / "db", {.durability = Durability::none}));
    Collection collection = *database->open_or_create("other", kPoints);
    ASSERT_TRUE(collection.upsert(keys, MatrixView(rows, 4)).ok());
    const Status let_go = round % 3 == 0   ? database->drop("other")
                          : round % 3 == 1 ? database->close()
                                           : Status();
    ASSERT_TRUE(let_go.ok()) << let_go.message();
    database.reset();
  }
  Database database = opened(folder / "db");
  EXPECT_EQ(opened_of(points(database)), Opened::image);
  EXPECT_EQ(opened_of(*database.open_or_create("other", kPoints)), Opened::image);
}

// -- damage ---------------------------------------------------------------------------------------

constexpr std::size_t kWide = 1024;
constexpr Key kWideKeys = 320;  // with more than a megabyte of rows

std::vector<float> wide(Key key) {
  std::vector<float> vector(kWide);
  for (std::size_t i = 0; i < kWide; ++i) {
    vector[i] = static_cast<float>((key * 2654435761U + i * i * 40503U) % 1000) / 100;
  }
  return vector;
}

void fill_wide(const std::filesystem::path& folder, Codes codes) {
  Database database = opened(folder, {.durability = Durability::none});
  Collection collection = *database.open_or_create(
      "wide",
      {.index = {
           .dimension = kWide, .codes = codes, .M = 6, .ef_construction = 20, .flat_below = 0}});
  std::vector<Key> keys;
  std::vector<float> rows;
  for (Key key = 0; key < kWideKeys; ++key) {
    keys.push_back(key);
    const auto row = wide(key);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  ASSERT_TRUE(collection.upsert(keys, MatrixView(rows, kWide), {}, {.threads = 0}).ok());
}

void expect_wide(const Collection& collection) {
  std::vector<float> got(kWide);
  for (Key key = 0; key < kWideKeys; key += 3) {
    ASSERT_TRUE(collection.get(key, got).ok());
    EXPECT_EQ(got, wide(key));
    Hit hit[1];
    const auto found = collection.search(wide(key), hit, {.exact = true});
    ASSERT_TRUE(found.ok()) << found.status().message();
    EXPECT_EQ(hit[0].distance, 0.0F);
  }
  expect_verified(collection);
}

// From the rows of the store, when there is no image to say what was chosen.
TEST(Database, AutomaticCodesAreChosenAgainWhenAnIndexIsRebuilt) {
  for (const bool use_images : {true, false}) {
    TestFolder folder;
    constexpr std::uint32_t kDimension = 384;
    std::vector<Key> keys;
    std::vector<float> rows;
    for (Key key = 0; key < 300; ++key) {
      keys.push_back(key);
      for (std::uint32_t i = 0; i < kDimension; ++i) {
        rows.push_back(static_cast<float>(i % 6 == key % 6) + static_cast<float>(i == key));
      }
    }
    {
      auto database = Database::open(folder / "db", {.use_images = use_images});
      ASSERT_TRUE(database.ok()) << database.status().message();
      auto docs = database->create("docs", {.index = {.dimension = kDimension,
                                                      .codes = Codes::automatic,
                                                      .M = 6,
                                                      .ef_construction = 20,
                                                      .flat_below = 100}});
      ASSERT_TRUE(docs.ok()) << docs.status().message();
      ASSERT_TRUE(docs->insert(keys, MatrixView(rows, kDimension)).ok());
      EXPECT_NE(docs->stats()->index.codes, Codes::exact);
      ASSERT_TRUE(database->close().ok());
    }
    auto database = Database::open(folder / "db", {.use_images = use_images});
    ASSERT_TRUE(database.ok()) << database.status().message();
    auto docs = database->open_collection("docs");
    ASSERT_TRUE(docs.ok()) << docs.status().message();
    EXPECT_EQ(docs->options()->index.codes, Codes::automatic);
    EXPECT_NE(docs->stats()->index.codes, Codes::exact);
  }
}

TEST(Database, AFlippedBitInAnySectionIsRebuiltOrMendedAndTold) {
  struct Expected {
    image::Section section;
    const char* text;  // empty: mended
  };
  for (const Codes codes : {Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic}) {
    TestFolder folder;
    fill_wide(folder / "db", codes);
    const std::filesystem::path path = image_of(folder / "db");
    const std::string good = contents_of(path);
    image::Header header;
    std::memcpy(&header, good.data(), sizeof header);
    for (const Expected& expected : {
             Expected{image::kStates, "slot states"},
             {image::kVectors, ""},
             {image::kCodes, ""},
             {image::kFlags, "slot flags"},
             {image::kLayer0, "links"},
             {image::kUpper, "upper links"},
             {image::kDirectory, "key directory"},
             {image::kSums, "checksums"},
         }) {
      const image::SectionEntry& section = header.section[expected.section];
      if (section.bytes == 0) continue;
      std::string bad = good;
      bad[section.offset + section.bytes * 3 / 5] ^= 0x04;
      std::ofstream(path, std::ios::binary) << bad;
      Database database = opened(folder / "db");
      const Collection collection = *database.open_collection("wide");
      expect_wide(collection);
      const CollectionStats stats = *collection.stats();
      if (expected.text[0] == 0) {
        EXPECT_EQ(stats.opened, Opened::image);
        EXPECT_TRUE(stats.image.ok());
        EXPECT_EQ(stats.mended_blocks, 1U);
        // The file is made whole too.
        ASSERT_TRUE(database.checkpoint().ok());
        EXPECT_TRUE(contents_of(path) == good);
      } else {
        EXPECT_EQ(stats.opened, Opened::rebuilt_damaged);
        EXPECT_NE(stats.image.message().find(expected.text), std::string::npos)
            << stats.image.message();
        EXPECT_EQ(stats.mended_blocks, 0U);
      }
    }
  }
}

TEST(Database, WhyAnImageWasNotUsedIsTold) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    for (Key key = 0; key < 50; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
  }
  const std::filesystem::path image = image_of(folder / "db");
  const std::string good = contents_of(image);
  const auto told = [&](const std::string& bytes) {
    if (bytes.empty()) {
      std::filesystem::remove(image);
    } else {
      std::ofstream(image, std::ios::binary) << bytes;
    }
    // For reading only, so that no image is saved at the end.
    Database database = opened(folder / "db", {.read_only = true});
    const Collection collection = *database.open_collection("points");
    EXPECT_EQ(collection.size(), 50U);
    expect_verified(collection);
    const CollectionStats stats = *collection.stats();
    return std::string(name_of(stats.opened)) + ": " + stats.image.message();
  };
  EXPECT_NE(told("").find("there is no image"), std::string::npos);
  EXPECT_NE(told("something else, and long enough").find("not a Skerry image"), std::string::npos);
  std::string newer = good;
  newer[offsetof(image::Header, version)] = 9;
  EXPECT_NE(told(newer).find("newer version"), std::string::npos);
  const auto forged = [&](auto change) {
    std::string bytes = good;
    image::Header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    change(header);
    std::memcpy(bytes.data(), &header, sizeof header);
    image::mend_checksums(std::as_writable_bytes(std::span(bytes)));
    return told(bytes);
  };
  EXPECT_NE(forged([](image::Header& header) { header.sections = 6; }).find("another layout"),
            std::string::npos);
  EXPECT_NE(
      forged([](image::Header& header) { header.identity[1] ^= 1; }).find("another collection"),
      std::string::npos);
  EXPECT_NE(forged([](image::Header& header) { header.ef_construction = 1; }).find("image: "),
            std::string::npos);  // that may be chosen anew
  EXPECT_NE(forged([](image::Header& header) { header.sequence += 9; }).find("the store has 50"),
            std::string::npos);
  for (std::size_t pages = 1; pages * image::kPage < good.size(); ++pages) {
    EXPECT_NE(told(good.substr(0, pages * image::kPage)).find("rebuilt_damaged"), std::string::npos)
        << pages << " pages";
  }
  EXPECT_EQ(told(good), "image: " + Status().message());
}

TEST(Database, ARebuildTellsHowFarItIs) {
  TestFolder folder;
  fill_wide(folder / "db", Codes::exact);
  std::filesystem::remove_all(folder / "db" / "images");
  struct Seen {
    std::uint64_t calls = 0;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
  } seen;
  const auto watch = [&seen](std::uint64_t done, std::uint64_t total) {
    EXPECT_GE(done, seen.done);
    ++seen.calls;
    seen.done = done;
    seen.total = total;
    return true;
  };
  Database database = opened(folder / "db");
  expect_wide(*database.open_collection("wide", Control::watched_by(watch)));
  EXPECT_GE(seen.calls, 2U);
  EXPECT_EQ(seen.done, kWideKeys);
  EXPECT_EQ(seen.total, kWideKeys);
}

TEST(Database, WithoutImagesItIsRebuiltEveryTime) {
  TestFolder folder;
  for (Key key = 0; key < 3; ++key) {
    Database database = opened(folder / "db", {.use_images = false});
    Collection collection = points(database);
    EXPECT_EQ(opened_of(collection), key == 0 ? Opened::created : Opened::rebuilt_absent);
    EXPECT_EQ(collection.size(), key);
    ASSERT_TRUE(collection.insert(key, point(key)).ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder / "db" / "images"));
}

// -- writing
// ---------------------------------------------------------------------------------------

TEST(Database, ABadRowChangesNothing) {
  TestFolder folder;
  Database database = opened(folder / "db");
  Collection collection = points(database);
  ASSERT_TRUE(collection.insert(2, point(2)).ok());
  std::vector<float> rows(12, 1.0F);
  const std::vector<Key> keys = {1, 2, 3};
  const Status present = collection.insert(keys, MatrixView(rows, 4));
  EXPECT_EQ(present.code(), Code::already_exists);
  EXPECT_EQ(present.b(), 1U);
  rows[9] = std::numeric_limits<float>::quiet_NaN();
  const Status nan = collection.upsert(keys, MatrixView(rows, 4));
  EXPECT_EQ(nan.code(), Code::invalid_argument);
  EXPECT_EQ(nan.b(), 2U);
  EXPECT_EQ(collection.upsert(keys, MatrixView(rows, 3)).code(), Code::invalid_argument);
  EXPECT_EQ(collection.upsert(1, std::array<float, 3>{}).message(),
            "invalid_argument: expected dimension 4, given 3");
  const std::vector<Payload> too_few(2);
  rows[9] = 1;
  EXPECT_EQ(collection.upsert(keys, MatrixView(rows, 4), too_few).code(), Code::invalid_argument);
  EXPECT_EQ(collection.size(), 1U);
  EXPECT_EQ(collection.stats()->index.sequence, 1U);
}

TEST(Database, TheLastOfEqualKeysInABatchWins) {
  TestFolder folder;
  for (int round = 0; round < 2; ++round) {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    if (round == 0) {
      const std::vector<Key> keys = {1, 2, 1};
      std::vector<float> rows;
      for (std::uint32_t i = 0; i < 3; ++i) {
        const Point row = point(keys[i], i);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      ASSERT_TRUE(collection.insert(keys, MatrixView(rows, 4)).ok());
    }
    EXPECT_EQ(versions_of(collection), (std::map<Key, std::uint32_t>{{1, 2}, {2, 1}}));
    EXPECT_EQ(collection.size(), 2U);
    expect_verified(collection);
  }
}

TEST(Database, ManyWritersShareCommitsAndLoseNothing) {
  TestFolder folder;
  constexpr int kThreads = 8;
  constexpr Key kEach = 60;
  std::map<Key, std::uint32_t> expected;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    Collection second = *database.create("second", kPoints);
    const std::uint64_t before = database.stats()->commits;
    std::atomic<int> wins{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (Key i = 0; i < kEach; ++i) {
          const Key key = 1000 * static_cast<Key>(t) + i;
          EXPECT_TRUE(collection.insert(key, point(key)).ok());
          EXPECT_TRUE(collection.contains(key));  // read after write
          if (i % 3 == 0) {
            EXPECT_TRUE(collection.upsert(key, point(key, 5)).ok());
          }
          if (i % 5 == 0) {
            EXPECT_EQ(*collection.remove(key), 1U);
          }
          if (i % 7 == 0) {
            EXPECT_TRUE(second.upsert(key, point(key)).ok());
          }
          // All want the same key; one may have it.
          const Status status = collection.insert(900'000 + i, point(900'000 + i));
          EXPECT_TRUE(status.ok() || status.code() == Code::already_exists);
          if (status.ok()) wins.fetch_add(1);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wins.load(), static_cast<int>(kEach));
    for (int t = 0; t < kThreads; ++t) {
      for (Key i = 0; i < kEach; ++i) {
        if (i % 5 != 0) expected[1000 * static_cast<Key>(t) + i] = i % 3 == 0 ? 5 : 0;
      }
    }
    for (Key i = 0; i < kEach; ++i) expected[900'000 + i] = 0;
    EXPECT_EQ(versions_of(collection), expected);
    expect_verified(collection);
    expect_verified(second);
    const std::uint64_t requests = kThreads * (2 * kEach + kEach / 3 + kEach / 5 + kEach / 7);
    // Fewer where a sync takes long enough that others come to wait for it.
    EXPECT_LE(database.stats()->commits - before, requests);
  }
  Database database = opened(folder / "db");
  EXPECT_EQ(versions_of(points(database)), expected);
}

TEST(Database, SearchesGoOnBesideWriters) {
  TestFolder folder;
  Database database = opened(folder / "db", {.durability = Durability::none});
  Collection collection = points(database, kNamed);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(collection.insert("stays" + std::to_string(i), point(i)).ok());
  }
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 2; ++t) {
    readers.emplace_back([&] {
      std::vector<NamedHit> hits(40);
      while (!stop.load()) {
        const Result<SearchResult> found = collection.search(point(0), hits);
        ASSERT_TRUE(found.ok()) << found.error().message();
        int stays = 0;
        for (std::size_t i = 0; i < found->count; ++i) {
          ASSERT_FALSE(hits[i].name.view().empty());
          if (hits[i].name.view().starts_with("stays")) ++stays;
        }
        ASSERT_EQ(stays, 20);
        ASSERT_TRUE(collection.contains("stays3"));
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    const std::string name = "passes" + std::to_string(i);
    ASSERT_TRUE(collection.insert(name, point(i)).ok());
    if (i >= 10) {
      ASSERT_EQ(*collection.remove("passes" + std::to_string(i - 10)), 1U);
    }
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(collection.size(), 30U);
  expect_verified(collection);
}

TEST(Database, AWriteFromInsideAFilterIsRefused) {
  TestFolder folder;
  Database database = opened(folder / "db");
  Collection collection = points(database);
  ASSERT_TRUE(collection.insert(1, point(1)).ok());
  int calls = 0;
  const auto passes = [&](Key) {
    ++calls;
    EXPECT_EQ(collection.insert(2, point(2)).code(), Code::invalid_argument);
    EXPECT_EQ(database.close().code(), Code::invalid_argument);
    EXPECT_EQ(database.drop("points").code(), Code::invalid_argument);
    EXPECT_TRUE(collection.contains(1));
    return true;
  };
  std::array<Hit, 1> hits;
  EXPECT_TRUE(collection.search(point(1), hits, {.filter = Filter::where(passes)}).ok());
  EXPECT_GT(calls, 0);
  EXPECT_EQ(collection.size(), 1U);
}

TEST(Database, AWalkMayWriteButNotClose) {
  TestFolder folder;
  Database database = opened(folder / "db");
  Collection collection = points(database);
  for (Key key = 0; key < 5; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
  EXPECT_TRUE(collection
                  .for_each([&](Key key) {
                    EXPECT_EQ(database.drop("points").code(), Code::invalid_argument);
                    EXPECT_EQ(*collection.remove(key), 1U);
                    return true;
                  })
                  .ok());
  EXPECT_EQ(collection.size(), 0U);
}

// -- byte-string keys
// ---------------------------------------------------------------------------------

TEST(Database, ByteStringKeys) {
  TestFolder folder;
  const std::string longest(480, 'x');
  {
    Database database = opened(folder / "db");
    Collection collection = points(database, kNamed);
    ASSERT_TRUE(collection.insert("a", point(1), payload_of("pa")).ok());
    ASSERT_TRUE(collection.insert(longest, point(2)).ok());
    ASSERT_TRUE(collection.insert(std::string_view("z\0z", 3), point(3)).ok());
    EXPECT_EQ(collection.insert("", point(1)).code(), Code::invalid_argument);
    EXPECT_EQ(collection.insert(std::string(481, 'x'), point(1)).code(), Code::invalid_argument);
    EXPECT_EQ(collection.insert("a", point(9)).code(), Code::already_exists);
    EXPECT_EQ(*collection.remove("a"), 1U);
    EXPECT_EQ(*collection.remove("a"), 0U);
    EXPECT_FALSE(collection.contains("a"));
    ASSERT_TRUE(collection.insert("a", point(1, 4), payload_of("again")).ok());
    EXPECT_FALSE(collection.contains(std::string(481, 'x')));
    std::array<std::byte, 8> room{};
    EXPECT_EQ(collection.get_payload("", room).error().code(), Code::not_found);
  }
  for (const bool with_image : {true, false}) {
    if (!with_image) std::filesystem::remove_all(folder / "db" / "images");
    Database database = opened(folder / "db");
    const Collection collection = points(database, kNamed);
    EXPECT_EQ(opened_of(collection), with_image ? Opened::image : Opened::rebuilt_absent);
    Point found{};
    ASSERT_TRUE(collection.get("a", found).ok());
    EXPECT_EQ(found, point(1, 4));
    std::array<std::byte, 8> room{};
    EXPECT_EQ(*collection.get_payload("a", room), 5U);
    std::set<std::string> names;
    ASSERT_TRUE(collection
                    .for_each_name([&](std::string_view name) {
                      names.emplace(name);
                      return true;
                    })
                    .ok());
    EXPECT_EQ(names, (std::set<std::string>{"a", longest, std::string("z\0z", 3)}));
    expect_verified(collection);
  }
}

TEST(Database, NamedSearchesAndTheirFilters) {
  TestFolder folder;
  Database database = opened(folder / "db", {.durability = Durability::none});
  Collection collection = points(database, kNamed);
  for (const char* name : {"d", "b", "\xC3\xA9", "a", "c"}) {
    ASSERT_TRUE(collection.insert(name, point(1)).ok());  // all at the same place
  }
  const auto names_of = [&](const SearchOptions& options) {
    std::vector<NamedHit> hits(8);
    const Result<SearchResult> found = collection.search(point(1), hits, options);
    EXPECT_TRUE(found.ok()) << found.error().message();
    std::vector<std::string> names;
    for (std::size_t i = 0; i < found->count; ++i) names.emplace_back(hits[i].name.view());
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_of({}), (Names{"a", "b", "c", "d", "\xC3\xA9"}));  // ties: unsigned bytes
  const std::vector<std::string_view> list = {"c", "absent", "a", "c"};
  EXPECT_EQ(names_of({.filter = Filter::only_names(list)}), (Names{"a", "c"}));
  EXPECT_EQ(names_of({.filter = Filter::except_names(list)}), (Names{"b", "d", "\xC3\xA9"}));
  const auto passes = [](std::string_view name) { return name > "b"; };
  EXPECT_EQ(names_of({.filter = Filter::where_name(passes)}), (Names{"c", "d", "\xC3\xA9"}));

  // A search inside a filter has scratch of its own.
  const auto nested = [&](std::string_view name) {
    return names_of({.filter = Filter::only_names(list)}).front() == name;
  };
  EXPECT_EQ(names_of({.filter = Filter::where_name(nested)}), (Names{"a"}));

  std::vector<NamedHit> hits(4);
  std::vector<std::uint32_t> counts(2);
  std::vector<float> queries(8, 1.0F);
  const Result<SearchResult> batch = collection.search_batch(MatrixView(queries, 4), hits, counts);
  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{2, 2}));
  EXPECT_EQ(hits[0].name.view(), "a");
  EXPECT_EQ(hits[3].name.view(), "b");
}

TEST(Database, TheWrongKindOfKeyIsRefused) {
  TestFolder folder;
  Database database = opened(folder / "db");
  Collection numbers = points(database);
  Collection named = *database.create("named", kNamed);
  Point out{};
  std::array<std::byte, 16> bytes{};
  std::array<Hit, 1> hits;
  std::array<NamedHit, 1> named_hits;
  const std::vector<Key> keys = {1};
  const std::vector<std::string_view> names = {"a"};
  const auto refused = [](Status status) {
    EXPECT_EQ(status.code(), Code::invalid_argument) << status.message();
  };
  refused(numbers.insert("a", point(1)));
  refused(named.insert(1, point(1)));
  refused(numbers.upsert(names, MatrixView(point(1), 4)));
  refused(named.upsert(keys, MatrixView(point(1), 4)));
  refused(numbers.remove("a").status());
  refused(named.remove(1).status());
  refused(numbers.get("a", out));
  refused(named.get(1, out));
  refused(numbers.get_bytes("a", bytes));
  refused(named.get_bytes(1, bytes));
  refused(numbers.get_payload("a", bytes).status());
  refused(named.get_payload(1, bytes).status());
  refused(numbers.search(point(1), named_hits).status());
  refused(named.search(point(1), hits).status());
  refused(numbers.for_each_name([](std::string_view) { return true; }));
  refused(named.for_each([](Key) { return true; }));
  refused(numbers.search(point(1), hits, {.filter = Filter::only_names(names)}).status());
  refused(named.search(point(1), named_hits, {.filter = Filter::only(keys)}).status());
  EXPECT_FALSE(numbers.contains("a"));
  EXPECT_FALSE(named.contains(1));
}

// -- collections of a database
// ------------------------------------------------------------------------

TEST(Database, ADroppedNameIsFreeAndItsHandlesAreClosed) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    ASSERT_TRUE(collection.insert(1, point(1), payload_of("p")).ok());
    ASSERT_TRUE(collection.save_image().ok());
    ASSERT_TRUE(database.drop("points").ok());
    EXPECT_EQ(database.drop("points").code(), Code::not_found);
    EXPECT_EQ(collection.insert(2, point(2)).code(), Code::closed);
    EXPECT_EQ(collection.verify().error().code(), Code::closed);
    EXPECT_TRUE(image_of(folder / "db").empty());
    const Collection again = points(database);
    EXPECT_EQ(again.size(), 0U);
    EXPECT_EQ(opened_of(again), Opened::created);
  }
  Database database = opened(folder / "db");
  EXPECT_EQ(points(database).size(), 0U);
  EXPECT_EQ(*database.list(), std::vector<std::string>{"points"});
}

TEST(Database, OtherOptionsAreNamed) {
  TestFolder folder;
  Database database = opened(folder / "db");
  points(database);
  CollectionOptions other = kPoints;
  other.index.M = 17;
  const Status status = database.open_or_create("points", other).error();
  EXPECT_EQ(status.message(), "incompatible: M: the collection has 16, asked for 17");
  other = kPoints;
  other.index.dimension = 5;
  EXPECT_EQ(database.open_or_create("points", other).error().message(),
            "incompatible: dimension: the collection has 4, asked for 5");
  EXPECT_EQ(database.open_or_create("points", kNamed).error().code(), Code::incompatible);
  other.index.dimension = 0;
  EXPECT_EQ(database.create("bad", other).error().code(), Code::invalid_argument);
  EXPECT_EQ(*database.list(), std::vector<std::string>{"points"});
}

TEST(Database, ACustomDistanceIsGivenAgainAtOpen) {
  TestFolder folder;
  const CustomDistance distance{[](void*, const void* a, const void* b, std::size_t) {
    const auto* x = static_cast<const float*>(a);
    const auto* y = static_cast<const float*>(b);
    return std::fabs(x[0] - y[0]);
  }};
  const CollectionOptions options{.index = {.dimension = 4, .metric = Metric::custom}};
  {
    Database database = opened(folder / "db", {.custom = distance});
    Collection collection = points(database, options);
    ASSERT_TRUE(collection.insert(5, point(5)).ok());
  }
  {
    Database database = opened(folder / "db");
    EXPECT_EQ(database.open_collection("points").error().code(), Code::invalid_argument);
  }
  Database database = opened(folder / "db", {.custom = distance});
  const Collection collection = points(database, options);
  std::array<Hit, 1> hits;
  ASSERT_TRUE(collection.search(point(7), hits).ok());
  EXPECT_EQ(hits[0], (Hit{5, 2.0F}));
}

// -- opening, locks, forks
// -----------------------------------------------------------------------------

TEST(Database, ASecondOpenIsBusy) {
  TestFolder folder;
  Database database = opened(folder / "db");
  EXPECT_EQ(Database::open(folder / "db").error().code(), Code::busy);
  EXPECT_EQ(Database::open(folder / "db", {.read_only = true}).error().code(), Code::busy);
  ASSERT_TRUE(database.close().ok());
  EXPECT_EQ(database.close().code(), Code::closed);
  EXPECT_TRUE(Database::open(folder / "db").ok());
}

TEST(Database, ReadOnlyReadsAndRefusesWrites) {
  TestFolder folder;
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    ASSERT_TRUE(collection.insert(1, point(1), payload_of("p")).ok());
  }
  Database database = opened(folder / "db", {.read_only = true});
  EXPECT_EQ(Database::open(folder / "db", {.read_only = true}).error().code(), Code::busy);
  Result<Collection> collection = database.open_collection("points");
  ASSERT_TRUE(collection.ok());
  EXPECT_EQ(opened_of(*collection), Opened::image);
  EXPECT_EQ(collection->size(), 1U);
  std::array<std::byte, 4> room{};
  EXPECT_EQ(*collection->get_payload(1, room), 1U);
  EXPECT_EQ(collection->insert(2, point(2)).code(), Code::read_only);
  EXPECT_EQ(collection->remove(1).error().code(), Code::read_only);
  EXPECT_EQ(collection->save_image().code(), Code::read_only);
  EXPECT_EQ(database.create("b", kPoints).error().code(), Code::read_only);
  EXPECT_EQ(database.drop("points").code(), Code::read_only);
  EXPECT_EQ(database.compact().code(), Code::read_only);
  EXPECT_EQ(database.checkpoint().code(), Code::read_only);
  expect_verified(*collection);
}

TEST(Database, MissingFoldersAndStoresAreToldApart) {
  TestFolder folder;
  EXPECT_EQ(Database::open(folder / "db", {.create_if_missing = false}).error().code(),
            Code::not_found);
  EXPECT_EQ(Database::open(folder / "db", {.read_only = true}).error().code(), Code::not_found);
  EXPECT_EQ(Database::open(folder.path(), {.create_if_missing = false}).error().code(),
            Code::not_found);
  {
    Database database = opened(folder / "db");
    Collection collection = points(database);
    ASSERT_TRUE(collection.insert(1, point(1)).ok());
  }
  std::filesystem::rename(folder / "db" / "store", folder / "elsewhere");
  const Status lost = Database::open(folder / "db").error();
  EXPECT_EQ(lost.code(), Code::corruption) << lost.message();
  std::filesystem::rename(folder / "elsewhere", folder / "db" / "store");
  EXPECT_TRUE(Database::open(folder / "db").ok());
  std::filesystem::remove(folder / "db" / "store" / "data.mdb");
  EXPECT_EQ(Database::open(folder / "db").error().message(),
            "corruption: store/data.mdb is missing");
}

TEST(Database, OptionsOutOfRangeAreNamed) {
  TestFolder folder;
  const auto refused = [&](const DatabaseOptions& options, const char* name) {
    const Status status = Database::open(folder / "db", options).error();
    EXPECT_EQ(status.code(), Code::invalid_argument);
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  };
  refused({.sync_interval_ms = 0}, "sync_interval_ms");
  refused({.max_readers = 0}, "max_readers");
  refused({.map_bytes = 1}, "map_bytes");
  EXPECT_FALSE(std::filesystem::exists(folder / "db"));
}

TEST(Database, AfterAForkTheChildsHandlesAreClosed) {
  TestFolder folder;
  Database database = opened(folder / "db");
  Collection collection = points(database);
  ASSERT_TRUE(collection.insert(1, point(1)).ok());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (collection.insert(2, point(2)).code() != Code::closed) _exit(1);
    if (collection.contains(1)) _exit(2);
    std::array<Hit, 1> hits;
    if (collection.search(point(1), hits).error().code() != Code::closed) _exit(3);
    if (database.list().error().code() != Code::closed) _exit(4);
    if (database.close().code() != Code::closed) _exit(5);
    { const Database gone = std::move(database); }
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(collection.insert(3, point(3)).ok());
  expect_verified(collection);
}

TEST(Database, CloseWaitsForCallsUnderWay) {
  TestFolder folder;
  Database database = opened(folder / "db", {.durability = Durability::none});
  Collection collection = points(database);
  for (Key key = 0; key < 50; ++key) {
    ASSERT_TRUE(collection.insert(key, point(key)).ok());
  }
  std::atomic<int> running{0};
  std::atomic<std::uint64_t> inserted{50};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::array<Hit, 5> hits;
      Key next = 1'000'000 * (static_cast<Key>(t) + 1);
      running.fetch_add(1);
      for (;; ++next) {
        const Status found = collection.search(point(3), hits).status();
        ASSERT_TRUE(found.ok() || found.code() == Code::closed) << found.message();
        const Status written = collection.insert(next, point(next));
        ASSERT_TRUE(written.ok() || written.code() == Code::closed) << written.message();
        if (!written.ok()) return;
        inserted.fetch_add(1);
      }
    });
  }
  while (running.load() < 3) std::this_thread::yield();
  ASSERT_TRUE(database.close().ok());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(collection.size(), 0U);
  // Neither more nor less than what was acknowledged.
  Database again = opened(folder / "db");
  EXPECT_EQ(points(again).size(), inserted.load());
}

TEST(Database, TheIntervalSyncsAndClosesCleanly) {
  TestFolder folder;
  {
    Database database =
        opened(folder / "db", {.durability = Durability::interval, .sync_interval_ms = 1});
    Collection collection = points(database);
    for (Key key = 0; key < 200; ++key) ASSERT_TRUE(collection.insert(key, point(key)).ok());
    ASSERT_TRUE(database.sync().ok());
  }
  Database database = opened(folder / "db");
  EXPECT_EQ(points(database).size(), 200U);
}

// -- the whole database
// ------------------------------------------------------------------------------

TEST(Database, ABackupIsADatabaseOfItsOwn) {
  TestFolder folder;
  Database database = opened(folder / "db");
  Collection collection = points(database);
  for (Key key = 0; key < 50; ++key) {
    ASSERT_TRUE(collection.insert(key, point(key), payload_of("p")).ok());
  }
  ASSERT_TRUE(database.backup(folder / "copy").ok());
  EXPECT_EQ(database.backup(folder / "copy").code(), Code::already_exists);
  ASSERT_TRUE(collection.insert(50, point(50)).ok());
  ASSERT_TRUE(collection.save_image().ok());
  {
    Database copy = opened(folder / "copy");
    Collection copied = points(copy);
    EXPECT_EQ(copied.size(), 50U);
    ASSERT_TRUE(copied.insert(60, point(60)).ok());
    expect_verified(copied);
  }
  // An image of the one is no image of the other, though their numbers agree.
  std::filesystem::copy_file(folder / "db" / "images" / "1.image",
                             folder / "copy" / "images" / "1.image",
                             std::filesystem::copy_options::overwrite_existing);
  Database copy = opened(folder / "copy");
  const Collection copied = points(copy);
  EXPECT_EQ(opened_of(copied), Opened::rebuilt_stale);
  EXPECT_TRUE(copied.contains(60));
  EXPECT_FALSE(copied.contains(50));
}

TEST(Database, CompactingBesideReadersAndWriters) {
  TestFolder folder;
  Database database = opened(folder / "db", {.durability = Durability::none});
  Collection collection = points(database);
  std::vector<std::byte> payload(3000, std::byte{7});
  for (Key key = 0; key < 300; ++key) {
    ASSERT_TRUE(collection.insert(key, point(key), payload).ok());
  }
  for (Key key = 10; key < 300; ++key) ASSERT_EQ(*collection.remove(key), 1U);
  const std::uint64_t before = database.stats()->store_disk_bytes;
  std::atomic<bool> stop{false};
  std::thread reader([&] {
    std::vector<std::byte> room(3000);
    while (!stop.load()) {
      const Result<std::size_t> size = collection.get_payload(3, room);
      ASSERT_TRUE(size.ok()) << size.error().message();
      ASSERT_EQ(*size, 3000U);
      ASSERT_EQ(room[2999], std::byte{7});
    }
  });
  std::thread writer([&] {
    for (Key key = 1000; key < 1100; ++key) {
      EXPECT_TRUE(collection.insert(key, point(key)).ok());
    }
  });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(database.compact().ok());
  writer.join();
  stop.store(true);
  reader.join();
  // What the writer added after the last of the three is packed too.
  EXPECT_TRUE(database.compact().ok());
  EXPECT_LT(database.stats()->store_disk_bytes, before);
  EXPECT_EQ(collection.size(), 110U);
  expect_verified(collection);
}

TEST(Database, TheMapGrowsByItself) {
  TestFolder folder;
  Database database = opened(folder / "db", {.map_bytes = 1 << 20});
  Collection collection = points(database);
  const std::vector<std::byte> payload(4000, std::byte{1});
  for (Key key = 0; key < 100; ++key) {
    std::vector<Key> keys(10);
    std::vector<float> rows;
    std::vector<Payload> payloads(10, payload);
    for (std::size_t i = 0; i < 10; ++i) {
      keys[i] = 10 * key + i;
      const Point row = point(keys[i]);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    ASSERT_TRUE(collection.insert(keys, MatrixView(rows, 4), payloads).ok());
  }
  const Result<DatabaseStats> stats = database.stats();
  EXPECT_GE(stats->grown, 2U);
  EXPECT_EQ(stats->sequence, 1000U);
  EXPECT_EQ(stats->collections, 1U);
  expect_verified(collection);
}

TEST(Database, ManySmallCollections) {
  TestFolder folder;
  {
    Database database = opened(folder / "db", {.durability = Durability::none});
    for (Key i = 0; i < 200; ++i) {
      Result<Collection> made = database.create("c" + std::to_string(i), kPoints);
      ASSERT_TRUE(made.ok()) << made.error().message();
      ASSERT_TRUE(made->insert(i, point(i)).ok());
    }
    ASSERT_TRUE(database.checkpoint().ok());
  }
  Database database = opened(folder / "db");
  EXPECT_EQ(database.list()->size(), 200U);
  for (Key i = 0; i < 200; i += 17) {
    const Result<Collection> collection = database.open_collection("c" + std::to_string(i));
    ASSERT_TRUE(collection.ok());
    EXPECT_TRUE(collection->contains(i));
  }
}

// -- the world's trouble
// --------------------------------------------------------------------------------

TEST(Database, AFullDiskIsStorageFullAndEverythingGoesOn) {
  TestFolder folder;
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    Result<Database> database = Database::open(folder / "db");
    if (!database.ok()) _exit(1);
    Collection collection = *database->create("points", kPoints);
    if (!collection.insert(1, point(1)).ok()) _exit(2);
    const rlimit limit = {2 << 20, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(3);
    const std::vector<std::byte> large(4 << 20, std::byte{1});
    if (collection.upsert(2, point(2), large).code() != Code::storage_full) _exit(4);
    if (collection.contains(2) || !collection.contains(1)) _exit(5);
    std::array<Hit, 2> hits;
    if (collection.search(point(1), hits)->count != 1) _exit(6);
    if (!collection.upsert(3, point(3)).ok()) _exit(7);
    const rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &none) != 0) _exit(8);
    if (!collection.upsert(2, point(2), large).ok()) _exit(9);
    if (!collection.verify().ok()) _exit(10);
    if (!database->close().ok()) _exit(11);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Writers in a child say on a pipe what was acknowledged; the child is killed at any moment.
TEST(Database, WhatWasAcknowledgedSurvivesKill) {
  struct Done {
    Key key;
    std::uint32_t version;
    std::uint32_t removed;
  };
  TestFolder folder;
  std::mt19937 random(5);
  std::map<Key, std::uint32_t> model;  // 0: removed
  for (std::uint32_t round = 0; round < 20; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Result<Database> database = Database::open(folder / "db");
      if (!database.ok()) _exit(1);
      Result<Collection> collection = database->open_or_create("points", kPoints);
      if (!collection.ok()) _exit(2);
      std::vector<std::thread> threads;
      for (Key t = 0; t < 3; ++t) {
        threads.emplace_back([&, t] {
          for (std::uint32_t i = 1;; ++i) {
            const Done done{100 * t + i % 20, 1000 * round + i, i % 7 == 0 ? 1U : 0U};
            if (done.removed != 0
                    ? !collection->remove(done.key).ok()
                    : !collection->upsert(done.key, point(done.key, done.version)).ok()) {
              _exit(3);
            }
            if (write(ends[1], &done, sizeof done) != sizeof done) _exit(4);
            if (t == 0 && i % 50 == 0 && !collection->save_image().ok()) _exit(5);
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    close(ends[1]);
    const std::size_t enough = 20 + random() % 200;
    Done done{};
    std::size_t count = 0;
    while (read(ends[0], &done, sizeof done) == sizeof done) {
      model[done.key] = done.removed != 0 ? 0 : done.version;
      if (++count == enough) kill(child, SIGKILL);
    }
    close(ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);

    Database database = opened(folder / "db");
    const Collection collection = points(database);
    expect_verified(collection);
    const std::map<Key, std::uint32_t> found = versions_of(collection);
    for (Key t = 0; t < 3; ++t) {
      // Each thread had one write under way at most: one of its keys may be a step ahead.
      int ahead = 0;
      for (Key key = 100 * t; key < 100 * t + 20; ++key) {
        const auto there = found.find(key);
        const std::uint32_t version = there == found.end() ? 0 : there->second;
        if (version == model[key]) continue;
        ++ahead;
        model[key] = version;
      }
      EXPECT_LE(ahead, 1) << "round " << round << " thread " << t;
    }
  }
}

}  // namespace
}  // namespace skerry
