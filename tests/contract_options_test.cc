// contract_options_test.cc - is an option honoured, kept, or refused by name?
//
// Contract: "options: kept with the collection and checked at open; an option that cannot be
// honoured is an error, not ignored".

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/subject.h"

namespace skerry::testing {
namespace {

class OptionsContract : public ::testing::TestWithParam<Door> {
 protected:
  static Status create(const IndexOptions& options) {
    std::unique_ptr<Subject> subject;
    return create_subject(GetParam(), options, subject);
  }
};
INSTANTIATE_TEST_SUITE_P(, OptionsContract, ::testing::Values(Door::index, Door::collection),
                         [](const auto& info) {
                           return info.param == Door::index ? "index" : "collection";
                         });

TEST_P(OptionsContract, WhatIsOutOfRangeIsRefusedByName) {
  EXPECT_ERROR_SAYING(create({.dimension = 2, .M = 1}), Code::invalid_argument, "M", 1);
  EXPECT_ERROR_SAYING(create({.dimension = 2, .M = 257}), Code::invalid_argument, "M", 256, 257);
  EXPECT_ERROR_SAYING(create({.dimension = 2, .ef_construction = 0}), Code::invalid_argument,
                      "ef_construction", 0);
  EXPECT_ERROR_SAYING(create({.dimension = 2, .ef_construction = 65'537}), Code::invalid_argument,
                      "ef_construction", 65'537);
  EXPECT_ERROR_SAYING(create({.dimension = 2, .ef = 0}), Code::invalid_argument, "ef", 0);
  EXPECT_ERROR_SAYING(create({.dimension = 2, .ef = 1'048'577}), Code::invalid_argument, "ef",
                      1'048'577);
  EXPECT_ERROR_SAYING(create({.dimension = 0}), Code::invalid_argument, "dimension");
}

TEST_P(OptionsContract, TheEndsOfTheRangesWork) {
  EXPECT_OK(create({.dimension = 2, .M = 2, .ef_construction = 1, .ef = 1}));
  EXPECT_OK(create({.dimension = 2, .M = 256, .ef_construction = 65'536, .ef = 1'048'576}));
}

TEST_P(OptionsContract, AValueThatNamesNothingIsRefused) {
  EXPECT_ERROR(create({.dimension = 2, .metric = static_cast<Metric>(99)}), Code::invalid_argument);
  EXPECT_ERROR(create({.dimension = 2, .scalar = static_cast<Scalar>(99)}), Code::invalid_argument);
  EXPECT_ERROR(create({.dimension = 2, .codes = static_cast<Codes>(99)}), Code::invalid_argument);
}

TEST_P(OptionsContract, ACustomMetricNeedsItsFunction) {
  EXPECT_ERROR_SAYING(create({.dimension = 2, .metric = Metric::custom}), Code::invalid_argument,
                      "custom");
  EXPECT_OK(create({.dimension = 2, .metric = Metric::custom, .custom = custom_distance()}));
}

TEST_P(OptionsContract, AreKeptAndSurviveReopening) {
  const IndexOptions given = {.dimension = 5,
                              .metric = Metric::ip,
                              .scalar = Scalar::bf16,
                              .codes = Codes::sq8,
                              .vectors = Vectors::disk,
                              .M = 7,
                              .ef_construction = 33,
                              .ef = 21,
                              .flat_below = 12,
                              .seed = 99};
  std::unique_ptr<Subject> subject;
  ASSERT_OK(create_subject(GetParam(), given, subject));
  for (int time = 0; time < 2; ++time) {
    const IndexOptions kept = subject->options();
    EXPECT_EQ(kept.dimension, given.dimension);
    EXPECT_EQ(kept.metric, given.metric);
    EXPECT_EQ(kept.scalar, given.scalar);
    EXPECT_EQ(kept.codes, given.codes);
    EXPECT_EQ(kept.vectors, given.vectors);
    EXPECT_EQ(kept.M, given.M);
    EXPECT_EQ(kept.ef_construction, given.ef_construction);
    EXPECT_EQ(kept.ef, given.ef);
    EXPECT_EQ(kept.flat_below, given.flat_below);
    EXPECT_EQ(kept.seed, given.seed);
    ASSERT_OK(subject->reopen());
  }
}

TEST_P(OptionsContract, FlatBelowDecidesWhenThereIsAGraph) {
  std::unique_ptr<Subject> subject;
  ASSERT_OK(create_subject(GetParam(), {.dimension = 2, .flat_below = 50}, subject));
  const auto put = [&](Key key) {
    return subject->upsert(key, std::array{static_cast<float>(key), 1.0F});
  };
  for (Key key = 0; key < 50; ++key) ASSERT_OK(put(key));
  EXPECT_FALSE(subject->stats().has_graph);
  for (Key key = 50; key < 60; ++key) ASSERT_OK(put(key));
  EXPECT_TRUE(subject->stats().has_graph);
  EXPECT_GE(subject->stats().levels, 1u);
  ASSERT_OK(subject->check());
}

TEST_P(OptionsContract, SearchOptionsOutOfRangeAreRefused) {
  std::unique_ptr<Subject> subject;
  ASSERT_OK(create_subject(GetParam(), {.dimension = 2}, subject));
  std::vector<Hit> hits(1);
  EXPECT_ERROR_SAYING(subject->search(std::array{1.0F, 1.0F}, hits, {.ef = 1'048'577}),
                      Code::invalid_argument, "ef", 1'048'577);
}

class CollectionOptionsContract : public ::testing::Test {
 protected:
  CollectionOptionsContract() : database_(open()) {}
  Database open(const DatabaseOptions& options = {.durability = Durability::none}) {
    auto opened = Database::open(folder_ / "db", options);
    EXPECT_OK(opened);
    return *std::move(opened);
  }
  TempDir folder_;
  Database database_;
};

TEST_F(CollectionOptionsContract, OpenOrCreateWithOtherOptionsIsIncompatibleAndNamesTheFirst) {
  const CollectionOptions docs = {.index = {.dimension = 4, .metric = Metric::cosine}};
  ASSERT_OK(database_.open_or_create("docs", docs));
  ASSERT_OK(database_.open_or_create("docs", docs));
  const auto with = [&](auto change) {
    CollectionOptions other = docs;
    change(other);
    return database_.open_or_create("docs", other);
  };
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.dimension = 5; }), Code::incompatible,
                      "dimension");
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.metric = Metric::l2; }), Code::incompatible,
                      "metric");
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.scalar = Scalar::f16; }), Code::incompatible,
                      "scalar");
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.codes = Codes::sq8; }), Code::incompatible,
                      "codes");
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.codes = Codes::rot4; }), Code::incompatible,
                      "codes");
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.vectors = Vectors::disk; }), Code::incompatible,
                      "vectors");
  EXPECT_ERROR_SAYING(with([](auto& o) { o.index.M = 8; }), Code::incompatible, "M");
  EXPECT_ERROR(with([](auto& o) { o.byte_keys = true; }), Code::incompatible);
}

TEST_F(CollectionOptionsContract, ACustomCollectionIsNotOpenedWithoutItsFunction) {
  const std::array vector = {1.0F, 2.0F};
  {
    auto made = database_.create(
        "docs", {.index = {.dimension = 2, .metric = Metric::custom, .custom = custom_distance()}});
    ASSERT_OK(made);
    ASSERT_OK(made->insert(1, vector));
    ASSERT_OK(database_.close());
  }
  database_ = open();
  EXPECT_ERROR_SAYING(database_.open_collection("docs"), Code::invalid_argument, "custom");
  ASSERT_OK(database_.close());
  database_ = open({.durability = Durability::none, .custom = custom_distance()});
  auto docs = database_.open_collection("docs");
  ASSERT_OK(docs);
  EXPECT_TRUE(docs->contains(1));
  EXPECT_OK(docs->verify());
}

TEST(DatabaseOptionsContract, WhatIsOutOfRangeIsRefusedByName) {
  TempDir folder;
  const auto open = [&](const DatabaseOptions& options) {
    return Database::open(folder / "db", options);
  };
  EXPECT_ERROR_SAYING(open({.sync_interval_ms = 0}), Code::invalid_argument, "sync_interval_ms");
  EXPECT_ERROR_SAYING(open({.sync_interval_ms = 3'600'001}), Code::invalid_argument,
                      "sync_interval_ms");
  EXPECT_ERROR_SAYING(open({.max_readers = 0}), Code::invalid_argument, "max_readers");
  EXPECT_ERROR_SAYING(open({.max_readers = 65'537}), Code::invalid_argument, "max_readers");
  EXPECT_ERROR(open({.durability = static_cast<Durability>(99)}), Code::invalid_argument);
}

// Whatever those asked for who opened it before.
TEST(DatabaseOptionsContract, TheFirstToOpenHasRoomForAsManyReadersAsItAsksFor) {
  TempDir folder;
  const auto room = [&](const DatabaseOptions& options) -> std::uint64_t {
    auto database = Database::open(folder / "db", options);
    EXPECT_OK(database);
    return database.ok() ? database->stats()->max_readers : 0;
  };
  EXPECT_EQ(room({}), 1024U);
  for (const std::uint32_t readers : {7U, 3000U, 1U, 1024U}) {
    EXPECT_EQ(room({.max_readers = readers}), readers);
  }
}

}  // namespace
}  // namespace skerry::testing
