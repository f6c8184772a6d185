// first_touch.cc - the walk, once for all who wait for it.
#include "store/first_touch.h"

#include <new>

namespace skerry::store {

Status FirstTouch::walk(int fd, const Root& root, Extent wanted) noexcept try {
  if (has(wanted)) return Status();
  const std::lock_guard lock(mutex_);
  if (!damage_.ok()) return damage_;
  if (has(wanted)) return Status();
  const Result<Extent> walked = survey(fd, root, wanted);
  if (walked.ok()) set(*walked);
  if (walked.status().code() == Code::corruption) damage_ = walked.error();
  return walked.status();
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory to walk the store");
}

}  // namespace skerry::store
