// What is published to be linked later: found at once, linked by and by, and nobody lost meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "index/engine.h"

namespace skerry {
namespace {

constexpr std::uint32_t kDimension = 8;
constexpr auto kOn = [] { return true; };

using Vector = std::vector<float>;

Vector random_vector(std::mt19937_64& random) {
  std::normal_distribution<float> normal;
  Vector vector(kDimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

// An engine, and what it must hold.
class Subject {
 public:
  explicit Subject(Codes codes, std::uint32_t flat_below = 0, std::uint64_t seed = 1)
      : random(seed) {
    auto made = Engine::create({.dimension = kDimension,
                                .codes = codes,
                                .M = 12,
                                .ef_construction = 60,
                                .flat_below = flat_below});
    EXPECT_TRUE(made.ok()) << made.status().message();
    engine = std::move(*made);
  }

  // Upserts of fresh vectors for these keys and, of other keys, removals, in one step.
  void publish(const std::vector<Key>& keys, const std::vector<Key>& removals, Linking linking,
               std::uint32_t threads = 1) {
    std::vector<float> rows;
    for (const Key key : keys) {
      model[key] = random_vector(random);
      rows.insert(rows.end(), model[key].begin(), model[key].end());
    }
    for (const Key key : removals) model.erase(key);
    ASSERT_TRUE(engine->reserve(keys.size(), linking).ok());
    const std::uint64_t sequence = engine->sequence() + 1;
    const Publication steps[] = {{{keys, MatrixView(rows, kDimension), false}, sequence},
                                 {{removals, {}, true}, sequence}};
    engine->publish(steps, threads, linking);
  }
  void publish_range(Key first, Key limit, Linking linking) {
    std::vector<Key> keys;
    for (Key key = first; key < limit; ++key) keys.push_back(key);
    publish(keys, {}, linking);
  }

  void expect_whole() const {
    const Result<CheckReport> report = engine->check_invariants();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->live, model.size());
    EXPECT_EQ(report->unreachable, 0U);
  }

  // Everybody is found by his own vector. ef is wide: outliers of such small graphs need it.
  void expect_all_found(const Engine& engine) const {
    for (const auto& [key, vector] : model) {
      Hit hits[3];
      const auto result = engine.search(VectorView(vector), hits, {.ef = 200});
      ASSERT_TRUE(result.ok()) << result.status().message();
      ASSERT_EQ(result->count, std::min<std::size_t>(3, model.size()));
      EXPECT_EQ(hits[0].key, key);
      EXPECT_EQ(hits[0].distance, 0.0F);
      for (std::size_t i = 0; i < result->count; ++i) EXPECT_TRUE(model.contains(hits[i].key));
    }
  }
  void expect_all_found() const { expect_all_found(*engine); }

  std::mt19937_64 random;
  std::unique_ptr<Engine> engine;
  std::map<Key, Vector> model;
};

std::vector<Key> every(Key step, Key first, Key limit) {
  std::vector<Key> keys;
  for (Key key = first; key < limit; key += step) keys.push_back(key);
  return keys;
}

class BacklogTest : public ::testing::TestWithParam<Codes> {};
INSTANTIATE_TEST_SUITE_P(Codes, BacklogTest,
                         ::testing::Values(Codes::exact, Codes::sq8, Codes::rot4));

TEST_P(BacklogTest, WhatIsLinkedLaterIsFoundAtOnceAndAtEveryStep) {
  Subject subject(GetParam());
  subject.publish_range(0, 700, Linking::now);
  subject.expect_all_found();
  EXPECT_FALSE(subject.engine->has_backlog());
  std::vector<Key> changed = every(3, 0, 700);
  for (Key key = 5000; key < 5100; ++key) changed.push_back(key);
  subject.publish(changed, every(3, 1, 400), Linking::later);
  EXPECT_TRUE(subject.engine->has_backlog());
  EXPECT_EQ(subject.engine->stats().backlog, changed.size() + 234 + 133);
  subject.expect_whole();
  subject.expect_all_found();
  std::uint64_t left = subject.engine->stats().backlog;
  int steps = 0;
  subject.engine->work_off_backlog(1, [&] {
    const std::uint64_t now = subject.engine->stats().backlog;
    EXPECT_LT(now, left);
    left = now;
    if (++steps % 10 == 0) subject.expect_whole();
    if (steps % 25 == 0) subject.expect_all_found();
    return true;
  });
  EXPECT_GT(steps, 30);
  EXPECT_EQ(subject.engine->stats().backlog, 0U);
  subject.expect_whole();
  subject.expect_all_found();
}

TEST_P(BacklogTest, AStepThatSaysNoEndsIt) {
  Subject subject(GetParam());
  subject.publish_range(0, 300, Linking::now);
  subject.publish_range(300, 600, Linking::later);
  subject.engine->work_off_backlog(1, [] { return false; });
  const std::uint64_t left = subject.engine->stats().backlog;
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, 300U);
  subject.expect_whole();
  subject.engine->work_off_backlog(2, kOn);
  EXPECT_FALSE(subject.engine->has_backlog());
  subject.expect_whole();
}

TEST_P(BacklogTest, FiltersRangesAndBudgetsHoldForIt) {
  Subject subject(GetParam());
  subject.publish_range(0, 2000, Linking::now);
  subject.publish_range(2000, 2400, Linking::later);
  const auto is_late = [](Key key) { return key >= 2000; };
  const std::vector<Key> listed = every(1, 1990, 2400);
  for (Key key = 2000; key < 2400; key += 7) {
    const VectorView own(subject.model[key]);
    Hit hits[5];
    auto result = subject.engine->search(own, hits, {.filter = Filter::where(is_late)});
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result->count, 5U);
    EXPECT_EQ(hits[0].key, key);
    EXPECT_TRUE(std::all_of(hits, hits + 5, [&](const Hit& hit) { return is_late(hit.key); }));
    result = subject.engine->search(own, hits, {.filter = Filter::only(listed)});
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(hits[0].key, key);
    result = subject.engine->search(own, hits, {.filter = Filter::except(listed)});
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(std::all_of(hits, hits + 5, [](const Hit& hit) { return hit.key < 1990; }));
    result = subject.engine->search(own, hits, {.max_distance = 0.0F});
    ASSERT_TRUE(result.ok());
    ASSERT_EQ(result->count, 1U);
    EXPECT_EQ(hits[0].key, key);
    result = subject.engine->search(own, hits, {.budget = 20});
    ASSERT_TRUE(result.ok());
    EXPECT_TRUE(result->exhausted);
    EXPECT_LE(result->visited, 20U + 5 + 5 / 2 + 10);  // and the re-ranking of codes
  }
}

TEST_P(BacklogTest, AnImageHoldsItAndGoesOn) {
  for (const std::uint32_t flat_below : {0U, 400U}) {
    const TestFolder folder;
    const auto path = folder.path() / "image";
    Subject subject(GetParam(), flat_below);
    subject.publish_range(0, 300, Linking::now);
    subject.publish_range(250, 600, Linking::later);
    subject.engine->work_off_backlog(1, [] { return false; });
    ASSERT_TRUE(subject.engine->save(path, {}).ok());
    for (const ImageMode mode : {ImageMode::copy, ImageMode::map, ImageMode::view}) {
      auto loaded = Engine::load(path, mode, {}, nullptr);
      ASSERT_TRUE(loaded.ok()) << loaded.status().message();
      if (mode != ImageMode::view) {  // a view keeps no lists
        EXPECT_EQ((*loaded)->stats().backlog, subject.engine->stats().backlog);
      }
      EXPECT_TRUE((*loaded)->check_invariants().ok())
          << (*loaded)->check_invariants().status().message();
      subject.expect_all_found(**loaded);
      if (mode == ImageMode::view) continue;
      (*loaded)->work_off_backlog(2, kOn);
      EXPECT_EQ((*loaded)->stats().backlog, 0U);
      EXPECT_TRUE((*loaded)->stats().has_graph);
      const Result<CheckReport> report = (*loaded)->check_invariants();
      ASSERT_TRUE(report.ok()) << report.status().message();
      EXPECT_EQ(report->unreachable, 0U);
      subject.expect_all_found(**loaded);
    }
  }
}

TEST_P(BacklogTest, ASmallCollectionGrowsIntoItsGraph) {
  Subject subject(GetParam(), 500);
  subject.publish_range(0, 400, Linking::now);
  subject.publish_range(400, 480, Linking::later);
  EXPECT_FALSE(subject.engine->has_backlog()) << "there is no graph to be linked into";
  subject.publish_range(480, 1000, Linking::later);
  EXPECT_TRUE(subject.engine->has_backlog());
  EXPECT_FALSE(subject.engine->stats().has_graph);
  subject.expect_all_found();
  subject.engine->work_off_backlog(1, kOn);
  EXPECT_TRUE(subject.engine->stats().has_graph);
  subject.expect_whole();
  subject.expect_all_found();
}

TEST_P(BacklogTest, WritesComeInBetweenAndWorkOffSome) {
  for (const std::uint64_t seed : {3U, 4U}) {
    SCOPED_TRACE(seed);
    Subject subject(GetParam(), 0, seed);
    subject.publish_range(0, 700, Linking::now);
    for (int round = 0; round < 40; ++round) {
      const bool later = round % 4 == 0;
      std::vector<Key> upserts;
      std::vector<Key> removals;
      for (int i = later ? 60 : 5; i > 0; --i) {
        const Key key = subject.random() % 900;
        const auto is = [&](const std::vector<Key>& keys) {
          return std::find(keys.begin(), keys.end(), key) != keys.end();
        };
        if (is(upserts) || is(removals)) continue;
        (subject.random() % 3 == 0 ? removals : upserts).push_back(key);
      }
      const std::uint64_t before = subject.engine->stats().backlog;
      subject.publish(upserts, removals, later ? Linking::later : Linking::now);
      if (!later && before > 20 && !upserts.empty()) {
        EXPECT_LT(subject.engine->stats().backlog, before);
      }
      if (round % 7 == 0) subject.engine->work_off_backlog(1, [] { return false; });
      if (round % 10 == 0) subject.expect_whole();
      if (round % 20 == 19) subject.expect_all_found();
    }
    subject.engine->work_off_backlog(1, kOn);
    subject.expect_whole();
    subject.expect_all_found();
  }
}

TEST_P(BacklogTest, RemovingEverythingEndsIt) {
  Subject subject(GetParam());
  subject.publish_range(0, 300, Linking::now);
  subject.publish(every(2, 0, 600), {}, Linking::later);
  std::vector<Key> all;
  for (const auto& [key, vector] : subject.model) all.push_back(key);
  subject.publish({}, all, Linking::later);
  EXPECT_EQ(subject.engine->size(), 0U);
  EXPECT_FALSE(subject.engine->has_backlog());
  subject.expect_whole();
  subject.publish_range(0, 100, Linking::now);
  subject.expect_whole();
  subject.expect_all_found();
}

// Removed slots of the backlog are used again by writes that link at once.
TEST_P(BacklogTest, RemovedBeforeTheyWereLinked) {
  Subject subject(GetParam());
  subject.publish_range(0, 200, Linking::now);
  subject.publish_range(200, 500, Linking::later);
  subject.publish({}, every(2, 200, 500), Linking::now);
  subject.publish({}, every(2, 201, 300), Linking::later);
  subject.publish_range(600, 700, Linking::now);
  subject.expect_whole();
  subject.expect_all_found();
  subject.engine->work_off_backlog(1, kOn);
  subject.expect_whole();
  subject.expect_all_found();
}

TEST_P(BacklogTest, ReadersAndAWriterGoOnWhileItIsWorkedOff) {
  Subject subject(GetParam());
  subject.publish_range(0, 600, Linking::now);
  subject.publish(every(1, 400, 1000), every(1, 0, 50), Linking::later);
  const std::map<Key, Vector> steady(subject.model.begin(), subject.model.end());
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (unsigned i = 0; i < 2; ++i) {
    readers.emplace_back([&, i] {
      std::mt19937_64 random(i);
      do {
        const Key key = 50 + random() % 950;
        Hit hits[2];
        const auto result = subject.engine->search(VectorView(steady.at(key)), hits, {.ef = 200});
        ASSERT_TRUE(result.ok());
        ASSERT_EQ(hits[0].key, key);
      } while (!done.load());
    });
  }
  std::thread worker([&] {
    while (subject.engine->has_backlog()) subject.engine->work_off_backlog(2, kOn);
  });
  for (Key key = 2000; key < 2060; ++key) subject.publish({key}, {}, Linking::now);
  worker.join();
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  subject.expect_whole();
  subject.expect_all_found();
}

}  // namespace
}  // namespace skerry
