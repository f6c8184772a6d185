// heap_test.cc - is every vector where its place says, whatever came and went?
#include "store/heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/test_folder.h"
#include "store/store.h"

namespace skerry::store {
namespace {

// A store with one collection, number 1, and what it must hold.
class Heap {
 public:
  explicit Heap(std::uint32_t vector_bytes, std::uint64_t seed = 1)
      : vector_bytes_(vector_bytes), random_(seed) {
    EXPECT_TRUE(Store::create(folder_.path()).ok());
    open();
    const CollectionOptions options{.index = {.dimension = vector_bytes, .scalar = Scalar::u8}};
    EXPECT_TRUE(store_->create_collection("a", options).ok());
  }

  void open() {
    store_.reset();
    Result<std::unique_ptr<Store>> store =
        Store::open(folder_.path(), {.durability = Durability::none, .map_bytes = 1 << 20});
    ASSERT_TRUE(store.ok()) << store.error().message();
    store_ = std::move(*store);
  }

  // One commit of such changes.
  void put(const std::vector<Key>& keys) {
    commit(keys, [&](Commit& commit, Key key) { return put(commit, key); });
  }
  void remove(const std::vector<Key>& keys) {
    commit(keys, [&](Commit& commit, Key key) { return remove(commit, key); });
  }
  // Puts and removals by turns, keys again and again.
  void change(std::size_t changes, Key limit) {
    std::vector<Key> keys(changes);
    for (Key& key : keys) key = random_() % limit;
    commit(keys, [&](Commit& commit, Key key) {
      return random_() % 5 < 3 ? put(commit, key) : remove(commit, key);
    });
  }

  Status check() const {
    return store_->read([](const Reading& reading) { return reading.check(1); });
  }

  // By key, along the rows, and each by itself.
  void expect_all() const {
    std::map<Key, std::string> by_key;
    std::map<Key, std::string> by_row;
    const Status status = store_->read([&](const Reading& reading) -> Status {
      const auto collect = [](std::map<Key, std::string>& all) {
        return [&all](Key key, Bytes bytes) {
          EXPECT_TRUE(all.emplace(key, text_of(bytes)).second) << key;
          return true;
        };
      };
      Status step = reading.each_vector(1, 0, collect(by_key));
      const std::uint64_t half = model_.size() / 2;
      if (step.ok()) step = reading.each_row(1, 0, half, collect(by_row));
      if (step.ok()) step = reading.each_row(1, half, ~std::uint64_t{0}, collect(by_row));
      Result<HeapReader> heap = reading.heap(1);
      if (!heap.ok()) return heap.error();
      for (const auto& [key, text] : model_) {
        const Result<Bytes> vector = heap->vector(key);
        EXPECT_TRUE(vector.ok() && text_of(*vector) == text) << key;
        EXPECT_TRUE(*reading.contains(1, key));
      }
      EXPECT_EQ(heap->vector(~Key{0}).error().code(), Code::not_found);
      EXPECT_FALSE(*reading.contains(1, ~Key{0}));
      EXPECT_EQ(reading.counters(1)->live, model_.size());
      return step.ok() ? reading.check(1) : step;
    });
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(by_key == model_);
    EXPECT_TRUE(by_row == model_);
  }

  Status status_of_vector(Key key) const {
    return store_->read([&](const Reading& reading) -> Status {
      Result<HeapReader> heap = reading.heap(1);
      return heap.ok() ? heap->vector(key).status() : heap.error();
    });
  }
  Status status_of_removal(Key key) {
    return store_->commit([&](Commit& commit) -> Status {
      const Status status = commit.turn_to(1);
      return status.ok() ? commit.remove(key).status() : status;
    });
  }

  // What `damage` does to the tables, as a bad disk or a bug would.
  void spoil(std::function<Status(Transaction&)> damage) {
    const Status status = store_->environment().write(damage);
    EXPECT_TRUE(status.ok()) << status.message();
  }

  std::size_t size() const { return model_.size(); }

 private:
  template <class Change>
  void commit(const std::vector<Key>& keys, Change change) {
    const std::map<Key, std::string> before = model_;
    const Status status = store_->commit([&](Commit& commit) -> Status {
      model_ = before;  // a commit whose map was too small is run again
      Status step = commit.turn_to(1);
      for (const Key key : keys) {
        if (step.ok()) step = change(commit, key);
      }
      return step.ok() ? commit.log(LogKind::upserts, keys).status() : step;
    });
    EXPECT_TRUE(status.ok()) << status.message();
  }

  Status put(Commit& commit, Key key) {
    const Result<Transaction::Room> room = commit.put_vector(key);
    if (!room.ok()) return room.error();
    EXPECT_EQ(room->fresh, !model_.contains(key));
    std::string& text = model_[key];
    text.resize(vector_bytes_);
    for (char& c : text) c = static_cast<char>(random_());
    std::memcpy(room->bytes, text.data(), text.size());
    return Status();
  }
  Status remove(Commit& commit, Key key) {
    const Result<bool> removed = commit.remove(key);
    if (!removed.ok()) return removed.error();
    EXPECT_EQ(*removed, model_.erase(key) != 0);
    EXPECT_FALSE(*commit.contains(key));
    return Status();
  }

  TestFolder folder_;
  std::uint32_t vector_bytes_;
  std::mt19937_64 random_;
  std::unique_ptr<Store> store_;
  std::map<Key, std::string> model_;
};

std::vector<Key> keys_below(Key limit) {
  std::vector<Key> keys(limit);
  for (Key key = 0; key < limit; ++key) keys[key] = key;
  return keys;
}

// Rows of every kind: many on a page, one that is a page to the byte, one byte more, many pages.
class HeapOfBytes : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(, HeapOfBytes,
                         ::testing::Values(1, 100, 1536, 4067, 4068, 4069, 4096, 9000, 33000));

TEST_P(HeapOfBytes, HoldsWhatAMapHolds) {
  const std::uint64_t seed = GetParam();
  SCOPED_TRACE(seed);
  Heap heap(GetParam(), seed);
  for (int round = 0; round < 12; ++round) {
    heap.change(round % 3 == 0 ? 40 : 3, 30);
    heap.expect_all();
  }
  heap.open();
  heap.expect_all();
}

TEST(Heap, IsEmptyAgainWhenAllAreRemoved) {
  Heap heap(1536);
  heap.put(keys_below(50));
  std::vector<Key> keys = keys_below(50);
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(5));
  for (const Key key : keys) heap.remove({key});
  EXPECT_EQ(heap.size(), 0U);
  heap.expect_all();
  heap.put({3});
  heap.expect_all();
}

TEST(Heap, ACommitTouchesMorePagesThanItHoldsOpen) {
  Heap heap(1536);
  heap.put(keys_below(2000));  // 759 pages, and the map grows in the middle
  std::vector<Key> keys = keys_below(2000);
  std::shuffle(keys.begin(), keys.end(), std::mt19937_64(6));
  heap.put(keys);
  heap.expect_all();
  keys.resize(1900);
  heap.remove(keys);
  heap.expect_all();
}

// -- what check() finds ---------------------------------------------------------------------------

std::array<std::byte, 8> as_value(std::uint64_t number) {
  std::array<std::byte, 8> bytes;
  put_le(bytes.data(), number);
  return bytes;
}

class SpoiltHeap : public ::testing::Test {
 protected:
  SpoiltHeap() {
    heap_.put(keys_below(20));  // 20 rows of 1,548 bytes: 8 pages
    EXPECT_TRUE(heap_.check().ok());
  }
  void expect(const char* message) const { EXPECT_EQ(heap_.check().message(), message); }

  Heap heap_{1536};
};

TEST_F(SpoiltHeap, APlaceThatIsMissing) {
  heap_.spoil([](Transaction& t) { return t.remove(Table::places, RowKey(1, 4)).status(); });
  expect("corruption: row 4 holds key 4, whose place is elsewhere");
}

TEST_F(SpoiltHeap, APlaceThatIsAnothers) {
  heap_.spoil([](Transaction& t) { return t.put(Table::places, RowKey(1, 4), as_value(5)); });
  expect("corruption: row 4 holds key 4, whose place is elsewhere");
}

TEST_F(SpoiltHeap, APlaceBeyondTheRows) {
  heap_.spoil([](Transaction& t) { return t.put(Table::places, RowKey(1, 4), as_value(20)); });
  expect("corruption: the place of key 4 is damaged");
}

TEST_F(SpoiltHeap, APlaceTooMany) {
  heap_.spoil([](Transaction& t) { return t.put(Table::places, RowKey(1, 99), as_value(3)); });
  expect("corruption: there are 21 places for 20 vectors");
}

TEST_F(SpoiltHeap, APageThatIsMissing) {
  heap_.spoil([](Transaction& t) { return t.remove(Table::vectors, RowKey(1, 2)).status(); });
  expect("corruption: page 2 of a collection's vectors is missing");
}

TEST_F(SpoiltHeap, APageThatIsTooShort) {
  heap_.spoil([](Transaction& t) { return t.put(Table::vectors, RowKey(1, 2), as_value(0)); });
  expect("corruption: page 2 of a collection's vectors has a wrong length");
}

TEST_F(SpoiltHeap, APageTooMany) {
  heap_.spoil([](Transaction& t) { return t.put(Table::vectors, RowKey(1, 8), as_value(0)); });
  expect("corruption: vectors of 8 pages have 9");
}

TEST_F(SpoiltHeap, ABitThatIsFlipped) {
  heap_.spoil([](Transaction& t) -> Status {
    const Result<Bytes> page = t.get(Table::vectors, RowKey(1, 1));
    if (!page.ok()) return page.error();
    std::vector<std::byte> bytes(page->begin(), page->end());
    bytes[1000] ^= std::byte{16};  // byte 5,080 of the heap: row 3
    return t.put(Table::vectors, RowKey(1, 1), bytes);
  });
  expect("corruption: row 3 of a collection's vectors is damaged: its checksum is wrong");
}

TEST_F(SpoiltHeap, CountersWithoutAShape) {
  heap_.spoil([](Transaction& t) {
    return t.put(Table::counters, CollectionKey(1), encode(Counters{.live = 20}));
  });
  expect("corruption: the counters of a collection are damaged");
}

TEST_F(SpoiltHeap, TellsWhoeverMeetsIt) {
  heap_.spoil([](Transaction& t) { return t.put(Table::places, RowKey(1, 19), as_value(5)); });
  EXPECT_EQ(heap_.status_of_vector(19).message(),
            "corruption: the place of key 19 holds another key");
  // The last row would move into the hole; it is not key 19's to move.
  EXPECT_EQ(heap_.status_of_removal(3).message(),
            "corruption: the place of key 19 is not where its vector is");
}

}  // namespace
}  // namespace skerry::store
