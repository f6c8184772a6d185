// concurrency_test.cc - does every promise hold while others write, read, come and go?
//
// Contract: "threads: every method from any thread at once, with no lock outside; searches never
// wait for writers", "read after write" and "a removed key" across threads. Counts decide when a
// test ends, never a clock; TSan watches the same tests.

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "skerry/index.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/threads.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kDimension = 8;

std::array<float, kDimension> at(float place) {
  std::array<float, kDimension> vector{};
  vector[0] = place;
  return vector;
}

// Counts what went wrong in other threads; gtest's own macros would slow the races down.
class Faults {
 public:
  void expect(bool good) {
    if (!good) count_.fetch_add(1, std::memory_order_relaxed);
  }
  void expect_ok(const Status& status) {
    if (status.ok()) return;
    count_.fetch_add(1, std::memory_order_relaxed);
    first_.store(status.text(), std::memory_order_relaxed);
  }
  ~Faults() { EXPECT_EQ(count_, 0u) << "for example: " << first_; }

 private:
  std::atomic<std::uint64_t> count_ = 0;
  std::atomic<const char*> first_ = "an answer";
};

// The writer goes on until every reader has had its rounds, so that they truly meet.
class Rounds {
 public:
  Rounds(std::size_t readers, std::size_t each) : left_(readers, each), reading_(readers) {}

  // For the writer: is anybody still reading?
  bool go_on() const { return reading_ != 0; }
  // For reader `i`: one more round?
  bool begin(std::size_t i) {
    if (left_[i]-- > 0) return true;
    --reading_;
    return false;
  }

 private:
  std::vector<std::size_t> left_;  // each of its own reader
  std::atomic<std::size_t> reading_;
};

class ThreadsContract : public ContractTest {
 protected:
  // Keys 0 .. rows - 1 at the places 0, 10, 20, ...
  void fill(std::size_t rows) {
    subject_ = make({.dimension = kDimension, .M = 6, .ef_construction = 40, .ef = 32});
    for (Key key = 0; key < rows; ++key) {
      ASSERT_OK(subject_->upsert(key, at(10 * static_cast<float>(key))));
    }
  }
  std::unique_ptr<Subject> subject_;
};
SKERRY_IN_EVERY_FORM(ThreadsContract);

TEST_P(ThreadsContract, ASearchBesideAnUpdateMeetsTheOldVectorOrTheNewExactlyOne) {
  static constexpr Key kMoving = 20;
  static constexpr float kHere = -1000;
  static constexpr float kThere = 5000;
  fill(41);
  ASSERT_OK(subject_->upsert(kMoving, at(kHere)));
  Rounds rounds(3, scaled(400, 4));
  Faults faults;
  together(4, [&](std::size_t thread) {
    if (thread == 0) {
      for (std::size_t i = 0; rounds.go_on(); ++i) {
        faults.expect_ok(subject_->upsert(kMoving, at(i % 2 == 0 ? kThere : kHere)));
      }
      return;
    }
    std::array<Hit, 50> hits;
    std::array<float, kDimension> got{};
    while (rounds.begin(thread - 1)) {
      // All of them, by walking or scanning: each key once, the moving one at one of its places.
      const auto all = subject_->search(at(kHere), hits, {.exact = thread == 1});
      faults.expect(all.ok() && all->count == 41);
      const auto moving = [](const Hit& hit) { return hit.key == kMoving; };
      const auto found = std::find_if(hits.begin(), hits.begin() + 41, moving);
      faults.expect(std::count_if(hits.begin(), hits.begin() + 41, moving) == 1);
      faults.expect(found->distance == 0 || found->distance == 6000.0F * 6000.0F);
      // By its place: there or not there, but nobody else.
      const auto nearest = subject_->search(at(kThere), std::span(hits).first(1));
      faults.expect(nearest.ok() && nearest->count == 1);
      faults.expect(hits[0].distance != 0 || hits[0].key == kMoving);
      // And read directly.
      faults.expect_ok(subject_->get(kMoving, got));
      faults.expect(got[0] == kHere || got[0] == kThere);
      faults.expect(subject_->contains(kMoving));
    }
  });
  EXPECT_OK(subject_->check());
}

TEST_P(ThreadsContract, ASearchThatWasUnderWayWhenAKeyWasReplacedMeetsTheOldVector) {
  constexpr Key kMoving = 500;
  fill(scaled(1000, 2) + kMoving);
  // The search has begun when its filter is asked. Then another thread replaces the key and goes on
  // writing, until nothing in the graph leads to the old vector.
  bool is_written = false;
  Faults faults;
  const auto write_meanwhile = [&](Key) {
    if (!std::exchange(is_written, true)) {
      together(1, [&](std::size_t) {
        faults.expect_ok(subject_->upsert(kMoving, at(-70'000)));
        for (Key key = 0; key < 20; ++key) {
          faults.expect_ok(subject_->upsert(key, at(-80'000)));
        }
      });
    }
    return true;
  };
  std::array<Hit, 3> hits;
  const auto found =
      subject_->search(at(10 * kMoving), hits, {.filter = Filter::where(write_meanwhile)});
  ASSERT_OK(found);
  EXPECT_EQ(hits[0], (Hit{kMoving, 0}));
  EXPECT_OK(subject_->search(at(10 * kMoving), hits));
  EXPECT_NE(hits[0].key, kMoving);
}

TEST_P(ThreadsContract, ARemovedKeyIsNeverReturnedByASearchThatStartsAfterwards) {
  const std::size_t rows = scaled(4000, 10);
  fill(rows);
  std::atomic<Key> removed_below = 0;
  Faults faults;
  together(3, [&](std::size_t thread) {
    if (thread == 0) {
      for (Key key = 0; key < rows; ++key) {
        const auto removed = subject_->remove(key);
        faults.expect(removed.ok() && *removed == 1);
        removed_below = key + 1;
      }
      return;
    }
    std::array<Hit, 12> hits;
    for (Key gone = removed_below; gone < rows; gone = removed_below) {
      const auto result = subject_->search(at(10 * static_cast<float>(gone)), hits);
      faults.expect_ok(result.status());
      for (std::uint32_t i = 0; result.ok() && i < result->count; ++i) {
        faults.expect(hits[i].key >= gone);
      }
      faults.expect(gone == 0 || !subject_->contains(gone - 1));
    }
  });
  EXPECT_EQ(subject_->size(), 0u);
  EXPECT_OK(subject_->check());
}

TEST_P(ThreadsContract, EveryThreadReadsItsOwnWritesAndThoseItWasToldOf) {
  fill(50);
  constexpr std::size_t kThreads = 8;
  const std::size_t writes = scaled(200, 5);
  const auto everything = static_cast<std::uint32_t>(50 + kThreads * writes);
  std::array<std::atomic<Key>, kThreads> told{};  // the last key each thread has written
  std::atomic<std::uint64_t> met = 0, missed = 0;
  Faults faults;
  const auto place = [](Key key) { return at(static_cast<float>(10 * key) + 5); };
  together(kThreads, [&](std::size_t thread) {
    std::array<Hit, 1> hit;
    const auto expect_there = [&](Key key) {
      const auto found = subject_->search(place(key), hit, {.exact = true});
      faults.expect(found.ok() && found->count == 1 && hit[0] == Hit{key, 0});
      // As broad as everything that is there: a walk that may end early can miss a small crowd
      // behind a large one, whoever writes, and this is about what is seen.
      const auto walked = subject_->search(place(key), hit, {.ef = everything});
      faults.expect(walked.ok() && walked->count == 1);
      (hit[0] == Hit{key, 0} ? met : missed).fetch_add(1, std::memory_order_relaxed);
    };
    for (std::size_t i = 0; i < writes; ++i) {
      const Key mine = 1000 * (thread + 1) + i;
      faults.expect_ok(subject_->insert(mine, place(mine)));
      told[thread] = mine;
      expect_there(mine);
      if (const Key other = told[(thread + 1) % kThreads]; other != 0) expect_there(other);
    }
  });
  EXPECT_GE(met, 99 * missed) << "walks that did not find what an exact search did";
  EXPECT_EQ(subject_->size(), 50 + kThreads * writes);
  const auto report = subject_->check();
  ASSERT_OK(report);
  EXPECT_EQ(report->unreachable, 0u);
}

TEST_P(ThreadsContract, ABatchIsSeenWholeOrNotAtAll) {
  fill(30);
  constexpr std::size_t kBatch = 16;
  Rounds rounds(2, scaled(200, 4));
  Faults faults;
  together(3, [&](std::size_t thread) {
    if (thread == 0) {
      std::vector<Key> keys(kBatch);
      for (std::size_t i = 0; i < kBatch; ++i) keys[i] = 100 + i;
      std::vector<float> rows(kBatch * kDimension);
      for (std::size_t round = 0; rounds.go_on(); ++round) {
        for (std::size_t i = 0; i < kBatch; ++i) {
          rows[i * kDimension] = -1000 - static_cast<float>(round % 1000);
        }
        faults.expect_ok(subject_->upsert(keys, MatrixView(rows, kDimension)));
        const auto removed = subject_->remove(keys);
        faults.expect(removed.ok() && *removed == kBatch);
      }
      return;
    }
    std::array<Hit, 60> hits;
    while (rounds.begin(thread - 1)) {
      const auto result = subject_->search(at(-1000), hits, {.exact = thread == 1});
      faults.expect(result.ok() && (result->count == 30 || result->count == 30 + kBatch));
      // One round's rows lie all at one place.
      for (std::uint32_t i = 1; result.ok() && result->count > 30 && i < kBatch; ++i) {
        faults.expect(hits[i].distance == hits[0].distance);
      }
    }
  });
  EXPECT_EQ(subject_->size(), 30u);
}

TEST_P(ThreadsContract, IterationStatsAndCheckGoOnBesideWrites) {
  fill(100);
  Rounds rounds(3, scaled(60, 3));
  Faults faults;
  together(4, [&](std::size_t thread) {
    if (thread == 0) {
      for (std::size_t i = 0; rounds.go_on(); ++i) {
        const Key key = 1000 + i % 40;
        faults.expect_ok(subject_->upsert(key, at(static_cast<float>(i))));
        if (i % 3 == 0) faults.expect_ok(subject_->remove(key).status());
        faults.expect_ok(subject_->upsert(i % 100, at(-static_cast<float>(i))));
      }
      return;
    }
    std::vector<Key> keys;
    while (rounds.begin(thread - 1)) {
      if (thread == 1) {
        // Keys that stay are always visited, and none twice.
        keys.clear();
        faults.expect_ok(subject_->for_each([&](Key key) {
          keys.push_back(key);
          return true;
        }));
        std::sort(keys.begin(), keys.end());
        faults.expect(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
        faults.expect(keys.size() >= 100 && keys[99] == 99);
      } else if (thread == 2) {
        const std::uint64_t live = subject_->stats().live;
        faults.expect(live >= 100 && live <= 140);
        faults.expect(subject_->size() >= 100);
      } else {
        faults.expect_ok(subject_->check().status());
      }
    }
  });
}

TEST_P(ThreadsContract, MoreThreadsThanCores) {
  fill(200);
  Faults faults;
  together(64, [&](std::size_t thread) {
    std::array<Hit, 5> hits;
    std::array<std::uint32_t, 2> counts;
    std::array<Hit, 6> pair;
    for (std::size_t i = 0; i < scaled(40, 8); ++i) {
      const auto place = static_cast<float>((thread * 37 + i * 11) % 200);
      const auto found = subject_->search(at(10 * place), hits);
      faults.expect(found.ok() && found->count == 5);
      if (thread % 8 == 0) faults.expect_ok(subject_->upsert(1000 + thread, at(place)));
      if (thread % 8 == 1) {
        std::vector<float> rows(2 * kDimension, place);
        faults.expect_ok(
            subject_->search_batch(MatrixView(rows, kDimension), pair, counts, {.threads = 2})
                .status());
      }
    }
  });
  EXPECT_EQ(subject_->size(), 208u);
  EXPECT_OK(subject_->check());
}

TEST_P(ThreadsContract, ThreadsMayEndAndNewOnesBegin) {
  fill(100);
  Faults faults;
  for (std::size_t wave = 0; wave < scaled(25, 5); ++wave) {
    together(8, [&](std::size_t thread) {
      std::array<Hit, 3> hits;
      const Key key = 500 + thread;
      faults.expect_ok(subject_->upsert(key, at(static_cast<float>(wave))));
      const auto found = subject_->search(at(0), hits);
      faults.expect(found.ok() && found->count == 3);
      faults.expect_ok(subject_->remove(key).status());
    });
  }
  EXPECT_EQ(subject_->size(), 100u);
  // Space that those threads freed is used again, so none of them still holds an epoch.
  const auto before = subject_->stats().vector_bytes;
  for (std::size_t i = 0; i < scaled(2000, 5); ++i) {
    ASSERT_OK(subject_->upsert(i % 100, at(static_cast<float>(i))));
  }
  EXPECT_LE(subject_->stats().vector_bytes, 4 * before);
}

TEST(IndexThreads, SavesBesideWritersAndReaders) {
  TempDir folder;
  auto index = Index::create({.dimension = kDimension, .M = 6, .flat_below = 0});
  ASSERT_OK(index);
  for (Key key = 0; key < 100; ++key) ASSERT_OK(index->upsert(key, at(static_cast<float>(key))));
  Rounds rounds(2, scaled(15, 5));
  Faults faults;
  together(3, [&](std::size_t thread) {
    if (thread == 0) {
      for (std::size_t i = 0; rounds.go_on(); ++i) {
        faults.expect_ok(index->upsert(i % 100, at(static_cast<float>(i % 50))));
      }
    } else if (thread == 1) {
      while (rounds.begin(0)) {
        faults.expect_ok(index->save(folder / "index"));
        const auto copy = Index::load(folder / "index");
        faults.expect(copy.ok() && copy->size() == 100);
        faults.expect(copy.ok() && copy->check().ok());
      }
    } else {
      std::array<Hit, 4> hits;
      while (rounds.begin(1)) faults.expect_ok(index->search(at(7), hits).status());
    }
  });
}

class DatabaseThreads : public ::testing::Test {
 protected:
  DatabaseThreads() {
    auto opened = Database::open(folder_ / "db", {.durability = Durability::none});
    EXPECT_OK(opened);
    database_.emplace(*std::move(opened));
  }
  TempDir folder_;
  std::optional<Database> database_;
};

TEST_F(DatabaseThreads, CollectionsComeLiveAndGoInManyThreads) {
  Faults faults;
  together(8, [&](std::size_t thread) {
    for (std::size_t i = 0; i < scaled(6, 3); ++i) {
      const std::string name = "of thread " + std::to_string(thread);
      auto made = database_->create(name, {.index = {.dimension = kDimension, .flat_below = 0}});
      faults.expect_ok(made.status());
      if (!made.ok()) return;
      auto shared = database_->open_or_create("shared", {.index = {.dimension = kDimension}});
      faults.expect_ok(shared.status());
      if (!shared.ok()) return;
      std::array<Hit, 3> hits;
      for (Key key = 0; key < 20; ++key) {
        faults.expect_ok(made->upsert(key, at(static_cast<float>(key))));
        faults.expect_ok(shared->upsert(thread, at(static_cast<float>(key))));
        const auto found = made->search(at(static_cast<float>(key)), hits);
        faults.expect(found.ok() && found->count > 0 && hits[0] == Hit{key, 0});
      }
      faults.expect(made->size() == 20);
      faults.expect_ok(database_->drop(name));
      faults.expect(made->insert(1, at(1)).code() == Code::closed);
    }
  });
  const auto left = database_->list();
  ASSERT_OK(left);
  EXPECT_EQ(*left, (std::vector<std::string>{"shared"}));
  auto shared = database_->open_collection("shared");
  ASSERT_OK(shared);
  EXPECT_EQ(shared->size(), 8u);
  EXPECT_OK(shared->verify());
}

TEST_F(DatabaseThreads, WritersOfOneGroupAllLandAndAllSurvive) {
  constexpr std::size_t kThreads = 16;
  const std::size_t writes = scaled(40, 4);
  {
    auto docs = database_->create("docs", {.index = {.dimension = kDimension}});
    ASSERT_OK(docs);
    Faults faults;
    together(kThreads, [&](std::size_t thread) {
      for (std::size_t i = 0; i < writes; ++i) {
        const Key key = thread * 1000 + i;
        faults.expect_ok(docs->insert(key, at(static_cast<float>(key))));
        faults.expect(docs->contains(key));
      }
    });
    EXPECT_EQ(docs->size(), kThreads * writes);
  }
  ASSERT_OK(database_->close());
  database_.reset();
  auto again = Database::open(folder_ / "db", {.use_images = false});
  ASSERT_OK(again);
  auto docs = again->open_collection("docs");
  ASSERT_OK(docs);
  EXPECT_EQ(docs->size(), kThreads * writes);
  EXPECT_OK(docs->verify());
}

TEST_F(DatabaseThreads, ImagesBackupsAndCheckpointsGoOnBesideWrites) {
  auto docs = database_->create("docs", {.index = {.dimension = kDimension, .flat_below = 0}});
  ASSERT_OK(docs);
  Rounds rounds(2, scaled(6, 3));
  Faults faults;
  together(3, [&](std::size_t thread) {
    if (thread == 0) {
      for (std::size_t i = 0; rounds.go_on(); ++i) {
        faults.expect_ok(docs->upsert(i % 80, at(static_cast<float>(i))));
        if (i % 5 == 0) faults.expect_ok(docs->remove(i % 17).status());
      }
    } else if (thread == 1) {
      for (std::size_t i = 0; rounds.begin(0); ++i) {
        faults.expect_ok(docs->save_image());
        faults.expect_ok(database_->checkpoint());
        faults.expect_ok(database_->sync());
        faults.expect_ok(docs->verify().status());
        const auto copy = folder_ / ("copy " + std::to_string(i));
        faults.expect_ok(database_->backup(copy));
        auto opened = Database::open(copy);
        faults.expect_ok(opened.status());
        if (!opened.ok()) continue;
        auto copied = opened->open_collection("docs");
        faults.expect(copied.ok() && copied->verify().ok());
      }
    } else {
      std::array<Hit, 4> hits;
      while (rounds.begin(1)) faults.expect_ok(docs->search(at(7), hits).status());
    }
  });
}

TEST_F(DatabaseThreads, CloseRacesWithEveryCallAndEachIsDoneOrClosed) {
  for (std::size_t round = 0; round < scaled(10, 3); ++round) {
    if (!database_) {
      auto opened = Database::open(folder_ / "db", {.durability = Durability::none});
      ASSERT_OK(opened);
      database_.emplace(*std::move(opened));
    }
    auto docs = database_->open_or_create("docs", {.index = {.dimension = kDimension}});
    ASSERT_OK(docs);
    for (Key key = 0; key < 20; ++key) ASSERT_OK(docs->upsert(key, at(static_cast<float>(key))));
    Faults faults;
    std::atomic<std::uint64_t> written = 0;
    together(5, [&](std::size_t thread) {
      if (thread == 0) {
        while (written < 5) std::this_thread::yield();
        faults.expect_ok(database_->close());
        return;
      }
      std::array<Hit, 4> hits;
      for (Status status; status.ok();) {
        if (thread == 1) {
          status = docs->upsert(written, at(static_cast<float>(written)));
          if (status.ok()) ++written;
        } else if (thread == 2) {
          status = docs->search(at(3), hits).status();
        } else if (thread == 3) {
          status = docs->for_each([](Key) { return true; });
        } else {
          status = database_->open_collection("docs").status();
        }
        faults.expect(status.ok() || status.code() == Code::closed);
      }
    });
    const std::uint64_t acknowledged = written;
    database_.reset();
    auto again = Database::open(folder_ / "db", {.durability = Durability::none});
    ASSERT_OK(again);
    auto kept = again->open_collection("docs");
    ASSERT_OK(kept);
    for (Key key = 0; key < acknowledged; ++key) EXPECT_TRUE(kept->contains(key));
    EXPECT_OK(kept->verify());
  }
}

}  // namespace
}  // namespace skerry::testing
