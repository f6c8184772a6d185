// crash.cc - is everything that had returned there after kill -9, and everything else whole?
//
// Each round a child opens the database, writes to it from several threads and says on a pipe what
// begins and what has ended; it is killed at a moment of chance, often while something rare is
// under way. Then some children are killed while they recover. Then one checks: verify() is clean,
// every key has the version of its last acknowledged write, or of one under way, vector and payload
// whole; batches are there with all rows or none; every live key is found by its own vector; what
// was dropped is gone; acknowledged backups hold one moment of their time. The database is used on
// by the next round, and made anew every 25.
//
// The acts and the rows follow from the seed; at which instruction a child dies does not, so a seed
// repeats the pressure and not the moment. The folder of a round that failed is kept.

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "support/temp_dir.h"
#include "torture/crash_check.h"
#include "torture/crash_ledger.h"
#include "torture/crash_plan.h"
#include "torture/crash_worker.h"
#include "torture/run.h"

namespace skerry::torture {
namespace {

namespace fs = std::filesystem;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using testing::below;

constexpr std::uint64_t kRoundsOfADatabase = 25;
constexpr milliseconds kSilenceMax{30'000};  // between two records; then it hangs

// When is the child killed?
struct Trigger {
  std::uint64_t after_records = 0;  // counted records, or
  std::optional<Act> on;            // the first begin of this act after them
  microseconds then{0};             // and so much later
};

Trigger make_trigger(testing::Random& random) {
  Trigger trigger;
  trigger.after_records = below(random, below(random, 3) == 0 ? 40 : 700);
  switch (below(random, 10)) {
    case 0:
      trigger.after_records = 0;  // as it opens
      trigger.then = microseconds(below(random, 30'000));
      break;
    case 1:
      trigger.on = Act::compact;
      trigger.then = microseconds(below(random, 15'000));
      break;
    case 2:
      trigger.on = Act::backup;
      trigger.then = microseconds(below(random, 15'000));
      break;
    case 3:
      trigger.on = below(random, 2) == 0 ? Act::create : Act::drop;
      trigger.then = microseconds(below(random, 5'000));
      break;
    case 4:
      trigger.on = below(random, 2) == 0 ? Act::checkpoint : Act::save_image;
      trigger.then = microseconds(below(random, 8'000));
      break;
    case 5:
      trigger.on = Act::close;
      trigger.then = microseconds(below(random, 20'000));
      break;
    default:
      trigger.then = microseconds(below(random, 3'000));
  }
  return trigger;
}

DatabaseOptions make_options(testing::Random& random) {
  DatabaseOptions options;
  options.durability = static_cast<Durability>(below(random, 3));
  options.sync_interval_ms = static_cast<std::uint32_t>(1 + below(random, 20));
  options.map_bytes = std::uint64_t{1} << (18 + below(random, 8));
  options.threads = 1;
  options.use_images = below(random, 10) != 0;
  options.warm_collections = static_cast<std::uint32_t>(1 + below(random, 8));
  return options;
}

class Torture {
 public:
  explicit Torture(Run& run) : run_(run) {}

  void round(std::uint64_t number) {
    random_.seed(mix(run_.seed(), number));
    if (number % kRoundsOfADatabase == 0 || spoilt_) start_anew();
    round_ = number;
    const std::uint64_t before = run_.failures();
    work();
    if (run_.failures() == before) recover();
    if (run_.failures() == before) check();
    for (const Ledger::Backup& backup : ledger_->backups()) {
      if (run_.failures() != before) break;
      check_backup(backup);
    }
    spoilt_ = run_.failures() != before;
    if (spoilt_) return keep();
    ledger_->settle(findings_->lives, findings_->versions);
  }

 private:
  void start_anew() {
    home_ = std::make_unique<testing::TempDir>();
    ledger_ = std::make_unique<Ledger>(run_.seed());
    was_opened_ = false;
    spoilt_ = false;
  }

  fs::path folder() const { return *home_ / "db"; }

  void work() {
    run_.progress(round_, "working");
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return run_.fail(round_, "no pipe");
    Worker::Settings settings{home_->path(), run_.seed(), round_, 1 + below(random_, 300),
                              make_options(random_)};
    const Trigger trigger = make_trigger(random_);
    findings_->words.clear();
    Child child([&] {
      ::close(ends[0]);
      return Worker(settings, *ledger_, ends[1], findings_->words).work();
    });
    ::close(ends[1]);
    const bool killed = watch(child, ends[0], trigger);
    const int status = child.wait(kSilenceMax);
    ::close(ends[0]);
    const bool as_wished = killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    const bool closed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (findings_->words.any()) {
      run_.fail(round_, findings_->words.text);
    } else if (!as_wished && !closed) {
      run_.fail(round_, "the writing child " + ending(status, child.hung || !killed));
    }
  }

  // Reads records until the pipe ends; kills the child when its time has come. False when it said
  // nothing for long without having been killed.
  bool watch(Child& child, int pipe, const Trigger& trigger) {
    std::uint64_t records = 0;
    bool armed = false, killed = false;
    Clock::time_point deadline{};
    for (;;) {
      if (!armed && records >= trigger.after_records && !trigger.on) {
        armed = true;
        deadline = Clock::now() + trigger.then;
      }
      milliseconds patience = kSilenceMax;
      timespec wait = {kSilenceMax.count() / 1000, 0};
      if (armed && !killed) {
        const auto left = std::max(Clock::duration::zero(), deadline - Clock::now());
        wait = {0, std::chrono::duration_cast<std::chrono::nanoseconds>(left).count()};
        patience = milliseconds(0);
      }
      pollfd readable = {pipe, POLLIN, 0};
      const int ready = ::ppoll(&readable, 1, &wait, nullptr);
      if (armed && !killed && Clock::now() >= deadline) {
        child.signal();
        killed = true;
      }
      if (ready == 0) {
        if (patience != milliseconds(0)) {
          child.signal();
          return false;
        }
        continue;
      }
      Record record;
      if (::read(pipe, &record, sizeof record) != sizeof record) return true;
      ++records;
      if (record.act == Act::open && record.ended) was_opened_ = true;
      const std::string wrong = ledger_->note(record);
      if (!wrong.empty()) findings_->words.say("%s", wrong.c_str());
      if (!armed && trigger.on == record.act && !record.ended) {
        armed = true;
        deadline = Clock::now() + trigger.then;
      }
    }
  }

  // Children that die while they open what the last one left.
  void recover() {
    if (below(random_, 5) < 2) return;
    for (std::uint64_t i = 1 + below(random_, 3); i-- > 0;) {
      run_.progress(round_, "recovering");
      const DatabaseOptions options = make_options(random_);
      const milliseconds longest(2 + recovery_ms_ * 5 / 4);
      const microseconds then(below(random_, static_cast<std::uint64_t>(longest.count()) * 1000));
      const Clock::time_point began = Clock::now();
      Child child([&] { return open_all(options); });
      const int status = child.wait(then);
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        recovery_ms_ = std::chrono::duration_cast<milliseconds>(Clock::now() - began).count();
      } else if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        return run_.fail(round_, "a recovering child " + ending(status, false));
      } else if (then > milliseconds(longest.count() * 4 / 5)) {
        ++recovery_ms_;
      }
    }
  }

  int open_all(const DatabaseOptions& options) {
    Result<Database> opened = Database::open(folder(), options);
    if (!opened.ok()) return 2;
    const Result<std::vector<std::string>> names = opened->list();
    if (!names.ok()) return 3;
    for (const std::string& name : *names) {
      if (!opened->open_collection(name).ok()) return 4;
    }
    return opened->close().ok() ? 0 : 5;
  }

  void check() {
    run_.progress(round_, "checking");
    const DatabaseOptions options = make_options(random_);
    *findings_ = {};
    Child child([&] {
      return Check(run_.seed(), *ledger_, *findings_).database(folder(), options, was_opened_);
    });
    judge(child, "the checking child ");
    was_opened_ = true;
  }

  void check_backup(const Ledger::Backup& backup) {
    const fs::path path = *home_ / ("backup " + std::to_string(backup.version));
    if (backup.end == kNever && !fs::exists(path)) return;
    Child child([&] { return Check(run_.seed(), *ledger_, *findings_).backup(path, backup); });
    judge(child, "the child that checks a backup ");
    if (!findings_->words.any()) fs::remove_all(path);
  }

  void judge(Child& child, const char* who) {
    const int status = child.wait();
    if (findings_->words.any()) return run_.fail(round_, findings_->words.text);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      run_.fail(round_, who + ending(status, child.hung));
    }
  }

  // What a failure left, for whoever looks into it.
  void keep() {
    const fs::path kept =
        fs::temp_directory_path() /
        ("skerry-crash-" + std::to_string(run_.seed()) + "-" + std::to_string(round_));
    std::error_code error;
    fs::copy(home_->path(), kept, fs::copy_options::recursive, error);
    std::fprintf(stderr, "crash: kept in %s\n", kept.c_str());
  }

  Run& run_;
  testing::Random random_;
  std::uint64_t round_ = 0;
  std::unique_ptr<testing::TempDir> home_;
  std::unique_ptr<Ledger> ledger_;
  Shared<Findings> findings_;
  bool was_opened_ = false;  // an open of this database has returned
  bool spoilt_ = false;
  std::int64_t recovery_ms_ = 20;
};

}  // namespace
}  // namespace skerry::torture

int main(int argc, char** argv) {
  skerry::torture::Run run("crash", 50, argc, argv);
  skerry::torture::Torture torture(run);
  for (std::uint64_t round = 0; round < run.rounds(); ++round) torture.round(round);
  return run.finish();
}
