// verify.cc - do store and index say the same, and is what is live found?
//
// Three levels, each with what the one before it looks at. `quick` compares counts. `full` walks
// every link of the graph, has the store check its heap, and compares every vector, payload and
// name with the store. `recall` asks for stored vectors by themselves, as searches do and by brute
// force: it is the one to see a graph that is whole and finds little.
//
// Whoever watches is told of vectors looked at: three times each by `full`, in the graph, in the
// store and in both, and all of them again by every scan of `recall`.
#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <span>
#include <vector>

#include "base/epoch.h"
#include "base/watch.h"
#include "db/collection_state.h"
#include "db/database_state.h"

namespace skerry {
namespace {

constexpr std::size_t kNearestAsked = 10;
constexpr std::uint64_t kPayloadsBetweenLooks = 1024;

// Keys drawn evenly out of all that are seen, in one pass (Vitter 1985, algorithm R).
class Sample {
 public:
  Sample(std::size_t size, std::uint64_t seed) : size_(size), random_(seed) { keys_.reserve(size); }

  void see(Key key) {
    ++seen_;
    if (keys_.size() < size_) return keys_.push_back(key);
    const std::uint64_t place = random_() % seen_;
    if (place < size_) keys_[place] = key;
  }
  const std::vector<Key>& keys() const noexcept { return keys_; }

 private:
  std::size_t size_;
  std::mt19937_64 random_;
  std::uint64_t seen_ = 0;
  std::vector<Key> keys_;
};

}  // namespace

Result<VerifyReport> CollectionState::verify(const VerifyOptions& options) const {
  Status status = keep_up();
  if (status.ok()) status = alive();
  if (!status.ok()) return status;
  if (inside_filter()) {
    return Status(Code::invalid_argument, "a filter's callback cannot verify");
  }
  const std::shared_lock gate(gate_);
  Pin pin(*this);
  status = pin.need_view();
  if (!status.ok()) return status;
  VerifyReport report;
  Watch watch(options.control, verify_steps(options));
  status = watch.begin();
  if (!status.ok()) return status;
  {
    const std::lock_guard no_writers(database_->commit_mutex());
    status = alive();
    if (status.ok() && options.level != VerifyLevel::quick) {
      const Result<CheckReport> checked = engine_check(watch);
      if (checked.ok()) report.index = *checked;
      status = checked.status();
    }
    // Other processes may write. One snapshot at which the view stands is enough, and while we hold
    // view_mutex_ it stays there: what is committed meanwhile is taken up afterwards.
    for (bool behind = true; status.ok() && behind;) {
      status = catch_up(true);
      if (!status.ok()) break;
      const std::lock_guard still(view_mutex_);
      status = database_->store().read([&](const store::Reading& reading) {
        Status step = verify_counts(reading, report, behind);
        if (step.ok() && !behind && options.level != VerifyLevel::quick) {
          step = verify_contents(reading, report, watch);
        }
        return step;
      });
    }
  }
  // What is written meanwhile is searched like all the rest: writers need not wait for this one.
  if (status.ok() && options.level == VerifyLevel::recall)
    status = verify_recall(options, report, watch);
  if (status.ok()) status = watch.finish();
  if (!status.ok()) return status;
  return report;
}

// As of now, about: others may write until writers are kept out.
std::uint64_t CollectionState::verify_steps(const VerifyOptions& options) const {
  const std::uint64_t live = engine().size();
  if (options.level == VerifyLevel::quick) return 0;
  if (options.level == VerifyLevel::full) return 3 * live;
  return (3 + std::min<std::uint64_t>(options.samples, live)) * live;
}

Result<CheckReport> CollectionState::engine_check(Watch& watch) const {
  const EpochGuard guard;
  return engine().check_invariants(watch);
}

// `behind`: another process has written, or dropped the collection, since the view caught up.
Status CollectionState::verify_counts(const store::Reading& reading, VerifyReport& report,
                                      bool& behind) const {
  const Result<bool> there = reading.is_there(name(), id_);
  if (!there.ok()) return there.error();
  behind = !*there;
  if (behind) return Status();
  const Result<store::Counters> counters = reading.counters(id_);
  if (!counters.ok()) return counters.error();
  behind = counters->sequence > engine().sequence();
  if (behind) return Status();
  report.index.live = engine().size();
  if (counters->live != report.index.live) {
    return Status(Code::corruption, "the store counts {a} vectors, the index {b}", counters->live,
                  report.index.live);
  }
  if (counters->sequence != engine().sequence()) {
    return Status(Code::corruption, "the store is at change {a}, the index at {b}",
                  counters->sequence, engine().sequence());
  }
  if (options_.byte_keys && view().book.size() != counters->live) {
    return Status(Code::corruption, "there are {a} byte-string keys for {b} vectors",
                  view().book.size(), counters->live);
  }
  return Status();
}

Status CollectionState::verify_contents(const store::Reading& reading, VerifyReport& report,
                                        Watch& watch) const {
  std::vector<std::byte> bytes(vector_bytes(options_.index.scalar, options_.index.dimension));
  Status wrong;
  const Result<store::Counters> counters = reading.counters(id_);
  if (!counters.ok()) return counters.error();
  Status walk = reading.check(id_, watch);
  if (!walk.ok()) return walk;
  walk = reading.each_row(id_, 0, counters->live, [&](Key key, store::Bytes stored) {
    if (stored.size() != bytes.size()) {
      wrong = Status(Code::corruption, "the vector of key {b} has {a} bytes in the store",
                     stored.size(), key);
    } else if (!engine().get_bytes(key, bytes).ok()) {
      wrong = Status(Code::corruption, "key {b} is in the store but not in the index", 0, key);
    } else if (std::memcmp(bytes.data(), stored.data(), bytes.size()) != 0) {
      wrong = Status(Code::corruption, "key {b} has another vector in the index", 0, key);
    } else if (options_.byte_keys && view().book.find(key) == nullptr) {
      wrong = Status(Code::corruption, "the byte-string key of id {b} is missing", 0, key);
    }
    ++report.vectors_compared;
    if (wrong.ok()) wrong = watch.advance(1);
    return wrong.ok();
  });
  if (!walk.ok() || !wrong.ok()) return walk.ok() ? wrong : walk;
  walk = reading.each_payload(id_, [&](Key key, store::Bytes) {
    if (!engine().contains(key)) {
      wrong = Status(Code::corruption, "key {b} has a payload but no vector", 0, key);
    }
    ++report.payloads;
    if (wrong.ok() && report.payloads % kPayloadsBetweenLooks == 0) wrong = watch.again();
    return wrong.ok();
  });
  if (!walk.ok() || !wrong.ok()) return walk.ok() ? wrong : walk;
  if (counters->live != report.vectors_compared) {
    return Status(Code::corruption, "the store holds {a} vectors and counts {b}",
                  report.vectors_compared, counters->live);
  }
  if (counters->payloads != report.payloads) {
    return Status(Code::corruption, "the store holds {a} payloads and counts {b}", report.payloads,
                  counters->payloads);
  }
  return Status();
}

Status CollectionState::verify_recall(const VerifyOptions& options, VerifyReport& report,
                                      Watch& watch) const {
  Sample sample(options.samples, options.seed);
  {
    const EpochGuard guard;
    const Status status = engine().for_each([&](Key key) {
      sample.see(key);
      return true;
    });
    if (!status.ok()) return status;
  }
  std::vector<std::byte> bytes(vector_bytes(options_.index.scalar, options_.index.dimension));
  std::array<Hit, kNearestAsked> nearest, found;
  std::uint64_t wanted = 0;
  std::uint64_t right = 0;
  for (const Key key : sample.keys()) {
    const EpochGuard guard;
    if (!engine().get_bytes(key, bytes).ok()) continue;  // removed meanwhile
    const VectorView query(bytes.data(), options_.index.scalar, options_.index.dimension);
    const Result<SearchResult> exact =
        engine().search(query, nearest, {.exact = true, .control = watch.inner()});
    const Status going = watch.advance(engine().size());
    if (!going.ok()) return going;
    if (!exact.ok()) return exact.error();
    const Result<SearchResult> walked = engine().search(query, found, {});
    if (!walked.ok()) return walked.error();
    if (exact->count == 0) continue;
    const float last = nearest[exact->count - 1].distance;
    const auto is_right = [&](const Hit& hit) { return hit.distance <= last; };
    const auto is_key = [&](const Hit& hit) { return hit.key == key; };
    const auto truth = std::span(nearest).first(exact->count);
    const auto answer = std::span(found).first(walked->count);
    wanted += truth.size();
    right += static_cast<std::uint64_t>(std::ranges::count_if(answer, is_right));
    ++report.samples;
    // Among many copies of a vector, which ten are found is decided by their keys.
    if (std::ranges::any_of(truth, is_key) && !std::ranges::any_of(answer, is_key)) {
      ++report.samples_lost;
    }
  }
  if (wanted > 0) report.recall_at_10 = static_cast<double>(right) / static_cast<double>(wanted);
  return Status();
}

}  // namespace skerry
