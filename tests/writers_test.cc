// writers_test.cc - does each of many writers find what he left, and is the graph whole?
//
// Contract: "threads: every method from any thread at once, with no lock outside", of writers of
// one Index beside each other: from nothing through two exchanges of its memory, over the moment in
// which it gets a graph, and when its last vector goes. Seeds are printed.

#include <array>
#include <atomic>
#include <map>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/index.h"
#include "support/temp_dir.h"
#include "support/threads.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kDimension = 6;
using Vector = std::array<float, kDimension>;

Vector random_vector(std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  Vector vector;
  for (float& component : vector) component = normal(random);
  return vector;
}

Index small_index(std::uint32_t flat_below) {
  auto index = Index::create(
      {.dimension = kDimension, .M = 6, .ef_construction = 40, .flat_below = flat_below});
  EXPECT_TRUE(index.ok());
  return std::move(*index);
}

void expect_whole(const Index& index) {
  const Result<CheckReport> report = index.check();
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_EQ(report->unreachable, 0u);
}

// Each thread owns the keys that leave its number as the rest, and knows what it left there.
class ManyWriters : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  static constexpr std::size_t kThreads = 8;
  using Ledger = std::map<Key, Vector>;

  void compare(const Index& index, const std::array<Ledger, kThreads>& ledgers) {
    std::uint64_t live = 0;
    for (const Ledger& ledger : ledgers) {
      live += ledger.size();
      for (const auto& [key, vector] : ledger) {
        Vector kept;
        ASSERT_TRUE(index.get(key, kept).ok()) << "key " << key;
        EXPECT_EQ(kept, vector) << "key " << key;
        Hit hit;
        const auto found = index.search(vector, std::span(&hit, 1), {.ef = 64});
        ASSERT_TRUE(found.ok());
        EXPECT_EQ(hit.distance, 0) << "key " << key << " is not found by its own vector";
      }
    }
    EXPECT_EQ(index.size(), live);
  }
};

// From nothing through two exchanges of the storage (at 32 and at 1,024 slots), inserts, updates,
// removals and batches side by side; images are saved and the index is checked meanwhile.
TEST_P(ManyWriters, LeaveWhatEachOfThemLeft) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  const TempDir folder;
  Index index = small_index(GetParam());
  std::array<Ledger, kThreads> ledgers;
  std::atomic<std::size_t> writing{kThreads};
  std::atomic<std::uint64_t> faults{0};
  const auto expect = [&](bool good) { faults += good ? 0 : 1; };
  together(kThreads + 1, [&](std::size_t thread) {
    if (thread == kThreads) {
      do {
        expect(index.check().ok());
        expect(index.save(folder / "image").ok());
        const auto copy = Index::load(folder / "image");
        expect(copy.ok() && copy->check().ok());
      } while (writing != 0);
      return;
    }
    std::mt19937_64 random(seed + thread);
    Ledger& mine = ledgers[thread];
    for (int call = 0; call < 400; ++call) {
      const Key key = random() % 300 * kThreads + thread;
      const bool was_there = mine.contains(key);
      switch (random() % 5) {
        case 0: {
          const Vector vector = random_vector(random);
          const Status status = index.insert(key, vector);
          expect(was_there ? status.code() == Code::already_exists : status.ok());
          if (!was_there) mine[key] = vector;
          break;
        }
        case 1:
        case 2: {
          mine[key] = random_vector(random);
          expect(index.upsert(key, mine[key]).ok());
          break;
        }
        case 3: {
          const Result<std::uint64_t> removed = index.remove(key);
          expect(removed.ok() && *removed == (was_there ? 1 : 0));
          mine.erase(key);
          break;
        }
        default: {  // the same key twice: the last row wins
          const Key keys[] = {key, key + kThreads, key};
          std::array<Vector, 3> rows;
          for (Vector& row : rows) row = random_vector(random);
          expect(index.upsert(keys, MatrixView(rows[0].data(), Scalar::f32, 3, kDimension)).ok());
          mine[key] = rows[2];
          mine[key + kThreads] = rows[1];
        }
      }
      expect(index.contains(key) == mine.contains(key));
    }
    --writing;
  });
  EXPECT_EQ(faults, 0u);
  compare(index, ledgers);
  expect_whole(index);
}

INSTANTIATE_TEST_SUITE_P(FlatBelow, ManyWriters, ::testing::Values(0, 100),
                         [](const auto& info) { return "Of" + std::to_string(info.param); });

// Of many who insert one key one is told that it is new, and of many who remove it one that it was
// there; whoever is told otherwise finds it so.
TEST(Writers, OfOneKeyTakeTurns) {
  Index index = small_index(0);
  std::mt19937_64 random(7);
  for (Key key = 100; key < 200; ++key) {
    ASSERT_TRUE(index.insert(key, random_vector(random)).ok());
  }
  std::atomic<std::int64_t> inserted{0};
  std::atomic<std::int64_t> removed{0};
  std::atomic<std::uint64_t> faults{0};
  together(8, [&](std::size_t thread) {
    std::mt19937_64 own(thread);
    for (int call = 0; call < 300; ++call) {
      const Key key = own() % 3;
      if (own() % 2 == 0) {
        const Status status = index.insert(key, random_vector(own));
        faults += status.ok() || status.code() == Code::already_exists ? 0 : 1;
        inserted += status.ok() ? 1 : 0;
      } else {
        const Result<std::uint64_t> count = index.remove(key);
        faults += count.ok() ? 0 : 1;
        removed += static_cast<std::int64_t>(count.value_or(0));
      }
    }
  });
  EXPECT_EQ(faults, 0u);
  EXPECT_EQ(index.size(), static_cast<std::uint64_t>(100 + inserted - removed));
  expect_whole(index);
}

// The last live key goes and another comes, again and again: the graph is dropped when nobody is
// under way, and never under somebody.
TEST(Writers, OfAnIndexThatEmptiesAndFills) {
  Index index = small_index(0);
  std::atomic<std::uint64_t> faults{0};
  together(4, [&](std::size_t thread) {
    std::mt19937_64 random(thread);
    for (int call = 0; call < 500; ++call) {
      faults += index.upsert(thread, random_vector(random)).ok() ? 0 : 1;
      faults += index.remove(thread).value_or(0) == 1 ? 0 : 1;
    }
  });
  EXPECT_EQ(faults, 0u);
  EXPECT_EQ(index.size(), 0u);
  expect_whole(index);
  ASSERT_TRUE(index.insert(1, Vector{1}).ok());
  Hit hit;
  EXPECT_EQ(index.search(Vector{1}, std::span(&hit, 1))->count, 1u);
}

}  // namespace
}  // namespace skerry::testing
