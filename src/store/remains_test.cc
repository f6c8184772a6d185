// remains_test.cc - is what is read of a damaged file current, and is what is current read?
#include "store/remains.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <random>

#include "base/test_folder.h"
#include "store/lmdb_layout.h"
#include "store/row_stream.h"
#include "store/store.h"

namespace skerry::store {
namespace {

constexpr std::size_t kPage = 4096;

// Records by key.
using Records = std::map<std::string, std::string>;

class RemainsTest : public ::testing::Test {
 protected:
  // A collection of some hundred keys that come, change and go, so that its file has old pages.
  void SetUp() override {
    ASSERT_TRUE(Store::create(folder_.path()).ok());
    Result<std::unique_ptr<Store>> store = Store::open(folder_.path(), {.map_bytes = 1 << 20});
    ASSERT_TRUE(store.ok());
    const auto made = (*store)->create_collection("docs", {.index = {.dimension = 4}});
    ASSERT_TRUE(made.ok());
    id_ = made->id;
    for (int commit = 0; commit < 60; ++commit) change(**store);
  }

  void change(Store& store) {
    const std::string payload(random_() % 30 == 0 ? 9000 : random_() % 40, 'p');
    std::vector<Key> keys(20);
    for (Key& key : keys) key = random_() % 700;
    const bool removes = random_() % 4 == 0;
    const Status status = store.commit([&](Commit& commit) -> Status {
      Status step = commit.turn_to(id_);
      for (const Key key : keys) {
        if (!step.ok()) return step;
        if (removes) {
          step = commit.remove(key).status();
          continue;
        }
        const Result<Transaction::Room> room = commit.put_vector(key);
        if (!room.ok()) return room.error();
        std::memset(room->bytes, static_cast<int>(key), 16);
        step = commit.put_payload(key, bytes_of(payload), room->fresh);
      }
      const LogKind kind = removes ? LogKind::removals : LogKind::upserts;
      return step.ok() ? commit.log(kind, keys).status() : step;
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }

  std::string bytes() const {
    std::ifstream file(folder_ / "data.mdb", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // Looks at a file of these bytes.
  Result<std::unique_ptr<Remains>> look(const std::string& bytes) {
    std::ofstream(folder_ / "damaged", std::ios::binary) << bytes;
    if (fd_ >= 0) ::close(fd_);
    fd_ = ::open((folder_ / "damaged").c_str(), O_RDONLY);
    return Remains::look(fd_, {}, step_);
  }

  static Records all(Remains& remains, Table table) {
    Records records;
    const Status status = remains.each(table, [&](const Remains::Record& record) {
      if (record.state == Remains::Record::State::damaged) return Status();
      records[std::string(text_of(record.key))] = text_of(record.value);
      return Status();
    });
    EXPECT_TRUE(status.ok()) << status.message();
    return records;
  }

  template <class T>
  static T number(const std::string& bytes, std::size_t at) {
    return lmdb::number_at<T>(reinterpret_cast<const std::byte*>(bytes.data()) + at);
  }
  static std::size_t newest_root(const std::string& bytes) {
    return number<std::uint64_t>(bytes, 144) > number<std::uint64_t>(bytes, kPage + 144) ? 0 : 1;
  }
  static std::uint64_t main_page(const std::string& bytes) {
    return number<std::uint64_t>(bytes, newest_root(bytes) * kPage + 16 + 24 + 48 + 40);
  }
  static std::uint64_t free_page(const std::string& bytes) {
    return number<std::uint64_t>(bytes, newest_root(bytes) * kPage + 16 + 24 + 40);
  }
  // Where the main table keeps the root of a table.
  static std::size_t root_at(const std::string& bytes, Table table) {
    const std::size_t page = main_page(bytes) * kPage;
    for (std::size_t at = 16; at < number<std::uint16_t>(bytes, page + 12); at += 2) {
      const std::size_t node = page + number<std::uint16_t>(bytes, page + at);
      const std::size_t key = number<std::uint16_t>(bytes, node + 6);
      if (bytes.substr(node + 8, key) == kTableNames[static_cast<std::size_t>(table)]) {
        return node + 8 + key + 40;
      }
    }
    return 0;
  }
  // A bit of either root's number turned over: the newest root is told, and what hangs on it read.
  void expect_told(const std::string& good, const Records& places) {
    for (const std::size_t root : {std::size_t{0}, std::size_t{1}}) {
      for (const unsigned bit : {1U, 3U, 5U, 20U}) {
        std::string damaged = good;
        damaged[root * kPage + 144 + bit / 8] ^= static_cast<char>(1U << bit % 8);
        const auto remains = look(damaged);
        ASSERT_TRUE(remains.ok());
        EXPECT_FALSE((*remains)->is_clean()) << root << ' ' << bit;
        EXPECT_FALSE((*remains)->may_lack_last_commit()) << root << ' ' << bit;
        EXPECT_TRUE((*remains)->knows_free_pages()) << root << ' ' << bit;
        EXPECT_EQ(all(**remains, Table::places), places) << root << ' ' << bit;
      }
    }
  }
  static void wipe(std::string& bytes, std::uint64_t page) {
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(page * kPage), kPage, '\0');
  }

  ~RemainsTest() override {
    if (fd_ >= 0) ::close(fd_);
  }

  TestFolder folder_;
  std::mt19937_64 random_{5};
  std::uint32_t id_ = 0;
  int fd_ = -1;
  std::uint64_t steps_ = 0;
  std::function<Status(std::uint64_t, std::uint64_t)> step_ = [this](std::uint64_t done,
                                                                     std::uint64_t total) {
    EXPECT_LE(done, total);
    ++steps_;
    return Status();
  };
};

// What all the rest stands on: LMDB leaves no page that is neither.
TEST_F(RemainsTest, EveryPageOfAWholeStoreIsFreeOrInUse) {
  for (int round = 0; round < 25; ++round) {
    const auto remains = look(bytes());
    ASSERT_TRUE(remains.ok()) << remains.error().message();
    EXPECT_TRUE((*remains)->is_clean());
    EXPECT_TRUE((*remains)->knows_free_pages());
    EXPECT_EQ((*remains)->pages_unaccounted(), 0U);
    for (std::size_t i = 0; i < kTableNames.size(); ++i) {
      all(**remains, static_cast<Table>(i));
      EXPECT_TRUE((*remains)->is_complete(static_cast<Table>(i))) << kTableNames[i];
    }
    EXPECT_TRUE((*remains)->is_clean());
    const auto store = Store::open(folder_.path(), {.map_bytes = 1 << 20});
    ASSERT_TRUE(store.ok());
    for (int commit = 0; commit < 3; ++commit) change(**store);
    if (round % 8 == 7) {
      EXPECT_TRUE((*store)->environment().compact().ok());
    }
  }
  EXPECT_GT(steps_, 0U);
}

TEST_F(RemainsTest, LeavesBelowALostBranchAreFound) {
  std::string damaged = bytes();
  const auto whole = look(damaged);
  ASSERT_TRUE(whole.ok());
  const Records places = all(**whole, Table::places);
  const auto root = number<std::uint64_t>(damaged, root_at(damaged, Table::places));
  ASSERT_EQ(number<std::uint16_t>(damaged, root * kPage + 10), lmdb::kBranch);
  wipe(damaged, root);
  const auto remains = look(damaged);
  ASSERT_TRUE(remains.ok());
  EXPECT_EQ(all(**remains, Table::places), places);
  EXPECT_TRUE((*remains)->is_complete(Table::places));
  EXPECT_FALSE((*remains)->is_clean());
  EXPECT_GT((*remains)->pages_found(), 1U);
}

TEST_F(RemainsTest, EveryTableIsFoundWithoutTheListOfTables) {
  std::string damaged = bytes();
  const auto whole = look(damaged);
  ASSERT_TRUE(whole.ok());
  std::vector<Records> before;
  for (std::size_t i = 0; i < kTableNames.size(); ++i) {
    before.push_back(all(**whole, static_cast<Table>(i)));
  }
  wipe(damaged, main_page(damaged));
  const auto remains = look(damaged);
  ASSERT_TRUE(remains.ok());
  EXPECT_FALSE((*remains)->may_lack_last_commit());
  for (std::size_t i = 0; i < kTableNames.size(); ++i) {
    EXPECT_EQ(all(**remains, static_cast<Table>(i)), before[i]) << kTableNames[i];
  }
}

// The tree is made to lead to each page of the file in turn, old ones among them.
TEST_F(RemainsTest, APageThatIsNotCurrentIsNotReadWhateverLeadsToIt) {
  const std::string good = bytes();
  const auto whole = look(good);
  ASSERT_TRUE(whole.ok());
  std::map<Table, Records> before;
  for (const Table table : {Table::places, Table::payloads}) before[table] = all(**whole, table);
  std::size_t leaves = 0;
  for (const Table table : {Table::places, Table::payloads}) {
    const auto root = number<std::uint64_t>(good, root_at(good, table));
    ASSERT_EQ(number<std::uint16_t>(good, root * kPage + 10), lmdb::kBranch);
    const std::size_t child = root * kPage + number<std::uint16_t>(good, root * kPage + 18);
    for (std::uint64_t page = 2; page < good.size() / kPage; ++page) {
      leaves += number<std::uint16_t>(good, page * kPage + 10) == lmdb::kLeaf ? 1 : 0;
      for (const std::size_t at : {child, root_at(good, table)}) {
        std::string damaged = good;
        const std::size_t width = at == child ? 4 : 8;
        std::memcpy(&damaged[at], &page, width);
        const auto remains = look(damaged);
        ASSERT_TRUE(remains.ok());
        for (const auto& [key, value] : all(**remains, table)) {
          const auto found = before[table].find(key);
          ASSERT_TRUE(found != before[table].end() && found->second == value) << page;
        }
      }
    }
  }
  EXPECT_GT(leaves, 20U);
}

TEST_F(RemainsTest, TheNewestRootIsToldFromTheOneBefore) {
  const std::string good = bytes();
  const std::size_t newest = newest_root(good);
  const auto whole = look(good);
  ASSERT_TRUE(whole.ok());
  const Records places = all(**whole, Table::places);
  // A number that another bit makes higher, or lower: LMDB would believe it.
  expect_told(good, places);
  // Gone: the other is one moment of the store, and nobody knows which.
  for (const std::size_t root : {newest, 1 - newest}) {
    std::string damaged = good;
    wipe(damaged, root);
    const auto remains = look(damaged);
    ASSERT_TRUE(remains.ok());
    EXPECT_TRUE((*remains)->may_lack_last_commit());
    if (root != newest) {
      EXPECT_EQ(all(**remains, Table::places), places);
    }
  }
  std::string damaged = good;
  wipe(damaged, 0);
  wipe(damaged, 1);
  EXPECT_EQ(look(damaged).status().code(), Code::corruption);
  EXPECT_EQ(look("no store at all").status().code(), Code::corruption);
}

// As a power loss without syncs leaves it (synced_root.h).
TEST_F(RemainsTest, ARootAndItsCopyAreOneRoot) {
  std::string good = bytes();
  const std::size_t newest = newest_root(good);
  const std::uint64_t number_before = number<std::uint64_t>(good, newest * kPage + 144) - 1;
  const std::string root = good.substr(newest * kPage + 16, 128);
  good.replace((1 - newest) * kPage + 16, root.size(), root);
  std::memcpy(&good[(1 - newest) * kPage + 144], &number_before, sizeof number_before);
  const auto whole = look(good);
  ASSERT_TRUE(whole.ok());
  EXPECT_TRUE((*whole)->is_clean());
  EXPECT_TRUE((*whole)->knows_free_pages());
  const Records places = all(**whole, Table::places);
  expect_told(good, places);
}

TEST_F(RemainsTest, WithoutTheFreePagesWhatTheRootLeadsToIsRead) {
  std::string damaged = bytes();
  const auto whole = look(damaged);
  ASSERT_TRUE(whole.ok());
  const Records payloads = all(**whole, Table::payloads);
  wipe(damaged, free_page(damaged));
  const auto remains = look(damaged);
  ASSERT_TRUE(remains.ok());
  EXPECT_FALSE((*remains)->knows_free_pages());
  EXPECT_EQ(all(**remains, Table::payloads), payloads);
  EXPECT_EQ((*remains)->pages_found(), 0U);
}

TEST_F(RemainsTest, ARecordWithABitTurnedOverIsPutRight) {
  const std::string good = bytes();
  const auto whole = look(good);
  ASSERT_TRUE(whole.ok());
  const Records counters = all(**whole, Table::counters);
  const auto root = number<std::uint64_t>(good, root_at(good, Table::counters));
  const std::size_t node = root * kPage + number<std::uint16_t>(good, root * kPage + 18);
  for (std::size_t bit = 0; bit < (4 + kCountersBytes + kSumBytes) * 8; ++bit) {
    std::string damaged = good;
    damaged[node + 8 + bit / 8] ^= static_cast<char>(1U << bit % 8);
    const auto remains = look(damaged);
    ASSERT_TRUE(remains.ok());
    EXPECT_EQ(all(**remains, Table::counters), counters) << bit;
    EXPECT_FALSE((*remains)->is_clean()) << bit;
  }
}

TEST(RowStream, GivesTheRowsThatLieOnThePagesThatAreThere) {
  for (const std::uint32_t vector : {4U, 100U, 333U, 1000U}) {  // of pages of 256
    const HeapShape shape{vector, 256};
    constexpr std::uint64_t kRows = 60;
    std::vector<std::byte> heap;
    std::vector<std::byte> row(row_bytes(shape));
    for (std::uint64_t number = 0; number < kRows; ++number) {
      put_le(row.data(), number + 1000);
      std::fill(row.begin() + kRowHeadBytes, row.end(), static_cast<std::byte>(number));
      put_le(row.data() + kRowSumAt, row_sum(row));
      heap.insert(heap.end(), row.begin(), row.end());
    }
    heap.resize(pages_of(shape, kRows) * shape.page_bytes);
    const std::uint64_t pages = heap.size() / shape.page_bytes;
    for (std::uint64_t lost = 0; lost <= pages; ++lost) {
      RowStream stream;
      stream.begin(shape, kRows - 1);  // the last row was removed
      std::vector<bool> seen(kRows);
      for (std::uint64_t page = 0; page < pages; ++page) {
        if (page == lost) continue;
        const Bytes bytes = Bytes(heap).subspan(page * shape.page_bytes, shape.page_bytes);
        const auto visit = [&](std::uint64_t number, Key key, Bytes given, bool mended) {
          EXPECT_EQ(key, number + 1000);
          EXPECT_EQ(given[0], static_cast<std::byte>(number));
          EXPECT_FALSE(mended || seen[number]);
          seen[number] = true;
          return Status();
        };
        ASSERT_TRUE(stream.page(page, bytes, visit).ok());
      }
      for (std::uint64_t number = 0; number < kRows; ++number) {
        const std::uint64_t first = number * row.size() / shape.page_bytes;
        const std::uint64_t last = ((number + 1) * row.size() - 1) / shape.page_bytes;
        const bool is_there = number + 1 < kRows && (lost < first || lost > last);
        EXPECT_EQ(seen[number], is_there) << "row " << number << " without page " << lost;
      }
    }
  }
}

}  // namespace
}  // namespace skerry::store
