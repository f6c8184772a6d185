// image_keeper.h - the thread that looks after images, so that no caller has to wait for one.
//
// A collection is called in when its image is due, or when it was opened from an image whose rows
// nobody has looked at yet; keep() of the collection says what is to be done. One collection at a
// time; one that waits already is not entered twice.
//
// The thread is made at the first call, and there is none in a child of fork().
//
// Threads: call() and stop() from any thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

namespace skerry {

class CollectionState;

// Held by its thread too, which may let go of the last handle and with it of the database.
class ImageKeeper : public std::enable_shared_from_this<ImageKeeper> {
 public:
  ImageKeeper() = default;
  ImageKeeper(const ImageKeeper&) = delete;
  ImageKeeper& operator=(const ImageKeeper&) = delete;

  // Has the collection looked after soon. What cannot be done for want of memory or threads is not:
  // the next call may be luckier, and close() saves what changed.
  void call(std::weak_ptr<CollectionState> collection) noexcept;

  // Nothing is begun any more; what is under way ends early. Returns when the thread has ended, or
  // at once on that thread. Before the last owner lets go.
  void stop() noexcept;

 private:
  void work() noexcept;

  std::mutex mutex_;
  std::condition_variable called_;
  std::deque<std::weak_ptr<CollectionState>> waiting_;  // under mutex_
  std::thread thread_;                                  // under mutex_; joined by stop()
  std::atomic<bool> stopping_{false};                   // set under mutex_
};

}  // namespace skerry
