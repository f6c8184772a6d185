// writer_queue.cc - the line of writers and its leader.
#include "db/writer_queue.h"

#include <algorithm>
#include <chrono>

namespace skerry {
namespace {

// A caller who waits is asked so often, if the leader has nothing to tell him.
constexpr std::chrono::milliseconds kBetweenLooks{50};
constexpr std::size_t kRowsBetweenTellings = 256;

}  // namespace

Status Request::look(std::size_t rows_written) noexcept {
  if (watch_ == nullptr) return {};
  if (is_leader_) return rows_written == rows() ? watch_->finish() : watch_->at(rows_written);
  rows_written_.store(rows_written, std::memory_order_relaxed);
  if (rows_written % kRowsBetweenTellings == 0) wake_.notify_one();
  return is_unwanted_.load(std::memory_order_relaxed) ? Watch::asked() : Status();
}

void WriterQueue::submit(Request& request, FunctionRef<void(std::span<Request* const>)> commit) {
  Watch watch(request.control, request.rows());
  if (!request.control.is_none()) {
    request.watch_ = &watch;
    request.status = watch.begin();
    if (!request.status.ok()) return;
  }
  std::unique_lock lock(mutex_);
  waiting_.push_back(&request);
  if (led_) {
    wait(request, lock);
    if (request.status.code() == Code::cancelled) request.status = watch.status();
    if (request.done_) return;
  }
  request.is_leader_ = true;
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

// Until the request is answered, or leads.
void WriterQueue::wait(Request& request, std::unique_lock<std::mutex>& lock) {
  if (request.watch_ != nullptr) wait_watched(request, lock);
  request.wake_.wait(lock, [&] { return request.done_ || request.leads_; });
}

// The same, or until it is not wanted any more. Then it leaves the line, if it is still in it; else
// the leader is told, who may have committed it already.
void WriterQueue::wait_watched(Request& request, std::unique_lock<std::mutex>& lock) {
  while (!request.done_ && !request.leads_) {
    lock.unlock();
    const Status status =
        request.watch_->again(request.rows_written_.load(std::memory_order_relaxed));
    lock.lock();
    if (request.done_ || request.leads_) return;
    if (status.ok()) {
      const auto next = std::chrono::steady_clock::now() + kBetweenLooks;
      request.wake_.wait_until(lock, std::min(next, request.control.deadline));
      continue;
    }
    request.is_unwanted_.store(true, std::memory_order_relaxed);
    if (std::erase(waiting_, &request) != 0) {
      request.status = status;
      request.done_ = true;
    }
    return;
  }
}

}  // namespace skerry
