// allocation_test.cc - does a warm search ask for memory? Does an upsert copy what it was lent?
//
// Contract: "allocation: search, filtered search and get allocate nothing after warm-up; inputs are
// borrowed, never copied into a temporary of their own". malloc and operator new are counted. The
// last six tests are the scenarios a graph database measured its vector index with.

#include "support/allocations.h"

#include <array>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr std::uint32_t kDimension = 8;
constexpr std::size_t kRows = 600;
constexpr std::size_t kCalls = 100'000;

TEST(Tally, CountsEveryWayToAsk) {
  // Out of the compiler's sight, or it would see that nobody uses the memory.
  const auto used = [](void* memory) {
    asm volatile("" : "+r"(memory) : : "memory");
    return memory;
  };
  const Tally tally;
  std::free(used(std::malloc(10)));
  std::free(used(std::calloc(2, 5)));
  std::free(used(std::realloc(used(nullptr), 10)));
  std::free(used(std::aligned_alloc(64, 64)));
  ::operator delete(used(::operator new(4)));
  ::operator delete[](used(::operator new[](16)));
  const std::uint64_t calls = tally.calls();
  const std::uint64_t bytes = tally.bytes();
  EXPECT_EQ(calls, 6u);
  EXPECT_EQ(bytes, 10u + 10 + 10 + 64 + 4 + 16);
}

// Three collections of one database.
class UnionAllocation : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<Database> database = Database::open(folder_.path());
    ASSERT_OK(database.status());
    database_.emplace(std::move(*database));
    std::vector<Key> keys(kRows / 3);
    std::iota(keys.begin(), keys.end(), Key{0});
    for (std::size_t i = 0; i < 3; ++i) {
      parts_.push_back(*database_->create(std::to_string(i), {.index = {.dimension = kDimension}}));
      ASSERT_OK(parts_[i].upsert(keys, table_.matrix(i * keys.size(), keys.size())));
    }
  }

  TempDir folder_;
  Random random_{1};
  Table table_ = random_table(random_, Scalar::f32, kRows, kDimension);
  std::optional<Database> database_;
  std::vector<Collection> parts_;
};

// Memory tells whether an index was made: a count that read the vectors would ask for some.
TEST(TenantsAllocation, CountsReadNoVectorAndMakeNoIndex) {
  const TempDir folder;
  Result<Database> database = Database::open(folder.path(), {.warm_collections = 1});
  ASSERT_OK(database.status());
  Random random{1};
  const Table table = random_table(random, Scalar::f32, kRows, kDimension);
  std::vector<Key> keys(kRows);
  std::iota(keys.begin(), keys.end(), Key{0});
  std::vector<Collection> all;
  for (const char* name : {"few", "many", "last"}) {
    Result<Collection> made = database->create(name, {.index = {.dimension = kDimension}});
    ASSERT_OK(made.status());
    all.push_back(*std::move(made));
  }
  const auto bytes_of_list = [&] {
    const Tally tally;
    EXPECT_OK(database->collections().status());
    return tally.bytes();
  };
  bytes_of_list();
  const std::uint64_t empty = bytes_of_list();
  for (Collection& one : all) {
    ASSERT_OK(one.upsert(std::span(keys).first(20), table.matrix(0, 20)));
  }
  ASSERT_OK(all[1].upsert(keys, table.matrix()));
  ASSERT_OK(all[2].upsert(1, table.row(1)));
  EXPECT_EQ(bytes_of_list(), empty);

  // Those before the last were put away.
  std::array<Hit, 10> hits;
  const Tally counting;
  EXPECT_EQ(all[0].size(), 20u);
  EXPECT_EQ(all[1].size(), kRows);
  EXPECT_EQ(counting.calls(), 0u);
  const Tally searching;
  ASSERT_OK(all[1].search(table.row(0), hits).status());
  EXPECT_GT(searching.bytes(), kRows * table.row_bytes());
}

class AllocationContract : public ContractTest {
 protected:
  void SetUp() override {
    subject_ = make({.dimension = kDimension, .M = 6, .ef_construction = 40, .ef = 16});
    std::vector<Key> keys(kRows);
    std::iota(keys.begin(), keys.end(), Key{0});
    ASSERT_OK(subject_->upsert(keys, table_.matrix()));
    ASSERT_OK(subject_->remove(3));
  }

  // Calls `body(i)` until it is warm, then `calls` times more under the tally; every call must
  // return true. A first round shows the thread all that it will meet.
  template <class Body>
  static void expect_nothing(Body&& body, std::size_t calls = kCalls) {
    std::size_t failures = 0;
    for (std::size_t i = 0; i < kRows; ++i) failures += body(i) ? 0 : 1;
    const Tally tally;
    for (std::size_t i = 0; i < calls; ++i) failures += body(i) ? 0 : 1;
    const std::uint64_t asked = tally.calls();
    EXPECT_EQ(asked, 0u) << tally.bytes() << " bytes";
    EXPECT_EQ(failures, 0u);
  }

  Random random_{1};
  Table table_ = random_table(random_, Scalar::f32, kRows, kDimension);
  std::unique_ptr<Subject> subject_;
  std::array<Hit, 10> hits_;
};
SKERRY_IN_EVERY_FORM(AllocationContract);

TEST_P(AllocationContract, SearchAllocatesNothing) {
  expect_nothing([&](std::size_t i) {
    const auto result = subject_->search(table_.row(i % kRows), hits_);
    return result.ok() && result->count == hits_.size();
  });
}

TEST_P(AllocationContract, ExactAndRangeSearchAllocateNothing) {
  expect_nothing(
      [&](std::size_t i) {
        const VectorView query = table_.row(i % kRows);
        return subject_->search(query, hits_, {.exact = true}).ok() &&
               subject_->search(query, hits_, {.ef = 50, .max_distance = 0.5F}).ok();
      },
      kCalls / 10);
}

TEST_P(AllocationContract, FilteredSearchAllocatesNothing) {
  std::vector<Key> even, few;
  for (Key key = 0; key < kRows; key += 2) even.push_back(key);
  for (Key key = 5; key < kRows; key += 100) few.push_back(key);
  const auto odd = [](Key key) { return key % 2 == 1; };
  const auto rare = [](Key key) { return key % 100 == 7; };
  const std::array filters = {Filter::where(odd), Filter::where(rare),  Filter::only(even),
                              Filter::only(few),  Filter::except(even), Filter::except(few)};
  expect_nothing([&](std::size_t i) {
    const auto result =
        subject_->search(table_.row(i % kRows), hits_, {.filter = filters[i % filters.size()]});
    return result.ok() && result->count >= few.size();
  });
}

TEST_F(UnionAllocation, UnionSearchAllocatesNothing) {
  std::array<UnionHit, 10> hits;
  const auto odd = [](Key key) { return key % 2 == 1; };
  const std::array filters = {Filter(), Filter::where(odd)};
  std::size_t failures = 0;
  const auto search = [&](std::size_t i) {
    const auto result = database_->search_union(parts_, table_.row(i % kRows), hits,
                                                {.filter = filters[i % filters.size()]});
    failures += result.ok() && result->count == hits.size() ? 0 : 1;
  };
  for (std::size_t i = 0; i < kRows; ++i) search(i);
  const Tally tally;
  for (std::size_t i = 0; i < kCalls / 10; ++i) search(i);
  const std::uint64_t asked = tally.calls();
  EXPECT_EQ(asked, 0u) << tally.bytes() << " bytes";
  EXPECT_EQ(failures, 0u);
}

TEST_P(AllocationContract, BatchSearchAllocatesNothing) {
  std::vector<Hit> hits(16 * 5);
  std::vector<std::uint32_t> counts(16);
  for (const std::uint32_t threads : {1U, 2U}) {
    SCOPED_TRACE(threads);
    expect_nothing(
        [&](std::size_t i) {
          const auto result = subject_->search_batch(table_.matrix(i * 7 % (kRows - 16), 16), hits,
                                                     counts, {.threads = threads});
          return result.ok() && result->count == hits.size();
        },
        kCalls / 16);
  }
}

TEST_P(AllocationContract, GetAndContainsAllocateNothing) {
  std::array<float, kDimension> floats;
  std::array<std::byte, kDimension * 4> bytes;
  expect_nothing([&](std::size_t i) {
    const Key key = i % kRows;
    const Code expected = key == 3 ? Code::not_found : Code::ok;
    return subject_->get(key, floats).code() == expected &&
           subject_->get_bytes(key, bytes).code() == expected &&
           subject_->contains(key) == (expected == Code::ok);
  });
}

TEST_P(AllocationContract, ARefusedCallAllocatesNothing) {
  const std::array<float, kDimension + 1> wrong{};
  expect_nothing([&](std::size_t) {
    return subject_->search(wrong, hits_).status().code() == Code::invalid_argument &&
           subject_->upsert(1, wrong).code() == Code::invalid_argument;
  });
}

TEST_P(AllocationContract, UpsertMakesNoTemporaryCopyOfTheVector) {
  constexpr std::uint32_t kLarge = 65'535;
  constexpr std::uint64_t kBytes = kLarge * 4;
  const auto subject = make({.dimension = kLarge, .M = 4, .ef_construction = 8});
  const std::vector<float> vector(kLarge, 0.5F);
  for (Key key = 0; key < 4; ++key) ASSERT_OK(subject->upsert(key, vector));
  for (Key key = 2; key < 6; ++key) {
    const Tally tally;
    const Status status = subject->upsert(key, vector);
    const std::uint64_t asked = tally.bytes();
    ASSERT_OK(status);
    // The store writes its page somewhere; that is the one copy, and it is no temporary.
    const std::uint64_t store = GetParam().door == Door::collection ? kBytes + kBytes / 4 : 0;
    EXPECT_LT(asked, store + kBytes / 4) << "key " << key;
  }
}

TEST(NamedAllocation, SearchWithNamedHitsAllocatesNothing) {
  TempDir folder;
  auto database = Database::open(folder / "db", {.durability = Durability::none});
  ASSERT_OK(database);
  auto names = database->create(
      "names", {.index = {.dimension = kDimension, .M = 6, .flat_below = 0}, .byte_keys = true});
  ASSERT_OK(names);
  Random random(2);
  const Table table = random_table(random, Scalar::f32, 300, kDimension);
  std::vector<std::string> keys(300);
  for (std::size_t i = 0; i < 300; ++i) {
    keys[i] = "name number " + std::to_string(i);
    ASSERT_OK(names->insert(keys[i], table.row(i)));
  }
  const auto ends_in_seven = [](std::string_view name) { return name.ends_with('7'); };
  const std::vector<std::string_view> list(keys.begin(), keys.begin() + 150);
  const std::array filters = {Filter(), Filter::where_name(ends_in_seven), Filter::only_names(list),
                              Filter::except_names(list)};
  std::vector<NamedHit> hits(10);
  std::array<float, kDimension> floats;
  std::size_t failures = 0;
  const auto round = [&](std::size_t calls) {
    for (std::size_t i = 0; i < calls; ++i) {
      const auto result = names->search(table.row(i % 300), hits, {.filter = filters[i % 4]});
      failures += result.ok() && result->count == 10 ? 0 : 1;
      failures += names->get(keys[i % 300], floats).ok() ? 0 : 1;
      failures += names->contains(keys[i % 300]) ? 0 : 1;
    }
  };
  round(600);
  const Tally tally;
  round(kCalls);
  EXPECT_EQ(tally.calls(), 0u);
  EXPECT_EQ(failures, 0u);
}

// The graph database's allocation study: 384 components, as its embeddings have.
class AllocationStudy : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kWide = 384;
  static constexpr std::uint64_t kWideBytes = kWide * 4;

  AllocationStudy() {
    auto made = Index::create(
        {.dimension = kWide, .metric = Metric::cosine, .M = 8, .ef_construction = 32, .ef = 32});
    EXPECT_OK(made);
    index_.emplace(*std::move(made));
  }
  void fill(std::size_t rows) {
    for (Key key = 0; key < rows; ++key) {
      ASSERT_OK(index_->upsert(key, table_.row(key % table_.rows())));
    }
  }

  Random random_{3};
  Table table_ = random_table(random_, Scalar::f32, 500, kWide);
  std::optional<Index> index_;
  std::array<Hit, 10> hits_;
};

TEST_F(AllocationStudy, OneBufferServesManyAdds) {
  fill(50);
  std::array<float, kWide> buffer;
  constexpr std::uint64_t kAdds = 1000;
  const Tally tally;
  for (Key key = 0; key < kAdds; ++key) {
    for (std::size_t i = 0; i < kWide; ++i)
      buffer[i] = static_cast<float>((key * 31 + i * 17) % 97);
    if (!index_->upsert(key, buffer).ok()) FAIL();
  }
  EXPECT_LT(tally.bytes(), kAdds * kWideBytes / 10);
  // And the buffer was read, not kept: what was stored first is still what it was.
  std::array<float, kWide> got;
  ASSERT_OK(index_->get(1, got));
  EXPECT_EQ(got[0], 31);
}

TEST_F(AllocationStudy, OneBufferServesManySearches) {
  fill(500);
  std::array<float, kWide> query{};
  const auto search = [&](std::size_t i) {
    query[i % kWide] = static_cast<float>(i % 13);
    return index_->search(query, hits_).ok();
  };
  for (std::size_t i = 0; i < 500; ++i) ASSERT_TRUE(search(i));
  const Tally tally;
  bool good = true;
  for (std::size_t i = 0; i < 5000; ++i) good = search(i) && good;
  EXPECT_EQ(tally.calls(), 0u);
  EXPECT_TRUE(good);
}

TEST_F(AllocationStudy, OneBufferServesManyFilteredSearches) {
  fill(500);
  std::array<float, kWide> query{};
  const auto search = [&](std::size_t i) {
    query[i % kWide] = static_cast<float>(i % 13);
    const Key one_in = 2 + i % 50;
    const auto passes = [one_in](Key key) { return key % one_in == 0; };
    return index_->search(query, hits_, {.filter = Filter::where(passes)}).ok();
  };
  for (std::size_t i = 0; i < 500; ++i) ASSERT_TRUE(search(i));
  const Tally tally;
  bool good = true;
  for (std::size_t i = 0; i < 5000; ++i) good = search(i) && good;
  EXPECT_EQ(tally.calls(), 0u);
  EXPECT_TRUE(good);
}

TEST_F(AllocationStudy, ArraysVectorsAndSpansAreLentAlike) {
  fill(100);
  std::array<float, kWide> array{};
  float plain[kWide] = {};
  std::vector<float> vector(kWide);
  array[0] = plain[1] = vector[2] = 1;
  const std::span<const float> span(vector);
  const auto round = [&] {
    return index_->search(array, hits_).ok() && index_->search(plain, hits_).ok() &&
           index_->search(vector, hits_).ok() && index_->search(span, hits_).ok() &&
           index_->search(VectorView(plain, Scalar::f32, kWide), hits_).ok();
  };
  ASSERT_TRUE(round());
  const Tally tally;
  bool good = true;
  for (int i = 0; i < 1000; ++i) good = round() && good;
  EXPECT_EQ(tally.calls(), 0u);
  EXPECT_TRUE(good);
  ASSERT_OK(index_->upsert(1000, array));
  ASSERT_OK(index_->upsert(1001, plain));
  ASSERT_OK(index_->upsert(1002, span));
}

TEST_F(AllocationStudy, BatchesAreBorrowedSlices) {
  fill(500);
  std::vector<Key> keys(500);
  std::iota(keys.begin(), keys.end(), Key{0});
  std::vector<Hit> hits(50 * 10);
  std::vector<std::uint32_t> counts(50);
  // Every second row of the table, where it lies.
  const MatrixView slice(table_.data(0), Scalar::f32, 250, kWide, 2 * table_.row_bytes());
  ASSERT_OK(index_->upsert(std::span(keys).first(250), slice));
  const Tally upserts;
  ASSERT_OK(index_->upsert(std::span(keys).first(250), slice));
  EXPECT_LT(upserts.bytes(), 250 * kWideBytes / 4);

  const auto search = [&](std::size_t i) {
    return index_->search_batch(table_.matrix(i * 50 % 450, 50), hits, counts).ok();
  };
  for (std::size_t i = 0; i < 10; ++i) ASSERT_TRUE(search(i));
  const Tally searches;
  bool good = true;
  for (std::size_t i = 0; i < 100; ++i) good = search(i) && good;
  EXPECT_EQ(searches.calls(), 0u);
  EXPECT_TRUE(good);
}

TEST_F(AllocationStudy, ThroughputIsNotPaidInAllocations) {
  fill(500);
  constexpr std::size_t kOperations = 5000;
  const Tally adds;
  for (std::size_t i = 0; i < kOperations; ++i) {
    if (!index_->upsert(i % 1000, table_.row(i % 500)).ok()) FAIL();
  }
  const std::uint64_t asked = adds.calls();
  EXPECT_LE(asked, kOperations / 50) << "more than one in fifty upserts";
  for (std::size_t i = 0; i < 500; ++i) ASSERT_OK(index_->search(table_.row(i), hits_));
  const Tally searches;
  bool good = true;
  for (std::size_t i = 0; i < kOperations; ++i) {
    good = index_->search(table_.row(i % 500), hits_).ok() && good;
  }
  EXPECT_EQ(searches.calls(), 0u);
  EXPECT_TRUE(good);
}

}  // namespace
}  // namespace skerry::testing
