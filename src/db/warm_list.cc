#include "db/warm_list.h"

#include "db/collection_state.h"

namespace skerry {
namespace {

constexpr int kHandSteps = 64;

}  // namespace

void WarmList::enter(CollectionState& collection) noexcept {
  const std::lock_guard lock(mutex_);
  WarmPlace& place = collection.warm_place;
  if (place.after != nullptr) return;
  // Behind all others: just before the hand.
  if (hand_ == nullptr) {
    hand_ = place.before = place.after = &collection;
  } else {
    CollectionState* const last = hand_->warm_place.before;
    place = {last, hand_};
    last->warm_place.after = hand_->warm_place.before = &collection;
  }
  ++count_;
  for (int step = 0; step < kHandSteps && count_ > limit_; ++step) {
    CollectionState& next = *hand_;
    hand_ = next.warm_place.after;
    // Its own lock may be held by our caller.
    if (&next != &collection && next.put_away() != CollectionState::PutAway::not_now) unlink(next);
  }
}

void WarmList::leave(CollectionState& collection) noexcept {
  const std::lock_guard lock(mutex_);
  if (collection.warm_place.after != nullptr) unlink(collection);
}

void WarmList::unlink(CollectionState& collection) noexcept {
  const WarmPlace place = collection.warm_place;
  place.before->warm_place.after = place.after;
  place.after->warm_place.before = place.before;
  if (hand_ == &collection) hand_ = place.after;
  if (hand_ == &collection) hand_ = nullptr;  // it was the only one
  collection.warm_place = {};
  --count_;
}

}  // namespace skerry
