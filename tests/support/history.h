// history.h - is there an order of these calls that explains what each of them answered?
//
// Several threads write and read one key. Each call is noted with a number drawn when it began and
// one drawn when it had returned. The history is linearizable when every call can be given a moment
// between its two numbers such that the calls, one after the other in that order, answer as they
// did. Keys do not matter to each other, so a history is one key's (Herlihy & Wing 1990, theorem
// 1).
//
// The search is that of Wing & Gong (1993) in the form of Lowe (2017, "Testing for
// linearizability", just-in-time linearization): go through the numbers in order; a call is given
// its moment when it has to have one, which is at its return, and then every call that is under way
// may go before it. What has to be remembered is what the key holds and which of the calls under
// way have had their moment. Such pairs are few, however long the history: with eight threads at
// most 2^8 times the values that can be there, and no way that leads to a pair is looked at twice.
//
// Threads: a Clock is shared; everything else belongs to one thread.
// Cost: some microseconds a call.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace skerry::testing {

// The numbers of a history: each greater than all that were drawn before.
class Clock {
 public:
  std::uint64_t now() { return next_.fetch_add(1, std::memory_order_seq_cst); }

 private:
  std::atomic<std::uint64_t> next_ = 0;
};

struct Operation {
  enum class Act : std::uint8_t {
    upsert,   // the key holds `value` afterwards
    insert,   // the same if it held nothing; else `done` is false and nothing changes
    remove,   // it holds nothing afterwards; `done` says whether it held something
    read,     // it held `value`, or kNothing
    contains  // `done` says whether it held something
  };
  static constexpr std::uint64_t kNothing = ~std::uint64_t{0};

  Act act = Act::read;
  std::uint64_t value = kNothing;
  bool done = true;
  std::uint64_t began = 0;
  std::uint64_t returned = 0;
  const char* how = "";  // which call it was, for the message

  // What the key holds after this, if it can be next when the key holds `held`.
  bool follows(std::uint64_t held, std::uint64_t& after) const {
    after = held;
    switch (act) {
      case Act::upsert:
        after = value;
        return true;
      case Act::insert:
        if (done) after = value;
        return done == (held == kNothing);
      case Act::remove:
        after = kNothing;
        return done == (held != kNothing);
      case Act::read:
        return value == held;
      case Act::contains:
        return done == (held != kNothing);
    }
    return false;
  }

  std::string text() const {
    static constexpr const char* kNames[] = {"upsert", "insert", "remove", "read", "contains"};
    const bool has_value = act != Act::remove && act != Act::contains;
    std::string said = kNames[static_cast<std::size_t>(act)];
    if (how[0] != '\0') said += std::string("(") + how + ")";
    if (has_value) said += value == kNothing ? " nothing" : " " + std::to_string(value);
    if (act != Act::read && act != Act::upsert) said += done ? ": yes" : ": no";
    return said + " [" + std::to_string(began) + ", " + std::to_string(returned) + "]";
  }
};

// Empty when the history of a key that held `held` at first is linearizable. Else what cannot be
// explained: the call at whose return no order was left, and what was known before.
inline std::string why_not_linearizable(std::span<const Operation> history,
                                        std::uint64_t held = Operation::kNothing) {
  struct Event {
    std::uint64_t at;
    std::size_t call;
    bool is_return;
  };
  std::vector<Event> events;
  for (std::size_t i = 0; i < history.size(); ++i) {
    events.push_back({history[i].began, i, false});
    events.push_back({history[i].returned, i, true});
  }
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.at < b.at; });

  using Possible = std::pair<std::uint64_t, std::uint32_t>;  // what is held; lanes that had theirs
  std::set<Possible> possible = {{held, 0}};
  constexpr std::size_t kFree = ~std::size_t{0};
  std::vector<std::size_t> lanes;  // the call under way in each, or kFree
  std::vector<std::size_t> lane_of(history.size(), kFree);
  for (const Event& event : events) {
    if (!event.is_return) {
      auto free = std::find(lanes.begin(), lanes.end(), kFree);
      if (free == lanes.end()) free = lanes.insert(lanes.end(), kFree);
      *free = event.call;
      lane_of[event.call] = static_cast<std::size_t>(free - lanes.begin());
      if (lanes.size() > 32) return "more than 32 calls at once";
      continue;
    }
    // Whoever can be next goes next, until this call has had its moment.
    const std::uint32_t mine = std::uint32_t{1} << lane_of[event.call];
    std::set<Possible> left;
    std::set<Possible> seen = possible;
    std::vector<Possible> ways(possible.begin(), possible.end());
    while (!ways.empty()) {
      const Possible way = ways.back();
      ways.pop_back();
      if ((way.second & mine) != 0) {
        left.insert({way.first, way.second & ~mine});
        continue;
      }
      for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
        const std::uint32_t bit = std::uint32_t{1} << lane;
        Possible next = {0, way.second | bit};
        if (lanes[lane] == kFree || (way.second & bit) != 0) continue;
        if (!history[lanes[lane]].follows(way.first, next.first)) continue;
        if (seen.insert(next).second) ways.push_back(next);
      }
    }
    if (left.empty()) {
      const Operation& lost = history[event.call];
      std::string said = "no order explains " + lost.text() + "; beside it:";
      for (const Operation& other : history) {
        if (&other == &lost || other.returned < lost.began || other.began > lost.returned) continue;
        said += "\n  " + other.text();
      }
      said += "\nthe key may have held:";
      std::set<std::uint64_t> values;
      for (const Possible& way : possible) values.insert(way.first);
      for (const std::uint64_t value : values) {
        said += value == Operation::kNothing ? " nothing" : " " + std::to_string(value);
      }
      return said;
    }
    possible = std::move(left);
    lanes[lane_of[event.call]] = kFree;
  }
  return {};
}

}  // namespace skerry::testing
