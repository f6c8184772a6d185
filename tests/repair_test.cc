// repair_test.cc - is what a repair keeps what was there, and does it say exactly what is missing?
//
// One small database is made once, with a past: keys were removed, vectors and payloads replaced,
// so that its file is full of old pages with good checksums. Then every page of it is damaged in
// every way, one at a time.

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/repaired.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 4096;
const DatabaseOptions kQuick = {.durability = Durability::none, .map_bytes = 1 << 20, .threads = 1};

const std::map<std::string, CollectionOptions>& collections() {
  static const std::map<std::string, CollectionOptions> all = {
      {"floats", {.index = {.dimension = 24}}},
      {"names", {.index = {.dimension = 10, .metric = Metric::cosine}, .byte_keys = true}},
      {"wide", {.index = {.dimension = 1500}}},  // a row lies on two or three pages
  };
  return all;
}

// The database, and what it holds.
class Sample {
 public:
  explicit Sample(bool with_images) {
    Random random(4711);
    const fs::path folder = home_ / "made";
    // With Durability::none no page would be used again between two syncs, and the file be long.
    const DatabaseOptions options = {.map_bytes = 1 << 20, .use_images = with_images};
    std::optional<Database> database(Database::open(folder, options).value());
    std::map<std::string, Collection> open;
    for (const auto& [name, made] : collections()) {
      open.emplace(name, database->create(name, made).value());
      content_[name] = {made.index.dimension, made.byte_keys, {}};
    }
    const auto write = [&](std::size_t steps) {
      for (std::size_t i = 0; i < steps; ++i) {
        for (auto& [name, collection] : open) {
          step(random, collection, content_[name], name == "wide" ? 12 : 70);
        }
      }
    };
    write(150);
    if (with_images) {
      EXPECT_OK(database->checkpoint());
    }
    write(12);
    // Left as by a process that vanished: the images are behind, and the log reaches them.
    fs::copy(folder, home_ / "sample", fs::copy_options::recursive);
    fs::remove(home_ / "sample" / "store" / "lock.mdb");
    EXPECT_OK(database->close());
    bytes_ = read_file(home_ / "sample" / "store" / "data.mdb");
  }

  const std::map<std::string, Expected>& content() const { return content_; }
  const std::string& bytes() const { return bytes_; }
  std::size_t pages() const { return bytes_.size() / kPage; }

  void write(const fs::path& folder, const std::string& bytes) const {
    fs::remove_all(folder);
    fs::copy(home_ / "sample", folder, fs::copy_options::recursive);
    write_file(folder / "store" / "data.mdb", bytes);
  }

 private:
  static void step(Random& random, Collection& collection, Expected& expected, std::uint64_t keys) {
    const std::uint64_t number = below(random, keys);
    const bool removes = below(random, 4) == 0;
    ExpectedRow row;
    const Table vector = random_table(random, Scalar::f32, 1, expected.dimension);
    row.vector.assign(reinterpret_cast<const char*>(vector.data(0)), vector.row_bytes());
    const std::uint64_t dice = below(random, 10);
    row.payload.resize(dice < 3 ? 0 : dice == 9 ? 3000 + below(random, 6000) : below(random, 90));
    for (char& c : row.payload) c = static_cast<char>(random());
    const auto call = [&](auto key, const std::string& text) {
      if (removes) {
        EXPECT_OK(collection.remove(key).status());
        expected.rows.erase(text);
      } else {
        EXPECT_OK(collection.upsert(key, vector.row(0), std::as_bytes(std::span(row.payload))));
        expected.rows[text] = row;
      }
    };
    if (expected.byte_keys) {
      const std::string name = "name " + std::to_string(number) + std::string(number % 60, 'x');
      call(std::string_view(name), name);
    } else {
      const Key key = number * 0x9E3779B97F4A7C15ULL;
      call(key, std::to_string(key));
    }
  }

  TempDir home_;
  std::map<std::string, Expected> content_;
  std::string bytes_;
};

const Sample& sample(bool with_images = true) {
  static const Sample with(true);
  static const Sample without(false);
  return with_images ? with : without;
}

class RepairTest : public ::testing::Test {
 protected:
  // Repairs the sample with this file for a store, and looks at all that is promised.
  void repair(const Sample& from, const std::string& bytes, const std::string& what) {
    SCOPED_TRACE(what);
    from.write(folder(), bytes);
    const Result<RepairReport> report = Database::repair(folder());
    if (!report.ok()) {
      ++refused_;
      EXPECT_EQ(report.error().code(), Code::corruption) << report.error().message();
      EXPECT_EQ(read_file(folder() / "store" / "data.mdb"), bytes);
      EXPECT_FALSE(fs::exists(folder() / "store.repair"));
      return;
    }
    last_ = *report;
    if (report->is_whole) {
      EXPECT_EQ(read_file(folder() / "store" / "data.mdb"), bytes);
      EXPECT_FALSE(report->has_losses);
    } else {
      EXPECT_EQ(read_file(report->set_aside / "data.mdb"), bytes);
    }
    EXPECT_FALSE(fs::exists(folder() / "store.repair"));
    Result<Database> database = Database::open(folder(), kQuick);
    ASSERT_OK(database);
    Repaired repaired(*report, *database, 1);
    EXPECT_EQ(repaired.disagreement(from.content()), "");
    rows_ += repaired.kept().rows;
    rows_missing_ += repaired.kept().rows_missing;
    for (const CollectionRepair& each : report->collections) {
      seen_["recounted"] += each.is_recounted ? 1 : 0;
      seen_["options of the image"] += each.has_options_of_image ? 1 : 0;
      seen_["rows of the image"] += each.rows_from_image;
      seen_["places rebuilt"] += each.places_rebuilt;
      seen_["keys lost"] += each.keys_lost.size();
      seen_["names lost"] += each.names_lost.size();
      seen_["payloads of keys lost"] += each.payload_keys_lost.size();
      seen_["payloads lost in ranges"] += each.payload_ranges_lost.size();
      seen_["rows mended"] += each.rows_mended;
    }
    lossless_ += report->has_losses ? 0 : 1;
    ++repaired_;
  }

  // The share that was kept, for the record that docs/adr/0015 quotes.
  void tell(const char* damage) {
    const double share =
        rows_ + rows_missing_ == 0
            ? 0
            : static_cast<double>(rows_) / static_cast<double>(rows_ + rows_missing_);
    std::printf(
        "{\"damage\": \"%s\", \"repaired\": %zu, \"refused\": %zu, \"without_loss\": %zu, "
        "\"rows_kept\": %.4f}\n",
        damage, repaired_, refused_, lossless_, share);
    RecordProperty("rows_kept", std::to_string(share));
  }

  fs::path folder() const { return home_ / "db"; }

  TempDir home_;
  RepairReport last_;
  std::size_t repaired_ = 0;
  std::size_t refused_ = 0;
  std::size_t lossless_ = 0;
  std::map<std::string, std::uint64_t> seen_;
  std::uint64_t rows_ = 0;
  std::uint64_t rows_missing_ = 0;
};

TEST_F(RepairTest, AWholeDatabaseIsToldToBeWholeAndNotChanged) {
  for (const bool with_images : {true, false}) {
    repair(sample(with_images), sample(with_images).bytes(), "nothing");
    EXPECT_TRUE(last_.is_whole);
    EXPECT_EQ(last_.pages_damaged, 0U);
    EXPECT_FALSE(fs::exists(folder() / "store.damaged"));
  }
}

TEST_F(RepairTest, EveryPageWiped) {
  for (const bool with_images : {true, false}) {
    const Sample& from = sample(with_images);
    for (std::size_t page = 0; page < from.pages(); ++page) {
      std::string bytes = from.bytes();
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page * kPage), kPage, '\0');
      repair(from, bytes, "page " + std::to_string(page));
    }
  }
  // Without images nothing tells the options that the one leaf of the collections' records held.
  EXPECT_EQ(refused_, 1U);
  for (const char* what :
       {"recounted", "options of the image", "rows of the image", "places rebuilt", "keys lost",
        "names lost", "payloads of keys lost", "payloads lost in ranges"}) {
    EXPECT_GT(seen_[what], 0U) << what;
  }
  tell("a page wiped");
}

TEST_F(RepairTest, EveryPageExchangedWithAnother) {
  Random random(1);
  const Sample& from = sample();
  for (std::size_t page = 0; page < from.pages(); ++page) {
    std::string bytes = from.bytes();
    const std::size_t other = below(random, from.pages());
    std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(page * kPage),
                     bytes.begin() + static_cast<std::ptrdiff_t>((page + 1) * kPage),
                     bytes.begin() + static_cast<std::ptrdiff_t>(other * kPage));
    repair(from, bytes, std::to_string(page) + " and " + std::to_string(other));
  }
  tell("two pages exchanged");
}

TEST_F(RepairTest, CutAtEveryPage) {
  const Sample& from = sample();
  for (std::size_t page = 0; page < from.pages(); ++page) {
    repair(from, from.bytes().substr(0, page * kPage), "cut to " + std::to_string(page));
  }
  tell("cut at a page");
}

TEST_F(RepairTest, BitsOfChance) {
  Random random(2);
  const Sample& from = sample();
  for (std::size_t round = 0; round < scaled(300); ++round) {
    std::string bytes = from.bytes();
    std::size_t byte = below(random, bytes.size());
    // Half of them where pages keep their own affairs.
    if (round % 2 == 0) byte = byte / kPage * kPage + below(random, 160);
    const std::uint64_t bit = below(random, 8);
    bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << bit));
    repair(from, bytes, "bit " + std::to_string(bit) + " of byte " + std::to_string(byte));
  }
  EXPECT_EQ(refused_, 0U);
  EXPECT_GT(seen_["rows mended"], 0U);
  tell("a bit turned over");
}

TEST_F(RepairTest, SectorsOfNoise) {
  Random random(3);
  const Sample& from = sample();
  for (std::size_t round = 0; round < scaled(200); ++round) {
    std::string bytes = from.bytes();
    const std::size_t at = below(random, bytes.size() / 512) * 512;
    for (std::size_t i = at; i < at + 512; ++i) bytes[i] = static_cast<char>(random());
    repair(from, bytes, "sector at " + std::to_string(at));
  }
  tell("a sector of noise");
}

}  // namespace
}  // namespace skerry::testing
