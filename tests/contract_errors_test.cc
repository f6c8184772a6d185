// contract_errors_test.cc - does every failure come back as a code and a sentence?
//
// Contract: "errors: every call returns a code and a message; nothing aborts, prints or throws
// across a door", and what a handle answers that was moved from, closed or inherited by a fork.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "skerry/index.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

constexpr std::array kVector = {1.0F, 2.0F};

constexpr std::array kCodes = {
    Code::invalid_argument, Code::not_found, Code::already_exists, Code::busy,
    Code::closed,           Code::read_only, Code::cancelled,      Code::out_of_memory,
    Code::storage_full,     Code::io_error,  Code::corruption,     Code::incompatible};

TEST(StatusContract, AMessageIsTheCodesNameAndASentenceWithItsNumbers) {
  for (const Code code : kCodes) {
    const Status status(code, "expected {a}, given {b}", 12, 345);
    EXPECT_EQ(status.message(), std::string(name_of(code)) + ": expected 12, given 345");
  }
  EXPECT_EQ(Status().message(), "ok");
  EXPECT_EQ(Status(Code::busy, "row {b}").with_b(9).message(), "busy: row 9");
}

TEST(StatusContract, AMessageFitsAnyBuffer) {
  const Status status(Code::invalid_argument, "expected {a}, given {b}", 12, 345);
  const std::string whole = status.message();
  for (std::size_t room = 1; room < whole.size() + 5; ++room) {
    std::vector<char> out(room, '#');
    EXPECT_EQ(status.message(out), whole.size());
    EXPECT_EQ(std::string(out.data()), whole.substr(0, room - 1));
  }
  EXPECT_EQ(status.message(std::span<char>()), whole.size());
}

TEST(StatusContract, AnOperatingSystemsErrorIsSaidInItsWords) {
  const std::string message = Status(Code::io_error, "cannot write: {e}", ENOSPC).message();
  EXPECT_NE(message.find("No space left"), std::string::npos) << message;
}

void expect_closed(Index& index) {
  std::vector<Hit> hits(1);
  std::vector<std::uint32_t> counts(1);
  std::array<float, 2> floats{};
  std::array<std::byte, 8> bytes{};
  const std::vector<Key> keys = {1};
  const MatrixView rows(kVector, 2);
  TempDir folder;
  EXPECT_ERROR(index.insert(1, kVector), Code::closed);
  EXPECT_ERROR(index.upsert(1, kVector), Code::closed);
  EXPECT_ERROR(index.insert(keys, rows), Code::closed);
  EXPECT_ERROR(index.upsert(keys, rows), Code::closed);
  EXPECT_ERROR(index.remove(1), Code::closed);
  EXPECT_ERROR(index.remove(keys), Code::closed);
  EXPECT_ERROR(index.reserve(10), Code::closed);
  EXPECT_ERROR(index.get(1, floats), Code::closed);
  EXPECT_ERROR(index.get_bytes(1, bytes), Code::closed);
  EXPECT_ERROR(index.search(kVector, hits), Code::closed);
  EXPECT_ERROR(index.search_batch(rows, hits, counts), Code::closed);
  EXPECT_ERROR(index.for_each([](Key) { return true; }), Code::closed);
  EXPECT_ERROR(index.check(), Code::closed);
  EXPECT_ERROR(index.shape(), Code::closed);
  EXPECT_ERROR(index.save(folder / "index"), Code::closed);
  EXPECT_FALSE(index.contains(1));
  EXPECT_EQ(index.size(), 0u);
  EXPECT_EQ(index.stats().live, 0u);
}

TEST(IndexErrors, AMovedFromIndexIsClosed) {
  auto index = Index::create({.dimension = 2});
  ASSERT_OK(index);
  ASSERT_OK(index->insert(1, kVector));
  Index other = std::move(*index);
  expect_closed(*index);
  EXPECT_TRUE(other.contains(1));
  Index third = *Index::create({.dimension = 3});
  third = std::move(other);
  expect_closed(other);
  EXPECT_TRUE(third.contains(1));
}

void expect_closed(Collection docs) {
  std::vector<Hit> hits(1);
  std::vector<NamedHit> named(1);
  std::vector<std::uint32_t> counts(1);
  std::array<float, 2> floats{};
  std::array<std::byte, 8> bytes{};
  const std::vector<Key> keys = {1};
  const MatrixView rows(kVector, 2);
  EXPECT_ERROR(docs.insert(1, kVector), Code::closed);
  EXPECT_ERROR(docs.upsert(1, kVector), Code::closed);
  EXPECT_ERROR(docs.insert(keys, rows), Code::closed);
  EXPECT_ERROR(docs.upsert(keys, rows), Code::closed);
  EXPECT_ERROR(docs.remove(1), Code::closed);
  EXPECT_ERROR(docs.remove(keys), Code::closed);
  EXPECT_ERROR(docs.get(1, floats), Code::closed);
  EXPECT_ERROR(docs.get_bytes(1, bytes), Code::closed);
  EXPECT_ERROR(docs.get_payload(1, bytes), Code::closed);
  EXPECT_ERROR(docs.search(kVector, hits), Code::closed);
  EXPECT_ERROR(docs.search_batch(rows, hits, counts), Code::closed);
  EXPECT_ERROR(docs.for_each([](Key) { return true; }), Code::closed);
  EXPECT_ERROR(docs.save_image(), Code::closed);
  EXPECT_ERROR(docs.verify(), Code::closed);
  EXPECT_ERROR(docs.shape(), Code::closed);
  EXPECT_ERROR(docs.stats(), Code::closed);
  EXPECT_FALSE(docs.contains(1));
  EXPECT_EQ(docs.size(), 0u);
}

class DatabaseErrors : public ::testing::Test {
 protected:
  DatabaseErrors() {
    auto opened = Database::open(folder_ / "db", {.durability = Durability::none});
    EXPECT_OK(opened);
    database_.emplace(*std::move(opened));
  }
  Collection make(std::string_view name) {
    auto made = database_->create(name, {.index = {.dimension = 2}});
    EXPECT_OK(made);
    return *std::move(made);
  }
  TempDir folder_;
  std::optional<Database> database_;
};

TEST_F(DatabaseErrors, AHandleOfAClosedDatabaseIsClosed) {
  const Collection docs = make("docs");
  const Collection copy = docs;
  ASSERT_OK(database_->close());
  expect_closed(docs);
  expect_closed(copy);
  EXPECT_ERROR(database_->create("other", {.index = {.dimension = 2}}), Code::closed);
  EXPECT_ERROR(database_->open_collection("docs"), Code::closed);
  EXPECT_ERROR(database_->drop("docs"), Code::closed);
  EXPECT_ERROR(database_->list(), Code::closed);
  EXPECT_ERROR(database_->sync(), Code::closed);
  EXPECT_ERROR(database_->checkpoint(), Code::closed);
  EXPECT_ERROR(database_->compact(), Code::closed);
  EXPECT_ERROR(database_->backup(folder_ / "copy"), Code::closed);
  EXPECT_ERROR(database_->stats(), Code::closed);
}

TEST_F(DatabaseErrors, AHandleOutlivesTheDatabaseObjectClosed) {
  const Collection docs = make("docs");
  database_.reset();
  expect_closed(docs);
}

TEST_F(DatabaseErrors, AHandleOfADroppedCollectionIsClosed) {
  Collection docs = make("docs");
  Collection other = make("other");
  ASSERT_OK(docs.insert(1, kVector));
  ASSERT_OK(database_->drop("docs"));
  expect_closed(docs);
  EXPECT_ERROR(database_->open_collection("docs"), Code::not_found);
  EXPECT_OK(other.insert(1, kVector));
  // The name is free, and what comes back is empty.
  Collection again = make("docs");
  EXPECT_EQ(again.size(), 0u);
  EXPECT_FALSE(again.contains(1));
}

TEST_F(DatabaseErrors, ASecondOpenOfAFolderIsBusy) {
  EXPECT_ERROR(Database::open(folder_ / "db"), Code::busy);
  ASSERT_OK(database_->close());
  EXPECT_OK(Database::open(folder_ / "db"));
}

TEST_F(DatabaseErrors, CollectionsAreNamedOnce) {
  make("docs");
  EXPECT_ERROR(database_->create("docs", {.index = {.dimension = 2}}), Code::already_exists);
  EXPECT_ERROR(database_->open_collection("absent"), Code::not_found);
  EXPECT_ERROR(database_->drop("absent"), Code::not_found);
  make("a");
  make(std::string(255, 'n'));
  EXPECT_ERROR(database_->create("", {.index = {.dimension = 2}}), Code::invalid_argument);
  EXPECT_ERROR(database_->create(std::string(256, 'n'), {.index = {.dimension = 2}}),
               Code::invalid_argument);
  EXPECT_ERROR(database_->create(std::string_view("a\0b", 3), {.index = {.dimension = 2}}),
               Code::invalid_argument);
  const auto names = database_->list();
  ASSERT_OK(names);
  EXPECT_EQ(*names, (std::vector<std::string>{"a", "docs", std::string(255, 'n')}));
}

TEST_F(DatabaseErrors, HandlesOfOneCollectionShareIt) {
  Collection one = make("docs");
  auto two = database_->open_collection("docs");
  ASSERT_OK(two);
  EXPECT_EQ(two->name(), "docs");
  ASSERT_OK(one.insert(1, kVector));
  EXPECT_TRUE(two->contains(1));
  ASSERT_OK(two->remove(1));
  EXPECT_FALSE(one.contains(1));
}

// The codes that `body` returns in a forked child, as far as they are not `closed`.
template <class Body>
std::string not_closed_in_child(Body&& body) {
  int pipe[2];
  if (::pipe(pipe) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string wrong;
    int call = 0;
    for (const Status& status : body()) {
      ++call;
      if (status.code() != Code::closed) {
        wrong += " call " + std::to_string(call) + " is " + name_of(status.code());
      }
    }
    const bool told = ::write(pipe[1], wrong.data(), wrong.size()) >= 0;
    ::_exit(told ? 0 : 1);
  }
  ::close(pipe[1]);
  std::string wrong(1000, ' ');
  wrong.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(pipe[0], wrong.data(), 1000))));
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? wrong : "the child fell over";
}

TEST_F(DatabaseErrors, AfterForkTheChildsHandlesAreClosed) {
  if (kSanitized) return;  // a sanitizer's own threads do not outlive a fork
  Collection docs = make("docs");
  ASSERT_OK(docs.insert(1, kVector));
  std::array<Hit, 1> hits;
  EXPECT_EQ(not_closed_in_child([&] {
              return std::array{docs.insert(2, kVector),    docs.upsert(1, kVector),
                                docs.remove(1).status(),    docs.search(kVector, hits).status(),
                                database_->list().status(), database_->sync(),
                                database_->checkpoint(),    database_->drop("docs"),
                                docs.save_image()};
            }),
            "");
  // The parent goes on as if nothing had been.
  EXPECT_OK(docs.insert(2, kVector));
  EXPECT_EQ(docs.size(), 2u);
}

TEST(IndexErrors, AfterForkTheChildsIndexIsClosed) {
  if (kSanitized) return;
  auto index = Index::create({.dimension = 2});
  ASSERT_OK(index);
  ASSERT_OK(index->insert(1, kVector));
  std::array<Hit, 1> hits;
  EXPECT_EQ(not_closed_in_child([&] {
              return std::array{index->insert(2, kVector), index->upsert(1, kVector),
                                index->remove(1).status(), index->search(kVector, hits).status(),
                                index->check().status(),   index->reserve(5)};
            }),
            "");
  EXPECT_OK(index->insert(2, kVector));
  EXPECT_EQ(index->size(), 2u);
}

TEST(DatabaseFolder, AnAbsentFolderIsNotFoundUnlessItMayBeMade) {
  TempDir folder;
  EXPECT_ERROR(Database::open(folder / "absent", {.create_if_missing = false}), Code::not_found);
  EXPECT_OK(Database::open(folder / "absent"));
  EXPECT_OK(Database::open(folder / "absent", {.create_if_missing = false}));
}

TEST(DatabaseFolder, ReadOnlyRefusesWritesAndReadsOn) {
  TempDir folder;
  {
    auto database = Database::open(folder / "db");
    ASSERT_OK(database);
    auto docs = database->create("docs", {.index = {.dimension = 2}});
    ASSERT_OK(docs);
    ASSERT_OK(docs->insert(1, kVector));
  }
  auto database = Database::open(folder / "db", {.read_only = true});
  ASSERT_OK(database);
  EXPECT_ERROR(database->create("other", {.index = {.dimension = 2}}), Code::read_only);
  EXPECT_ERROR(database->drop("docs"), Code::read_only);
  auto docs = database->open_collection("docs");
  ASSERT_OK(docs);
  EXPECT_ERROR(docs->insert(2, kVector), Code::read_only);
  EXPECT_ERROR(docs->upsert(1, kVector), Code::read_only);
  EXPECT_ERROR(docs->remove(1), Code::read_only);
  std::array<Hit, 1> hits;
  const auto found = docs->search(kVector, hits);
  ASSERT_OK(found);
  EXPECT_EQ(found->count, 1u);
  EXPECT_EQ(hits[0], (Hit{1, 0}));
}

}  // namespace
}  // namespace skerry::testing
