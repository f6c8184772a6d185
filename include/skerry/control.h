// control.h - how a long call is watched, and stopped.
//
//   auto bar = [&](std::uint64_t done, std::uint64_t total) {
//     draw(done, total);
//     return !stop_was_asked;
//   };
//   docs->upsert(keys, vectors, {}, {.control = skerry::Control::watched_by(bar)});
//   docs->search(query, hits, {.control = {.deadline = now + std::chrono::milliseconds(5)}});
//
// A call that takes a Control says what it counts, and what there is when it was stopped. Common to
// all of them:
//   - the function is called by the thread that made the call, and by no other: first before
//     anything is done, then now and then. Where the total is known it is called last when all is
//     done and only the step is left that others see. (A batch whose rows another writer commits
//     along with his own may not hear of the end.)
//   - `done` never falls, and is at most `total`; `total` stays the same. 0: it is not known.
//   - when it returns false the call ends soon with Code::cancelled. So it does when the deadline
//     has passed, but for searches: they return what they have found, as with a budget.
//   - after that step, a commit or a renaming, nobody is asked any more, and the call returns ok.
//   - it must not throw, nor call the index or the database that is at work.
//   - without a function and a deadline a Control costs nothing.
//
// Threads: values; what the function refers to must be there until the call has returned.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace skerry {

inline constexpr std::chrono::steady_clock::time_point kNoDeadline =
    std::chrono::steady_clock::time_point::max();

struct Control {
  bool (*progress)(void* context, std::uint64_t done, std::uint64_t total) = nullptr;
  void* context = nullptr;
  std::chrono::steady_clock::time_point deadline = kNoDeadline;

  // Calls watch(done, total), which is borrowed: a temporary is refused.
  template <class F>
  requires std::is_invocable_r_v<bool, F&, std::uint64_t, std::uint64_t>
  static Control watched_by(F& watch) noexcept {
    return {[](void* context, std::uint64_t done, std::uint64_t total) -> bool {
              return (*static_cast<F*>(context))(done, total);
            },
            const_cast<void*>(static_cast<const void*>(std::addressof(watch)))};
  }
  template <class F>
  requires std::is_invocable_r_v<bool, F&, std::uint64_t, std::uint64_t>
  static Control watched_by(const F&& watch) = delete;

  constexpr bool is_none() const noexcept { return progress == nullptr && deadline == kNoDeadline; }
};

}  // namespace skerry
