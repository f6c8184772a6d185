#include "base/epoch.h"

#include <atomic>
#include <new>
#include <thread>

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
  while (!any_record(take)) {
    Record* fresh = new (std::nothrow) Record;
    if (fresh == nullptr) {
      std::this_thread::yield();  // no memory for one more: wait for a thread to end
      continue;
    }
    fresh->owned.store(true, std::memory_order_relaxed);
    fresh->next = g_more.load(std::memory_order_relaxed);
    while (!g_more.compare_exchange_weak(fresh->next, fresh, std::memory_order_release)) {
    }
    return fresh;
  }
  return mine;
}

struct Self {
  Record* record = nullptr;
  std::uint32_t depth = 0;

  ~Self() {
    if (record != nullptr) record->owned.store(false, std::memory_order_release);
  }
};
thread_local Self t_self;

}  // namespace

// The entry is a read-modify-write, and so is the look of epoch_passed(): of the two one comes
// first. If the look did, the entry reads from it and so sees everything that was unlinked before
// the tag; if the entry did, the look sees it and waits.
EpochGuard::EpochGuard() noexcept {
  Self& self = t_self;
  if (self.depth++ != 0) return;
  if (self.record == nullptr) self.record = claim();
  self.record->entered.exchange(g_epoch.load(std::memory_order_acquire), std::memory_order_acq_rel);
}

EpochGuard::~EpochGuard() {
  Self& self = t_self;
  if (--self.depth != 0) return;
  self.record->entered.store(0, std::memory_order_release);
}

std::uint64_t epoch_tag() noexcept {
  return g_epoch.fetch_add(1, std::memory_order_acq_rel);
}

bool epoch_passed(std::uint64_t tag) noexcept {
  return !any_record([&](Record& record) {
    const std::uint64_t entered = record.entered.fetch_add(0, std::memory_order_acq_rel);
    return entered != 0 && entered <= tag;
  });
}

}  // namespace skerry
