#include "base/epoch.h"

#include <pthread.h>

#include <atomic>
#include <new>

#include "base/assert.h"
#include "base/schedule.h"

namespace skerry {
namespace {

// One a thread, on a line of its own. `entered` is 0 outside, else the epoch of the entry.
struct alignas(64) Record {
  std::atomic<std::uint64_t> entered{0};
  std::atomic<bool> owned{false};
  Record* next = nullptr;  // set before the record is published, then constant
};

constexpr int kFirstRecords = 64;  // these need no memory of their own
Record g_first[kFirstRecords];
std::atomic<Record*> g_more{nullptr};  // records beyond the first; never unlinked
std::atomic<std::uint64_t> g_epoch{1};

template <class Visit>
bool any_record(Visit visit) noexcept {
  for (Record& record : g_first) {
    if (visit(record)) return true;
  }
  for (Record* record = g_more.load(std::memory_order_acquire); record != nullptr;
       record = record->next) {
    if (visit(*record)) return true;
  }
  return false;
}

// Readers that can have no record of their own, for want of memory: the count of those inside in
// the lowest bits, above it the epoch in which the first of them entered. As long as they overlap
// they count as one reader that never leaves; so it keeps memory from being used again, and nobody
// waits.
constexpr int kCrowdBits = 16;
constexpr std::uint64_t kCrowdMask = (std::uint64_t{1} << kCrowdBits) - 1;
std::atomic<std::uint64_t> g_crowd{0};

void join_crowd() noexcept {
  std::uint64_t crowd = g_crowd.load(std::memory_order_relaxed);
  std::uint64_t joined = 0;
  do {
    joined = (crowd & kCrowdMask) != 0
                 ? crowd + 1
                 : (g_epoch.load(std::memory_order_acquire) << kCrowdBits) + 1;
  } while (!g_crowd.compare_exchange_weak(crowd, joined, std::memory_order_acq_rel));
}

void leave_crowd() noexcept {
  g_crowd.fetch_sub(1, std::memory_order_release);
}

struct Self {
  Record* record = nullptr;
  std::uint32_t depth = 0;
};
constinit thread_local Self t_self;

// At a thread's end, after its thread-local objects have gone, which may have read to the last.
void hand_back(void* record) noexcept {
  t_self.record = nullptr;
  static_cast<Record*>(record)->owned.store(false, std::memory_order_release);
}

// Whether it will be. A key and not a destructor of `t_self`: the C library ends the program when
// it has no memory to register a thread's first destructor, and of a key it says so.
bool is_handed_back_at_end(Record* record) noexcept {
  struct ThreadKey {
    pthread_key_t key = {};
    bool is_made = ::pthread_key_create(&key, hand_back) == 0;
  };
  static const ThreadKey own;
  return own.is_made && ::pthread_setspecific(own.key, record) == 0;
}

// Null when there is no memory for one, or for its return.
Record* claim() noexcept {
  Record* mine = nullptr;
  const auto take = [&](Record& record) {
    bool free = false;
    if (record.owned.load(std::memory_order_relaxed) ||
        !record.owned.compare_exchange_strong(free, true, std::memory_order_acquire)) {
      return false;
    }
    mine = &record;
    return true;
  };
  if (!any_record(take)) {
    mine = new (std::nothrow) Record;
    if (mine == nullptr) return nullptr;
    mine->owned.store(true, std::memory_order_relaxed);
    mine->next = g_more.load(std::memory_order_relaxed);
    while (!g_more.compare_exchange_weak(mine->next, mine, std::memory_order_release)) {
    }
  }
  if (is_handed_back_at_end(mine)) return mine;
  mine->owned.store(false, std::memory_order_release);
  return nullptr;
}

// A child of fork() has the thread that called it and none of the others, which would be inside for
// ever.
void leave_others_behind() noexcept {
  any_record([](Record& record) {
    if (&record == t_self.record) return false;
    record.entered.store(0, std::memory_order_relaxed);
    record.owned.store(false, std::memory_order_relaxed);
    return false;
  });
  const bool is_in_crowd = t_self.record == nullptr && t_self.depth != 0;
  const std::uint64_t crowd = g_crowd.load(std::memory_order_relaxed);
  g_crowd.store(is_in_crowd ? (crowd & ~kCrowdMask) + 1 : 0, std::memory_order_relaxed);
}
[[maybe_unused]] const int epochs_registered =
    ::pthread_atfork(nullptr, nullptr, leave_others_behind);

}  // namespace

// The entry is a read-modify-write, and so is the look of epoch_passed(): of the two one comes
// first. If the look did, the entry reads from it and so sees everything that was unlinked before
// the tag; if the entry did, the look sees it and waits.
EpochGuard::EpochGuard() noexcept {
  Self& self = t_self;
  if (self.depth++ != 0) return;
  if (self.record == nullptr) self.record = claim();
  if (self.record == nullptr) {
    join_crowd();
    return;
  }
  schedule_point("epoch: enter");
  const std::uint64_t now = g_epoch.load(std::memory_order_acquire);
  schedule_point("epoch: entered");
  SKERRY_DEBUG_ASSERT(self.record->entered.load(std::memory_order_relaxed) == 0);
  self.record->entered.exchange(now, std::memory_order_acq_rel);
}

EpochGuard::~EpochGuard() {
  Self& self = t_self;
  SKERRY_DEBUG_ASSERT(self.depth != 0);
  if (--self.depth != 0) return;
  schedule_point("epoch: leave");
  if (self.record == nullptr) {
    leave_crowd();
    return;
  }
  self.record->entered.store(0, std::memory_order_release);
}

bool is_inside_epoch() noexcept {
  return t_self.depth != 0;
}

std::uint64_t epoch_tag() noexcept {
  schedule_point("epoch: tag");
  return g_epoch.fetch_add(1, std::memory_order_acq_rel);
}

bool epoch_passed(std::uint64_t tag) noexcept {
  if (is_broken_by(Fault::epochs_pass_at_once)) return true;
  schedule_point("epoch: passed?");
  const std::uint64_t crowd = g_crowd.fetch_add(0, std::memory_order_acq_rel);
  if ((crowd & kCrowdMask) != 0 && crowd >> kCrowdBits <= tag) return false;
  return !any_record([&](Record& record) {
    const std::uint64_t entered = record.entered.fetch_add(0, std::memory_order_acq_rel);
    return entered != 0 && entered <= tag;
  });
}

}  // namespace skerry
