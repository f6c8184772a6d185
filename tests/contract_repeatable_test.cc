// contract_repeatable_test.cc - does the same work give the same answers, bit for bit?
//
// Contract: "repeatable: one thread, same order, same seed: the same graph, bit for bit; a search
// before close equals the one after open".

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/index.h"
#include "support/files.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kDimension = 16;

// The same 900 writes for whatever is given: batches and single ones, updates and removals.
template <class Target>
void write(Target& target, const Table& table, std::uint32_t threads = 1) {
  std::vector<Key> keys;
  for (Key key = 0; key < 300; ++key) keys.push_back(key * 3);
  ASSERT_OK(target.upsert(std::span<const Key>(keys), table.matrix(0, 300), {.threads = threads}));
  for (std::size_t i = 300; i < 600; ++i) ASSERT_OK(target.upsert(Key{i * 2}, table.row(i)));
  for (Key key = 0; key < 1200; key += 9) ASSERT_OK(target.remove(key));
  for (std::size_t i = 600; i < 760; ++i) ASSERT_OK(target.upsert(Key{i}, table.row(i)));
}

std::vector<std::vector<Hit>> answers(const Subject& subject, const Table& queries) {
  std::vector<std::vector<Hit>> all;
  for (std::size_t q = 0; q < 60; ++q) all.push_back(subject.find(queries.row(q), 15));
  return all;
}

class RepeatableContract : public ContractTest {
 protected:
  IndexOptions options_ = {.dimension = kDimension, .M = 6, .ef_construction = 40, .ef = 16};
  Random random_{6};
  Table table_ = clustered_table(random_, 760, kDimension, 10);
};
SKERRY_IN_EVERY_FORM(RepeatableContract);

TEST_P(RepeatableContract, SameOrderAndSeedGiveTheSameAnswersBitForBit) {
  const auto one = make(options_);
  const auto two = make(options_);
  write(*one, table_);
  write(*two, table_);
  EXPECT_EQ(answers(*one, table_), answers(*two, table_));
  EXPECT_EQ(one->check()->links, two->check()->links);
}

TEST_P(RepeatableContract, ASearchBeforeCloseEqualsTheOneAfterOpen) {
  const auto subject = make(options_);
  write(*subject, table_);
  const auto before = answers(*subject, table_);
  ASSERT_OK(subject->reopen());
  EXPECT_EQ(answers(*subject, table_), before);
  ASSERT_OK(subject->reopen());
  EXPECT_EQ(answers(*subject, table_), before);
  EXPECT_OK(subject->check());
}

TEST_P(RepeatableContract, WritesAfterReopeningGoOnAsIfItHadNeverClosed) {
  const auto stayed = make(options_);
  const auto reopened = make(options_);
  write(*stayed, table_);
  write(*reopened, table_);
  ASSERT_OK(reopened->reopen());
  for (Key key = 100; key < 300; ++key) {
    ASSERT_OK(stayed->upsert(key, table_.row(key)));
    ASSERT_OK(reopened->upsert(key, table_.row(key)));
  }
  EXPECT_EQ(stayed->keys(), reopened->keys());
  for (std::size_t q = 0; q < 30; ++q) {
    const SearchOptions exact = {.exact = true};
    EXPECT_EQ(stayed->find(table_.row(q), 15, exact), reopened->find(table_.row(q), 15, exact));
  }
  EXPECT_OK(reopened->check());
}

// With any number of threads that link a batch.
TEST(IndexRepeatable, SameOrderAndSeedGiveTheSameImageByteForByte) {
  for (const Codes codes : {Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic}) {
    TempDir folder;
    std::vector<std::string> images;
    Random random(7);
    const Table table = clustered_table(random, 760, kDimension, 10);
    for (const std::uint32_t threads : {1, 1, 2, 0}) {
      auto index = Index::create({.dimension = kDimension,
                                  .codes = codes,
                                  .M = 6,
                                  .ef_construction = 40,
                                  .flat_below = 0,
                                  .seed = 42});
      ASSERT_OK(index);
      write(*index, table, threads);
      ASSERT_OK(index->save(folder / "image"));
      images.push_back(read_file(folder / "image"));
      EXPECT_GT(images.back().size(), 700 * kDimension * 4);
      EXPECT_TRUE(images.back() == images.front()) << threads << " threads";
    }
  }
}

TEST(IndexRepeatable, AnotherSeedGivesAnotherGraph) {
  TempDir folder;
  Random random(7);
  const Table table = clustered_table(random, 760, kDimension, 10);
  std::vector<std::uint64_t> links;
  for (const std::uint64_t seed : {1, 2}) {
    auto index = Index::create({.dimension = kDimension, .M = 6, .flat_below = 0, .seed = seed});
    ASSERT_OK(index);
    write(*index, table);
    const auto report = index->check();
    ASSERT_OK(report);
    links.push_back(report->links);
  }
  EXPECT_NE(links[0], links[1]);
}

}  // namespace
}  // namespace skerry::testing
