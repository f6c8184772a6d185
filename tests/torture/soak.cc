// soak.cc - do all calls hold what they promise when eight threads make all of them at once?
//
// A round is an index and a database of three collections (numbers, few numbers, byte strings),
// which eight threads write, read, save, snapshot, clone and check together; each also makes and
// drops collections of its own. Every thread owns some keys of each target and knows what they hold
// (soak_owner.h). At the end of a round everything is checked, closed, opened and compared again.
//
// Built with ThreadSanitizer, whose first report ends the round, which is a failure then.

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "skerry/database.h"
#include "skerry/index.h"
#include "support/temp_dir.h"
#include "support/threads.h"
#include "torture/run.h"
#include "torture/soak_owner.h"

// A report of the sanitizer ends the process at once. The round's child begins threads after a
// fork.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:exitcode=66:die_after_fork=0:second_deadlock_stack=1";
}

namespace skerry::torture {
namespace {

constexpr std::size_t kCalls = 200;  // of each thread in a round
constexpr std::size_t kSeldom = 12;  // one of so many is a call on the whole

// What a round is made of, as its seed says.
struct Plan {
  explicit Plan(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    options.dimension = kDimension;
    options.codes = random() % 2 == 0 ? Codes::exact : Codes::sq8;
    options.M = 3 + static_cast<std::uint32_t>(random() % 10);
    options.ef_construction = 40;
    options.flat_below = random() % 2 == 0 ? 0 : 100;
    options.seed = random();
    durability = static_cast<Durability>(random() % 3);
    warm = 1 + static_cast<std::uint32_t>(random() % 4);
  }
  DatabaseOptions database() const {
    return {.durability = durability, .sync_interval_ms = 5, .warm_collections = warm};
  }
  IndexOptions options;
  Durability durability = Durability::commit;
  std::uint32_t warm = 0;
};

class Round {
 public:
  Round(std::uint64_t seed, Told& told) : plan_(seed), seed_(seed), complaints_(told) {}

  void run() {
    open();
    if (!database_.has_value()) return;
    index_.emplace(*Index::create(plan_.options));
    for (std::size_t thread = 0; thread < kOwners; ++thread) {
      threads_.push_back(std::make_unique<Thread>(*this, thread));
    }
    testing::together(kOwners, [&](std::size_t thread) {
      for (std::size_t call = 0; call < kCalls; ++call) threads_[thread]->call();
    });
    expect_sound();
    docs_.reset();
    few_.reset();
    names_.reset();
    complaints_.expect_ok(database_->close(), "close");
    database_.reset();
    open();
    if (!database_.has_value()) return;
    expect_sound();
    for (const auto& thread : threads_) thread->expect_mine();
  }

 private:
  // One thread's side of the round.
  class Thread {
   public:
    Thread(Round& round, std::size_t number)
        : round_(round),
          name_("of thread " + std::to_string(number)),
          random_(mix(round.seed_, number)),
          index_(*round.index_, round.gone_[0], round.complaints_, number, random_()),
          docs_(*round.docs_, round.gone_[1], round.complaints_, number, random_()),
          few_(*round.few_, round.gone_[2], round.complaints_, number, random_()),
          names_(*round.names_, round.gone_[3], round.complaints_, number, random_()) {}

    void call() {
      if (random_() % kSeldom == 0) {
        round_.complaints_.count_call();
        return call_on_the_whole();
      }
      switch (random_() % 4) {
        case 0:
          return index_.call();
        case 1:
          return docs_.call();
        case 2:
          return few_.call();
        default:
          return names_.call();
      }
    }

    void expect_mine() {
      const auto in = [](const auto& target) {
        return [&](Key key, std::span<float> out) { return target.get(key, out); };
      };
      docs_.expect_mine(in(*round_.docs_), "after reopening");
      few_.expect_mine(in(*round_.few_), "after reopening");
      names_.expect_mine(in(*round_.names_), "after reopening");
    }

   private:
    void call_on_the_whole() {
      Complaints& complaints = round_.complaints_;
      Database& database = *round_.database_;
      switch (random_() % 14) {
        case 0:
          return save_and_load();
        case 1:
          return complaints.expect_ok(round_.docs_->save_image(), "save_image");
        case 2:
          return complaints.expect_ok(database.checkpoint(), "checkpoint");
        case 3:
          return hold_a_snapshot();
        case 4: {
          const Status status = database.compact();
          // While somebody holds a snapshot it may not.
          if (status.code() == Code::busy) return;
          return complaints.expect_ok(status, "compact");
        }
        case 5:
          return complaints.expect_ok(round_.docs_->verify({.level = VerifyLevel::full}).status(),
                                      "verify");
        case 6:
          return complaints.expect_ok(round_.index_->check().status(), "check");
        case 7:
        case 8:
          return make_and_drop();
        case 9:
          return clone();
        case 10:
        case 11:
          return search_union();
        case 12:
          return complaints.expect_ok(database.sync(), "sync");
        default:
          complaints.expect_ok(database.stats().status(), "stats of the database");
          complaints.expect_ok(round_.docs_->stats().status(), "stats of a collection");
          complaints.expect(round_.index_->stats().live <= kOwners * kOwned, "stats of the index");
          complaints.expect_ok(round_.docs_->shape().status(), "shape of a collection");
          complaints.expect_ok(round_.index_->shape().status(), "shape of the index");
          complaints.expect(round_.few_->size() <= kOwners * kOwned, "size");
          complaints.expect_ok(database.collections().status(), "collections");
      }
    }

    void save_and_load() {
      const std::filesystem::path path = round_.folder_ / name_;
      round_.complaints_.expect_ok(round_.index_->save(path), "save");
      const Result<Index> loaded = Index::load(path);
      round_.complaints_.expect_ok(loaded.status(), "load");
      if (!loaded.ok()) return;
      round_.complaints_.expect_ok(loaded->check().status(), "check of what was loaded");
      index_.expect_mine([&](Key key, std::span<float> out) { return loaded->get(key, out); },
                         "what was saved");
    }

    // What it shows is what was there, whatever this thread writes meanwhile.
    void hold_a_snapshot() {
      const Result<Snapshot> snapshot = round_.few_->snapshot();
      round_.complaints_.expect_ok(snapshot.status(), "snapshot");
      if (!snapshot.ok()) return;
      const auto read = [&](Key key, std::span<float> out) { return snapshot->get(key, out); };
      few_.expect_mine(read, "a snapshot");
      for (int i = 0; i < 3; ++i) docs_.call();
      few_.expect_mine(read, "a snapshot, later");
    }

    void make_and_drop() {
      Complaints& complaints = round_.complaints_;
      Database& database = *round_.database_;
      Result<Collection> made = database.create(name_, {.index = round_.plan_.options});
      complaints.expect_ok(made.status(), "create");
      if (!made.ok()) return;
      for (Key key = 0; key < 5; ++key) {
        complaints.expect_ok(made->insert(key, vector_of(key, 1)), "insert into one of its own");
      }
      const std::string other = name_ + ", renamed";
      complaints.expect_ok(database.rename(name_, other), "rename");
      std::array<Hit, 1> hit;
      const Result<SearchResult> found = made->search(vector_of(3, 1), hit, {.exact = true});
      complaints.expect(found.ok() && found->count == 1 && hit[0] == Hit{3, 0},
                        "a search in one of its own");
      complaints.expect_ok(database.drop(other), "drop");
      complaints.expect(made->upsert(1, vector_of(1, 2)).code() == Code::closed,
                        "what was dropped was written to");
    }

    void clone() {
      Database& database = *round_.database_;
      const std::string name = "clone " + name_;
      {
        const Result<Collection> copy = database.clone("docs", name);
        round_.complaints_.expect_ok(copy.status(), "clone");
        if (!copy.ok()) return;
        docs_.expect_mine([&](Key key, std::span<float> out) { return copy->get(key, out); },
                          "a clone");
      }
      round_.complaints_.expect_ok(database.drop(name), "drop of a clone");
    }

    void search_union() {
      const std::array<Collection, 2> both = {*round_.docs_, *round_.few_};
      std::array<UnionHit, 8> hits;
      const std::array<std::uint64_t, 2> moments = {round_.gone_[1].now(), round_.gone_[2].now()};
      const Result<SearchResult> found =
          round_.database_->search_union(both, vector_of(random_() % 300, 1), hits);
      round_.complaints_.expect_ok(found.status(), "search_union");
      for (std::uint32_t i = 0; found.ok() && i < found->count; ++i) {
        const Hit hit = {hits[i].key, hits[i].distance};
        const bool is_first = hits[i].collection == 0;
        if (is_first) docs_.expect_nobody_gone(std::span(&hit, 1), moments[0]);
        if (!is_first) few_.expect_nobody_gone(std::span(&hit, 1), moments[1]);
      }
    }

    Round& round_;
    const std::string name_;
    std::mt19937_64 random_;
    Owner<Index> index_;
    Owner<Collection> docs_;
    Owner<Collection> few_;
    Owner<Names> names_;
  };

  void open() {
    Result<Database> opened = Database::open(folder_ / "db", plan_.database());
    complaints_.expect_ok(opened.status(), "open");
    if (!opened.ok()) return;
    database_.emplace(*std::move(opened));
    IndexOptions flat = plan_.options;
    flat.flat_below = 100'000;
    Result<Collection> docs = database_->open_or_create("docs", {.index = plan_.options});
    Result<Collection> few = database_->open_or_create("few", {.index = flat});
    Result<Collection> names =
        database_->open_or_create("names", {.index = plan_.options, .byte_keys = true});
    for (const auto* one : {&docs, &few, &names}) {
      complaints_.expect_ok(one->status(), "open_or_create");
      if (!one->ok()) return database_.reset();
    }
    docs_.emplace(*docs);
    few_.emplace(*few);
    names_.emplace(*names);
    all_ = {*docs, *few, *names};
  }

  void expect_sound() {
    const Result<CheckReport> report = index_->check();
    complaints_.expect_ok(report.status(), "check at the end");
    complaints_.expect(!report.ok() || report->unreachable == 0, "a node is out of reach");
    for (const Collection& collection : all_) {
      const Result<VerifyReport> verified = collection.verify();
      complaints_.expect_ok(verified.status(), "verify at the end");
      complaints_.expect(!verified.ok() || verified->index.unreachable == 0,
                         "a node of a collection is out of reach");
    }
    all_.clear();
  }

  const Plan plan_;
  const std::uint64_t seed_;
  Complaints complaints_;
  testing::TempDir folder_;
  std::array<Gone, 4> gone_;  // by target
  std::optional<Index> index_;
  std::optional<Database> database_;
  std::optional<Collection> docs_;
  std::optional<Collection> few_;
  std::optional<Names> names_;
  std::vector<Collection> all_;
  std::vector<std::unique_ptr<Thread>> threads_;
};

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  using namespace skerry::torture;
  Run run("concurrency", 800, argc, argv);
  Shared<Told> told;
  for (std::uint64_t round = 0; round < run.rounds(); ++round) {
    run.progress(round, "soaking");
    told->words.clear();
    Child child([&] {
      Round(mix(run.seed(), round), *told).run();
      return told->words.any() ? 1 : 0;
    });
    const int status = child.wait();
    if (told->words.any() || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      run.fail(round, told->words.any() ? told->words.text : "it " + ending(status, child.hung));
    }
  }
  return run.finish(", \"threads\": " + std::to_string(kOwners) +
                    ", \"calls\": " + std::to_string(told->calls.load()));
}
