// writer_queue.h - who commits, and for whom?
//
// Writers line up. The first of them leads: it takes everything that waits, makes one commit of it
// and wakes the others with their answers; what arrived meanwhile is led by the next in line. So
// one sync serves all who waited for the last one, and a lone writer waits for nobody.
//
// A request with a Control is watched by its caller's thread, wherever that is: in line, where it
// may leave; waiting for a leader who writes its rows, and who looks now and then whether they are
// still wanted; or leading itself.
//
// Threads: any. A Request lives on its caller's stack until submit() has returned.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "base/watch.h"
#include "db/key_book.h"
#include "skerry/collection.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class CollectionState;

// One call's writes: all or nothing, visible in one step.
struct Request {
  enum class Kind : std::uint8_t { insert, upsert, remove };

  // Set by the caller, who has checked them: one key (or name) a row, of its collection's kind.
  CollectionState* collection = nullptr;
  Kind kind = Kind::upsert;
  std::span<const Key> keys;
  std::span<const std::string_view> names;
  MatrixView vectors;
  std::span<const Payload> payloads;  // empty, or one a row
  std::uint32_t threads = 1;
  Control control;

  // Set by the leader.
  Status status;
  std::uint64_t removed = 0;
  bool admitted = false;       // it may be committed: memory is reserved
  std::uint64_t sequence = 0;  // 0: nothing to publish
  std::vector<Key> ids;        // of the names
  std::vector<KeyRecordPtr> fresh;

  std::size_t rows() const noexcept { return keys.size() + names.size(); }
  std::span<const Key> numbers() const noexcept {
    return names.empty() ? keys : std::span<const Key>(ids);
  }

  // For the leader, when so many rows are written: `cancelled` when the request is not wanted.
  Status look(std::size_t rows_written) noexcept;

 private:
  friend class WriterQueue;
  bool done_ = false;  // these three under the queue's mutex
  bool leads_ = false;
  std::condition_variable wake_;

  Watch* watch_ = nullptr;  // the caller's; null: nobody watches. Set before it is in line
  bool is_leader_ = false;  // the caller's thread is the leader's. Set by it
  std::atomic<bool> is_unwanted_{false};      // written by the caller's thread, read by the leader
  std::atomic<std::size_t> rows_written_{0};  // written by the leader, read by the caller's thread
};

class WriterQueue {
 public:
  // Returns when the request has been answered. `commit` is called by the leader, one at a time,
  // and must answer every request that it is given. Throws std::bad_alloc before anything happened.
  void submit(Request& request, FunctionRef<void(std::span<Request* const>)> commit);

 private:
  void wait(Request& request, std::unique_lock<std::mutex>& lock);
  void wait_watched(Request& request, std::unique_lock<std::mutex>& lock);

  std::mutex mutex_;
  bool led_ = false;               // somebody leads
  std::vector<Request*> waiting_;  // not taken yet, in order of arrival
  std::vector<Request*> group_;    // the leader's own
};

}  // namespace skerry
