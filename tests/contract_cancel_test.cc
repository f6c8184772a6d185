// contract_cancel_test.cc - is what was stopped as if it had never begun, and does the call say so?
//
// Every call that takes a Control is run to its end once, to learn how often it asks, and then
// stopped at the first, a middle and the last of its questions. What it was about must be as it was
// before. control.h says what the questions promise; Watcher holds every call to it.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "support/reference.h"
#include "support/status_matchers.h"
#include "support/subject.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

constexpr std::size_t kNever = ~std::size_t{0};
const auto kLongAgo = std::chrono::steady_clock::time_point::min();
const auto kFarAway = std::chrono::steady_clock::now() + std::chrono::hours(24);

// Answers the questions of one call, and says no to the one with number `stop_at`.
class Watcher {
 public:
  explicit Watcher(std::size_t stop_at = kNever) : stop_at_(stop_at) {}

  bool operator()(std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(std::this_thread::get_id(), thread_);
    EXPECT_GE(done, done_);
    if (asked_ != 0) {
      EXPECT_EQ(total, total_);
    }
    if (total != 0) {
      EXPECT_LE(done, total);
    }
    EXPECT_FALSE(said_no_) << "asked again";
    done_ = done;
    total_ = total;
    said_no_ = asked_ == stop_at_;
    ++asked_;
    return !said_no_;
  }
  Control control() { return Control::watched_by(*this); }
  std::size_t asked() const { return asked_; }
  bool is_complete() const { return done_ == total_; }

 private:
  const std::thread::id thread_ = std::this_thread::get_id();
  std::size_t stop_at_;
  std::size_t asked_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  bool said_no_ = false;
};

using Call = std::function<Status(const Control&)>;

// Stops `call` at its first, a middle and its last question, and by its deadline; `expect_before`
// looks whether all is as it was. Then lets it happen.
void expect_all_or_nothing(const Call& call, const std::function<void()>& expect_before,
                           std::size_t questions) {
  for (const std::size_t stop_at : std::set<std::size_t>{0, questions / 2, questions - 1}) {
    SCOPED_TRACE("question " + std::to_string(stop_at) + " of " + std::to_string(questions));
    Watcher watcher(stop_at);
    EXPECT_ERROR(call(watcher.control()), Code::cancelled);
    EXPECT_EQ(watcher.asked(), stop_at + 1);
    expect_before();
  }
  EXPECT_ERROR(call({.deadline = kLongAgo}), Code::cancelled);
  expect_before();
  Watcher watcher;
  Control control = watcher.control();
  control.deadline = kFarAway;
  EXPECT_OK(call(control));
  EXPECT_EQ(watcher.asked(), questions);
  EXPECT_TRUE(watcher.is_complete());
}

// How often it asks, when it may go on.
std::size_t questions_of(const Call& call) {
  Watcher watcher;
  EXPECT_OK(call(watcher.control()));
  EXPECT_GE(watcher.asked(), 1U);
  return watcher.asked();
}

// -- at both doors --------------------------------------------------------------------------------

class CancelContract : public ContractTest {
 protected:
  static constexpr std::uint32_t kDimension = 6;
  static constexpr std::size_t kRows = 1500;

  void SetUp() override {
    subject_ = make({.dimension = kDimension});
    Random random(7);
    table_ = random_table(random, Scalar::f32, 3 * kRows, kDimension);
    keys_.resize(3 * kRows);
    std::iota(keys_.begin(), keys_.end(), Key{0});
    ASSERT_OK(subject_->insert(std::span(keys_).first(kRows), table_.matrix(0, kRows)));
    // Looking up so many keys takes a search several questions.
    listed_.resize(40'000);
    std::iota(listed_.begin(), listed_.end(), Key{100});
  }

  // One of each way to search.
  std::vector<SearchOptions> ways() const {
    SearchOptions walk;
    SearchOptions exact{.exact = true};
    SearchOptions where{.filter = Filter::where(is_even)};
    SearchOptions only{.filter = Filter::only(listed_)};
    SearchOptions except{.filter = Filter::except(listed_)};
    SearchOptions ranged{.max_distance = 0.4F};
    return {walk, exact, where, only, except, ranged};
  }
  struct Even {
    bool operator()(Key key) const { return key % 2 == 0; }
  };
  static constexpr Even is_even{};

  std::unique_ptr<Subject> subject_;
  Table table_;
  std::vector<Key> keys_;
  std::vector<Key> listed_;
};
SKERRY_IN_EVERY_FORM(CancelContract);

TEST_P(CancelContract, ASearchWhoseDeadlineHasPassedReturnsWhatItHasFound) {
  for (SearchOptions options : ways()) {
    options.control.deadline = kLongAgo;
    std::array<Hit, 10> hits;
    const Result<SearchResult> result = subject_->search(table_.row(0), hits, options);
    ASSERT_OK(result);
    EXPECT_EQ(result->count, 0U);
    EXPECT_EQ(result->visited, 0U);
    EXPECT_TRUE(result->exhausted);
    EXPECT_FALSE(result->exact);
  }
}

TEST_P(CancelContract, ADeadlineThatIsNotReachedChangesNothing) {
  for (SearchOptions options : ways()) {
    for (std::size_t row = 0; row < 20; ++row) {
      options.control = {};
      std::array<Hit, 10> hits, again;
      const Result<SearchResult> result = subject_->search(table_.row(row), hits, options);
      Watcher watcher;
      options.control = watcher.control();
      options.control.deadline = kFarAway;
      const Result<SearchResult> same = subject_->search(table_.row(row), again, options);
      ASSERT_OK(result);
      ASSERT_OK(same);
      EXPECT_EQ(hits, again);
      EXPECT_EQ(result->count, same->count);
      EXPECT_EQ(result->visited, same->visited);
      EXPECT_EQ(result->exact, same->exact);
      EXPECT_FALSE(same->exhausted);
      EXPECT_GE(watcher.asked(), 1U);
    }
  }
}

TEST_P(CancelContract, ASearchThatIsAskedToStopIsCancelled) {
  for (SearchOptions options : ways()) {
    const Call call = [&](const Control& control) {
      options.control = control;
      std::array<Hit, 10> hits;
      return subject_->search(table_.row(0), hits, options).status();
    };
    const std::size_t questions = questions_of(call);
    if (options.filter.kind() == Filter::Kind::only) {
      EXPECT_GE(questions, 4U);
    }
    for (const std::size_t stop_at : std::set<std::size_t>{0, questions / 2, questions - 1}) {
      Watcher watcher(stop_at);
      EXPECT_ERROR(call(watcher.control()), Code::cancelled);
    }
  }
}

// The time runs out in the middle of a scan: what was looked at before is in order, and true.
TEST_P(CancelContract, WhatWasFoundBeforeTheDeadlineIsTrue) {
  SearchOptions options{.exact = true};
  options.control.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  std::size_t asked = 0;
  const auto late_from_300_on = [&](Key) {
    while (asked == 300 && std::chrono::steady_clock::now() < options.control.deadline) {
    }
    ++asked;
    return true;
  };
  options.filter = Filter::where(late_from_300_on);
  std::array<Hit, 10> hits;
  const Result<SearchResult> result = subject_->search(table_.row(0), hits, options);
  ASSERT_OK(result);
  EXPECT_TRUE(result->exhausted);
  EXPECT_FALSE(result->exact);
  EXPECT_LT(asked, kRows);
  EXPECT_LE(result->visited, asked);
  const std::vector<Hit> all = subject_->find(table_.row(0), kRows, {.exact = true});
  for (std::size_t i = 0; i < result->count; ++i) {
    EXPECT_NE(std::find(all.begin(), all.end(), hits[i]), all.end());
    if (i != 0) {
      EXPECT_LE(hits[i - 1].distance, hits[i].distance);
    }
  }
}

TEST_P(CancelContract, OfAStoppedBatchSearchTheCountsTellWhatWasAnswered) {
  constexpr std::size_t kQueries = 40;
  constexpr std::size_t kNearest = 5;
  std::vector<Hit> all(kQueries * kNearest);
  std::vector<std::uint32_t> counts(kQueries);
  const MatrixView queries = table_.matrix(0, kQueries);
  ASSERT_OK(subject_->search_batch(queries, all, counts));
  for (const std::uint32_t threads : {1U, 2U}) {
    // Of several threads the caller's own may be late, and find everything answered.
    Watcher watcher(threads == 1 ? 10 : 0);
    std::vector<Hit> hits(kQueries * kNearest);
    std::vector<std::uint32_t> answered(kQueries, 77);
    const Result<SearchResult> result = subject_->search_batch(
        queries, hits, answered, {.threads = threads, .control = watcher.control()});
    EXPECT_ERROR(result, Code::cancelled);
    std::size_t rows = 0;
    for (std::size_t row = 0; row < kQueries; ++row) {
      if (answered[row] == 0) continue;
      ++rows;
      EXPECT_EQ(answered[row], counts[row]);
      for (std::size_t i = row * kNearest; i < row * kNearest + counts[row]; ++i) {
        EXPECT_EQ(hits[i], all[i]);
      }
    }
    EXPECT_EQ(result.status().a(), rows);
    EXPECT_EQ(result.status().b(), kQueries);
    if (threads == 1) {
      EXPECT_EQ(rows, 10U);
    }
  }
}

TEST_P(CancelContract, ABatchSearchWhoseDeadlineHasPassedAnswersWhatItCan) {
  std::vector<Hit> hits(40 * 5);
  std::vector<std::uint32_t> counts(40, 77);
  const Result<SearchResult> result = subject_->search_batch(
      table_.matrix(0, 40), hits, counts, {.threads = 2, .control = {.deadline = kLongAgo}});
  ASSERT_OK(result);
  EXPECT_TRUE(result->exhausted);
  EXPECT_FALSE(result->exact);
  EXPECT_EQ(result->count, 0U);
  EXPECT_EQ(counts, std::vector<std::uint32_t>(40, 0));
}

TEST_P(CancelContract, OfAStoppedBatchNothingIsThere) {
  const std::span<const Key> fresh = std::span(keys_).subspan(kRows, kRows);
  const auto expect_before = [&] {
    EXPECT_EQ(subject_->size(), kRows);
    EXPECT_EQ(subject_->keys(), std::vector<Key>(keys_.begin(), keys_.begin() + kRows));
    EXPECT_EQ(subject_->find(table_.row(kRows), 1),
              subject_->find(table_.row(kRows), 1, {.exact = true}));
    EXPECT_OK(subject_->check());
  };
  const Call insert = [&](const Control& control) {
    return subject_->insert(fresh, table_.matrix(kRows, kRows), {.control = control});
  };
  Watcher watcher(0);
  EXPECT_ERROR(insert(watcher.control()), Code::cancelled);
  expect_before();
  const Call replace = [&](const Control& control) {
    return subject_->upsert(std::span(keys_).first(kRows), table_.matrix(kRows, kRows),
                            {.control = control});
  };
  // The same rows once more change nothing, and tell how often it asks.
  const std::size_t questions = questions_of([&](const Control& control) {
    return subject_->upsert(std::span(keys_).first(kRows), table_.matrix(0, kRows),
                            {.control = control});
  });
  const auto expect_rows = [&](std::size_t first) {
    std::vector<std::byte> got(table_.row_bytes());
    for (std::size_t row = 0; row < kRows; ++row) {
      ASSERT_OK(subject_->get_bytes(row, got));
      EXPECT_TRUE(std::ranges::equal(got, table_.bytes(first + row))) << "row " << row;
    }
  };
  for (const std::size_t stop_at : std::set<std::size_t>{0, questions / 2, questions - 1}) {
    Watcher at(stop_at);
    EXPECT_ERROR(replace(at.control()), Code::cancelled);
    expect_before();
    expect_rows(0);
  }
  EXPECT_ERROR(replace({.deadline = kLongAgo}), Code::cancelled);
  expect_rows(0);
  EXPECT_OK(replace({.deadline = kFarAway}));
  expect_rows(kRows);
  EXPECT_OK(insert({.deadline = kFarAway}));
  EXPECT_EQ(subject_->size(), 2 * kRows);
  EXPECT_OK(subject_->check());
}

// -- the index's own ------------------------------------------------------------------------------

TEST(Cancel, AStoppedCheckShapeOrSaveOfAnIndexLeavesEverythingAsItWas) {
  TempDir folder;
  Random random(8);
  const Table table = random_table(random, Scalar::f32, 3000, 8);
  Result<Index> index = Index::create({.dimension = 8, .flat_below = 0});
  ASSERT_OK(index);
  std::vector<Key> keys(3000);
  std::iota(keys.begin(), keys.end(), Key{0});
  ASSERT_OK(index->insert(keys, table.matrix(0, 3000), {.threads = 0}));
  const Call check = [&](const Control& control) { return index->check(control).status(); };
  expect_all_or_nothing(
      check, [] {}, questions_of(check));

  const Call shape = [&](const Control& control) { return index->shape(control).status(); };
  expect_all_or_nothing(
      shape, [] {}, questions_of(shape));

  const auto path = folder / "index";
  const Call save = [&](const Control& control) { return index->save(path, control); };
  const std::size_t questions = questions_of(save);
  ASSERT_OK(index->remove(keys[0]));
  const auto expect_old_file = [&] {
    const Result<Index> old = Index::load(path);
    ASSERT_OK(old);
    EXPECT_EQ(old->size(), 3000U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path.parent_path()), {}), 1);
  };
  expect_all_or_nothing(save, expect_old_file, questions);
  EXPECT_EQ(Index::load(path)->size(), 2999U);
}

// -- the database's own ---------------------------------------------------------------------------

class CancelDatabase : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kDimension = 128;
  static constexpr std::size_t kRows = 8000;  // 4 MB
  using Contents = std::map<Key, std::vector<std::byte>>;

  void SetUp() override {
    Random random(9);
    table_ = random_table(random, Scalar::f32, kRows, kDimension);
    keys_.resize(kRows);
    std::iota(keys_.begin(), keys_.end(), Key{0});
    open();
    Result<Collection> made =
        database_->create("docs", {.index = {.dimension = kDimension, .flat_below = 100'000}});
    ASSERT_OK(made);
    docs_.emplace(*std::move(made));
    ASSERT_OK(docs_->insert(keys_, table_.matrix(0, kRows)));
    contents_ = contents();
  }

  void open(bool use_images = true) {
    docs_.reset();
    database_.reset();
    Result<Database> opened =
        Database::open(folder_ / "db", {.durability = Durability::none, .use_images = use_images});
    ASSERT_OK(opened);
    database_.emplace(*std::move(opened));
  }
  void open_docs() {
    Result<Collection> again = database_->open_collection("docs");
    ASSERT_OK(again);
    docs_.emplace(*std::move(again));
  }
  Contents contents() const {
    Contents all;
    const std::size_t bytes = kDimension * sizeof(float);
    EXPECT_OK(docs_->for_each([&](Key key) {
      all[key].resize(bytes);
      return true;
    }));
    for (auto& [key, vector] : all) EXPECT_OK(docs_->get_bytes(key, vector));
    return all;
  }
  void expect_contents() const {
    EXPECT_EQ(contents(), contents_);
    EXPECT_OK(docs_->verify());
  }

  TempDir folder_;
  Table table_;
  std::vector<Key> keys_;
  std::optional<Database> database_;
  std::optional<Collection> docs_;
  Contents contents_;
};

TEST_F(CancelDatabase, AStoppedVerifyHasChangedNothing) {
  for (const VerifyLevel level : {VerifyLevel::quick, VerifyLevel::full, VerifyLevel::recall}) {
    const Call verify = [&](const Control& control) {
      return docs_->verify({.level = level, .samples = 20, .control = control}).status();
    };
    expect_all_or_nothing(
        verify, [&] { EXPECT_EQ(contents(), contents_); }, questions_of(verify));
  }
}

TEST_F(CancelDatabase, AStoppedCompactLeavesTheOldFile) {
  ASSERT_OK(docs_->remove(std::span(keys_).first(kRows / 2)));
  contents_ = contents();
  const auto file = folder_ / "db" / "store" / "data.mdb";
  const std::uint64_t before = std::filesystem::file_size(file);
  const Call compact = [&](const Control& control) { return database_->compact(control); };
  // To learn how often it asks without compacting: a backup copies as many bytes.
  const std::size_t questions = questions_of(
      [&](const Control& control) { return database_->backup(folder_ / "measure", control); });
  EXPECT_GE(questions, 3U);
  const auto expect_old_file = [&] {
    EXPECT_EQ(std::filesystem::file_size(file), before);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "db" / "store" / "compact.mdb"));
    expect_contents();
  };
  expect_all_or_nothing(compact, expect_old_file, questions);
  EXPECT_LT(std::filesystem::file_size(file), before);
  expect_contents();
}

TEST_F(CancelDatabase, AStoppedBackupLeavesAnEmptyFolder) {
  std::size_t number = 0;
  const auto next = [&] { return folder_ / ("backup" + std::to_string(number)); };
  const Call backup = [&](const Control& control) {
    ++number;
    return database_->backup(next(), control);
  };
  const std::size_t questions = questions_of(backup);
  EXPECT_GE(questions, 3U);
  expect_all_or_nothing(
      backup, [&] { EXPECT_TRUE(std::filesystem::is_empty(next())); }, questions);
  const Result<Database> copy = Database::open(next());
  ASSERT_OK(copy);
}

TEST_F(CancelDatabase, AStoppedSaveOfImagesLeavesTheOldOnes) {
  const Call save = [&](const Control& control) { return docs_->save_image(control); };
  const std::size_t questions = questions_of(save);
  ASSERT_OK(docs_->remove(keys_[0]));
  contents_ = contents();
  const std::uint64_t entries = docs_->stats()->log_entries;
  const auto expect_old_image = [&] {
    EXPECT_EQ(docs_->stats()->log_entries, entries);
    EXPECT_EQ(contents(), contents_);
  };
  expect_all_or_nothing(save, expect_old_image, questions);
  EXPECT_EQ(docs_->stats()->log_entries, 0U);

  ASSERT_OK(docs_->remove(keys_[1]));
  Watcher watcher(0);
  EXPECT_ERROR(database_->checkpoint(watcher.control()), Code::cancelled);
  EXPECT_EQ(docs_->stats()->log_entries, 1U);
  EXPECT_OK(database_->checkpoint({.deadline = kFarAway}));
  EXPECT_EQ(docs_->stats()->log_entries, 0U);
}

TEST_F(CancelDatabase, AStoppedRebuildLeavesTheCollectionClosedAndTheDatabaseOpen) {
  ASSERT_OK(database_->close());
  open(false);
  const Call rebuild = [&](const Control& control) {
    Result<Collection> opened = database_->open_collection("docs", control);
    if (opened.ok()) docs_.emplace(*std::move(opened));
    return opened.status();
  };
  const std::size_t questions = questions_of(rebuild);
  EXPECT_GE(questions, 3U);
  open(false);
  expect_all_or_nothing(
      rebuild, [&] { EXPECT_EQ(database_->list()->size(), 1U); }, questions);
  expect_contents();
}

TEST_F(CancelDatabase, AStoppedCloneIsNotThereBeforeItsCommit) {
  const Call clone = [&](const Control& control) {
    return database_->clone("docs", "copy", control).status();
  };
  Watcher first(0);
  EXPECT_ERROR(clone(first.control()), Code::cancelled);
  EXPECT_ERROR(clone({.deadline = kLongAgo}), Code::cancelled);
  EXPECT_EQ(database_->list()->size(), 1U);
  Watcher middle(20);
  EXPECT_ERROR(clone(middle.control()), Code::cancelled);
  EXPECT_EQ(database_->list()->size(), 1U);
  EXPECT_OK(clone({.deadline = kFarAway}));
  EXPECT_EQ(database_->open_collection("copy")->size(), kRows);
}

TEST_F(CancelDatabase, ACloneThatIsStoppedAfterItsCommitSaysThatItIsThere) {
  std::size_t asked_at_the_end = 0;
  const auto watch = [&](std::uint64_t done, std::uint64_t total) {
    // The first time that all is done the commit has still to come.
    return done < total || ++asked_at_the_end < 2;
  };
  const Status status = database_->clone("docs", "copy", Control::watched_by(watch)).status();
  EXPECT_ERROR(status, Code::cancelled);
  EXPECT_EQ(database_->open_collection("copy")->size(), kRows) << status.message();
}

TEST_F(CancelDatabase, AStoppedRepairChangesNothing) {
  ASSERT_OK(database_->close());
  const Call repair = [&](const Control& control) {
    return Database::repair(folder_ / "db", {.control = control}).status();
  };
  const auto expect_before = [&] {
    EXPECT_FALSE(std::filesystem::exists(folder_ / "db" / "store.repair"));
    open();
    open_docs();
    expect_contents();
    docs_.reset();
    ASSERT_OK(database_->close());
  };
  expect_all_or_nothing(repair, expect_before, questions_of(repair));
}

TEST_F(CancelDatabase, AUnionIsWatchedAsOneSearch) {
  ASSERT_OK(database_->clone("docs", "more"));
  const std::vector<Collection> both = {*docs_, *database_->open_collection("more")};
  std::array<UnionHit, 6> hits;
  SearchOptions options;
  const Call search = [&](const Control& control) {
    options.control = control;
    return database_->search_union(both, table_.row(0), hits, options).status();
  };
  const std::size_t questions = questions_of(search);
  for (const std::size_t stop_at : std::set<std::size_t>{0, questions / 2, questions - 1}) {
    Watcher watcher(stop_at);
    EXPECT_ERROR(search(watcher.control()), Code::cancelled);
  }
  options.control = {.deadline = kLongAgo};
  const Result<SearchResult> late = database_->search_union(both, table_.row(0), hits, options);
  ASSERT_OK(late);
  EXPECT_TRUE(late->exhausted);
  EXPECT_FALSE(late->exact);
  EXPECT_EQ(late->count, 0U);
}

TEST_F(CancelDatabase, ASearchOfASnapshotIsWatched) {
  const Result<Snapshot> snapshot = docs_->snapshot();
  ASSERT_OK(snapshot);
  std::array<Hit, 6> hits;
  SearchOptions options;
  const Call search = [&](const Control& control) {
    options.control = control;
    return snapshot->search(table_.row(0), hits, options).status();
  };
  const std::size_t questions = questions_of(search);
  EXPECT_GE(questions, 3U);
  for (const std::size_t stop_at : std::set<std::size_t>{0, questions / 2, questions - 1}) {
    Watcher watcher(stop_at);
    EXPECT_ERROR(search(watcher.control()), Code::cancelled);
  }
  options.control = {.deadline = kLongAgo};
  const Result<SearchResult> late = snapshot->search(table_.row(0), hits, options);
  ASSERT_OK(late);
  EXPECT_TRUE(late->exhausted);
  EXPECT_EQ(late->count, 0U);
  options.control = {.deadline = kFarAway};
  EXPECT_EQ(snapshot->search(table_.row(0), hits, options)->count, 6U);
}

// -- a group of writers ---------------------------------------------------------------------------

// Somebody leads and waits until three others stand in line: a batch, which will lead them, and a
// row each before and behind. The batch is stopped in the middle of its rows; the others stand.
TEST_F(CancelDatabase, AWriterWhoIsStoppedDoesNotTakeHisGroupWithHim) {
  std::atomic<int> leading{0};
  std::atomic<int> in_line{0};
  std::atomic<int> may_go{0};
  const auto raise = [](std::atomic<int>& flag) {
    flag.fetch_add(1);
    flag.notify_all();
  };
  const auto wait_for = [](std::atomic<int>& flag, int value) {
    for (int now = flag.load(); now < value; now = flag.load()) flag.wait(now);
  };
  const Key fresh = kRows;  // and those after it
  std::vector<Key> many(kRows);
  std::iota(many.begin(), many.end(), fresh + 100);

  // The second question of the one who leads comes out of his commit.
  int asked_leader = 0;
  const auto hold = [&](std::uint64_t, std::uint64_t) {
    if (++asked_leader == 2) {
      raise(leading);
      wait_for(may_go, 1);
    }
    return true;
  };
  // That of the others out of the line.
  const auto tell = [&](int& asked) {
    return [&](std::uint64_t, std::uint64_t) {
      if (++asked == 2) raise(in_line);
      return true;
    };
  };
  int asked_batch = 0, asked_second = 0, asked_third = 0;
  const auto stop_in_the_middle = [&](std::uint64_t done, std::uint64_t total) {
    if (++asked_batch == 2) raise(in_line);
    return done < total / 2;
  };
  auto tell_second = tell(asked_second);
  auto tell_third = tell(asked_third);
  const auto insert = [&](std::span<const Key> keys, Control control) {
    return docs_->insert(keys, table_.matrix(0, keys.size()), {}, {.control = control});
  };
  Status leader, batch, second, third;
  const Key keys[] = {fresh, fresh + 1, fresh + 2};
  std::vector<std::jthread> threads;
  threads.emplace_back([&] { leader = insert({&keys[0], 1}, Control::watched_by(hold)); });
  wait_for(leading, 1);
  threads.emplace_back([&] { batch = insert(many, Control::watched_by(stop_in_the_middle)); });
  wait_for(in_line, 1);
  threads.emplace_back([&] { second = insert({&keys[1], 1}, Control::watched_by(tell_second)); });
  wait_for(in_line, 2);
  threads.emplace_back([&] { third = insert({&keys[2], 1}, Control::watched_by(tell_third)); });
  wait_for(in_line, 3);
  raise(may_go);
  threads.clear();
  EXPECT_OK(leader);
  EXPECT_ERROR(batch, Code::cancelled);
  EXPECT_OK(second);
  EXPECT_OK(third);
  EXPECT_EQ(docs_->size(), kRows + 3);
  for (const Key key : keys) EXPECT_TRUE(docs_->contains(key));
  EXPECT_FALSE(docs_->contains(many.front()));
  EXPECT_OK(docs_->verify());
}

// Who waits in line is asked there, and may leave it; a deadline ends the waiting.
TEST_F(CancelDatabase, WhoWaitsInLineMayLeaveIt) {
  Status by_word, by_clock, leader;
  std::atomic<bool> is_leading{false};
  std::atomic<bool> may_go{false};
  int asked_leader = 0;
  const auto hold = [&](std::uint64_t, std::uint64_t) {
    if (++asked_leader == 2) {
      is_leading = true;
      is_leading.notify_all();
      may_go.wait(false);
    }
    return true;
  };
  const auto put = [&](Key key, Control control) {
    return docs_->upsert({&key, 1}, table_.matrix(0, 1), {}, {.control = control});
  };
  std::jthread first([&] { leader = put(kRows, Control::watched_by(hold)); });
  is_leading.wait(false);
  int asked = 0;
  const auto no_at_the_second = [&](std::uint64_t, std::uint64_t) { return ++asked < 2; };
  by_word = put(kRows + 1, Control::watched_by(no_at_the_second));
  by_clock =
      put(kRows + 2, {.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(2)});
  may_go = true;
  may_go.notify_all();
  first.join();
  EXPECT_OK(leader);
  EXPECT_ERROR(by_word, Code::cancelled);
  EXPECT_ERROR(by_clock, Code::cancelled);
  EXPECT_EQ(docs_->size(), kRows + 1);
}

}  // namespace
}  // namespace skerry::testing
