// fault.cc - what happens when the world says no?
//
// A scenario is one call on a small database. It is run again and again, each time with another
// request of it refused: the first allocation, the second, ... until it passes; then each file that
// is opened, each write, each sync. A refusal comes once, or lasts until the cause is gone. After
// each: the call says why, nothing has changed, reads go on; once the cause is gone the same call
// on the same handles works; and what is read after reopening is what it should be. No descriptor
// is left behind, nothing hangs and nothing dies. So with LMDB's own refusals: no place for a
// reader, the map full, the transaction full.
//
//   fault [--seed N] [--rounds CASES]
//
// The rows follow from the seed; a run of few rounds takes some requests of each call, a long one
// every one, again and again with other rows.
//
// Before that the limits of LMDB and of a real device: no more readers, a device that is full.

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "support/allocations.h"
#include "support/temp_dir.h"
#include "torture/run.h"
#include "torture/system_calls.h"
#include "torture/world.h"

namespace skerry::torture {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;

constexpr std::uint64_t kFewRounds = 10'000;

// -- refusing -------------------------------------------------------------------------------------

struct Fault {
  const char* name;
  std::optional<SystemCall::Kind> call;  // none: memory, whoever asks for it
  int error = 0;                         // 0: half of the write is made
  bool lasts = false;                    // until it is over, and not once
};

// Refuses the chosen request from when it is armed. One at a time; nothing in it allocates.
class Refusal final : public SystemCallObserver {
 public:
  void arm(const Fault& fault, std::uint64_t number) {
    fault_ = &fault;
    left_ = static_cast<std::int64_t>(number);
    refused_ = 0;
    current_ = this;
    testing::allocation_gate = fault.call ? nullptr : &Refusal::may_allocate;
    system_call_observer = this;
  }
  void disarm() {
    system_call_observer = nullptr;
    testing::allocation_gate = nullptr;
  }
  bool has_refused() const { return refused_ > 0; }

  int before(SystemCall& call) noexcept override {
    // Memory comes from the system too.
    const bool is_memory =
        call.kind == SystemCall::Kind::map && ((call.sharing & MAP_ANONYMOUS) != 0 || call.fd < 0);
    if (fault_->call ? call.kind != *fault_->call || is_memory : !is_memory) return 0;
    if (!is_refused()) return 0;
    if (fault_->error != 0) return fault_->error;
    call.bytes -= call.bytes / 2;
    return 0;
  }
  void after(const SystemCall&, std::int64_t) noexcept override {}

 private:
  static bool may_allocate() noexcept { return !current_->is_refused(); }

  bool is_refused() noexcept {
    const std::int64_t left = left_.fetch_sub(1) - 1;
    if (fault_->lasts ? left > 0 : left != 0) return false;
    ++refused_;
    return true;
  }

  static inline Refusal* current_ = nullptr;
  const Fault* fault_ = nullptr;
  std::atomic<std::int64_t> left_{0};
  std::atomic<std::uint64_t> refused_{0};
};

Refusal refusal;

std::vector<Fault> every_fault() {
  using Kind = SystemCall::Kind;
  std::vector<Fault> faults;
  for (const bool lasts : {false, true}) {
    faults.push_back({"memory", std::nullopt, ENOMEM, lasts});
    faults.push_back({"open: EMFILE", Kind::open, EMFILE, lasts});
    faults.push_back({"open: EIO", Kind::open, EIO, lasts});
    faults.push_back({"read: EIO", Kind::read, EIO, lasts});
    faults.push_back({"write: EIO", Kind::write, EIO, lasts});
    faults.push_back({"write: ENOSPC", Kind::write, ENOSPC, lasts});
    faults.push_back({"write: cut short", Kind::write, 0, lasts});
    faults.push_back({"sync: EIO", Kind::sync, EIO, lasts});
    faults.push_back({"truncate: ENOSPC", Kind::truncate, ENOSPC, lasts});
    faults.push_back({"rename: EIO", Kind::rename, EIO, lasts});
    faults.push_back({"remove: EIO", Kind::remove, EIO, lasts});
    faults.push_back({"mkdir: ENOSPC", Kind::mkdir, ENOSPC, lasts});
    faults.push_back({"map a file: ENOMEM", Kind::map, ENOMEM, lasts});
    faults.push_back({"lock: EIO", Kind::lock, EIO, lasts});
    faults.push_back({"thread: EAGAIN", Kind::thread, EAGAIN, lasts});
    faults.push_back({"random: EIO", Kind::random, EIO, lasts});
    faults.push_back({"snapshot: readers full", Kind::snapshot, MDB_READERS_FULL, lasts});
    faults.push_back({"change: map full", Kind::change, MDB_MAP_FULL, lasts});
    faults.push_back({"change: transaction full", Kind::change, MDB_TXN_FULL, lasts});
    faults.push_back({"commit: map full", Kind::commit, MDB_MAP_FULL, lasts});
    faults.push_back({"commit: transaction full", Kind::commit, MDB_TXN_FULL, lasts});
  }
  return faults;
}

// Whether a refusal with that code tells its cause.
bool tells_why(const Fault& fault, Code code) {
  if (!fault.call || fault.error == ENOMEM) {
    return code == Code::out_of_memory || code == Code::storage_full;
  }
  if (fault.error == MDB_READERS_FULL) return code == Code::busy;
  if (fault.error == ENOSPC || fault.error == MDB_MAP_FULL || fault.error == MDB_TXN_FULL) {
    return code == Code::storage_full;
  }
  if (fault.error == 0) return code == Code::io_error || code == Code::storage_full;
  if (fault.error == EAGAIN) return code == Code::out_of_memory || code == Code::io_error;
  return code == Code::io_error;
}

// -- scenarios ------------------------------------------------------------------------------------

struct Scenario {
  const char* name;
  std::function<Step(const World&, std::mt19937_64&)> step = {};  // none: `read`
  Durability durability = Durability::commit;
  bool is_open = false;  // the call is opening: of the database and its collections
  bool is_new = false;   // of one that is not there yet
  bool use_images = true;
  bool is_new_thread = false;  // the call is a thread's first
};

std::vector<std::string> keys(std::uint64_t first, std::uint64_t count) {
  std::vector<std::string> all;
  for (std::uint64_t key = first; key < first + count; ++key) all.push_back(std::to_string(key));
  return all;
}

std::vector<Scenario> every_scenario() {
  const auto simply = [](Step::Kind kind, const char* collection = "") {
    return [=](const World&, std::mt19937_64&) { return Step{kind, collection, {}, {}, {}}; };
  };
  const auto upsert = [](const char* collection, std::uint64_t first, std::uint64_t count,
                         std::size_t payload = 20) {
    return [=](const World&, std::mt19937_64& random) {
      return upsert_step(collection, keys(first, count), random, payload);
    };
  };
  const auto remove = [](const char* collection, std::uint64_t first, std::uint64_t count) {
    return [=](const World&, std::mt19937_64&) {
      return Step{Step::Kind::remove, collection, keys(first, count), {}, {}};
    };
  };
  using Kind = Step::Kind;
  return {
      {.name = "make a database", .step = {}, .is_open = true, .is_new = true},
      {.name = "open with images", .step = {}, .is_open = true},
      {.name = "open without images", .step = {}, .is_open = true, .use_images = false},
      {.name = "open, interval", .step = {}, .durability = Durability::interval, .is_open = true},
      {.name = "create a collection", .step = simply(Kind::create, "g9")},
      {.name = "create one with names", .step = simply(Kind::create, "n9")},
      {.name = "upsert a new key", .step = upsert("s1", 5000, 1)},
      {.name = "upsert a present key", .step = upsert("g1", 3, 1)},
      {.name = "upsert a new name", .step = upsert("n1", 5000, 1)},
      {.name = "upsert a batch", .step = upsert("g1", 20, 60)},
      {.name = "upsert names", .step = upsert("n1", 20, 60)},
      {.name = "upsert beyond the map", .step = upsert("s1", 7000, 400, 2000)},
      {.name = "upsert a large payload", .step = upsert("s1", 1, 1, 100'000)},
      {.name = "upsert, interval",
       .step = upsert("s1", 5000, 2),
       .durability = Durability::interval},
      {.name = "upsert, none", .step = upsert("s1", 5000, 2), .durability = Durability::none},
      {.name = "remove", .step = remove("g1", 7, 1)},
      {.name = "remove a batch", .step = remove("s1", 5, 30)},
      {.name = "remove names", .step = remove("n1", 5, 30)},
      {.name = "read", .step = {}},
      {.name = "read on a new thread", .step = {}, .is_new_thread = true},
      {.name = "look", .step = simply(Kind::look, "g1")},
      {.name = "look at names", .step = simply(Kind::look, "n1")},
      {.name = "hold a snapshot", .step = simply(Kind::hold, "g1")},
      {.name = "hold a snapshot of names", .step = simply(Kind::hold, "n1")},
      {.name = "sync", .step = simply(Kind::sync), .durability = Durability::none},
      {.name = "checkpoint", .step = simply(Kind::checkpoint)},
      {.name = "compact", .step = simply(Kind::compact)},
      {.name = "backup", .step = simply(Kind::backup)},
      {.name = "drop", .step = simply(Kind::drop, "g1")},
      {.name = "close", .step = simply(Kind::reopen)},
  };
}

DatabaseOptions options_of(const Scenario& scenario) {
  DatabaseOptions options;
  options.durability = scenario.durability;
  options.sync_interval_ms = 3'600'000;
  options.map_bytes = 1 << 18;
  options.use_images = scenario.use_images;
  return options;
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

// The reads that must go on: searches of each kind, get, and a payload, of collections that no
// scenario touches and that have been read before. Allocates nothing of its own.
class Reads {
 public:
  Status warm_up(Subject& subject) {
    Result<Collection> quiet = subject.database().open_collection("g0");
    if (!quiet.ok()) return quiet.error();
    collection_.emplace(*std::move(quiet));
    quiet = subject.database().open_collection("n0");
    if (!quiet.ok()) return quiet.error();
    names_.emplace(*std::move(quiet));
    named_hits_.resize(10);
    named_vector_.resize(8);
    hits_.resize(10);
    batch_.resize(20);
    counts_.resize(4);
    vector_.resize(16);
    matrix_.resize(64);
    payload_.resize(100);
    allowed_ = {1, 2, 3, 5, 8};
    for (int i = 0; i < 3; ++i) {
      const Status status = (*this)();
      if (!status.ok()) return status;
    }
    return Status();
  }

  Status operator()() {
    Collection& on = *collection_;
    Status status = on.get(1, vector_);
    if (!status.ok()) return status;
    Result<SearchResult> found = on.search(vector_, hits_);
    if (!found.ok()) return found.error();
    if (found->count == 0 || hits_[0].key != 1) return Status(Code::corruption, "search is wrong");
    SearchOptions filtered;
    filtered.filter = Filter::only(allowed_);
    found = on.search(vector_, hits_, filtered);
    if (!found.ok()) return found.error();
    if (found->count != allowed_.size()) return Status(Code::corruption, "the filter is wrong");
    found = on.search_batch(MatrixView(matrix_, 16), batch_, counts_);
    if (!found.ok()) return found.error();
    const Result<std::size_t> size = on.get_payload(1, payload_);
    if (!size.ok()) return size.error();
    if (*size != 20) return Status(Code::corruption, "the payload is wrong");
    return read_names();
  }

 private:
  Status read_names() {
    const Status status = names_->get("1", named_vector_);
    if (!status.ok()) return status;
    SearchOptions filtered;
    filtered.filter = Filter::only_names(allowed_names_);
    const Result<SearchResult> found = names_->search(named_vector_, named_hits_, filtered);
    if (!found.ok()) return found.error();
    const bool is_right =
        found->count == allowed_names_.size() && named_hits_[0].name.view() == "1";
    return is_right ? Status() : Status(Code::corruption, "the search by name is wrong");
  }

  std::optional<Collection> collection_;
  std::optional<Collection> names_;
  std::vector<NamedHit> named_hits_;
  std::vector<float> named_vector_;
  static constexpr std::array<std::string_view, 3> allowed_names_ = {"1", "2", "3"};
  std::vector<Hit> hits_;
  std::vector<Hit> batch_;
  std::vector<std::uint32_t> counts_;
  std::vector<float> vector_;
  std::vector<float> matrix_;
  std::vector<std::byte> payload_;
  std::vector<Key> allowed_;
};

// A thread that is there before it is needed: it makes a call when it is told to.
class Hand {
 public:
  Hand() : thread_([this] { work(); }) {}
  ~Hand() {
    tell(nullptr);
    thread_.join();
  }
  Hand(const Hand&) = delete;
  Hand& operator=(const Hand&) = delete;

  Status operator()(FunctionRef<Status()> call) {
    tell(&call);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !is_told_; });
    return answer_;
  }

 private:
  void tell(const FunctionRef<Status()>* call) {
    const std::lock_guard lock(mutex_);
    call_ = call;
    is_told_ = true;
    changed_.notify_all();
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return is_told_; });
      if (call_ == nullptr) return;
      answer_ = (*call_)();
      is_told_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const FunctionRef<Status()>* call_ = nullptr;
  bool is_told_ = false;
  Status answer_;
  std::thread thread_;
};

// What the database that all scenarios begin with is made by. After the reopening, which saves
// images, comes the log that opening replays.
std::vector<Step> steps_of_start(std::mt19937_64& random) {
  std::vector<Step> steps;
  for (const char* name : {"s0", "s1", "g0", "g1", "n0", "n1"}) {
    steps.push_back({Step::Kind::create, name, {}, {}, {}});
    steps.push_back(upsert_step(name, keys(1, 50), random, 20));
    steps.push_back({Step::Kind::remove, name, keys(40, 5), {}, {}});
  }
  steps.push_back({Step::Kind::reopen, {}, {}, {}, {}});
  for (const char* name : {"s1", "g1", "n1"}) {
    steps.push_back(upsert_step(name, keys(45, 10), random, 20));
  }
  return steps;
}

World world_of(const std::vector<Step>& steps) {
  World world;
  for (const Step& step : steps) apply_step(step, world);
  return world;
}

std::string make_start(const fs::path& folder, const std::vector<Step>& steps) {
  DatabaseOptions options;
  options.map_bytes = 1 << 18;
  Subject subject(folder, options);
  Status status = subject.open();
  for (const Step& step : steps) {
    if (status.ok()) status = subject.perform(step);
  }
  // The folder as a kill would leave it: close() would save images.
  const fs::path killed = folder.string() + ".killed";
  if (status.ok()) {
    fs::copy(folder, killed, fs::copy_options::recursive);
    status = subject.close();
  }
  if (!status.ok()) return "making the database: " + status.message();
  fs::remove_all(folder);
  fs::rename(killed, folder);
  return {};
}

// Opens the database and all of its collections.
Status open_all(Subject& subject, const World& world) {
  Status status = subject.is_open() ? Status() : subject.open();
  for (const auto& [name, rows] : world) {
    if (!status.ok()) return status;
    status = subject.database().open_collection(name).status();
  }
  return status;
}

// What is wrong with the case; `is_over` when the call passed without a refusal.
std::string try_case(const fs::path& folder, const Scenario& scenario, const Fault& fault,
                     std::uint64_t number, const World& before, std::mt19937_64& random,
                     bool& is_over) {
  const std::size_t descriptors = open_descriptors();
  std::string wrong;
  {
    Subject subject(folder, options_of(scenario));
    World after = scenario.is_new ? World() : before;
    Reads reads;
    Step step{Step::Kind::sync, {}, {}, {}, {}};
    if (scenario.step) step = scenario.step(before, random);
    step.folder = folder.string() + ".backup";
    const Call call(step);
    std::optional<Hand> hand;
    if (scenario.is_new_thread) hand.emplace();
    const auto act = [&]() -> Status {
      if (scenario.is_open) return open_all(subject, after);
      if (hand) return (*hand)([&] { return reads(); });
      return scenario.step ? call(subject) : reads();
    };
    Status status;
    if (!scenario.is_open) {
      status = open_all(subject, before);
      if (status.ok()) status = reads.warm_up(subject);
      if (!status.ok()) return "opening: " + status.message();
    }

    refusal.arm(fault, number);
    status = act();
    // What stops a write must not stop a read.
    using Kind = SystemCall::Kind;
    const bool stops_writes = fault.call == Kind::write || fault.call == Kind::sync ||
                              fault.call == Kind::truncate || fault.call == Kind::change ||
                              fault.call == Kind::commit;
    Status read;
    const bool is_same = !scenario.is_open && step.kind != Step::Kind::reopen;
    if (is_same && stops_writes) read = reads();
    refusal.disarm();
    is_over = !refusal.has_refused();

    if (!read.ok()) return "reads did not go on: " + read.message();
    if (!status.ok() && is_over) return "it failed for nothing: " + status.message();
    if (!status.ok() && !tells_why(fault, status.code())) return "it said " + status.message();
    const std::string said = status.ok() ? "it went well" : "it said " + status.message();

    if (!subject.is_open()) {
      status = open_all(subject, after);
      if (!status.ok()) return said + "; opening again: " + status.message();
      if (step.kind == Step::Kind::reopen) status = Status();
    } else if (!status.ok()) {
      const Result<World> now = subject.read();
      if (!now.ok()) return said + "; reading: " + now.error().message();
      wrong = difference(after, *now);
      if (!wrong.empty()) return said + "; and left something: " + wrong;
      status = act();
      if (!status.ok()) return said + "; once the cause was gone: " + status.message();
    }
    if (!status.ok()) return said;
    apply_step(step, after);

    // Life goes on, now and after reopening.
    if (!scenario.is_new) {
      const Step one = upsert_step("s0", keys(9000, 1), random, 20);
      status = subject.perform(one);
      apply_step(one, after);
      if (!status.ok()) return said + "; the next write: " + status.message();
    }
    for (const bool is_reopened : {false, true}) {
      if (is_reopened) status = subject.perform({Step::Kind::reopen, {}, {}, {}, {}});
      if (status.ok()) status = subject.check();
      if (!status.ok()) return said + "; then: " + status.message();
      const Result<World> now = subject.read();
      if (!now.ok()) return said + "; then: " + now.error().message();
      wrong = difference(after, *now);
      if (!wrong.empty()) {
        return said + (is_reopened ? "; after reopening: " : "; then: ") + wrong;
      }
    }
    status = subject.close();
    if (!status.ok()) return said + "; closing: " + status.message();
  }
  if (fs::exists(folder.string() + ".backup")) {
    Subject copy(folder.string() + ".backup", {});
    Status status = copy.open();
    const Result<World> held = status.ok() ? copy.read() : status;
    if (!held.ok()) return "the backup: " + held.error().message();
    wrong = difference(before, *held);
    if (!wrong.empty()) return "the backup: " + wrong;
  }
  return open_descriptors() == descriptors ? "" : "it left a descriptor open";
}

// -- limits ---------------------------------------------------------------------------------------

// Stops whoever writes first until it is let go.
class Stop final : public SystemCallObserver {
 public:
  int before(SystemCall& call) noexcept override {
    if (call.kind != SystemCall::Kind::write) return 0;
    std::unique_lock lock(mutex_);
    if (is_met_) return 0;
    is_met_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return is_open_; });
    return 0;
  }
  void after(const SystemCall&, std::int64_t) noexcept override {}

  void wait_until_met() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return is_met_; });
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_met_ = false;
  bool is_open_ = false;
};

// Two transactions may read: one rests for the calls that come, the other is held by a backup.
std::string no_more_readers(const fs::path& folder, const World& world) {
  DatabaseOptions options;
  options.max_readers = 2;
  Subject subject(folder, options);
  Reads reads;
  Status status = open_all(subject, world);
  if (status.ok()) status = reads.warm_up(subject);
  if (!status.ok()) return "opening: " + status.message();

  Stop stop;
  Status first;
  system_call_observer = &stop;
  std::thread backup([&] { first = subject.database().backup(folder.string() + ".first"); });
  stop.wait_until_met();
  const Status second = subject.database().backup(folder.string() + ".second");
  status = reads();
  stop.let_go();
  backup.join();
  system_call_observer = nullptr;

  if (second.code() != Code::busy) return "one reader too many: " + second.message();
  if (!status.ok()) return "reads did not go on: " + status.message();
  if (!first.ok()) return "the reader that was there: " + first.message();
  status = subject.database().backup(folder.string() + ".second");
  return status.ok() ? "" : "with room again: " + status.message();
}

// A device of our own, small enough to be filled. Not empty: why there can be none.
std::string mount_device(const fs::path& at, const char* size) {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  if (::unshare(user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS) != 0) {
    return std::string("unshare: ") + ::strerror(errno);
  }
  if (user != 0) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << "0 " << user << " 1";
    std::ofstream("/proc/self/gid_map") << "0 " << group << " 1";
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", at.c_str(), "tmpfs", 0, size) != 0) {
    return std::string("mount: ") + ::strerror(errno);
  }
  return {};
}

// Fills what is left of the device.
void fill(const fs::path& file) {
  std::ofstream out(file, std::ios::binary | std::ios::app);
  const std::string block(4096, 'x');
  while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
}

// Every call that needs room, on a device that has none; then with room again.
std::string full_device(const fs::path& device, std::mt19937_64& random) {
  DatabaseOptions options;
  options.map_bytes = 1 << 18;
  Subject subject(device / "db", options);
  const std::vector<Step> start = steps_of_start(random);
  World world = world_of(start);
  std::string wrong = make_start(device / "db", start);
  if (!wrong.empty()) return wrong;
  Reads reads;
  Status status = open_all(subject, world);
  if (status.ok()) status = reads.warm_up(subject);
  if (!status.ok()) return "opening: " + status.message();

  const std::vector<Step> steps = {upsert_step("s1", keys(7000, 300), random, 1000),
                                   {Step::Kind::create, "g9", {}, {}, {}},
                                   {Step::Kind::checkpoint, {}, {}, {}, {}},
                                   {Step::Kind::compact, {}, {}, {}, {}},
                                   {Step::Kind::backup, {}, {}, {}, device / "backup"},
                                   {Step::Kind::remove, "g1", keys(1, 30), {}, {}},
                                   {Step::Kind::drop, "n1", {}, {}, {}},
                                   {Step::Kind::reopen, {}, {}, {}, {}}};
  for (const Step& step : steps) {
    const std::string name = std::string(name_of(step.kind)) + " on a full device: ";
    fill(device / "filler");
    status = subject.perform(step);
    const std::string said = status.ok() ? "it went well" : "it said " + status.message();
    if (!status.ok() && status.code() != Code::storage_full) return name + said;
    if (status.ok()) apply_step(step, world);
    if (subject.is_open() && step.kind != Step::Kind::reopen) {
      if (const Status read = reads(); !read.ok()) return name + said + "; " + read.message();
      const Result<World> now = subject.read();
      if (!now.ok()) return name + said + "; " + now.error().message();
      wrong = difference(world, *now);
      if (!wrong.empty()) return name + said + "; " + wrong;
    }
    fs::remove(device / "filler");
    if (!subject.is_open()) {
      const Status again = open_all(subject, world);
      if (!again.ok()) return name + said + "; opening with room again: " + again.message();
    } else if (!status.ok()) {
      status = subject.perform(step);
      if (!status.ok()) return name + said + "; with room again: " + status.message();
      apply_step(step, world);
    }
    status = subject.check();
    if (!status.ok()) return name + said + "; " + status.message();
    const Result<World> now = subject.read();
    if (!now.ok()) return name + said + "; " + now.error().message();
    wrong = difference(world, *now);
    if (!wrong.empty()) return name + said + "; with room again: " + wrong;
  }
  return {};
}

// A database that was never opened here, on a device that is full.
std::string open_on_full_device(const fs::path& device, const fs::path& database,
                                const World& world) {
  const fs::path here = device / "db2";
  fs::copy(database, here, fs::copy_options::recursive);
  fs::remove(here / "store" / "lock.mdb");
  fill(device / "filler");
  DatabaseOptions options;
  Subject subject(here, options);
  Status status = open_all(subject, world);
  if (!status.ok() && status.code() != Code::storage_full) return "it said " + status.message();
  fs::remove(device / "filler");
  status = open_all(subject, world);
  if (status.ok()) status = subject.check();
  return status.ok() ? "" : "with room again: " + status.message();
}

// -- the run --------------------------------------------------------------------------------------

struct Answer {
  Words words;
  bool is_over;
};

class Faults {
 public:
  Faults(Run& run, fs::path folder) : run_(run), folder_(std::move(folder)) {}

  // What LMDB and a device cannot do.
  void try_limits();

  // Every scenario with every fault, with rows of the seed.
  void try_all(std::uint64_t seed);

  bool is_done() const { return round_ >= run_.rounds(); }

 private:
  // In a child, which says what is wrong; empty when nothing is.
  std::string in_child(const std::function<std::string(bool&)>& work);

  // Makes the database that cases are copies of.
  bool start(std::uint64_t seed);

  void fail(const std::string& what) { run_.fail(round_, what); }

  Run& run_;
  const fs::path folder_;
  std::uint64_t round_ = 0;
  Shared<Answer> answer_;
  World world_;
};

std::string Faults::in_child(const std::function<std::string(bool&)>& work) {
  answer_->words.clear();
  answer_->is_over = false;
  Child child([&] {
    bool is_over = false;
    const std::string wrong = work(is_over);
    if (!wrong.empty()) answer_->words.say("%s", wrong.c_str());
    answer_->is_over = is_over;
    return 0;
  });
  const int status = child.wait(std::chrono::minutes(1));
  if (status != 0) answer_->words.say("it %s", ending(status, child.hung).c_str());
  return answer_->words.text;
}

bool Faults::start(std::uint64_t seed) {
  fs::remove_all(folder_ / "start");
  std::mt19937_64 random(seed);
  const std::vector<Step> steps = steps_of_start(random);
  world_ = world_of(steps);
  const std::string wrong = in_child([&](bool&) { return make_start(folder_ / "start", steps); });
  if (!wrong.empty()) fail(wrong);
  return wrong.empty();
}

void Faults::try_limits() {
  if (!start(run_.seed())) return;
  const fs::path here = folder_ / "case";
  fs::create_directory(here);
  fs::copy(folder_ / "start", here / "db", fs::copy_options::recursive);
  std::string wrong = in_child([&](bool&) { return no_more_readers(here / "db", world_); });
  if (!wrong.empty()) fail("no more readers: " + wrong);

  const fs::path device = folder_ / "device";
  fs::create_directory(device);
  bool& is_mounted = answer_->is_over;
  wrong = in_child([&](bool& has_device) -> std::string {
    std::string why_not = mount_device(device, "size=6m");
    has_device = why_not.empty();
    if (!has_device) return why_not;
    std::mt19937_64 random(run_.seed());
    std::string found = full_device(device, random);
    if (found.empty()) found = open_on_full_device(device, folder_ / "start", world_);
    return found;
  });
  if (!wrong.empty() && is_mounted) fail("a full device: " + wrong);
  if (!wrong.empty() && !is_mounted) {
    std::fprintf(stderr, "fault: no device can be mounted here, so none is filled (%s)\n",
                 wrong.c_str());
  }
  fs::remove_all(here);
  ++round_;
}

void Faults::try_all(std::uint64_t seed) {
  if (!start(seed)) {
    ++round_;
    return;
  }
  const std::vector<Scenario> scenarios = every_scenario();
  const std::vector<Fault> faults = every_fault();
  struct Pair {
    const Scenario* scenario;
    const Fault* fault;
    std::uint64_t number;  // of the request that is next refused
  };
  std::vector<Pair> pairs;
  for (const Scenario& scenario : scenarios) {
    for (const Fault& fault : faults) pairs.push_back({&scenario, &fault, 1});
  }
  const bool is_sample = run_.rounds() < kFewRounds;
  const fs::path here = folder_ / "case";
  // By turns, so that a run that is cut short has seen a little of each.
  while (!pairs.empty()) {
    for (Pair& pair : pairs) {
      if (is_done()) return;
      run_.progress(round_, pair.scenario->name);
      fs::create_directory(here);
      if (!pair.scenario->is_new) {
        fs::copy(folder_ / "start", here / "db", fs::copy_options::recursive);
      }
      const std::string wrong = in_child([&](bool& is_over) {
        std::mt19937_64 random(mix(seed, 1));
        return try_case(here / "db", *pair.scenario, *pair.fault, pair.number, world_, random,
                        is_over);
      });
      if (!wrong.empty()) {
        fail(std::string(pair.scenario->name) + ", " + pair.fault->name +
             (pair.fault->lasts ? " from request " : ", request ") + std::to_string(pair.number) +
             " on, rows of seed " + std::to_string(seed) + ": " + wrong);
      }
      fs::remove_all(here);
      ++round_;
      // In a short run ever fewer of the later ones.
      const std::uint64_t step = is_sample ? 1 + mix(seed, pair.number) % (pair.number / 2 + 1) : 1;
      pair.number = answer_->is_over ? 0 : pair.number + step;
    }
    std::erase_if(pairs, [](const Pair& pair) { return pair.number == 0; });
  }
}

// A thread has room of its own for its first 32 keys. Those that come later need memory, as in a
// program with many libraries.
void let_keys_need_memory() {
  for (int i = 0; i < 32; ++i) {
    pthread_key_t key = {};
    ::pthread_key_create(&key, nullptr);
  }
}

int fault(int count, char** arguments) {
  let_keys_need_memory();
  Run run("fault", 100'000, count, arguments);
  // In memory where there is such a place: no case needs a device that is slow to sync.
  if (fs::is_directory("/dev/shm") && ::getenv("TMPDIR") == nullptr) {
    ::setenv("TMPDIR", "/dev/shm", 1);
  }
  const TempDir folder;
  Faults torture(run, folder.path());
  torture.try_limits();
  for (std::uint64_t seed = run.seed(); !torture.is_done(); ++seed) torture.try_all(seed);
  return run.finish();
}

}  // namespace
}  // namespace skerry::torture

int main(int count, char** arguments) {
  return skerry::torture::fault(count, arguments);
}
