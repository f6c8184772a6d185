// writer_queue.cc - the line of writers and its leader.
#include "db/writer_queue.h"

namespace skerry {

void WriterQueue::submit(Request& request, FunctionRef<void(std::span<Request* const>)> commit) {
  std::unique_lock lock(mutex_);
  waiting_.push_back(&request);
  if (led_) {
    request.wake_.wait(lock, [&] { return request.done_ || request.leads_; });
    if (request.done_) return;
  }
  led_ = true;
  group_.swap(waiting_);
  lock.unlock();
  commit(group_);
  lock.lock();
  for (Request* answered : group_) {
    answered->done_ = true;
    // Notified under the lock: a request that has seen done_ may be gone the moment after.
    if (answered != &request) answered->wake_.notify_one();
  }
  group_.clear();
  led_ = !waiting_.empty();
  if (led_) {
    waiting_.front()->leads_ = true;
    waiting_.front()->wake_.notify_one();
  }
}

}  // namespace skerry
