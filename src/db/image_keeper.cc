#include "db/image_keeper.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "db/collection_state.h"

namespace skerry {

void ImageKeeper::call(std::weak_ptr<CollectionState> collection) noexcept try {
  const std::lock_guard lock(mutex_);
  if (stopping_.load(std::memory_order_relaxed)) return;
  const bool waits = std::any_of(waiting_.begin(), waiting_.end(), [&](const auto& other) {
    return !other.owner_before(collection) && !collection.owner_before(other);
  });
  if (!waits) waiting_.push_back(std::move(collection));
  if (!thread_.joinable()) thread_ = std::thread([self = shared_from_this()] { self->work(); });
  called_.notify_one();
} catch (const std::exception&) {
  return;
}

void ImageKeeper::stop() noexcept {
  std::thread thread;
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_relaxed);
    thread = std::exchange(thread_, std::thread());
  }
  called_.notify_all();
  if (!thread.joinable()) return;
  // The last handle may have been the one that this thread held while it worked.
  if (thread.get_id() == std::this_thread::get_id()) {
    thread.detach();
  } else {
    thread.join();
  }
}

void ImageKeeper::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    called_.wait(lock,
                 [&] { return stopping_.load(std::memory_order_relaxed) || !waiting_.empty(); });
    if (stopping_.load(std::memory_order_relaxed)) return;
    const std::weak_ptr<CollectionState> next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    if (const std::shared_ptr<CollectionState> collection = next.lock()) {
      collection->keep([this] { return !stopping_.load(std::memory_order_relaxed); });
    }
    lock.lock();
  }
}

}  // namespace skerry
