// processes_test.cc - may several processes have one database open, and does each see the truth?
//
// Contract: "two processes: one writer at a time, many readers; a reader sees a commit at its next
// search; a second open in the same process shares or is refused; after fork a handle returns an
// error", and "crash" where the one that dies is not the only one.
//
// Run as `processes_test --serve FOLDER MODE` this program is a puppet: it opens the database and
// does what it is told on standard input, a line at a time. So tests say who does what when, and
// nothing hangs on a clock.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/files.h"
#include "support/scale.h"
#include "support/status_matchers.h"
#include "support/temp_dir.h"

namespace skerry::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kDimension = 4;
constexpr CollectionOptions kNumbers = {
    .index = {.dimension = kDimension, .M = 4, .flat_below = 16}};
constexpr CollectionOptions kNames = {.index = {.dimension = kDimension, .M = 4, .flat_below = 16},
                                      .byte_keys = true};

// The vector that stands for a number: the nearest of it is its own.
std::array<float, kDimension> vector_of(std::uint64_t number) {
  const float value = static_cast<float>(number);
  return {value, -value, value / 2, 1};
}

DatabaseOptions options_of(std::string_view mode) {
  DatabaseOptions options;
  options.durability = Durability::interval;
  options.sync_interval_ms = 3'600'000;
  if (mode == "reader" || mode == "stranger") options.read_only = true;
  if (mode == "interval") options.sync_interval_ms = 1;
  if (mode == "durable") options.durability = Durability::commit;
  if (mode == "none") options.durability = Durability::none;
  if (mode == "imageless") options.use_images = false;
  options.map_bytes = 1 << 18;
  return options;
}

std::string_view text_of(const Status& status) {
  return name_of(status.code());
}

// -- the puppet -----------------------------------------------------------------------------------

std::uint64_t nearest(const Collection& collection, std::uint64_t number) {
  std::array<Hit, 1> hits;
  const auto found = collection.search(vector_of(number), hits);
  return found.ok() && found->count == 1 ? hits[0].key : ~std::uint64_t{0};
}

std::uint64_t value_of(const Collection& collection, Key key) {
  std::array<float, kDimension> vector{};
  return collection.get(key, vector).ok() ? static_cast<std::uint64_t>(vector[0])
                                          : ~std::uint64_t{0};
}

class Puppet {
 public:
  explicit Puppet(Database database) : database_(std::move(database)) {}

  void obey(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    std::string name;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    words >> verb >> name >> a >> b;
    if (verb == "make") return say(text_of(keep(name, database_.open_or_create(name, kNumbers))));
    if (verb == "names") return say(text_of(keep(name, database_.open_or_create(name, kNames))));
    if (verb == "open") return say(text_of(keep(name, database_.open_collection(name))));
    if (verb == "rename") return say(text_of(database_.rename(name, "renamed")));
    if (verb == "clone") return say(text_of(database_.clone(name, "cloned").status()));
    if (verb == "drop") return say(text_of(database_.drop(name)));
    if (verb == "compact") return say(text_of(database_.compact()));
    if (verb == "close") return say(text_of(database_.close()));
    const auto found = collections_.find(name);
    if (found == collections_.end()) return say("which?");
    Collection& it = found->second;
    if (verb == "insert") return say(text_of(it.insert(a, vector_of(b))));
    if (verb == "upsert") return say(text_of(it.upsert(a, vector_of(b))));
    if (verb == "remove") return say(text_of(it.remove(a).status()));
    if (verb == "has") return say(it.contains(a) ? "yes" : "no");
    if (verb == "size") return say(std::to_string(it.size()));
    if (verb == "value") return say(std::to_string(value_of(it, a)));
    if (verb == "near") return say(std::to_string(nearest(it, a)));
    if (verb == "save") return say(text_of(it.save_image()));
    if (verb == "verify") return say(text_of(it.verify().status()));
    if (verb == "hold") return hold(it);
    if (verb == "held") return say(held_value(a));
    if (verb == "call") return say(text_of(it.upsert("name " + std::to_string(a), vector_of(b))));
    if (verb == "uncall") return say(text_of(it.remove("name " + std::to_string(a)).status()));
    if (verb == "fill") return say(text_of(fill(it, a, b)));
    if (verb == "race") return say(std::to_string(race(it, a, b)));
    if (verb == "stuff") return say(text_of(stuff(it, a, b)));
    if (verb == "batches") return batches(it, a);
    if (verb == "churn") return say(text_of(churn(it, a)));
    if (verb == "read") return read(it);
    if (verb == "write") return write(it);
    say("what?");
  }

  static void say(std::string_view text) {
    const std::string line = std::string(text) + '\n';
    if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      ::_exit(3);
    }
  }

 private:
  Status keep(const std::string& name, Result<Collection> collection) {
    if (collection.ok()) collections_.insert_or_assign(name, *collection);
    return collection.status();
  }

  // Keys a to a + b - 1, one commit each.
  static Status fill(Collection& it, std::uint64_t a, std::uint64_t b) {
    for (std::uint64_t key = a; key < a + b; ++key) {
      const Status status = it.insert(key, vector_of(key));
      if (!status.ok()) return status;
    }
    return Status();
  }

  // How many of the keys could be inserted; anything but "already there" stops it.
  static std::uint64_t race(Collection& it, std::uint64_t a, std::uint64_t b) {
    std::uint64_t won = 0;
    for (std::uint64_t key = a; key < a + b; ++key) {
      const Status status = it.insert(key, vector_of(key));
      if (status.ok()) ++won;
      if (!status.ok() && status.code() != Code::already_exists) return 1'000'000;
    }
    return won;
  }

  // Rows with payloads of 64 KB.
  static Status stuff(Collection& it, std::uint64_t a, std::uint64_t b) {
    const std::vector<std::byte> payload(64 << 10, std::byte{7});
    for (std::uint64_t key = a; key < a + b; ++key) {
      const Status status = it.upsert(key, vector_of(key), payload);
      if (!status.ok()) return status;
    }
    return Status();
  }

  // One commit of so many changes, of ten keys.
  static Status churn(Collection& it, std::uint64_t changes) {
    std::vector<Key> keys;
    std::vector<float> rows;
    for (std::uint64_t i = 0; i < changes; ++i) {
      keys.push_back(i % 10);
      const auto row = vector_of(i);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    return it.upsert(keys, MatrixView(rows, kDimension));
  }

  // For ever: keys 0 to 7 get the same new value, all in one commit.
  static void batches(Collection& it, std::uint64_t rounds) {
    std::array<Key, 8> keys;
    for (Key key = 0; key < keys.size(); ++key) keys[key] = key;
    Status status;
    for (std::uint64_t round = 1; round <= rounds && status.ok(); ++round) {
      std::vector<float> rows;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto row = vector_of(round);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      status = it.upsert(keys, MatrixView(rows, kDimension));
    }
    say(text_of(status));
  }

  // For ever, until killed: searches, and reads transactions long enough to be killed in.
  static void read(const Collection& it) {
    std::vector<std::byte> payload(64 << 10);
    say("started");
    for (std::uint64_t i = 0;; ++i) {
      if (nearest(it, i % 64) == ~std::uint64_t{0}) ::_exit(4);
      if (!it.get_payload(i % 4, payload).ok()) ::_exit(5);
    }
  }

  // Takes a snapshot, and keeps it until it is killed or takes another.
  void hold(const Collection& it) {
    Result<Snapshot> taken = it.snapshot();
    if (taken.ok()) held_.emplace(*std::move(taken));
    say(text_of(taken.status()));
  }
  std::string held_value(Key key) const {
    std::array<float, kDimension> vector{};
    const Status status = held_->get(key, vector);
    return status.ok() ? std::to_string(static_cast<std::uint64_t>(vector[0]))
                       : std::string(text_of(status));
  }

  static void write(Collection& it) {
    const std::vector<std::byte> payload(8 << 10, std::byte{9});
    for (std::uint64_t i = 0;; ++i) {
      if (!it.upsert(1000 + i % 50, vector_of(i), payload).ok()) ::_exit(6);
      say(std::to_string(i));
    }
  }

  Database database_;
  std::map<std::string, Collection> collections_;
  std::optional<Snapshot> held_;
};

int serve(const char* folder, const char* mode) {
  // Somebody without the right to write here; root first gives its own away.
  const bool stranger = std::strcmp(mode, "stranger") == 0;
  if (stranger && ::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 9;
  auto database = Database::open(folder, options_of(mode));
  Puppet::say(text_of(database.status()));
  if (!database.ok()) return 0;
  Puppet puppet(*std::move(database));
  std::string line;
  for (int letter = std::getchar(); letter != EOF; letter = std::getchar()) {
    if (letter != '\n') {
      line.push_back(static_cast<char>(letter));
      continue;
    }
    puppet.obey(line);
    line.clear();
  }
  return 0;
}

// -- who pulls the strings ------------------------------------------------------------------------

class Other {
 public:
  Other(const fs::path& folder, const char* mode) {
    int to[2];
    int from[2];
    if (::pipe2(to, O_CLOEXEC) != 0 || ::pipe2(from, O_CLOEXEC) != 0) std::abort();
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(to[0], STDIN_FILENO);
      ::dup2(from[1], STDOUT_FILENO);
      ::execl("/proc/self/exe", "processes_test", "--serve", folder.c_str(), mode, nullptr);
      ::_exit(99);
    }
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
    opened_ = hear();
  }
  ~Other() {
    ::close(to_);
    ::close(from_);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

  // What the puppet's open said.
  const std::string& opened() const { return opened_; }

  void tell(const std::string& line) const {
    const std::string whole = line + '\n';
    if (::write(to_, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) {
      std::abort();
    }
  }
  std::string hear() const {
    std::string line;
    char letter = 0;
    while (::read(from_, &letter, 1) == 1 && letter != '\n') line.push_back(letter);
    return line;
  }
  std::string ask(const std::string& line) const {
    tell(line);
    return hear();
  }
  void kill() {
    ::kill(child_, SIGKILL);
    int status = 0;
    ::waitpid(std::exchange(child_, -1), &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it gave up by itself: " << WEXITSTATUS(status);
  }

 private:
  pid_t child_ = -1;
  int to_ = -1;
  int from_ = -1;
  std::string opened_;
};

class Processes : public ::testing::Test {
 protected:
  Database open(const char* mode = "writer") {
    auto database = Database::open(folder_, options_of(mode));
    EXPECT_OK(database);
    return *std::move(database);
  }

  TempDir home_;
  fs::path folder_ = home_ / "db";
};

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

// -- readers --------------------------------------------------------------------------------------

TEST_F(Processes, AReaderSeesACommitAtItsNextSearch) {
  const Other writer(folder_, "writer");
  ASSERT_EQ(writer.ask("make docs"), "ok");
  ASSERT_EQ(writer.ask("insert docs 1000 1000"), "ok");
  for (const char* mode : {"reader", "writer"}) {
    Database database = open(mode);
    auto docs = database.open_collection("docs");
    ASSERT_OK(docs);
    for (std::uint64_t i = 0; i < 60; ++i) {  // beyond flat_below: by scan, then by graph
      const std::string key = number(i);
      ASSERT_EQ(writer.ask("upsert docs " + key + " " + number(i + 1)), "ok");
      switch (i % 5) {
        case 0:
          EXPECT_TRUE(docs->contains(i));
          break;
        case 1:
          EXPECT_EQ(nearest(*docs, i + 1), i);
          break;
        case 2:
          EXPECT_EQ(value_of(*docs, i), i + 1);
          break;
        case 3:
          EXPECT_EQ(docs->size(), i + 2);
          break;
        default: {
          std::uint64_t seen = 0;
          ASSERT_OK(docs->for_each([&](Key) { return ++seen != 0; }));
          EXPECT_EQ(seen, i + 2);
        }
      }
      ASSERT_EQ(nearest(*docs, i + 1), i);
    }
    for (std::uint64_t i = 0; i < 60; ++i) {
      ASSERT_EQ(writer.ask("remove docs " + number(i)), "ok");
      ASSERT_FALSE(docs->contains(i));
      ASSERT_NE(nearest(*docs, i + 1), i);
    }
    ASSERT_OK(docs->verify());
    ASSERT_OK(database.close());
  }
}

TEST_F(Processes, AReaderNeverSeesHalfOfACommit) {
  const Other writer(folder_, "writer");
  ASSERT_EQ(writer.ask("make docs"), "ok");
  ASSERT_EQ(writer.ask("batches docs 1"), "ok");
  Database database = open("reader");
  auto docs = database.open_collection("docs");
  ASSERT_OK(docs);
  writer.tell("batches docs " + number(scaled(400, 100)));
  // The eight keys have one value. Two threads, so that one searches while the other takes up.
  const auto look = [&] {
    std::array<Hit, 8> hits;
    for (std::size_t i = 0; i < scaled(2000, 400); ++i) {
      const auto found = docs->search(vector_of(0), hits, {.exact = true});
      ASSERT_OK(found);
      ASSERT_EQ(found->count, 8u);
      for (const Hit& hit : hits) ASSERT_EQ(hit.distance, hits[0].distance);
    }
  };
  std::thread second(look);
  look();
  second.join();
  EXPECT_EQ(writer.hear(), "ok");
}

TEST_F(Processes, NamesAreFollowedToo) {
  const Other writer(folder_, "writer");
  ASSERT_EQ(writer.ask("names docs"), "ok");
  Database database = open("reader");
  auto docs = database.open_collection("docs");
  ASSERT_OK(docs);
  std::array<NamedHit, 1> hits;
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < 30; ++i) {
      ASSERT_EQ(writer.ask("call docs " + number(i) + " " + number(100 * round + i)), "ok");
      ASSERT_OK(docs->search(vector_of(100 * round + i), hits));
      EXPECT_EQ(hits[0].name.view(), "name " + number(i));
    }
    // Removed and called again between two looks: the name has another id then.
    ASSERT_EQ(writer.ask("uncall docs 3"), "ok");
    ASSERT_EQ(writer.ask("call docs 3 7777"), "ok");
    ASSERT_OK(docs->search(vector_of(7777), hits));
    EXPECT_EQ(hits[0].name.view(), "name 3");
    for (std::uint64_t i = 0; i < 30; i += 2) {
      ASSERT_EQ(writer.ask("uncall docs " + number(i)), "ok");
      EXPECT_FALSE(docs->contains("name " + number(i)));
    }
    EXPECT_EQ(docs->size(), 15u);
    ASSERT_OK(docs->verify());
  }
}

TEST_F(Processes, AFollowerBehindATrimmedLogTakesTheImage) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  ASSERT_OK(docs->insert(5000, vector_of(5000)));
  const Other writer(folder_, "writer");
  ASSERT_EQ(writer.ask("open docs"), "ok");
  ASSERT_EQ(writer.ask("fill docs 0 100"), "ok");
  ASSERT_EQ(writer.ask("save docs"), "ok");
  ASSERT_EQ(writer.ask("remove docs 50"), "ok");
  EXPECT_EQ(docs->size(), 100u);
  EXPECT_EQ(nearest(*docs, 7), 7u);
  EXPECT_FALSE(docs->contains(50));
  ASSERT_OK(docs->verify());
  EXPECT_EQ(docs->stats()->opened, Opened::image);
  // The same in the middle of a walk: it goes on in the old view, whose memory stays.
  std::uint64_t seen = 0;
  ASSERT_OK(docs->for_each([&](Key) {
    if (seen++ == 10) {
      EXPECT_EQ(writer.ask("fill docs 200 50"), "ok");
      EXPECT_EQ(writer.ask("save docs"), "ok");
      EXPECT_TRUE(docs->contains(249));
    }
    return true;
  }));
  EXPECT_EQ(seen, 100u);
  EXPECT_EQ(docs->size(), 150u);
  // Without an image there are still the vectors.
  ASSERT_EQ(writer.ask("fill docs 300 50"), "ok");
  ASSERT_EQ(writer.ask("save docs"), "ok");
  for (const auto& entry : fs::directory_iterator(folder_ / "images")) fs::remove(entry.path());
  EXPECT_EQ(docs->size(), 200u);
  ASSERT_OK(docs->insert(6000, vector_of(6000)));
  ASSERT_OK(docs->verify());
  EXPECT_EQ(writer.ask("near docs 6000"), "6000");
  EXPECT_EQ(writer.ask("verify docs"), "ok");
}

TEST_F(Processes, BesideAWriterWithoutImagesAReaderFollowsTheLog) {
  const Other writer(folder_, "imageless");
  ASSERT_EQ(writer.ask("make docs"), "ok");
  Database reader = open("reader");
  auto docs = reader.open_collection("docs");
  ASSERT_OK(docs);
  // Nine times what makes an image due; a save is what the keeper does then.
  for (std::uint64_t changes = 9'000; changes < 9'010; ++changes) {
    ASSERT_EQ(writer.ask("churn docs " + number(changes)), "ok");
    ASSERT_EQ(writer.ask("save docs"), "ok");
    ASSERT_EQ(value_of(*docs, (changes - 1) % 10), changes - 1);
    const auto stats = docs->stats();
    ASSERT_OK(stats);
    EXPECT_EQ(stats->opened, Opened::created);
    EXPECT_GE(stats->log_entries, 9'000u);
    EXPECT_LE(stats->log_entries, 20'000u);
  }
  // Farther behind than the log goes back.
  for (int i = 0; i < 3; ++i) ASSERT_EQ(writer.ask("churn docs 9000"), "ok");
  ASSERT_EQ(writer.ask("save docs"), "ok");
  EXPECT_EQ(value_of(*docs, 9), 8'999u);
  EXPECT_EQ(docs->stats()->opened, Opened::rebuilt_absent);
  EXPECT_FALSE(fs::exists(folder_ / "images" / "1.image"));
}

// -- writers --------------------------------------------------------------------------------------

TEST_F(Processes, TwoWritersWithHandlesFromBeforeEitherWroteLoseNothing) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("open docs"), "ok");
  for (std::uint64_t i = 0; i < 40; ++i) {  // by turns: each is behind when it writes
    ASSERT_OK(docs->insert(2 * i, vector_of(2 * i)));
    ASSERT_EQ(other.ask("insert docs " + number(2 * i + 1) + " " + number(2 * i + 1)), "ok");
  }
  other.tell("fill docs 1000 " + number(scaled(200, 50)));  // and both at once
  for (std::uint64_t i = 0; i < scaled(200, 50); ++i) {
    ASSERT_OK(docs->insert(5000 + i, vector_of(5000 + i)));
  }
  ASSERT_EQ(other.hear(), "ok");
  EXPECT_EQ(docs->size(), 80 + 2 * scaled(200, 50));
  EXPECT_EQ(other.ask("size docs"), number(docs->size()));
  EXPECT_OK(docs->verify());
  EXPECT_EQ(other.ask("verify docs"), "ok");
  for (std::uint64_t key = 0; key < 80; ++key) EXPECT_EQ(nearest(*docs, key), key);
}

TEST_F(Processes, ABehindWriterCatchesUpBeforeItWrites) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("open docs"), "ok");
  ASSERT_EQ(other.ask("insert docs 1 10"), "ok");
  EXPECT_ERROR(docs->insert(1, vector_of(11)), Code::already_exists);
  EXPECT_EQ(value_of(*docs, 1), 10u);
  ASSERT_EQ(other.ask("remove docs 1"), "ok");
  EXPECT_OK(docs->insert(1, vector_of(12)));
  EXPECT_EQ(other.ask("insert docs 1 13"), "already_exists");
  EXPECT_EQ(other.ask("value docs 1"), "12");
  // Behind a log that was trimmed, too.
  ASSERT_EQ(other.ask("fill docs 100 50"), "ok");
  ASSERT_EQ(other.ask("save docs"), "ok");
  const std::array<Key, 2> keys = {149, 150};
  const std::array<float, 2 * kDimension> rows{};
  EXPECT_ERROR(docs->insert(keys, MatrixView(rows, kDimension)), Code::already_exists);
  EXPECT_EQ(*docs->remove(149), 1u);
  EXPECT_EQ(other.ask("has docs 149"), "no");
  EXPECT_EQ(other.ask("verify docs"), "ok");
  EXPECT_OK(docs->verify());
}

TEST_F(Processes, OfTwoInsertsOfAKeyOneIsToldThatItExists) {
  const Other first(folder_, "writer");
  ASSERT_EQ(first.ask("make docs"), "ok");
  const Other second(folder_, "durable");
  ASSERT_EQ(second.ask("open docs"), "ok");
  const std::uint64_t keys = scaled(200, 50);
  first.tell("race docs 0 " + number(keys));
  second.tell("race docs 0 " + number(keys));
  const std::uint64_t won = std::stoull(first.hear()) + std::stoull(second.hear());
  EXPECT_EQ(won, keys);
  EXPECT_EQ(first.ask("verify docs"), "ok");
  EXPECT_EQ(second.ask("verify docs"), "ok");
}

TEST_F(Processes, SearchesGoOnWhileSeveralProcessesWriteAtIntervals) {
  Database database = open("interval");
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  const Other other(folder_, "interval");
  ASSERT_EQ(other.ask("open docs"), "ok");
  const std::uint64_t rows = scaled(200, 50);
  other.tell("fill docs 0 " + number(rows));
  std::thread searcher([&] {
    std::uint64_t before = 0;
    while (before < 2 * rows) {
      const std::uint64_t size = docs->size();
      ASSERT_GE(size, before);
      before = size;
      std::array<Hit, 3> hits;
      ASSERT_OK(docs->search(vector_of(3), hits));
    }
  });
  for (std::uint64_t i = 0; i < rows; ++i) ASSERT_OK(docs->insert(1000 + i, vector_of(i)));
  EXPECT_EQ(other.hear(), "ok");
  searcher.join();
  ASSERT_OK(docs->verify());
  ASSERT_OK(database.close());
}

// -- collections that come and go -----------------------------------------------------------------

TEST_F(Processes, WhatAnotherProcessDropsOrMakesAgainIsSeen) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  ASSERT_OK(docs->insert(1, vector_of(1)));
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("open docs"), "ok");
  ASSERT_EQ(other.ask("drop docs"), "ok");
  std::array<Hit, 1> hits;
  EXPECT_ERROR(docs->search(vector_of(1), hits), Code::closed);
  EXPECT_ERROR(docs->insert(2, vector_of(2)), Code::closed);
  EXPECT_FALSE(docs->contains(1));
  EXPECT_TRUE(database.list()->empty());
  EXPECT_ERROR(database.open_collection("docs"), Code::not_found);
  // Under the same name, another collection.
  ASSERT_EQ(other.ask("make docs"), "ok");
  ASSERT_EQ(other.ask("insert docs 7 7"), "ok");
  EXPECT_ERROR(docs->insert(2, vector_of(2)), Code::closed);
  EXPECT_ERROR(database.create("docs", kNumbers), Code::already_exists);
  auto again = database.open_or_create("docs", kNumbers);
  ASSERT_OK(again);
  EXPECT_EQ(again->size(), 1u);
  EXPECT_TRUE(again->contains(7));
  // A writer finds out inside its commit, and a close has nothing to save.
  ASSERT_EQ(other.ask("drop docs"), "ok");
  EXPECT_ERROR(again->upsert(2, vector_of(2)), Code::closed);
  auto third = database.create("docs", kNumbers);
  ASSERT_OK(third);
  EXPECT_EQ(third->size(), 0u);
  ASSERT_EQ(other.ask("open docs"), "ok");
  ASSERT_EQ(other.ask("drop docs"), "ok");
  EXPECT_OK(database.close());
}

TEST_F(Processes, HandlesGoOnWhenAnotherProcessRenames) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  ASSERT_OK(docs->insert(1, vector_of(1)));
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("open docs"), "ok");
  ASSERT_EQ(other.ask("rename docs"), "ok");
  ASSERT_EQ(other.ask("insert docs 2 2"), "ok");
  EXPECT_TRUE(docs->contains(2));
  ASSERT_OK(docs->insert(3, vector_of(3)));
  EXPECT_EQ(other.ask("size docs"), "3");
  EXPECT_ERROR(database.open_collection("docs"), Code::not_found);
  auto renamed = database.open_collection("renamed");
  ASSERT_OK(renamed);
  ASSERT_OK(renamed->insert(4, vector_of(4)));
  EXPECT_EQ(docs->size(), 4u) << "it is one collection";
  EXPECT_EQ(docs->name(), "renamed");
  ASSERT_OK(docs->save_image());
  ASSERT_OK(docs->verify().status());
  // Another one under the old name is another one.
  ASSERT_EQ(other.ask("make docs"), "ok");
  ASSERT_EQ(other.ask("insert docs 9 9"), "ok");
  EXPECT_FALSE(docs->contains(9));
  // A clone is seen like any collection.
  ASSERT_EQ(other.ask("clone renamed"), "ok");
  auto cloned = database.open_collection("cloned");
  ASSERT_OK(cloned);
  EXPECT_EQ(cloned->size(), 4u);
  EXPECT_OK(database.drop("renamed"));
  EXPECT_ERROR(docs->insert(5, vector_of(5)), Code::closed);
  EXPECT_EQ(cloned->size(), 4u);
}

TEST_F(Processes, WhatWasPutAwayIsSeenAsOthersLeftIt) {
  DatabaseOptions options = options_of("writer");
  options.warm_collections = 1;
  auto opened = Database::open(folder_, options);
  ASSERT_OK(opened);
  Database database = std::move(*opened);
  auto docs = database.create("docs", kNumbers);
  auto more = database.create("more", kNumbers);
  ASSERT_OK(docs);
  ASSERT_OK(more);
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("open docs"), "ok");
  for (std::uint64_t i = 0; i < 10; ++i) {
    for (int turn = 0; turn < 3; ++turn) ASSERT_OK(more->upsert(i, vector_of(i)));
    ASSERT_EQ(other.ask("insert docs " + std::to_string(i) + " " + std::to_string(i)), "ok");
    EXPECT_EQ(docs->size(), i + 1);
    EXPECT_TRUE(docs->contains(i));
    ASSERT_OK(docs->insert(100 + i, vector_of(100 + i)));
    EXPECT_EQ(other.ask("remove docs " + std::to_string(100 + i)), "ok");
  }
  ASSERT_EQ(other.ask("drop docs"), "ok");
  ASSERT_OK(more->upsert(1, vector_of(1)));
  std::array<Hit, 1> hits;
  EXPECT_ERROR(docs->search(vector_of(1), hits), Code::closed);
  EXPECT_EQ(docs->size(), 0u);
}

// -- the store's file -----------------------------------------------------------------------------

TEST_F(Processes, AMapThatAnotherProcessOutgrowsIsAdopted) {
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("make docs"), "ok");
  Database reader = open("reader");
  auto docs = reader.open_collection("docs");
  ASSERT_OK(docs);
  std::vector<std::byte> payload(64 << 10);
  std::thread searcher([&] {  // goes on while the map moves
    std::array<Hit, 1> hits;
    while (docs->size() < 80) ASSERT_OK(docs->search(vector_of(1), hits));
  });
  ASSERT_EQ(other.ask("stuff docs 0 40"), "ok");
  const auto got = docs->get_payload(39, payload);
  ASSERT_OK(got);
  EXPECT_EQ(*got, payload.size());
  EXPECT_EQ(payload.back(), std::byte{7});
  ASSERT_EQ(other.ask("stuff docs 40 40"), "ok");
  searcher.join();
  ASSERT_OK(docs->verify());
  ASSERT_OK(reader.close());
  // And by a writer.
  Database writer = open();
  auto mine = writer.open_collection("docs");
  ASSERT_OK(mine);
  ASSERT_EQ(other.ask("stuff docs 100 100"), "ok");
  ASSERT_OK(mine->insert(300, vector_of(300)));
  EXPECT_EQ(mine->size(), 181u);
  EXPECT_EQ(writer.stats()->grown, 0u);
  EXPECT_EQ(other.ask("near docs 300"), "300");
}

TEST_F(Processes, KilledReadersLeaveNothingPinned) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  const std::vector<std::byte> payload(16 << 10, std::byte{1});
  std::uint64_t turn = 0;
  const auto churn = [&](std::uint64_t commits) {
    for (std::uint64_t i = 0; i < commits; ++i) {
      ++turn;
      ASSERT_OK(docs->upsert(turn % 64, vector_of(turn % 64), payload));
    }
  };
  churn(300);
  const std::uint64_t before = database.stats()->store_file_bytes;
  const std::size_t readers = scaled(300, 40);
  for (std::size_t done = 0; done < readers; done += 20) {
    std::vector<std::unique_ptr<Other>> herd;
    for (int i = 0; i < 20; ++i) {
      herd.push_back(std::make_unique<Other>(folder_, "reader"));
      ASSERT_EQ(herd.back()->opened(), "ok");
      ASSERT_EQ(herd.back()->ask("open docs"), "ok");
    }
    for (const auto& reader : herd) ASSERT_EQ(reader->ask("read docs"), "started");
    churn(2);
    for (const auto& reader : herd) reader->kill();
  }
  churn(400);
  // One killed reader that stays would make every one of these commits take new pages: 10 MB.
  EXPECT_LE(database.stats()->store_file_bytes, before + (4 << 20));
  EXPECT_EQ(database.stats()->readers, 0u);
  EXPECT_EQ(database.stats()->oldest_reader, 0u);
  EXPECT_GE(database.stats()->stale_readers, 20u);  // others cleared the rest when they opened
  ASSERT_OK(database.close());
  database = open();
  EXPECT_EQ(database.stats()->readers, 0u);
  EXPECT_EQ(database.stats()->max_readers, 1024u);
}

TEST_F(Processes, ASnapshotIsWhatItWasWhateverOtherProcessesWrite) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  ASSERT_OK(docs->insert(1, vector_of(10)));
  const Other other(folder_, "writer");
  const Other reader(folder_, "reader");
  for (const Other* one : {&other, &reader}) {
    ASSERT_EQ(one->ask("open docs"), "ok");
    ASSERT_EQ(one->ask("hold docs"), "ok");
  }
  const auto mine = docs->snapshot();
  ASSERT_OK(mine);
  // Both outgrow the map, in turn, so that each adopts the other's.
  ASSERT_OK(docs->upsert(1, vector_of(20)));
  ASSERT_EQ(other.ask("stuff docs 100 40"), "ok");
  const std::vector<std::byte> payload(64 << 10, std::byte{3});
  for (Key key = 200; key < 240; ++key) ASSERT_OK(docs->upsert(key, vector_of(key), payload));
  ASSERT_EQ(other.ask("stuff docs 300 40"), "ok");
  ASSERT_EQ(other.ask("upsert docs 1 30"), "ok");
  EXPECT_EQ(reader.ask("value docs 1"), "30");
  EXPECT_EQ(value_of(*docs, 1), 30u);
  for (const Other* one : {&other, &reader}) {
    EXPECT_EQ(one->ask("held docs 1"), "10");
    EXPECT_EQ(one->ask("held docs 100"), "not_found");
  }
  std::array<float, kDimension> vector{};
  ASSERT_OK(mine->get(1, vector));
  EXPECT_EQ(vector, vector_of(10));
  EXPECT_EQ(mine->size(), 1u);
  EXPECT_EQ(database.stats()->snapshots, 1u);
  EXPECT_EQ(database.stats()->readers, 3u);
  ASSERT_EQ(other.ask("drop docs"), "ok");
  EXPECT_EQ(reader.ask("held docs 1"), "10");
  EXPECT_EQ(reader.ask("hold docs"), "closed");
  EXPECT_ERROR(docs->snapshot(), Code::closed);
  ASSERT_OK(mine->get(1, vector));
  EXPECT_EQ(vector, vector_of(10));
}

TEST_F(Processes, ASnapshotOfAProcessThatIsKilledPinsNothing) {
  for (const bool reopened : {false, true}) {
    Database database = open();
    auto docs = database.open_or_create("docs", kNumbers);
    ASSERT_OK(docs);
    const std::vector<std::byte> payload(16 << 10, std::byte{1});
    std::uint64_t turn = 0;
    const auto churn = [&](std::uint64_t commits) {
      for (std::uint64_t i = 0; i < commits; ++i) {
        ++turn;
        ASSERT_OK(docs->upsert(turn % 16, vector_of(turn), payload));
      }
    };
    churn(50);
    Other other(folder_, "reader");
    ASSERT_EQ(other.ask("open docs"), "ok");
    ASSERT_EQ(other.ask("hold docs"), "ok");
    churn(100);
    EXPECT_EQ(database.stats()->readers, 1u);
    EXPECT_EQ(database.stats()->oldest_reader, 100u);
    EXPECT_EQ(other.ask("held docs 0"), number(turn - 100 - (turn - 100) % 16));
    other.kill();
    if (reopened) {
      ASSERT_OK(database.close());
      database = open();
      docs = database.open_collection("docs");
      ASSERT_OK(docs);
    } else {
      churn(64);  // among so many there is one that looks
      EXPECT_GE(database.stats()->stale_readers, 1u);
    }
    EXPECT_EQ(database.stats()->readers, 0u);
    EXPECT_EQ(database.stats()->oldest_reader, 0u);
    // What it kept and what these commits free is used again: they would be 5 MB.
    const std::uint64_t before = database.stats()->store_file_bytes;
    churn(300);
    EXPECT_LE(database.stats()->store_file_bytes, before + (1 << 20));
  }
}

TEST_F(Processes, AfterAWriterWasKilledInACommitTheNextGoesOn) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  std::uint64_t mine = 0;
  for (std::size_t round = 0; round < scaled(25, 8); ++round) {
    Other other(folder_, round % 2 == 0 ? "writer" : "durable");
    ASSERT_EQ(other.ask("open docs"), "ok");
    other.tell("write docs");
    for (std::size_t i = 0; i < 3 + 7 * round % 20; ++i) other.hear();
    other.kill();
    ASSERT_OK(docs->insert(mine, vector_of(mine)));
    ++mine;
  }
  for (std::uint64_t key = 0; key < mine; ++key) EXPECT_TRUE(docs->contains(key));
  ASSERT_OK(docs->verify());
}

TEST_F(Processes, CompactIsBusyWhileOthersAreThereAndGivesSpaceBackAfterwards) {
  Database database = open();
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  const std::vector<std::byte> payload(64 << 10, std::byte{1});
  for (Key key = 0; key < 60; ++key) ASSERT_OK(docs->insert(key, vector_of(key), payload));
  for (Key key = 0; key < 59; ++key) ASSERT_OK(docs->upsert(key, vector_of(key)));
  {
    const Other other(folder_, "reader");
    ASSERT_EQ(other.ask("open docs"), "ok");
    EXPECT_ERROR(database.compact(), Code::busy);
    EXPECT_EQ(other.ask("compact"), "read_only");
    EXPECT_EQ(other.ask("size docs"), "60");
  }
  const auto before = database.stats();
  ASSERT_OK(database.compact());
  EXPECT_LT(database.stats()->store_file_bytes, before->store_file_bytes / 2);
  const Other other(folder_, "writer");
  ASSERT_EQ(other.ask("open docs"), "ok");
  ASSERT_EQ(other.ask("insert docs 100 100"), "ok");
  EXPECT_TRUE(docs->contains(100));
  EXPECT_ERROR(database.compact(), Code::busy);
}

// -- opening --------------------------------------------------------------------------------------

TEST_F(Processes, ASecondOpenInAProcessIsRefusedHoweverThePathIsSpelled) {
  Database database = open();
  EXPECT_ERROR(Database::open(folder_), Code::busy);
  EXPECT_ERROR(Database::open(folder_ / ".." / "db"), Code::busy);
  EXPECT_ERROR(Database::open(fs::relative(folder_)), Code::busy);
  fs::create_directory_symlink(folder_, home_ / "link");
  EXPECT_ERROR(Database::open(home_ / "link"), Code::busy);
  EXPECT_ERROR(Database::open(folder_, options_of("reader")), Code::busy);
  const Other other(home_ / "link", "writer");  // another process may
  EXPECT_EQ(other.opened(), "ok");
  ASSERT_OK(database.close());
  database = open();
}

TEST_F(Processes, AfterAForkTheChildMayOpenTheDatabaseItself) {
  Database database = open("durable");  // has no thread of its own, which a fork would lose
  auto docs = database.create("docs", kNumbers);
  ASSERT_OK(docs);
  ASSERT_OK(docs->insert(1, vector_of(1)));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::array<Hit, 1> hits;
    if (docs->search(vector_of(1), hits).status().code() != Code::closed) ::_exit(1);
    if (docs->insert(2, vector_of(2)).code() != Code::closed) ::_exit(2);
    if (database.list().status().code() != Code::closed) ::_exit(3);
    auto own = Database::open(folder_, options_of("durable"));
    if (!own.ok()) ::_exit(4);
    auto mine = own->open_collection("docs");
    if (!mine.ok() || mine->size() != 1) ::_exit(5);
    if (!mine->insert(2, vector_of(2)).ok()) ::_exit(6);
    if (docs->contains(1)) ::_exit(7);
    if (!own->close().ok()) ::_exit(8);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "exit " << WEXITSTATUS(status);
  EXPECT_TRUE(docs->contains(2));
  EXPECT_OK(docs->insert(3, vector_of(3)));
  EXPECT_OK(docs->verify());
}

TEST_F(Processes, WithDurabilityNoneThereIsOneWriter) {
  {
    Database database = open("none");
    const Other other(folder_, "writer");
    EXPECT_EQ(other.opened(), "busy");
    const Other same(folder_, "none");
    EXPECT_EQ(same.opened(), "busy");
    const Other reader(folder_, "reader");
    EXPECT_EQ(reader.opened(), "ok");
  }
  Database database = open();
  const Other other(folder_, "none");
  EXPECT_EQ(other.opened(), "busy");
}

TEST_F(Processes, TheSharedPageIsOnlyAHint) {
  {
    Database database = open();
    auto docs = database.create("docs", kNumbers);
    ASSERT_OK(docs);
    ASSERT_OK(docs->insert(1, vector_of(1)));
  }
  for (const std::string& content :
       {std::string(), std::string("short"), std::string(4096, '\xff'), std::string(9000, 'x')}) {
    write_file(folder_ / "shared", content);
    Database database = open();
    auto docs = database.open_collection("docs");
    ASSERT_OK(docs);
    const Other other(folder_, "writer");
    ASSERT_EQ(other.ask("open docs"), "ok");
    ASSERT_EQ(other.ask("upsert docs 2 " + number(content.size())), "ok");
    EXPECT_EQ(value_of(*docs, 2), content.size());
    ASSERT_OK(docs->verify());
  }
}

TEST_F(Processes, ManyMayOpenAtTheSameMoment) {
  { Database database = open(); }
  std::vector<std::thread> threads;
  std::vector<std::unique_ptr<Other>> others(scaled(24, 8));
  for (auto& other : others) {
    threads.emplace_back([&] { other = std::make_unique<Other>(folder_, "writer"); });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < others.size(); ++i) {
    EXPECT_EQ(others[i]->opened(), "ok");
    EXPECT_EQ(others[i]->ask("make docs"), "ok");
    EXPECT_EQ(others[i]->ask("insert docs " + number(i) + " " + number(i)), "ok");
  }
  for (const auto& other : others) EXPECT_EQ(other->ask("size docs"), number(others.size()));
}

TEST_F(Processes, WhoCannotWriteTheFolderShutsWritersOut) {
  {
    Database database = open();
    auto docs = database.create("docs", kNumbers);
    ASSERT_OK(docs);
    ASSERT_OK(docs->insert(1, vector_of(1)));
  }
  fs::permissions(home_.path(), fs::perms(0755));
  if (::geteuid() != 0) fs::permissions(folder_ / "lock", fs::perms::owner_read);
  {
    const Other stranger(folder_, "stranger");
    EXPECT_EQ(stranger.opened(), "ok");
    EXPECT_EQ(stranger.ask("open docs"), "ok");
    EXPECT_EQ(stranger.ask("near docs 5"), "1");
    const Other second(folder_, "stranger");
    EXPECT_EQ(second.opened(), "ok");
    fs::permissions(folder_ / "lock", fs::perms(0644));
    EXPECT_ERROR(Database::open(folder_, options_of("writer")), Code::busy);
  }
  Database database = open();
  if (::geteuid() != 0) fs::permissions(folder_ / "lock", fs::perms::owner_read);
  const Other stranger(folder_, "stranger");
  EXPECT_EQ(stranger.opened(), "busy");
}

}  // namespace
}  // namespace skerry::testing

int main(int argc, char** argv) {
  if (argc == 4 && std::strcmp(argv[1], "--serve") == 0) {
    return skerry::testing::serve(argv[2], argv[3]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
