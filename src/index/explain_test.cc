// What a search says of itself, against the search and against brute force.
#include "skerry/explain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "skerry/index.h"

namespace skerry {
namespace {

using Vector = std::vector<float>;

constexpr std::size_t kRows = 3000;
constexpr std::size_t kHops = 4096;

class ExplainTest : public ::testing::TestWithParam<Codes> {
 protected:
  void SetUp() override { fill({.dimension = 32, .codes = GetParam(), .M = 4, .flat_below = 0}); }

  void fill(const IndexOptions& options) {
    auto index = Index::create(options);
    ASSERT_TRUE(index.ok()) << index.status().message();
    index_.emplace(std::move(*index));
    for (Key key = 0; key < kRows; ++key) {
      ASSERT_TRUE(index_->upsert(key, random_vector(options.dimension)).ok());
    }
  }

  Vector random_vector(std::size_t dimension) {
    std::normal_distribution<float> normal;
    Vector vector(dimension);
    for (float& component : vector) component = normal(random_);
    return vector;
  }
  Vector query() { return random_vector(index_->options().dimension); }

  // All that pass, nearest first.
  std::vector<Hit> truth(const Vector& query, const Filter& filter = {}) {
    std::vector<Hit> all(index_->size());
    const auto result = index_->search(query, all, {.filter = filter, .exact = true});
    EXPECT_TRUE(result.ok());
    all.resize(result->count);
    return all;
  }

  // The explanation of a search, which is the search's own.
  Explanation explain(const Vector& query, Key key, std::size_t k, const SearchOptions& options) {
    std::vector<Hit> hits(k);
    std::vector<Hit> searched(k);
    hops_.assign(kHops, Hop());
    const auto why = index_->explain(query, key, hits, hops_, options);
    EXPECT_TRUE(why.ok()) << why.status().message();
    const auto result = index_->search(query, searched, options);
    EXPECT_TRUE(result.ok());
    EXPECT_EQ(why->result.count, result->count);
    EXPECT_EQ(why->result.exact, result->exact);
    EXPECT_EQ(why->result.exhausted, result->exhausted);
    EXPECT_EQ(why->result.visited, result->visited);
    EXPECT_EQ(why->result.hops, result->hops);
    EXPECT_EQ(why->result.reranked, result->reranked);
    EXPECT_EQ(why->result.bytes, result->bytes);
    EXPECT_EQ(hits, searched);
    hops_.resize(std::min<std::size_t>(kHops, result->hops));
    return *why;
  }

  std::mt19937_64 random_{23};
  std::optional<Index> index_;
  std::vector<Hop> hops_;
};

INSTANTIATE_TEST_SUITE_P(Codes, ExplainTest,
                         ::testing::Values(Codes::exact, Codes::sq8, Codes::rot4),
                         [](const auto& info) {
                           return info.param == Codes::exact ? "exact"
                                  : info.param == Codes::sq8 ? "sq8"
                                                             : "rot4";
                         });

TEST_P(ExplainTest, IsTheSearchAndKnowsTheTrueRank) {
  for (int i = 0; i < 20; ++i) {
    const Vector query = this->query();
    const std::vector<Hit> all = truth(query);
    for (const std::size_t rank : {1, 5, 10, 11, 2000}) {
      const Hit& wanted = all[rank - 1];
      const Explanation why = explain(query, wanted.key, 10, {.ef = 20});
      EXPECT_EQ(why.rank, rank);
      EXPECT_EQ(why.passing, kRows);
      EXPECT_EQ(why.distance, wanted.distance);
      EXPECT_TRUE(why.is_live && why.passes);
      EXPECT_EQ(why.way, SearchWay::walk);
      EXPECT_EQ(why.fallback, Fallback::none);
      EXPECT_EQ(why.ef, 20U);
      EXPECT_LT(why.walk_cost_ns, why.scan_cost_ns);
      EXPECT_EQ(why.fate == Fate::returned, why.place != 0);
      EXPECT_EQ(why.fate == Fate::beyond_k, rank > 10 && why.place == 0);
    }
  }
}

TEST_P(ExplainTest, TellsTheWayInOrder) {
  const Vector query = this->query();
  const Explanation why = explain(query, truth(query)[0].key, 10, {.ef = 200});
  ASSERT_FALSE(hops_.empty());
  EXPECT_EQ(hops_.front().level, index_->stats().levels - 1);
  EXPECT_EQ(hops_.back().level, 0U);
  std::set<Key> asked;
  for (std::size_t i = 0; i < hops_.size(); ++i) {
    EXPECT_LE(hops_[i].level, hops_[i == 0 ? 0 : i - 1].level);
    EXPECT_TRUE(hops_[i].is_live);
    EXPECT_TRUE(hops_[i].level > 0 || asked.insert(hops_[i].key).second) << "asked twice";
  }
  ASSERT_TRUE(why.was_met);
  ASSERT_NE(why.met_at_hop, 0U);
  EXPECT_EQ(hops_[why.met_at_hop - 1].level, 0U);
  EXPECT_GT(why.in_links_met, 0U);

  // With room for less there are the first.
  Hit hits[10];
  std::vector<Hop> few(3);
  ASSERT_TRUE(index_->explain(query, 0, hits, few, {.ef = 200}).ok());
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].key, hops_[i].key);
}

// Nobody was asked who would have led there.
TEST_P(ExplainTest, ANarrowWalkNeverMeetsSome) {
  std::map<Fate, int> fates;
  for (int i = 0; i < 300; ++i) {
    const Vector query = this->query();
    const Explanation why = explain(query, truth(query)[0].key, 1, {.ef = 1});
    ++fates[why.fate];
    if (why.fate == Fate::never_met) {
      EXPECT_FALSE(why.was_met);
      EXPECT_EQ(why.in_links_asked, 0U);
      EXPECT_GT(why.in_links, 0U) << "everybody is held";
    } else {
      EXPECT_TRUE(why.was_met);
      EXPECT_EQ(why.was_reranked, GetParam() != Codes::exact && why.fate == Fate::returned);
    }
  }
  EXPECT_GT(fates[Fate::returned], 10);
  EXPECT_GT(fates[Fate::never_met], 10);
  // Exact distances drop nobody who is nearest; on codes another one may seem nearer now and then.
  EXPECT_LE(fates[Fate::dropped_from_pool], GetParam() == Codes::exact ? 0 : 3);
  EXPECT_EQ(fates[Fate::returned] + fates[Fate::never_met] + fates[Fate::dropped_from_pool], 300);
}

TEST_P(ExplainTest, SaysWhyAKeyCannotBeAnAnswer) {
  const Vector query = this->query();
  const std::vector<Hit> all = truth(query);
  const Key nearest = all[0].key;
  EXPECT_EQ(explain(query, kRows, 10, {}).fate, Fate::absent);
  EXPECT_EQ(explain(query, kRows, 10, {}).rank, 0U);
  EXPECT_EQ(explain(query, nearest, 10, {.max_distance = all[0].distance * 0.99F}).fate,
            Fate::beyond_max_distance);
  EXPECT_EQ(explain(query, all[2000].key, 5, {}).fate, Fate::beyond_k);
  const Key denied[] = {nearest};
  const Explanation filtered = explain(query, nearest, 10, {.filter = Filter::except(denied)});
  EXPECT_EQ(filtered.fate, Fate::filtered);
  EXPECT_EQ(filtered.passing, kRows - 1);
  EXPECT_EQ(filtered.rank, 0U);
  EXPECT_EQ(explain(query, all[1].key, 1, {.filter = Filter::except(denied)}).rank, 1U);

  ASSERT_TRUE(index_->remove(nearest).ok());
  EXPECT_EQ(explain(query, nearest, 10, {}).fate, Fate::absent);
  ASSERT_TRUE(index_->upsert(nearest, query).ok());
  const Explanation back = explain(query, nearest, 10, {});
  EXPECT_EQ(back.fate, Fate::returned);
  EXPECT_EQ(back.place, 1U);
}

TEST_P(ExplainTest, SaysThatASearchWasNotAllowedToEnd) {
  const Vector query = this->query();
  const std::vector<Hit> all = truth(query);
  int spent = 0;
  for (std::size_t rank = 1; rank <= 10; ++rank) {
    const Explanation why = explain(query, all[rank - 1].key, 10, {.ef = 100, .budget = 40});
    EXPECT_TRUE(why.result.exhausted);
    EXPECT_EQ(why.rank, rank);
    spent += why.fate == Fate::budget ? 1 : 0;
  }
  EXPECT_GT(spent, 0);
  EXPECT_EQ(explain(query, all[0].key, 10, {.budget = 1, .exact = true}).fate, Fate::budget);
  const Explanation late = explain(
      query, all[0].key, 10, {.control = {.deadline = std::chrono::steady_clock::time_point()}});
  EXPECT_EQ(late.fate, Fate::deadline);
  EXPECT_EQ(late.rank, 1U) << "the deadline is the search's alone";
}

TEST_P(ExplainTest, SaysWhichWayWasTakenAndWhy) {
  const Vector query = this->query();
  const std::vector<Hit> all = truth(query);
  const Key key = all[0].key;
  const Explanation scan = explain(query, key, 10, {.exact = true});
  EXPECT_EQ(scan.way, SearchWay::scan);
  EXPECT_EQ(scan.fate, Fate::returned);
  EXPECT_TRUE(hops_.empty());
  EXPECT_FALSE(scan.was_met);

  const Key listed[] = {key, 1, 2, 3};
  const Explanation look_up = explain(query, key, 2, {.filter = Filter::only(listed)});
  EXPECT_EQ(look_up.way, SearchWay::look_up);
  EXPECT_LT(look_up.scan_cost_ns, look_up.walk_cost_ns);
  EXPECT_EQ(look_up.fate, Fate::returned);

  const auto even = [](Key key) { return key % 2 == 0; };
  const std::vector<Hit> evens = truth(query, Filter::where(even));
  const Explanation gated =
      explain(query, evens[3].key, 5, {.ef = 10, .filter = Filter::where(even)});
  EXPECT_EQ(gated.way, SearchWay::gated_walk);
  EXPECT_NEAR(gated.share, 0.5, 0.25);
  EXPECT_EQ(gated.rank, 4U);
  EXPECT_EQ(gated.passing, kRows / 2);
  EXPECT_FALSE(hops_.empty());

  const Explanation aimed = explain(query, key, 10, {.recall_target = 0.9F});
  EXPECT_GT(aimed.stretch, 1.0F);
}

TEST_P(ExplainTest, RefusesASearchForNothing) {
  std::vector<Hop> hops(1);
  const auto why = index_->explain(query(), 0, {}, hops);
  EXPECT_EQ(why.status().code(), Code::invalid_argument);
  Hit hit[1];
  const Vector narrow(3);
  EXPECT_EQ(index_->explain(narrow, 0, hit, hops).status().code(), Code::invalid_argument);
}

// A probe looks for answers that are not where the query is, and leaves it to the scan.
TEST(Explain, AProbeThatGivesUpIsFollowedByAScan) {
  auto index = Index::create({.dimension = 8, .codes = Codes::sq8, .M = 4, .ef_construction = 32});
  ASSERT_TRUE(index.ok());
  std::mt19937_64 random(5);
  std::normal_distribution<float> normal;
  constexpr std::size_t kMany = 40000;
  std::vector<Key> keys(kMany);
  std::vector<float> rows(kMany * 8);
  for (std::size_t i = 0; i < kMany; ++i) keys[i] = i;
  for (float& component : rows) component = normal(random);
  // Those that pass stand far from all others.
  const auto passes = [](Key key) { return key % 400 == 0; };
  for (std::size_t i = 0; i < kMany; i += 400) rows[i * 8] += 50;
  ASSERT_TRUE(index->upsert(keys, MatrixView(rows, 8), {.threads = 0}).ok());
  Hit hits[10];
  std::vector<Hop> hops(16);
  const auto why =
      index->explain(Vector(8), 400, hits, hops, {.ef = 64, .filter = Filter::where(passes)});
  ASSERT_TRUE(why.ok());
  EXPECT_EQ(why->way, SearchWay::probe);
  EXPECT_EQ(why->fallback, Fallback::gave_up);
  EXPECT_GT(why->walk_cost_ns, why->scan_cost_ns);
  EXPECT_TRUE(why->result.exact);
  EXPECT_GT(why->result.hops, 0U);
  EXPECT_EQ(why->passing, kMany / 400);
  EXPECT_EQ(why->rank != 0 && why->rank <= 10, why->fate == Fate::returned);
}

// Where all stand close together beside their distance to the origin, four bits a component cannot
// tell who is nearest: a narrow pool drops him, and in a wide one he stands behind those that are
// ranked again.
TEST(Explain, CodesMayPutTheNearestBehindOthers) {
  auto index = Index::create({.dimension = 64, .codes = Codes::rot4, .flat_below = 0});
  ASSERT_TRUE(index.ok());
  std::mt19937_64 random(6);
  std::normal_distribution<float> normal;
  Vector middle(64);
  for (float& component : middle) component = normal(random);
  const auto random_vector = [&] {
    Vector vector = middle;
    for (float& component : vector) component += 0.2F * normal(random);
    return vector;
  };
  for (Key key = 0; key < kRows; ++key) ASSERT_TRUE(index->upsert(key, random_vector()).ok());
  int lost = 0;
  int dropped = 0;
  for (int i = 0; i < 200; ++i) {
    const Vector query = random_vector();
    Hit nearest[1];
    Hit hits[1];
    ASSERT_TRUE(index->search(query, nearest, {.exact = true}).ok());
    const auto wide = index->explain(query, nearest[0].key, hits, {}, {.ef = 400});
    ASSERT_TRUE(wide.ok());
    EXPECT_EQ(wide->rank, 1U);
    if (wide->fate == Fate::lost_in_rerank) {
      ++lost;
      EXPECT_TRUE(wide->was_met);
      EXPECT_FALSE(wide->was_reranked);
      EXPECT_LE(wide->code_distance, wide->bar_at_end);
      EXPECT_NE(hits[0].key, nearest[0].key);
    }
    const auto narrow = index->explain(query, nearest[0].key, hits, {}, {.ef = 4});
    ASSERT_TRUE(narrow.ok());
    if (narrow->fate == Fate::dropped_from_pool) {
      ++dropped;
      EXPECT_TRUE(narrow->was_met);
      EXPECT_GE(narrow->code_distance, narrow->bar_at_end);
    }
  }
  EXPECT_GT(lost, 0);
  EXPECT_GT(dropped, 0);
}

TEST(Explain, EveryWordIsItsOwn) {
  std::set<std::string_view> words;
  for (int i = 0; i <= static_cast<int>(Fate::never_met); ++i) {
    EXPECT_TRUE(words.insert(name_of(static_cast<Fate>(i))).second);
  }
  for (int i = 0; i <= static_cast<int>(SearchWay::probe); ++i) {
    EXPECT_TRUE(words.insert(name_of(static_cast<SearchWay>(i))).second);
  }
  for (int i = 0; i <= static_cast<int>(Fallback::too_late); ++i) {
    EXPECT_TRUE(words.insert(name_of(static_cast<Fallback>(i))).second);
  }
  EXPECT_FALSE(words.contains("unknown"));
}

}  // namespace
}  // namespace skerry
