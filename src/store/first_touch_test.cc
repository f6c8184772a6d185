// first_touch_test.cc - is a store that was opened without a walk walked before it is trusted?
//
// A small store stands for a large one: it is opened as if nothing were short enough to be walked.
#include "store/first_touch.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/test_folder.h"
#include "store/held_read.h"
#include "store/store.h"

namespace skerry::store {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::uint32_t kBytes = 500;  // of a vector
constexpr Key kRows = 400;
constexpr Key kLong = 3;  // has a payload of several pages
const CollectionOptions kOptions{.index = {.dimension = kBytes, .scalar = Scalar::u8}};
constexpr EnvironmentOptions kLarge{.bytes_walked_whole = 0};

template <class T>
T number_at(const std::string& bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

Status put(Store& store, Key first, Key limit, std::size_t payload_bytes) {
  return store.commit([&](Commit& commit) -> Status {
    Status status = commit.turn_to(1);
    std::vector<Key> keys;
    const std::vector<std::byte> payload(payload_bytes, std::byte{'p'});
    for (Key key = first; key < limit && status.ok(); ++key) {
      const Result<Transaction::Room> room = commit.put_vector(key);
      if (!room.ok()) return room.error();
      std::memset(room->bytes, static_cast<int>(key % 256), kBytes);
      status = commit.put_payload(key, payload, room->fresh);
      keys.push_back(key);
    }
    return status.ok() ? commit.log(LogKind::upserts, keys).status() : status;
  });
}

Status read_counters(const Store& store) {
  return store.read([](const Reading& reading) { return reading.counters(1).status(); });
}

Status read_vector(const Store& store, Key key) {
  return store.read([&](const Reading& reading) -> Status {
    Result<HeapReader> heap = reading.heap(1);
    if (!heap.ok()) return heap.error();
    return heap->vector(key).status();
  });
}

Status read_payload(const Store& store, Key key) {
  return store.read([&](const Reading& reading) { return reading.payload(1, key).status(); });
}

class FirstTouchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Store::create(folder_.path()).ok());
    Result<std::unique_ptr<Store>> store = Store::open(folder_.path(), {});
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE((*store)->create_collection("docs", kOptions).ok());
    ASSERT_TRUE(put(**store, 0, kRows, 30).ok());
    ASSERT_TRUE(put(**store, kLong, kLong + 1, 9000).ok());
    store->reset();
    std::ifstream file(path_, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
  }

  std::unique_ptr<Store> open(const EnvironmentOptions& options = kLarge) {
    Result<std::unique_ptr<Store>> store = Store::open(folder_.path(), options);
    EXPECT_TRUE(store.ok()) << store.status().message();
    return store.ok() ? std::move(*store) : nullptr;
  }

  void write_back() { std::ofstream(path_, std::ios::binary) << bytes_; }

  // Where the root of a table of LMDB's begins.
  std::size_t root_of(const std::string& table) const {
    const std::size_t newest =
        number_at<std::uint64_t>(bytes_, 144) > number_at<std::uint64_t>(bytes_, kPage + 144)
            ? 0
            : kPage;
    const std::size_t main = number_at<std::uint64_t>(bytes_, newest + 16 + 24 + 48 + 40) * kPage;
    const std::size_t record = bytes_.find(table, main) + table.size();
    EXPECT_LT(record, main + kPage);
    return number_at<std::uint64_t>(bytes_, record + 40) * kPage;
  }

  // Where the pages of the long payload begin.
  std::size_t long_value() const {
    for (std::size_t at = 2 * kPage; at < bytes_.size(); at += kPage) {
      if (number_at<std::uint16_t>(bytes_, at + 10) == 4 &&
          number_at<std::uint32_t>(bytes_, at + 12) == 3 && bytes_[at + 16] == 'p') {
        return at;
      }
    }
    ADD_FAILURE() << "no long payload";
    return 0;
  }

  TestFolder folder_;
  const std::filesystem::path path_ = folder_ / "data.mdb";
  std::string bytes_;
};

TEST_F(FirstTouchTest, AGoodStoreIsReadAndWrittenAsEver) {
  const auto store = open();
  EXPECT_TRUE(read_counters(*store).ok());
  EXPECT_TRUE(read_vector(*store, 5).ok());
  EXPECT_TRUE(read_payload(*store, kLong).ok());
  EXPECT_TRUE(put(*store, 0, kRows, 20'000).ok());
  EXPECT_TRUE(put(*store, 0, kRows, 10).ok());
  EXPECT_TRUE(store->trim_log(1, ~std::uint64_t{0}).ok());
  EXPECT_TRUE(store->environment().compact().ok());
  EXPECT_TRUE(read_vector(*store, 5).ok());
  EXPECT_TRUE(store->read([](const Reading& reading) { return reading.check(1); }).ok());
}

TEST_F(FirstTouchTest, AHeldReadIsWalkedForWhenItBegins) {
  {
    const auto store = open();
    const auto held = store->environment().hold();
    ASSERT_TRUE(held.ok()) << held.error().message();
    ASSERT_TRUE(put(*store, 0, kRows, 20'000).ok());
    const Status status = Store::read(**held, [](const Reading& reading) -> Status {
      const Result<Bytes> payload = reading.payload(1, kLong);
      EXPECT_EQ(payload.ok() ? payload->size() : 0, 9000U);
      return reading.check(1);
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }
  bytes_[root_of("places") + 10] = '\x7f';
  write_back();
  const auto store = open();
  EXPECT_EQ(store->environment().hold().status().code(), Code::corruption);
}

TEST_F(FirstTouchTest, AHeldReadSeesAHeaderThatIsNoLongerThatOfItsValue) {
  bytes_[long_value() + 12] = 9;  // pages
  write_back();
  const auto store = open();
  const auto held = store->environment().hold();
  ASSERT_TRUE(held.ok()) << held.error().message();
  const Status status = Store::read(
      **held, [](const Reading& reading) { return reading.payload(1, kLong).status(); });
  EXPECT_EQ(status.code(), Code::corruption) << status.message();
}

TEST_F(FirstTouchTest, ADamagedTableIsSeenWhenATableIsTouchedAndNotBefore) {
  for (const char* table : {"vectors", "places", "payloads", "names_by_id"}) {
    SCOPED_TRACE(table);
    const std::size_t at = root_of(table);
    if (at >= bytes_.size()) continue;  // an empty table has no page
    const char before = std::exchange(bytes_[at + 10], '\x7f');
    write_back();
    EXPECT_EQ(Store::open(folder_.path(), {}).status().code(), Code::corruption);
    const auto store = open();
    EXPECT_TRUE(read_counters(*store).ok());
    EXPECT_EQ(read_vector(*store, 5).code(), Code::corruption);
    EXPECT_EQ(read_payload(*store, 5).code(), Code::corruption);
    EXPECT_EQ(read_vector(*store, 5).code(), Code::corruption);
    EXPECT_TRUE(read_counters(*store).ok());
    bytes_[at + 10] = before;
  }
}

TEST_F(FirstTouchTest, ADamagedTableIsSeenBeforeTheFirstWrite) {
  bytes_[root_of("places") + 10] = '\x7f';
  write_back();
  const auto store = open();
  EXPECT_EQ(store->create_collection("more", kOptions).status().code(), Code::corruption);
  EXPECT_EQ(put(*store, 0, 1, 0).code(), Code::corruption);
  EXPECT_EQ(store->environment().stats().status().code(), Code::corruption);
  EXPECT_EQ(store->environment().compact().code(), Code::corruption);
  EXPECT_TRUE(read_counters(*store).ok());
}

TEST_F(FirstTouchTest, ADamagedTableOfOpeningIsSeenByIt) {
  for (const char* table : {"meta", "collections", "counters", "log"}) {
    const std::size_t at = root_of(table);
    const char before = std::exchange(bytes_[at + 10], '\x7f');
    write_back();
    EXPECT_EQ(Store::open(folder_.path(), kLarge).status().code(), Code::corruption) << table;
    bytes_[at + 10] = before;
  }
}

TEST_F(FirstTouchTest, ManyThreadsMayTouchAtOnce) {
  for (const bool is_damaged : {false, true}) {
    if (is_damaged) bytes_[root_of("vectors") + 10] = '\x7f';
    write_back();
    const auto store = open();
    std::vector<std::thread> threads;
    std::atomic<int> good{0};
    for (Key key = 0; key < 8; ++key) {
      threads.emplace_back([&, key] { good += read_vector(*store, key).ok() ? 1 : 0; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(good, is_damaged ? 0 : 8);
  }
}

TEST_F(FirstTouchTest, TheHeaderOfALongValueIsLookedAtBeforeItIsBelieved) {
  const std::size_t header = long_value();
  for (const std::size_t byte : {1U, 10U, 12U}) {  // the number, the flags, how many pages
    SCOPED_TRACE(byte);
    const char before = bytes_[header + byte];
    bytes_[header + byte] = static_cast<char>(before ^ 0x10);
    write_back();
    const auto store = open();
    EXPECT_TRUE(read_payload(*store, 5).ok());
    EXPECT_EQ(read_payload(*store, kLong).code(), Code::corruption);
    EXPECT_EQ(put(*store, kLong, kLong + 1, 9000).code(), Code::corruption);
    EXPECT_EQ(put(*store, kLong, kLong + 1, 0).code(), Code::corruption);
    EXPECT_EQ(store
                  ->read([](const Reading& reading) {
                    return reading.each_payload(1, [](Key, Bytes) { return true; });
                  })
                  .code(),
              Code::corruption);
    EXPECT_EQ(store->drop_collection("docs", 1, Store::Rows::go_if_few).status().code(), Code::ok);
    EXPECT_EQ(store->remove_rows(1).code(), Code::corruption);
    EXPECT_EQ(store->environment().compact().code(), Code::corruption);
    bytes_[header + byte] = before;
  }
}

// What LMDB would leave such a value, nobody could tell from damage.
TEST_F(FirstTouchTest, AValueThatShrinksInItsTransactionKeepsNoPages) {
  {
    const auto store = open();
    const Status status = store->environment().write([](Transaction& transaction) -> Status {
      for (const std::size_t size : {50'000U, 9'000U, 3'000U, 20'000U, 5U}) {
        const std::vector<std::byte> value(size, std::byte{1});
        const Status put = transaction.put(Table::payloads, RowKey(1, size % 7), value);
        const Status same = transaction.put(Table::payloads, RowKey(1, 7), value);
        if (!put.ok() || !same.ok()) return put.ok() ? same : put;
        if (size != 5) continue;
        const Status longer = transaction.put(Table::payloads, RowKey(1, 7),
                                              std::vector<std::byte>(9'000, std::byte{2}));
        if (!longer.ok()) return longer;
      }
      return Status();
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
  const auto store = open();
  for (Key key = 0; key <= 7; ++key) EXPECT_TRUE(read_payload(*store, key).ok()) << key;
  EXPECT_TRUE(put(*store, 0, 8, 100).ok());
}

// A reading's root is looked for in the file, where others put theirs by turns.
TEST_F(FirstTouchTest, AReadingIsWalkedWhileAnotherProcessCommits) {
  std::array<int, 2> ends;
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(ends[0]);
    const Result<std::unique_ptr<Store>> store =
        Store::open(folder_.path(), {.durability = Durability::interval, .alone = false});
    Status status = store.status();
    while (status.ok() && ::write(ends[1], "x", 1) == 1) {
      for (Key key = 0; key < 50 && status.ok(); ++key) {
        status = put(**store, key, key + 1, 5000);
      }
    }
    ::_exit(1);
  }
  ::close(ends[1]);
  char letter = 0;
  for (int round = 0; round < 50; ++round) {
    ASSERT_EQ(::read(ends[0], &letter, 1), 1);
    const auto store = open({.alone = false});
    ASSERT_NE(store, nullptr);
    const Status status = read_payload(*store, 3);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(put(*store, 60, 61, 10).ok());
  }
  ::kill(child, SIGKILL);
  ::close(ends[0]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

}  // namespace
}  // namespace skerry::store
