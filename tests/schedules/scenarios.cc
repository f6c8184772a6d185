#include "schedules/scenarios.h"

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "index/engine.h"
#include "schedules/scheduler.h"
#include "skerry/index.h"
#include "support/caller.h"
#include "support/temp_dir.h"
#include "support/vectors.h"

namespace skerry::testing {
namespace {

using Bodies = std::vector<std::function<void()>>;

// An engine whose upserts join the backlog, as those of a collection do that is being opened.
class LateLinks {
 public:
  explicit LateLinks(const IndexOptions& options) : engine_(*Engine::create(options)) {}

  // One thread writes: the numbers are its own.
  Status upsert(Key key, VectorView vector) {
    const Changes changes = {std::span(&key, 1), row(vector)};
    if (Status status = engine_->reserve(1, Linking::later); !status.ok()) return status;
    engine_->publish({changes, engine_->sequence() + 1}, 1, Linking::later);
    return {};
  }
  Status insert(Key key, VectorView vector) {
    return engine_->insert({std::span(&key, 1), row(vector)}, {.threads = 1});
  }
  Result<std::uint64_t> remove(Key key) {
    return engine_->remove({std::span(&key, 1), {}, /*removal=*/true});
  }
  Status get(Key key, std::span<float> out) const { return engine_->get(key, out); }
  bool contains(Key key) const { return engine_->contains(key); }
  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options) const {
    return engine_->search(query, hits, options);
  }
  Result<CheckReport> check() const { return engine_->check_invariants(); }
  void work_off() {
    engine_->work_off_backlog(1, [] { return true; });
  }

 private:
  static MatrixView row(VectorView vector) {
    return {vector.data(), vector.scalar(), 1, vector.dimension()};
  }

  std::unique_ptr<Engine> engine_;
};

// A target, the others in it, and who calls it.
template <class Target>
class World {
 public:
  World(std::uint64_t seed, std::size_t others, Target target, std::size_t callers)
      : random_(seed), others_(Numbered::others(random_, others)), target_(std::move(target)) {
    for (std::size_t i = 0; i < others; ++i) good(target_.insert(Numbered::kKeys + i, others_[i]));
    // A walk that goes past all but one of what may be live. Narrower ones miss somebody by right
    // where lists have four places: once in 80,000 rounds, when ef was others - 1.
    const auto ef = static_cast<std::uint32_t>(others + Numbered::kKeys - 1);
    for (std::size_t i = 0; i < callers; ++i) {
      callers_.emplace_back(target_, clock_, others_, random_(), 100 * i, SearchOptions{.ef = ef});
    }
  }

  Target& target() { return target_; }
  std::string why_not_explained() const { return Caller<Target>::why_not_explained(callers_); }
  Clock& clock() { return clock_; }
  Caller<Target>& caller(std::size_t i) { return callers_[i]; }

  void run(const Bodies& bodies, RoundReport& report) {
    Scheduler scheduler(random_());
    scheduler.run(bodies);
    report.steps = scheduler.steps();
    report.trouble = why_not_explained();
    const Result<CheckReport> check = target_.check();
    if (!report.trouble.empty()) return;
    if (!check.ok()) report.trouble = "check: " + check.status().message();
    if (check.ok() && check->unreachable != 0) report.trouble = "a node is out of reach";
  }

 private:
  void good(const Status& status) { SKERRY_ASSERT(status.ok()); }

  Random random_;
  std::vector<Numbered::Vector> others_;
  Target target_;
  Clock clock_;
  std::vector<Caller<Target>> callers_;
};

IndexOptions tiny(Random& random) {
  return {.dimension = Numbered::kDimension,
          .codes = below(random, 4) == 0 ? Codes::sq8 : Codes::exact,
          .M = 2 + static_cast<std::uint32_t>(below(random, 3)),
          .ef_construction = 16,
          .flat_below = 0,
          .seed = random()};
}

Index make(const IndexOptions& options) {
  return *Index::create(options);
}

void times(std::size_t count, const std::function<void()>& call) {
  for (std::size_t i = 0; i < count; ++i) call();
}

// An update: of old and new exactly one is met.
void play_updates(Random& random, RoundReport& report) {
  World<Index> world(random(), 12 + below(random, 12), make(tiny(random)), 3);
  for (Key key = 0; key < Numbered::kKeys; ++key) world.caller(0).upsert(key);
  const Key key = below(random, Numbered::kKeys);
  world.run({[&] { times(3, [&] { world.caller(0).upsert(key); }); },
             [&] { times(3, [&] { world.caller(1).search_by_walk(key); }); },
             [&] { times(3, [&] { world.caller(2).read(); }); }},
            report);
}

// Slots of removed vectors are used again, while a search is inside.
void play_reuse(Random& random, RoundReport& report) {
  World<Index> world(random(), 12 + below(random, 12), make(tiny(random)), 3);
  times(6, [&] { world.caller(0).write(); });
  world.run({[&] {
               for (Key key = 0; key < Numbered::kKeys; ++key) {
                 world.caller(0).remove(key);
                 world.caller(0).insert(key);
               }
             },
             [&] { times(4, [&] { world.caller(1).search_by_walk(1); }); },
             [&] { times(4, [&] { world.caller(2).read(); }); }},
            report);
}

void play_writers(Random& random, RoundReport& report) {
  World<Index> world(random(), 12 + below(random, 12), make(tiny(random)), 4);
  times(4, [&] { world.caller(0).write(); });
  world.run({[&] { times(3, [&] { world.caller(0).write(); }); },
             [&] { times(3, [&] { world.caller(1).write(); }); },
             [&] { times(2, [&] { world.caller(2).call(); }); },
             [&] { times(4, [&] { world.caller(3).read(); }); }},
            report);
}

// At 32 slots, seldom at 1,024, the storage is exchanged; the directory's table now and then.
void play_growth(Random& random, RoundReport& report) {
  const std::size_t others = (below(random, 50) == 0 ? 1024 : 32) - 4 + below(random, 4);
  IndexOptions options = tiny(random);
  if (below(random, 3) == 0) options.flat_below = 100'000;
  World<Index> world(random(), others, make(options), 3);
  world.run({[&] { times(4, [&] { world.caller(0).write(); }); },
             [&] { times(3, [&] { world.caller(1).write(); }); },
             [&] { times(4, [&] { world.caller(2).read(); }); }},
            report);
}

// A collection that outgrows its scan is linked some nodes at a time.
void play_first_graph(Random& random, RoundReport& report) {
  IndexOptions options = tiny(random);
  const std::size_t others = 20 + below(random, 10);
  options.flat_below = static_cast<std::uint32_t>(others + below(random, 2));
  World<Index> world(random(), others, make(options), 3);
  world.run({[&] { times(6, [&] { world.caller(0).write(); }); },
             [&] { times(2, [&] { world.caller(1).write(); }); },
             [&] { times(5, [&] { world.caller(2).read(); }); }},
            report);
}

// The last vector goes, and with it the graph; another begins.
void play_last(Random& random, RoundReport& report) {
  World<Index> world(random(), 0, make(tiny(random)), 3);
  world.run({[&] { times(4, [&] { world.caller(0).write(); }); },
             [&] { times(4, [&] { world.caller(1).write(); }); },
             [&] { times(5, [&] { world.caller(2).read(); }); }},
            report);
}

// An image shows one moment of all keys, between the beginning of its saving and the end.
void play_image(Random& random, RoundReport& report) {
  const TempDir folder;
  const auto path = folder / "index";
  World<Index> world(random(), 12 + below(random, 12), make(tiny(random)), 3);
  times(4, [&] { world.caller(0).write(); });
  std::uint64_t began = 0;
  std::uint64_t returned = 0;
  Status saved;
  Clock& clock = world.clock();
  world.run({[&] { times(4, [&] { world.caller(0).write(); }); },
             [&] {
               began = clock.now();
               saved = world.target().save(path);
               returned = clock.now();
             },
             [&] { times(3, [&] { world.caller(1).read(); }); }},
            report);
  if (!report.trouble.empty()) return;
  Result<Index> loaded = Index::load(path);
  if (!saved.ok() || !loaded.ok()) {
    report.trouble = "image: " + (saved.ok() ? loaded.status() : saved).message();
    return;
  }
  const Result<CheckReport> check = loaded->check();
  if (!check.ok()) report.trouble = "check of the image: " + check.status().message();
  if (check.ok() && check->unreachable != 0) report.trouble = "a node of the image is out of reach";
  for (Key key = 0; key < Numbered::kKeys && report.trouble.empty(); ++key) {
    world.caller(2).note_copy(*loaded, key, began, returned);
  }
  if (report.trouble.empty()) report.trouble = world.why_not_explained();
}

// What is visible and not linked is found by a scan, until somebody links it.
void play_backlog(Random& random, RoundReport& report) {
  World<LateLinks> world(random(), 12 + below(random, 12), LateLinks(tiny(random)), 3);
  times(3, [&] { world.caller(0).write(); });
  world.run({[&] { times(4, [&] { world.caller(0).write(); }); },
             [&] { times(3, [&] { world.target().work_off(); }); },
             [&] { times(3, [&] { world.caller(1).search_by_walk(below(random, 3)); }); },
             [&] { times(3, [&] { world.caller(2).read(); }); }},
            report);
}

struct Scenario {
  const char* name;
  void (*play)(Random& random, RoundReport& report);
};
// The last one writes to the disk, and is a quarter as frequent as the others.
constexpr std::array kScenarios = {
    Scenario{"updates", play_updates}, Scenario{"reuse", play_reuse},
    Scenario{"writers", play_writers}, Scenario{"growth", play_growth},
    Scenario{"last", play_last},       Scenario{"first graph", play_first_graph},
    Scenario{"backlog", play_backlog}, Scenario{"image", play_image},
};

}  // namespace

RoundReport play_round(std::uint64_t seed) {
  Random random(seed);
  const Scenario& scenario = kScenarios[below(random, 4 * kScenarios.size() - 3) / 4];
  RoundReport report;
  report.scenario = scenario.name;
  scenario.play(random, report);
  return report;
}

}  // namespace skerry::testing
