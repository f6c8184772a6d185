// power.cc - is everything there that was promised, whenever the power goes?
//
// A film is made of a random workload: each write, sync, rename and the like that it asks for. Then
// the folder is made again as power loss could leave it, at each event of the film in each of eight
// ways (disk.h), and opened: it must verify, hold what contract.md promises for the film's
// durability, and take writes.
//
//   commit     exactly what had returned, and perhaps, whole, the call that was under way
//   interval   the same, or all of it but the last change; nothing from before the last sync is
//   lost none       what the model held at some moment not before the last sync
//
// A backup that had returned is there whole.
//
//   power [--seed FILM] [--rounds STATES]
//
// A film and what is done to it follow from its number: a failure is repeated with the number as
// the seed. A run of few rounds looks at some states of each film, a long one at every one.

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "support/files.h"
#include "support/temp_dir.h"
#include "torture/disk.h"
#include "torture/run.h"
#include "torture/world.h"

namespace skerry::torture {
namespace {

namespace fs = std::filesystem;
using testing::read_file;
using testing::TempDir;
using testing::write_file;

constexpr const char* kPlace = "home/db";  // of the database: folders are made on the way to it
constexpr std::size_t kSteps = 60;
constexpr std::size_t kRowsMax = 30;
constexpr std::uint64_t kFewRounds = 10'000;
constexpr std::uint64_t kFewStates = 40;  // of a film, in a run of few rounds

// A mark says which step begins (2 i) or has returned (2 i + 1).
struct Story {
  Durability durability = Durability::commit;
  std::vector<Step> steps;
  std::vector<World> worlds;  // worlds[i]: before step i
};

DatabaseOptions options_of(Durability durability) {
  DatabaseOptions options;
  options.durability = durability;
  options.sync_interval_ms = 3'600'000;  // the film has its own syncs, and one thread
  options.map_bytes = 1 << 18;           // so that it grows
  options.threads = 1;
  return options;
}

// Performs the story, filmed; what went wrong.
std::string perform(Film& film, std::uint64_t seed, Story& story) {
  std::mt19937_64 random(seed);
  Subject subject(film.folder() / kPlace, options_of(story.durability));
  World world;
  const auto step_is_done = [&](const Step& step, const auto& call) -> std::string {
    const std::size_t number = story.steps.size();
    story.steps.push_back(step);
    story.worlds.push_back(world);
    film.mark(2 * number);
    const Status status = call();
    if (!status.ok()) return std::string(name_of(step.kind)) + ": " + status.message();
    film.mark(2 * number + 1);
    apply_step(step, world);
    return {};
  };
  // The first open is a reopening of nothing.
  std::string wrong = step_is_done({.kind = Step::Kind::reopen}, [&] { return subject.open(); });
  for (std::size_t i = 0; i < kSteps && wrong.empty(); ++i) {
    Step step = random_step(world, random, kRowsMax);
    step.folder = film.folder() / ("backup" + std::to_string(i));
    wrong = step_is_done(step, [&] { return subject.perform(step); });
  }
  if (wrong.empty()) {
    wrong = step_is_done({.kind = Step::Kind::sync}, [&] { return subject.close(); });
  }
  story.worlds.push_back(world);
  return wrong;
}

// What may be there: worlds [first, last] of the story.
struct Promise {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t returned = 0;  // steps
};

Promise promise_of(const Story& story, const std::vector<std::uint64_t>& marks) {
  Promise promise;
  for (const std::uint64_t mark : marks) {
    promise.last = mark / 2 + 1;
    if (mark % 2 == 1) promise.returned = mark / 2 + 1;
  }
  promise.first = promise.returned;
  if (story.durability == Durability::commit) return promise;
  std::size_t synced = 0;
  std::size_t change = 0;  // the last one
  for (std::size_t i = 0; i < promise.returned; ++i) {
    const Step::Kind kind = story.steps[i].kind;
    if (kind == Step::Kind::sync || kind == Step::Kind::reopen) synced = i;
    if (story.steps[i].changes()) change = i;
  }
  promise.first = story.durability == Durability::none
                      ? synced
                      : std::max(synced, std::min(change, promise.first));
  return promise;
}

// In words; empty when the database in `folder` is one of the promised worlds, which it then is in
// `is` too.
std::string find_world(Subject& subject, const Story& story, const Promise& promise, World& is) {
  Status status = subject.check();
  if (!status.ok()) return "check: " + status.message();
  Result<World> found = subject.read();
  if (!found.ok()) return "read: " + found.error().message();
  is = *std::move(found);
  for (std::size_t i = promise.first; i <= promise.last; ++i) {
    if (is == story.worlds[i]) return {};
  }
  return "it is none of worlds " + std::to_string(promise.first) + " to " +
         std::to_string(promise.last) +
         "; against the last: " + difference(story.worlds[promise.last], is);
}

// The machine has been started since: its boot has another number.
class OtherBoot final : public SystemCallObserver {
 public:
  explicit OtherBoot(const fs::path& folder) : file_(folder / "boot_id") {
    write_file(file_, "00000000-0000-4000-8000-000000000000\n");
    system_call_observer = this;
  }
  ~OtherBoot() { system_call_observer = nullptr; }
  OtherBoot(const OtherBoot&) = delete;
  OtherBoot& operator=(const OtherBoot&) = delete;

  int before(SystemCall& call) noexcept override {
    if (call.kind == SystemCall::Kind::open &&
        std::string_view(call.path) == "/proc/sys/kernel/random/boot_id") {
      call.path = file_.c_str();
    }
    return 0;
  }
  void after(const SystemCall&, std::int64_t) noexcept override {}

 private:
  const fs::path file_;
};

// Opens what is left of the database, and says what is wrong.
std::string judge(const fs::path& folder, const Story& story, const Promise& promise,
                  std::mt19937_64& random) {
  const OtherBoot boot(folder);
  DatabaseOptions options = options_of(story.durability);
  options.use_images = random() % 4 != 0;
  Subject subject(folder / kPlace, options);
  Status status = subject.open();
  if (!status.ok()) return "open: " + status.message();
  World world;
  std::string wrong = find_world(subject, story, promise, world);
  if (!wrong.empty()) return wrong;

  // Life goes on.
  if (world.empty()) {
    const Step create{.kind = Step::Kind::create, .collection = "s0"};
    status = subject.perform(create);
    if (!status.ok()) return "create: " + status.message();
    apply_step(create, world);
  }
  for (const auto& [name, rows] : World(world)) {
    const Step step = upsert_step(name, {"7", "1000"}, random, 5);
    status = subject.perform(step);
    if (!status.ok()) return "upsert: " + status.message();
    apply_step(step, world);
  }
  status = subject.perform({.kind = Step::Kind::reopen});
  if (!status.ok()) return "reopen: " + status.message();
  status = subject.check();
  if (!status.ok()) return "check after reopening: " + status.message();
  const Result<World> found = subject.read();
  if (!found.ok()) return "read after reopening: " + found.error().message();
  const std::string other = difference(world, *found);
  if (!other.empty()) return "after reopening: " + other;

  // The last backup that had returned, and one that was under way.
  for (std::size_t i = promise.last; i-- > 0;) {
    if (story.steps[i].kind != Step::Kind::backup) continue;
    const bool is_there = i < promise.returned;
    const fs::path backup = folder / story.steps[i].folder.filename();
    Subject copy(backup, {.create_if_missing = false, .threads = 1});
    status = copy.open();
    if (!status.ok()) {
      if (!is_there && status.code() == Code::not_found) continue;
      return "open a backup: " + status.message();
    }
    World held;
    wrong = find_world(copy, story, {i, i, i}, held);
    if (!wrong.empty()) return "backup: " + wrong;
    if (is_there) break;
  }
  return {};
}

// Is the film whole? Everything that was asked for, played on a disk that loses nothing, must make
// the files that are there. Scratch excepted.
std::string compare_with_film(const Film& film, const fs::path& folder) {
  std::mt19937_64 random(1);
  Disk disk(film, film.events().size());
  disk.lose_power(loss_of(1, random), random, folder);
  for (const auto& entry : fs::recursive_directory_iterator(film.folder())) {
    const fs::path name = fs::relative(entry.path(), film.folder());
    if (!entry.is_regular_file() || disk.is_scratch(name)) continue;
    if (read_file(entry.path()) != read_file(folder / name)) {
      return "the film lacks something of " + name.string();
    }
  }
  fs::remove_all(folder);
  return {};
}

class Power {
 public:
  Power(Run& run, fs::path folder) : run_(run), folder_(std::move(folder)) {}

  // Looks at states of the seed's film: the rounds that it does are counted.
  void look_at(std::uint64_t seed);

  bool is_done() const { return round_ >= run_.rounds(); }

 private:
  void fail(std::uint64_t seed, const std::string& what) {
    run_.fail(round_, "film " + std::to_string(seed) + ", " + what);
  }

  Run& run_;
  const fs::path folder_;
  std::uint64_t round_ = 0;
  Shared<Words> words_;
};

void Power::look_at(std::uint64_t seed) {
  constexpr std::array kDurabilities = {Durability::commit, Durability::interval,
                                        Durability::commit, Durability::none};
  Story story;
  story.durability = kDurabilities[seed % kDurabilities.size()];
  const fs::path real = folder_ / "real";
  const fs::path left = folder_ / "left";
  fs::create_directory(real);
  Film film(real);
  std::string wrong = perform(film, seed, story);
  film.stop();
  if (wrong.empty()) wrong = compare_with_film(film, left);
  fs::remove_all(real);
  if (!wrong.empty()) {
    fail(seed, "the workload itself: " + wrong);
    ++round_;
    return;
  }

  const std::uint64_t states = (film.events().size() + 1) * kWays;
  const bool is_sample = run_.rounds() < kFewRounds;
  const std::uint64_t count = std::min(is_sample ? kFewStates : states, run_.rounds() - round_);
  for (std::uint64_t i = 0; i < count; ++i, ++round_) {
    run_.progress(round_, "losing power");
    std::mt19937_64 random(mix(seed, i));
    const std::uint64_t state = is_sample ? random() % states : i;
    const std::size_t events = state / kWays;
    const auto way = static_cast<unsigned>(state % kWays);
    Disk disk(film, events);
    const Promise promise = promise_of(story, disk.marks());
    disk.lose_power(loss_of(way, random), random, left);
    words_->clear();
    Child child([&] {
      const std::string found = judge(left, story, promise, random);
      if (!found.empty()) words_->say("%s", found.c_str());
      return 0;
    });
    const int status = child.wait();
    if (status != 0) words_->say("it %s", ending(status, child.hung).c_str());
    if (words_->any()) {
      const char* during =
          promise.last > promise.returned ? name_of(story.steps[promise.returned].kind) : "nothing";
      fail(seed, "durability " + std::to_string(static_cast<int>(story.durability)) + ", event " +
                     std::to_string(events) + " of " + std::to_string(film.events().size()) +
                     ", way " + std::to_string(way) + ", during " + during + ": " + words_->text);
    }
    fs::remove_all(left);
  }
}

int power(int count, char** arguments) {
  Run run("power", 200'000, count, arguments);
  // In memory where there is such a place: the films know what was synced, the device need not.
  if (fs::is_directory("/dev/shm") && ::getenv("TMPDIR") == nullptr) {
    ::setenv("TMPDIR", "/dev/shm", 1);
  }
  const TempDir folder;
  Power torture(run, folder.path());
  for (std::uint64_t seed = run.seed(); !torture.is_done(); ++seed) torture.look_at(seed);
  return run.finish();
}

}  // namespace
}  // namespace skerry::torture

int main(int count, char** arguments) {
  return skerry::torture::power(count, arguments);
}
