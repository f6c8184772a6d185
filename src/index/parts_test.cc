// The parts an index is made of: the directory, the storage, the pool of searchers, the best hits,
// and the workers below them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "base/epoch.h"
#include "base/workers.h"
#include "index/directory.h"
#include "index/searcher.h"
#include "index/storage.h"
#include "index/top_hits.h"

namespace skerry {
namespace {

TEST(Directory, AgreesWithAMapThroughGrowthAndErasure) {
  std::mt19937_64 random(5);
  std::vector<SlotState> states(20'000);
  Directory directory;
  std::map<Key, Slot> model;
  EXPECT_EQ(directory.find(1, [&] { return states.data(); }), kNoSlot);
  Slot next = 0;
  for (int step = 0; step < 20'000; ++step) {
    const Key key = random() % 700;
    const auto known = model.find(key);
    if (random() % 2 == 0) {
      ASSERT_TRUE(directory.reserve(model.size() + 1, states.data()).ok());
      const Slot slot = next++;
      states[slot].key.store(key);
      directory.put(key, slot, states.data());
      model[key] = slot;
    } else if (known != model.end()) {
      directory.erase(key, known->second, states.data());
      model.erase(known);
    }
    const Key asked = random() % 700;
    const auto expected = model.find(asked);
    ASSERT_EQ(directory.find(asked, [&] { return states.data(); }),
              expected == model.end() ? kNoSlot : expected->second);
  }
  directory.reclaim();
  EXPECT_LT(directory.bytes(), 64U * 1024);
}

TEST(Directory, ErasingAnotherSlotsKeyDoesNothing) {
  std::vector<SlotState> states(2);
  Directory directory;
  ASSERT_TRUE(directory.reserve(4, states.data()).ok());
  states[1].key.store(9);
  directory.put(9, 1, states.data());
  directory.erase(9, 0, states.data());
  EXPECT_EQ(directory.find(9, [&] { return states.data(); }), 1U);
}

TEST(Storage, HasStagesAndCopiesWhatItHolds) {
  EXPECT_EQ(Storage::capacity_for(0), 32U);
  EXPECT_EQ(Storage::capacity_for(33), 1024U);
  EXPECT_EQ(Storage::capacity_for(1025), 65536U);
  EXPECT_EQ(Storage::capacity_for(65537), 1U << 26);
  EXPECT_EQ(Storage::capacity_for(1ULL << 27), kMaxSlots);
  const StorageShape shape{64, 64, 4, 99};
  auto small = Storage::create(shape, Storage::capacity_for(100));
  ASSERT_TRUE(small.ok());
  ASSERT_TRUE((*small)->grow(100).ok());
  (*small)->used.store(100);
  for (Slot slot = 0; slot < 100; ++slot) {
    (*small)->states[slot].key.store(slot * 7);
    (*small)->vector(slot)[5] = static_cast<std::byte>(slot);
    (*small)->code(slot)[6] = static_cast<std::byte>(slot + 1);
    const std::uint32_t level = level_of(shape.seed, slot, shape.M);
    for (std::uint32_t l = 0; l <= level; ++l) {
      const Slot list[] = {slot + l, 3};
      (*small)->links().write(slot, l, list);
    }
  }
  auto large = Storage::create(shape, Storage::capacity_for(5000));
  ASSERT_TRUE(large.ok());
  ASSERT_TRUE((*large)->copy_from(**small).ok());
  ASSERT_TRUE((*large)->grow(5000).ok());
  Slot list[8];
  for (Slot slot = 0; slot < 100; ++slot) {
    EXPECT_EQ((*large)->states[slot].key.load(), slot * 7);
    EXPECT_EQ((*large)->vector(slot)[5], static_cast<std::byte>(slot));
    EXPECT_EQ((*large)->code(slot)[6], static_cast<std::byte>(slot + 1));
    const std::uint32_t level = level_of(shape.seed, slot, shape.M);
    for (std::uint32_t l = 0; l <= level; ++l) {
      ASSERT_EQ((*large)->links().read(slot, l, list), 2U);
      EXPECT_EQ(list[0], slot + l);
    }
  }
}

TEST(SearcherPool, GivesBackWhatItGot) {
  SearcherPool pool;
  Searcher* first = pool.take();
  ASSERT_NE(first, nullptr);
  pool.give_back(first);
  EXPECT_EQ(pool.take(), first) << "none is made twice";
  pool.give_back(first);
  std::vector<Searcher*> many;
  for (int i = 0; i < 100; ++i) many.push_back(pool.take());
  for (Searcher* searcher : many) pool.give_back(searcher);
}

TEST(TopHits, KeepsTheNearestTiesByKey) {
  std::mt19937 random(8);
  for (int round = 0; round < 200; ++round) {
    std::vector<Hit> all;
    Hit buffer[5];
    TopHits top(buffer, {});
    for (Key key = 0; key < 30; ++key) {
      const Hit hit{(key * 17) % 30, static_cast<float>(random() % 4)};
      all.push_back(hit);
      if (top.wants(hit.distance)) top.offer(hit);
    }
    top.finish();
    std::sort(all.begin(), all.end(), [](const Hit& a, const Hit& b) {
      return a.distance != b.distance ? a.distance < b.distance : a.key < b.key;
    });
    ASSERT_EQ(top.count(), 5U);
    for (int i = 0; i < 5; ++i) ASSERT_EQ(buffer[i], all[static_cast<std::size_t>(i)]);
  }
}

TEST(TopHits, AsksTheOrderThatItWasGiven) {
  const KeyOrder backwards{[](const void*, Key a, Key b) { return a > b; }, nullptr};
  Hit buffer[2];
  TopHits top(buffer, backwards);
  for (Key key = 0; key < 5; ++key) top.offer(Hit{key, 1.0F});
  top.finish();
  EXPECT_EQ(buffer[0].key, 4U);
  EXPECT_EQ(buffer[1].key, 3U);
}

TEST(Workers, ShareTheWorkOfManyCallersAtOnce) {
  std::vector<std::thread> callers;
  std::atomic<int> total{0};
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        std::atomic<int> next{0};
        std::atomic<int> done{0};
        parallel(0, [&] {
          while (next.fetch_add(1) < 100) done.fetch_add(1);
        });
        ASSERT_EQ(done.load(), 100);
        total.fetch_add(done.load());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 6 * 50 * 100);
}

TEST(Workers, OneThreadIsTheCallerItself) {
  std::thread::id worker;
  parallel(1, [&] { worker = std::this_thread::get_id(); });
  EXPECT_EQ(worker, std::this_thread::get_id());
  EXPECT_GE(hand_count(), 1U);
}

}  // namespace
}  // namespace skerry
