// tenants_test.cc - many small collections in one database: made together, put away when idle,
// renamed, cloned, searched together.
//
// warm_collections is 1 or 2 here, so that what a hundred thousand collections do to each other is
// done by three.

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kDimension = 8;

class TenantsContract : public ::testing::Test {
 protected:
  void SetUp() override { open({.warm_collections = 1}); }

  void open(const DatabaseOptions& options) {
    database_.reset();
    Result<Database> database = Database::open(folder_.path(), options);
    ASSERT_OK(database.status());
    database_.emplace(std::move(*database));
  }

  Collection make(const std::string& name,
                  const CollectionOptions& options = {.index = {.dimension = kDimension}}) {
    Result<Collection> made = database_->create(name, options);
    EXPECT_OK(made.status());
    return *made;
  }

  // `count` vectors under the keys from `first` on.
  void fill(Collection& collection, Key first, std::size_t count) {
    std::vector<Key> keys(count);
    std::iota(keys.begin(), keys.end(), first);
    ASSERT_OK(collection.upsert(keys, table_.matrix(first, count)));
  }

  std::vector<Hit> nearest(const Collection& collection, std::size_t row, std::size_t k = 5) {
    std::vector<Hit> hits(k);
    const auto found = collection.search(table_.row(row), hits);
    EXPECT_OK(found.status());
    hits.resize(found.ok() ? found->count : 0);
    return hits;
  }

  TempDir folder_;
  Random random_{7};
  Table table_ = random_table(random_, Scalar::f32, 400, kDimension);
  std::optional<Database> database_;
};

TEST_F(TenantsContract, AllOfABatchAreMadeOrNone) {
  std::vector<std::string> names;
  for (int i = 0; i < 3000; ++i) names.push_back("tenant " + std::to_string(i));
  std::vector<std::string_view> views(names.begin(), names.end());
  const CollectionOptions options{.index = {.dimension = kDimension}};
  ASSERT_OK(database_->create(views, options));
  EXPECT_EQ(database_->stats()->collections, 3000u);
  EXPECT_EQ(database_->list()->size(), 3000u);
  Collection one = *database_->open_collection("tenant 2999");
  fill(one, 0, 20);

  const std::vector<std::string_view> taken = {"fresh", "tenant 5"};
  const Status status = database_->create(taken, options);
  EXPECT_EQ(status.code(), Code::already_exists);
  EXPECT_EQ(status.b(), 1u);
  EXPECT_EQ(database_->open_collection("fresh").status().code(), Code::not_found);
  const std::vector<std::string_view> twice = {"twin", "twin"};
  EXPECT_EQ(database_->create(twice, options).code(), Code::already_exists);
  const std::vector<std::string_view> bad = {"good", ""};
  EXPECT_EQ(database_->create(bad, options).code(), Code::invalid_argument);
  const std::vector<std::string_view> fine = {"fine"};
  EXPECT_EQ(database_->create(fine, {}).code(), Code::invalid_argument) << "no dimension";
  EXPECT_EQ(database_->stats()->collections, 3000u);
  ASSERT_OK(database_->create(std::span<const std::string_view>(), options));
}

TEST_F(TenantsContract, AnIdleCollectionAnswersAsBefore) {
  std::vector<Collection> all;
  std::vector<std::vector<Hit>> answers;
  for (std::size_t i = 0; i < 5; ++i) {
    all.push_back(make("tenant " + std::to_string(i)));
    fill(all[i], i * 20, 20);
    answers.push_back(nearest(all[i], 399));
  }
  for (int turn = 0; turn < 3; ++turn) {
    for (std::size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(all[i].size(), 20u);
      EXPECT_EQ(nearest(all[i], 399), answers[i]);
      EXPECT_TRUE(all[i].contains(i * 20 + 3));
      ASSERT_OK(all[i].upsert(i * 20 + 3, table_.row(i * 20 + 3)));
      std::array<float, kDimension> vector;
      ASSERT_OK(all[(i + 2) % 5].get((i + 2) % 5 * 20, vector));
      ASSERT_OK(all[(i + 3) % 5].verify().status());
    }
  }
  for (Collection& one : all) {
    EXPECT_EQ(one.stats()->index.live, 20u);
    ASSERT_OK(one.save_image());
  }
  ASSERT_OK(database_->checkpoint());
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(nearest(all[i], 399), answers[i]);
}

// Readers, writers and the hand that puts away meet in all orders.
TEST_F(TenantsContract, IdleAndBusyAtOnceFromManyThreads) {
  std::vector<Collection> all;
  for (std::size_t i = 0; i < 4; ++i) {
    all.push_back(make("tenant " + std::to_string(i)));
    fill(all[i], 0, 20);
  }
  std::atomic<bool> ends{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::array<Hit, 3> hits;
      for (std::size_t i = t; !ends; ++i) {
        const auto found = all[i % 4].search(table_.row(5), hits);
        if (!found.ok() || found->count != 3 || hits[0].key != 5) ++wrong;
        if (all[(i + 1) % 4].size() != 20) ++wrong;
        if (!all[(i + 2) % 4].contains(7)) ++wrong;
      }
    });
  }
  for (std::size_t i = 0; i < 300; ++i) {
    if (!all[i % 4].upsert(i % 20, table_.row(i % 20)).ok()) ++wrong;
  }
  ends = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  for (const Collection& one : all) ASSERT_OK(one.verify().status());
}

TEST_F(TenantsContract, ALargeCollectionKeepsItsIndex) {
  Collection large = make("large", {.index = {.dimension = kDimension, .flat_below = 50}});
  fill(large, 0, 300);
  const auto answer = nearest(large, 399);
  std::vector<Collection> all;
  for (std::size_t i = 0; i < 10; ++i) {
    all.push_back(make(std::to_string(i)));
    fill(all[i], 0, 20);
  }
  EXPECT_TRUE(large.stats()->index.has_graph);
  EXPECT_EQ(large.stats()->opened, Opened::created) << "it was not made again";
  EXPECT_EQ(nearest(large, 399), answer);
}

TEST_F(TenantsContract, CountsNeedNoOpening) {
  {
    Collection numbers = make("numbers");
    fill(numbers, 0, 30);
    ASSERT_OK(numbers.upsert(3, table_.row(3), std::as_bytes(std::span("pay", 3))));
    ASSERT_OK(numbers.remove(4));
    make("names", {.index = {.dimension = kDimension}, .byte_keys = true});
  }
  const auto found = database_->collections();
  ASSERT_OK(found.status());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].name, "names");
  EXPECT_EQ((*found)[0].size, 0u);
  EXPECT_TRUE((*found)[0].options.byte_keys);
  EXPECT_EQ((*found)[1].name, "numbers");
  EXPECT_EQ((*found)[1].size, 29u);
  EXPECT_EQ((*found)[1].payload_count, 1u);
  EXPECT_EQ((*found)[1].options.index.dimension, kDimension);
  EXPECT_EQ(database_->stats()->collections, 2u);
}

TEST_F(TenantsContract, ADropReturnsTheSpace) {
  std::vector<Key> keys(20);
  std::iota(keys.begin(), keys.end(), Key{0});
  const std::uint64_t empty = database_->stats()->store_used_bytes;
  for (int i = 0; i < 30; ++i) {
    Collection one = make(std::to_string(i), {.index = {.dimension = 384}});
    Random random(i);
    const Table table = random_table(random, Scalar::f32, 20, 384);
    ASSERT_OK(one.upsert(keys, table.matrix()));
  }
  const std::uint64_t full = database_->stats()->store_used_bytes;
  for (int i = 0; i < 30; ++i) ASSERT_OK(database_->drop(std::to_string(i)));
  const std::uint64_t after = database_->stats()->store_used_bytes;
  EXPECT_GT(full - empty, 30u * 20 * 384 * 4);
  EXPECT_LT(after - std::min(after, empty), (full - empty) / 10);
}

// -- rename ---------------------------------------------------------------------------------------

TEST_F(TenantsContract, ARenamedCollectionKeepsWorkingUnderItsHandles) {
  Collection docs = make("docs");
  fill(docs, 0, 20);
  const std::string_view old = docs.name();
  ASSERT_OK(database_->rename("docs", "papers"));
  EXPECT_EQ(docs.name(), "papers");
  EXPECT_EQ(old, "docs") << "what was handed out stays good";
  fill(docs, 20, 20);
  EXPECT_EQ(docs.size(), 40u);
  EXPECT_EQ(nearest(docs, 30).front().key, 30u);
  ASSERT_OK(docs.snapshot().status());
  ASSERT_OK(docs.verify().status());
  ASSERT_OK(docs.save_image());
  EXPECT_EQ(database_->open_collection("docs").status().code(), Code::not_found);
  Collection again = *database_->open_collection("papers");
  fill(again, 40, 20);
  EXPECT_EQ(docs.size(), 60u) << "it is one collection";

  Collection fresh = make("docs");
  EXPECT_EQ(fresh.size(), 0u);
  fill(fresh, 0, 5);
  EXPECT_EQ(docs.size(), 60u);
  ASSERT_OK(database_->drop("papers"));
  EXPECT_EQ(docs.upsert(1, table_.row(1)).code(), Code::closed);
  EXPECT_EQ(fresh.size(), 5u);

  open({});
  EXPECT_EQ(database_->open_collection("docs")->size(), 5u);
}

TEST_F(TenantsContract, RenameSaysWhatIsWrong) {
  make("a");
  make("b");
  EXPECT_EQ(database_->rename("c", "d").code(), Code::not_found);
  EXPECT_EQ(database_->rename("a", "b").code(), Code::already_exists);
  EXPECT_EQ(database_->rename("a", "").code(), Code::invalid_argument);
  EXPECT_EQ(database_->rename("", "d").code(), Code::invalid_argument);
  ASSERT_OK(database_->rename("a", "a"));
  EXPECT_EQ(*database_->list(), (std::vector<std::string>{"a", "b"}));
  open({.read_only = true});
  EXPECT_EQ(database_->rename("a", "d").code(), Code::read_only);
  EXPECT_EQ(database_->clone("a", "d").status().code(), Code::read_only);
  const std::vector<std::string_view> names = {"e"};
  EXPECT_EQ(database_->create(names, {.index = {.dimension = 2}}).code(), Code::read_only);
}

// -- clone ----------------------------------------------------------------------------------------

TEST_F(TenantsContract, ACloneHoldsAllAndGoesItsOwnWay) {
  Collection docs = make("docs");
  fill(docs, 0, 50);
  ASSERT_OK(docs.upsert(7, table_.row(7), std::as_bytes(std::span("seven", 5))));
  ASSERT_OK(docs.remove(8));
  Result<Collection> copy = database_->clone("docs", "copy");
  ASSERT_OK(copy.status());
  EXPECT_EQ(copy->size(), 49u);
  EXPECT_EQ(copy->options()->index.dimension, kDimension);
  EXPECT_EQ(nearest(*copy, 20), nearest(docs, 20));
  std::array<std::byte, 5> payload;
  EXPECT_EQ(copy->get_payload(7, payload).value_or(0), 5u);
  EXPECT_FALSE(copy->contains(8));
  ASSERT_OK(copy->verify().status());

  ASSERT_OK(docs.remove(20));
  EXPECT_TRUE(copy->contains(20));
  ASSERT_OK(copy->upsert(1000, table_.row(1)));
  EXPECT_FALSE(docs.contains(1000));
  ASSERT_OK(database_->drop("docs"));
  ASSERT_OK(copy->verify().status());
  open({});
  Collection again = *database_->open_collection("copy");
  EXPECT_EQ(again.size(), 50u);
  ASSERT_OK(again.verify().status());
}

TEST_F(TenantsContract, ACloneOfNamesKeepsThem) {
  Collection names = make("names", {.index = {.dimension = kDimension}, .byte_keys = true});
  ASSERT_OK(names.upsert("one", table_.row(1)));
  ASSERT_OK(names.upsert("two", table_.row(2)));
  ASSERT_OK(names.remove("one"));
  Result<Collection> copy = database_->clone("names", "copy");
  ASSERT_OK(copy.status());
  EXPECT_FALSE(copy->contains("one"));
  EXPECT_TRUE(copy->contains("two"));
  ASSERT_OK(copy->upsert("three", table_.row(3)));
  ASSERT_OK(names.upsert("four", table_.row(4)));
  EXPECT_EQ(copy->size(), 2u);
  ASSERT_OK(copy->verify().status());
  ASSERT_OK(names.verify().status());
}

TEST_F(TenantsContract, CloneSaysWhatIsWrong) {
  make("a");
  make("b");
  EXPECT_EQ(database_->clone("c", "d").status().code(), Code::not_found);
  EXPECT_EQ(database_->clone("a", "b").status().code(), Code::already_exists);
  EXPECT_EQ(database_->clone("a", "a").status().code(), Code::already_exists);
  EXPECT_EQ(database_->clone("a", "").status().code(), Code::invalid_argument);
  EXPECT_EQ(database_->list()->size(), 2u);
}

// Each commit adds two keys: a clone made beside them never has one of a pair.
TEST_F(TenantsContract, ACloneShowsOneMoment) {
  Collection docs = make("docs");
  std::atomic<bool> ends{false};
  std::thread writer([&] {
    for (Key key = 0; key < 300 && !ends; key += 2) {
      const std::array<Key, 2> pair = {key, key + 1};
      ASSERT_OK(docs.upsert(pair, table_.matrix(key, 2)));
    }
  });
  for (int i = 0; i < 10; ++i) {
    const Result<Collection> copy = database_->clone("docs", "copy " + std::to_string(i));
    ASSERT_OK(copy.status());
    EXPECT_EQ(copy->size() % 2, 0u);
    for (Key key = 0; key < copy->size(); ++key) EXPECT_TRUE(copy->contains(key));
  }
  ends = true;
  writer.join();
}

// -- union search ---------------------------------------------------------------------------------

class UnionContract : public TenantsContract {
 protected:
  // Three collections, a third of the rows each, with keys that meet and distances that tie.
  void SetUp() override {
    TenantsContract::SetUp();
    for (std::size_t c = 0; c < 3; ++c) {
      parts_.push_back(make("part " + std::to_string(c)));
      for (Key key = 0; key < 100; ++key) {
        const std::size_t row = key % 10 == 0 ? key : c * 100 + key;
        ASSERT_OK(parts_[c].upsert(key, table_.row(row)));
      }
    }
  }

  // What it should be: every hit of every collection, sorted.
  std::vector<UnionHit> expected(VectorView query, std::size_t k,
                                 const SearchOptions& options = {}) {
    std::vector<UnionHit> all;
    for (std::size_t c = 0; c < parts_.size(); ++c) {
      std::vector<Hit> hits(200);
      const auto found = parts_[c].search(query, hits, options);
      EXPECT_OK(found.status());
      for (std::size_t i = 0; i < found->count; ++i) {
        all.push_back({hits[i].key, hits[i].distance, static_cast<std::uint32_t>(c)});
      }
    }
    std::sort(all.begin(), all.end(), [](const UnionHit& a, const UnionHit& b) {
      return std::tie(a.distance, a.key, a.collection) < std::tie(b.distance, b.key, b.collection);
    });
    all.resize(std::min(all.size(), k));
    return all;
  }

  std::vector<UnionHit> found(VectorView query, std::size_t k, const SearchOptions& options = {}) {
    std::vector<UnionHit> hits(k);
    const auto result = database_->search_union(parts_, query, hits, options);
    EXPECT_OK(result.status());
    hits.resize(result.ok() ? result->count : 0);
    return hits;
  }

  std::vector<Collection> parts_;
};

TEST_F(UnionContract, AnswersAsOneCollectionWouldTiesByKeyThenByPlace) {
  const auto even = [](Key key) { return key % 2 == 0; };
  const std::array<Key, 4> few = {3, 10, 20, 77};
  for (std::size_t row = 0; row < 300; row += 17) {
    const VectorView query = table_.row(row);
    for (const std::size_t k : {1, 2, 10, 250, 300, 1000}) {
      EXPECT_EQ(found(query, k), expected(query, k)) << row << " " << k;
    }
    EXPECT_EQ(found(query, 10, {.filter = Filter::where(even)}),
              expected(query, 10, {.filter = Filter::where(even)}));
    EXPECT_EQ(found(query, 10, {.filter = Filter::only(few)}),
              expected(query, 10, {.filter = Filter::only(few)}));
    EXPECT_EQ(found(query, 50, {.max_distance = 1.0F}),
              expected(query, 50, {.max_distance = 1.0F}));
  }
  const auto tied = found(table_.row(10), 3);
  for (std::uint32_t c = 0; c < 3; ++c) EXPECT_EQ(tied[c], (UnionHit{10, 0, c}));
}

TEST_F(UnionContract, NamesAreMergedByTheirBytes) {
  const CollectionOptions options{.index = {.dimension = kDimension}, .byte_keys = true};
  std::vector<Collection> parts = {make("names a", options), make("names b", options)};
  ASSERT_OK(parts[0].upsert("b", table_.row(1)));
  ASSERT_OK(parts[0].upsert("\xFF", table_.row(1)));
  ASSERT_OK(parts[1].upsert("a", table_.row(1)));
  ASSERT_OK(parts[1].upsert("b", table_.row(1)));
  std::array<NamedUnionHit, 5> hits;
  const auto result = database_->search_union(parts, table_.row(1), hits);
  ASSERT_OK(result.status());
  ASSERT_EQ(result->count, 4u);
  EXPECT_EQ(hits[0].name.view(), "a");
  EXPECT_EQ(hits[1].name.view(), "b");
  EXPECT_EQ(hits[1].collection, 0u);
  EXPECT_EQ(hits[2].name.view(), "b");
  EXPECT_EQ(hits[2].collection, 1u);
  EXPECT_EQ(hits[3].name.view(), "\xFF");
  std::array<UnionHit, 5> numbers;
  EXPECT_EQ(database_->search_union(parts, table_.row(1), numbers).status().code(),
            Code::invalid_argument);
}

TEST_F(UnionContract, NamesTheFirstThatDiffers) {
  std::array<UnionHit, 3> hits;
  const auto with = [&](const CollectionOptions& options) {
    std::vector<Collection> parts = parts_;
    parts.push_back(*database_->open_or_create("odd", options));
    const Status status = database_->search_union(parts, table_.row(0), hits).status();
    EXPECT_OK(database_->drop("odd"));
    EXPECT_EQ(status.b(), 3u);
    return status;
  };
  EXPECT_EQ(with({.index = {.dimension = kDimension + 1}}).code(), Code::incompatible);
  EXPECT_EQ(with({.index = {.dimension = kDimension, .metric = Metric::ip}}).code(),
            Code::incompatible);
  EXPECT_EQ(with({.index = {.dimension = kDimension, .scalar = Scalar::f16}}).code(),
            Code::incompatible);
  EXPECT_EQ(with({.index = {.dimension = kDimension}, .byte_keys = true}).code(),
            Code::incompatible);
  const TempDir elsewhere;
  Database other = *Database::open(elsewhere.path());
  const std::vector<Collection> strange = {
      parts_[0], *other.create("x", {.index = {.dimension = kDimension}})};
  const Status status = database_->search_union(strange, table_.row(0), hits).status();
  EXPECT_EQ(status.code(), Code::invalid_argument);
  EXPECT_EQ(status.b(), 1u);
  ASSERT_OK(database_->drop("part 1"));
  EXPECT_EQ(database_->search_union(parts_, table_.row(0), hits).status().code(), Code::closed);
}

TEST_F(UnionContract, OfNothingAndForNothing) {
  std::array<UnionHit, 3> hits;
  const auto none = database_->search_union(std::span<const Collection>(), table_.row(0), hits);
  ASSERT_OK(none.status());
  EXPECT_EQ(none->count, 0u);
  EXPECT_TRUE(none->exact);
  const auto zero = database_->search_union(parts_, table_.row(0), std::span<UnionHit>());
  ASSERT_OK(zero.status());
  EXPECT_EQ(zero->count, 0u);
  const std::array<float, 3> wrong = {};
  EXPECT_EQ(database_->search_union(parts_, wrong, hits).status().code(), Code::invalid_argument);
  const auto budget = database_->search_union(parts_, table_.row(0), hits, {.budget = 150});
  ASSERT_OK(budget.status());
  EXPECT_TRUE(budget->exhausted);
  EXPECT_LE(budget->visited, 150u);
}

}  // namespace
}  // namespace skerry::testing
