// key_book_test.cc - do names and ids find each other, with readers beside the writer?
#include "db/key_book.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <thread>

#include "base/epoch.h"

namespace skerry {
namespace {

void add(KeyBook& book, Key id, std::string_view name) {
  KeyRecordPtr record = make_key_record(id, name);
  book.reserve(1, 0);
  book.add(std::move(record));
}

void remove(KeyBook& book, Key id) {
  book.reserve(0, 1);
  book.remove(id);
}

TEST(KeyBook, AnEmptyBookKnowsNothing) {
  const KeyBook book;
  EpochGuard guard;
  EXPECT_EQ(book.find(1), nullptr);
  EXPECT_EQ(book.find("a"), nullptr);
}

TEST(KeyBook, FollowsAModelThroughChance) {
  KeyBook book;
  std::map<std::string, Key> model;
  std::mt19937 random(11);
  Key next = 1;
  for (int step = 0; step < 20000; ++step) {
    const std::string name = "name" + std::to_string(random() % 500);
    const auto found = model.find(name);
    book.reclaim();
    if (found == model.end()) {
      add(book, next, name);
      model[name] = next++;
    } else {
      remove(book, found->second);
      model.erase(found);
    }
    EXPECT_EQ(book.size(), model.size());
  }
  EpochGuard guard;
  for (int i = 0; i < 500; ++i) {
    const std::string name = "name" + std::to_string(i);
    const KeyRecord* record = book.find(name);
    const auto found = model.find(name);
    ASSERT_EQ(record != nullptr, found != model.end()) << name;
    if (record == nullptr) continue;
    EXPECT_EQ(record->id, found->second);
    EXPECT_EQ(book.find(record->id), record);
  }
}

TEST(KeyBook, AReaderKeepsTheNameOfARemovedId) {
  KeyBook book;
  add(book, 1, "gone");
  {
    EpochGuard guard;
    remove(book, 1);
    for (int i = 0; i < 4; ++i) book.reclaim();
    EXPECT_EQ(book.find("gone"), nullptr);
    const KeyRecord* record = book.find(1);
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->name(), "gone");
  }
  for (int i = 0; i < 4; ++i) book.reclaim();
  EpochGuard guard;
  EXPECT_EQ(book.find(1), nullptr);
}

TEST(KeyBook, OrdersByUnsignedBytes) {
  KeyBook book;
  add(book, 1, "\xFF");
  add(book, 2, "a");
  add(book, 3, "ab");
  const KeyOrder order = book.order();
  EpochGuard guard;
  EXPECT_TRUE(order.before(order.context, 2, 1));
  EXPECT_FALSE(order.before(order.context, 1, 2));
  EXPECT_TRUE(order.before(order.context, 2, 3));
  EXPECT_FALSE(order.before(order.context, 2, 2));
}

TEST(KeyBook, ReadersNeverMissWhatStays) {
  KeyBook book;
  for (Key id = 1; id <= 50; ++id) add(book, id, "stays" + std::to_string(id));
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!stop.load()) {
        EpochGuard guard;
        for (Key id = 1; id <= 50; ++id) {
          const std::string name = "stays" + std::to_string(id);
          const KeyRecord* record = book.find(name);
          ASSERT_NE(record, nullptr);
          ASSERT_EQ(record->id, id);
          ASSERT_EQ(book.find(id), record);
        }
      }
    });
  }
  for (Key id = 100; id < 8000; ++id) {
    book.reclaim();
    add(book, id, "comes and goes " + std::to_string(id));
    if (id >= 150) remove(book, id - 50);
  }
  stop.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(book.size(), 100U);
}

}  // namespace
}  // namespace skerry
