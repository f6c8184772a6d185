// The index against a model: what is found, what is kept, and whether the graph stays whole.
#include "skerry/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <vector>

namespace skerry {
namespace {

using Vector = std::vector<float>;

Vector random_vector(std::mt19937_64& random, std::size_t dimension) {
  std::normal_distribution<float> normal;
  Vector vector(dimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

double l2(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return sum;
}

struct Model {
  std::map<Key, Vector> vectors;

  std::vector<Key> nearest(const Vector& query, std::size_t k) const {
    std::vector<std::pair<double, Key>> all;
    for (const auto& [key, vector] : vectors) all.emplace_back(l2(query, vector), key);
    std::sort(all.begin(), all.end());
    std::vector<Key> keys;
    for (std::size_t i = 0; i < std::min(k, all.size()); ++i) keys.push_back(all[i].second);
    return keys;
  }
};

double recall(const Index& index, const Model& model, std::mt19937_64& random, std::size_t queries,
              std::uint32_t ef) {
  std::size_t found = 0;
  std::size_t all = 0;
  for (std::size_t q = 0; q < queries; ++q) {
    const Vector query = random_vector(random, index.options().dimension);
    Hit hits[10];
    const auto result = index.search(query, hits, {.ef = ef});
    EXPECT_TRUE(result.ok()) << result.status().message();
    const std::vector<Key> truth = model.nearest(query, 10);
    EXPECT_EQ(result->count, truth.size());
    for (std::size_t i = 0; i < result->count; ++i) {
      const auto it = model.vectors.find(hits[i].key);
      EXPECT_NE(it, model.vectors.end()) << "a ghost: key " << hits[i].key;
      if (it == model.vectors.end()) continue;
      EXPECT_NEAR(hits[i].distance, l2(query, it->second), 1e-3);
      found += std::find(truth.begin(), truth.end(), hits[i].key) != truth.end() ? 1 : 0;
    }
    all += truth.size();
  }
  return all == 0 ? 1 : static_cast<double>(found) / static_cast<double>(all);
}

class IndexTest : public ::testing::TestWithParam<Codes> {
 protected:
  IndexOptions options(std::uint32_t dimension, std::uint32_t flat_below = 0) const {
    return {.dimension = dimension,
            .codes = GetParam(),
            .M = 8,
            .ef_construction = 64,
            .flat_below = flat_below};
  }
};

TEST_P(IndexTest, FindsWhatWasAddedUpdatedAndNotWhatWasRemoved) {
  std::mt19937_64 random(7);
  auto index = Index::create(options(16));
  ASSERT_TRUE(index.ok());
  Model model;
  for (int step = 0; step < 6000; ++step) {
    const Key key = random() % 2000;
    if (random() % 4 == 0) {
      const auto removed = index->remove(key);
      ASSERT_TRUE(removed.ok());
      ASSERT_EQ(*removed, model.vectors.erase(key));
    } else {
      const Vector vector = random_vector(random, 16);
      ASSERT_TRUE(index->upsert(key, vector).ok());
      model.vectors[key] = vector;
    }
    if (step % 500 == 0) {
      const auto report = index->check();
      ASSERT_TRUE(report.ok()) << step << ": " << report.status().message();
      ASSERT_EQ(report->live, model.vectors.size());
      ASSERT_EQ(report->unreachable, 0U) << step;
    }
  }
  EXPECT_EQ(index->size(), model.vectors.size());
  EXPECT_GE(recall(*index, model, random, 100, 128), 0.97);
  const auto report = index->check();
  ASSERT_TRUE(report.ok()) << report.status().message();
  EXPECT_LE(index->stats().tombstones, 200U);
}

// One in a hundred passes. Where they are near the query a walk meets them at once; where they are
// far it gives up and all are looked at.
TEST_P(IndexTest, ARareFilterIsWalkedWhereItsAnswersAreNearAndScannedWhereTheyAreNot) {
  constexpr Key kRows = 24'000;
  std::mt19937_64 random(29);
  auto index = Index::create(options(6));
  ASSERT_TRUE(index.ok());
  std::vector<Key> keys(kRows);
  Vector rows;
  for (Key key = 0; key < kRows; ++key) {
    keys[key] = key;
    const Vector vector = random_vector(random, 6);
    rows.insert(rows.end(), vector.begin(), vector.end());
  }
  ASSERT_TRUE(index->insert(keys, MatrixView(rows, 6), {.threads = 0}).ok());
  const Vector centre(6, 0.5F);
  std::vector<std::pair<double, Key>> near;
  for (const Key key : keys) {
    near.emplace_back(l2(centre, Vector(&rows[key * 6], &rows[key * 6] + 6)), key);
  }
  std::sort(near.begin(), near.end());
  std::vector<bool> passes(kRows);
  for (Key i = 0; i < kRows / 100; ++i) passes[near[i].second] = true;
  const auto predicate = [&](Key key) { return passes[key]; };
  const SearchOptions filtered{.ef = 40, .filter = Filter::where(predicate)};

  Hit hits[10];
  const auto walked = index->search(centre, hits, filtered);
  ASSERT_TRUE(walked.ok());
  EXPECT_EQ(walked->count, 10U);
  EXPECT_FALSE(walked->exact);
  EXPECT_LT(walked->visited, 1500U);
  int right = 0;
  for (const Hit& hit : hits) right += hit.distance <= near[9].first * 1.0001 ? 1 : 0;
  EXPECT_GE(right, 9);

  const auto scanned = index->search(Vector(6, -4.0F), hits, filtered);
  ASSERT_TRUE(scanned.ok());
  EXPECT_EQ(scanned->count, 10U);
  EXPECT_TRUE(scanned->exact);
  for (const Hit& hit : hits) EXPECT_TRUE(passes[hit.key]);
}

TEST_P(IndexTest, SurvivesTheRemovalOfEverythingAndBeginsAgain) {
  std::mt19937_64 random(11);
  auto index = Index::create(options(8));
  ASSERT_TRUE(index.ok());
  for (int round = 0; round < 3; ++round) {
    Model model;
    for (Key key = 0; key < 500; ++key) {
      model.vectors[key] = random_vector(random, 8);
      ASSERT_TRUE(index->insert(key, model.vectors[key]).ok());
    }
    EXPECT_GE(recall(*index, model, random, 50, 100), 0.97);
    for (Key key = 0; key < 500; ++key) {
      ASSERT_EQ(*index->remove(key), 1U);
      if (key % 50 == 0) {
        const auto report = index->check();
        ASSERT_TRUE(report.ok()) << key << ": " << report.status().message();
      }
    }
    EXPECT_EQ(index->size(), 0U);
    Hit hits[3];
    EXPECT_EQ(index->search(random_vector(random, 8), hits)->count, 0U);
  }
  EXPECT_LE(index->stats().free_slots + index->stats().tombstones, 600U) << "slots are used again";
}

TEST_P(IndexTest, ReplacingEverythingInOneBatchKeepsEveryKeyFound) {
  std::mt19937_64 random(13);
  auto index = Index::create(options(12));
  ASSERT_TRUE(index.ok());
  std::vector<Key> keys(1000);
  for (Key key = 0; key < keys.size(); ++key) keys[key] = key;
  Model model;
  for (int round = 0; round < 3; ++round) {
    std::vector<float> matrix;
    for (const Key key : keys) {
      model.vectors[key] = random_vector(random, 12);
      matrix.insert(matrix.end(), model.vectors[key].begin(), model.vectors[key].end());
    }
    ASSERT_TRUE(
        index->upsert(keys, MatrixView(matrix, 12), {.threads = round == 1 ? 0U : 1U}).ok());
    const auto report = index->check();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->unreachable, 0U);
    EXPECT_GE(recall(*index, model, random, 50, 128), 0.95) << "round " << round;
  }
}

TEST_P(IndexTest, SmallIsExactAndTheGraphTakesOver) {
  std::mt19937_64 random(17);
  auto index = Index::create(options(10, 300));
  ASSERT_TRUE(index.ok());
  Model model;
  for (Key key = 0; key < 1000; ++key) {
    model.vectors[key] = random_vector(random, 10);
    ASSERT_TRUE(index->upsert(key, model.vectors[key]).ok());
    if (key == 299) {
      EXPECT_FALSE(index->stats().has_graph);
      EXPECT_EQ(recall(*index, model, random, 50, 10), 1.0);
    }
    if (key % 100 == 50) {
      const auto report = index->check();
      ASSERT_TRUE(report.ok()) << key << ": " << report.status().message();
    }
  }
  EXPECT_TRUE(index->stats().has_graph);
  EXPECT_GE(recall(*index, model, random, 100, 100), 0.97);
}

TEST_P(IndexTest, ThreadsBuildAGraphAsGoodAsOne) {
  std::mt19937_64 random(19);
  Model model;
  std::vector<Key> keys;
  std::vector<float> matrix;
  for (Key key = 0; key < 3000; ++key) {
    keys.push_back(key);
    model.vectors[key] = random_vector(random, 16);
    matrix.insert(matrix.end(), model.vectors[key].begin(), model.vectors[key].end());
  }
  for (const std::uint32_t threads : {1U, 4U}) {
    auto index = Index::create(options(16));
    ASSERT_TRUE(index.ok());
    ASSERT_TRUE(index->insert(keys, MatrixView(matrix, 16), {.threads = threads}).ok());
    const auto report = index->check();
    ASSERT_TRUE(report.ok()) << report.status().message();
    EXPECT_EQ(report->unreachable, 0U);
    EXPECT_GE(recall(*index, model, random, 100, 128), 0.97) << threads;
  }
}

// The 236th of 600 such builds: a vector in the shadow of the midst of its crowd has links from
// other crowds enough, and none from its own once the midst has nearer ones (hold.cc).
TEST(IndexOfCrowds, WhoIsLeftByItsNearestIsFoundByItsOwnVector) {
  constexpr std::uint32_t kDimension = 64;
  constexpr std::size_t kCrowds = 20;
  constexpr Key kCount = 600;
  std::mt19937_64 random(236);
  std::normal_distribution<float> normal;
  std::vector<float> centres(kCrowds * kDimension);
  for (float& number : centres) number = 3 * normal(random);
  auto index =
      Index::create({.dimension = kDimension, .M = 8, .ef_construction = 88, .flat_below = 0});
  ASSERT_TRUE(index.ok());
  std::vector<std::vector<float>> rows;
  for (Key key = 0; key < kCount; ++key) {
    std::vector<float>& row = rows.emplace_back(kDimension);
    const std::size_t crowd = random() % kCrowds;
    for (std::size_t i = 0; i < kDimension; ++i) {
      row[i] = centres[crowd * kDimension + i] + normal(random) / 3;
    }
    ASSERT_TRUE(index->insert(key, row).ok());
  }
  std::vector<Hit> hits(64);
  for (Key key = 0; key < kCount; ++key) {
    const auto found = index->search(rows[key], hits, {.ef = 64});
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(hits[0].key, key);
  }
}

TEST_P(IndexTest, FilterFillsKWheneverKMatch) {
  std::mt19937_64 random(23);
  auto index = Index::create(options(16));
  ASSERT_TRUE(index.ok());
  constexpr Key kCount = 4000;
  for (Key key = 0; key < kCount; ++key) {
    ASSERT_TRUE(index->upsert(key, random_vector(random, 16)).ok());
  }
  for (const Key modulus : {Key{1}, Key{2}, Key{10}, Key{100}, Key{1000}, kCount}) {
    const auto predicate = [modulus](Key key) { return key % modulus == 0; };
    std::vector<Key> allowed;
    std::vector<Key> denied;
    for (Key key = 0; key < kCount; ++key) (predicate(key) ? allowed : denied).push_back(key);
    const std::size_t expected = std::min<std::size_t>(10, allowed.size());
    for (const Filter& filter :
         {Filter::where(predicate), Filter::only(allowed), Filter::except(denied)}) {
      std::size_t same = 0;
      std::size_t all = 0;
      for (int q = 0; q < 20; ++q) {
        const Vector query = random_vector(random, 16);
        Hit hits[10];
        Hit exact[10];
        const auto found = index->search(query, hits, {.ef = 128, .filter = filter});
        ASSERT_TRUE(found.ok());
        ASSERT_EQ(found->count, expected) << "1 of " << modulus;
        ASSERT_EQ(index->search(query, exact, {.filter = filter, .exact = true})->count, expected);
        for (std::size_t i = 0; i < expected; ++i) {
          ASSERT_TRUE(predicate(hits[i].key));
          for (std::size_t j = 0; j < expected; ++j) same += hits[i].key == exact[j].key ? 1 : 0;
        }
        all += expected;
      }
      EXPECT_GE(static_cast<double>(same) / static_cast<double>(all), 0.95) << "1 of " << modulus;
    }
  }
}

// Coarse codes need more to choose k from.
TEST_P(IndexTest, EfRisesToKAndWithRot4ToHalfAsManyMore) {
  std::mt19937_64 random(12);
  auto index = Index::create(
      {.dimension = 40, .codes = GetParam(), .M = 8, .ef_construction = 60, .flat_below = 0});
  ASSERT_TRUE(index.ok());
  for (Key key = 0; key < 1000; ++key) {
    ASSERT_TRUE(index->upsert(key, random_vector(random, 40)).ok());
  }
  const std::uint32_t risen = GetParam() == Codes::rot4 ? 30 : 20;
  for (int q = 0; q < 20; ++q) {
    const Vector query = random_vector(random, 40);
    Hit least[20];
    Hit same[20];
    const auto by_least = index->search(query, least, {.ef = 1});
    const auto by_same = index->search(query, same, {.ef = risen});
    ASSERT_TRUE(by_least.ok());
    ASSERT_TRUE(by_same.ok());
    EXPECT_EQ(by_least->visited, by_same->visited);
    for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(least[i].key, same[i].key);
  }
}

INSTANTIATE_TEST_SUITE_P(Codes, IndexTest, ::testing::Values(Codes::exact, Codes::sq8, Codes::rot4),
                         [](const auto& info) { return std::string(name_of(info.param)); });

}  // namespace
}  // namespace skerry
