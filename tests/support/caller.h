// caller.h - calls on a few keys of which every answer tells which write it saw.
//
// Every write has a number of its own, and the vector of number n lies n steps from its key's
// place, where searches ask. So the distance of a hit is the number. Other vectors are farther off:
// in number enough that a search walks, and known, so that a hit of theirs is compared too.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "skerry/index.h"
#include "support/history.h"
#include "support/vectors.h"

namespace skerry::testing {

struct Numbered {
  static constexpr std::uint32_t kDimension = 4;
  static constexpr std::size_t kKeys = 3;
  static constexpr std::uint64_t kNumbers = 6000;  // there are fewer
  static constexpr float kStep = 1.0F / 64;        // a number times this is exact
  using Vector = std::array<float, kDimension>;

  static Vector vector_of(Key key, std::uint64_t number) {
    return {1000 * static_cast<float>(key), kStep * static_cast<float>(number)};
  }

  // Whose vector of which number lies so far from its key's place?
  static std::uint64_t number_at(float distance) {
    return static_cast<std::uint64_t>(std::lround(std::sqrt(distance) / kStep));
  }

  // The vectors of the keys from kKeys on: all of them beyond every number's.
  static std::vector<Vector> others(Random& random, std::size_t count) {
    static_assert(kStep * kNumbers < 100);
    std::vector<Vector> all(count);
    for (Vector& other : all) {
      for (float& number : other) number = static_cast<float>(uniform(random, 0, 2000));
      other[2] += 100;
    }
    return all;
  }
};

// One thread's calls, noted by key. `Target` is an Index or a Collection.
template <class Target>
class Caller : Numbered {
 public:
  // Its writes have the numbers after `number`. `walk`: how its searches ask for a walk.
  Caller(Target& target, Clock& clock, std::span<const Vector> others, std::uint64_t seed,
         std::uint64_t number, const SearchOptions& walk)
      : target_(target),
        clock_(clock),
        others_(others),
        random_(seed),
        number_(number),
        walk_(walk) {}

  void call() { below(random_, 2) == 0 ? write() : read(); }

  void write() {
    const Key key = any_key();
    switch (below(random_, 4)) {
      case 0:
        return insert(key);
      case 1:
        return remove(key);
      default:
        return upsert(key);
    }
  }

  void read() {
    const Key key = any_key();
    switch (below(random_, 8)) {
      case 0:
      case 1:
        return get(key);
      case 2:
        return contains(key);
      case 3:
        return search(key, "exact search", {.exact = true});
      case 4:
        return search(key, "search of one key", {.filter = Filter::only(std::span(&key, 1))});
      default:
        return search(key, "search", walk_);
    }
  }

  void upsert(Key key) {
    note(key, {Act::upsert, ++number_},
         [&](Operation&) { return target_.upsert(key, vector_of(key, number_)).ok(); });
  }
  void insert(Key key) {
    note(key, {Act::insert, ++number_}, [&](Operation& call) {
      const Status status = target_.insert(key, vector_of(key, number_));
      call.done = status.ok();
      return status.ok() || status.code() == Code::already_exists;
    });
  }
  void remove(Key key) {
    note(key, {Act::remove}, [&](Operation& call) {
      const Result<std::uint64_t> removed = target_.remove(key);
      call.done = removed.ok() && *removed == 1;
      return removed.ok() && *removed <= 1;
    });
  }
  void get(Key key) {
    note(key, reading("get"), [&](Operation& call) {
      Vector got = {};
      const Status status = target_.get(key, got);
      if (status.ok()) call.value = number_at(got[1] * got[1]);
      return status.ok() ? got == vector_of(key, call.value) : status.code() == Code::not_found;
    });
  }
  void contains(Key key) {
    note(key, {Act::contains}, [&](Operation& call) {
      call.done = target_.contains(key);
      return true;
    });
  }
  void search_by_walk(Key key) { search(key, "search", walk_); }

  // What a copy holds that was made between the two numbers.
  template <class Copy>
  void note_copy(const Copy& copy, Key key, std::uint64_t began, std::uint64_t returned) {
    Operation call = reading("copy");
    Vector got = {};
    if (copy.get(key, got).ok()) call.value = number_at(got[1] * got[1]);
    call.began = began;
    call.returned = returned;
    histories_[key].push_back(call);
  }

  // What cannot be explained of the calls of several threads on one target; empty: nothing.
  static std::string why_not_explained(std::span<const Caller> callers) {
    for (std::size_t key = 0; key < kKeys; ++key) {
      std::vector<Operation> history;
      for (const Caller& caller : callers) {
        if (!caller.trouble_.empty()) return caller.trouble_;
        history.insert(history.end(), caller.histories_[key].begin(), caller.histories_[key].end());
      }
      const std::string why = why_not_linearizable(history);
      if (!why.empty()) return "key " + std::to_string(key) + ": " + why;
    }
    return {};
  }

 private:
  using Act = Operation::Act;

  Key any_key() { return below(random_, kKeys); }

  static Operation reading(const char* how) {
    return {Act::read, Operation::kNothing, true, 0, 0, how};
  }

  // make(call): false when the answer is none that the call may give.
  template <class Make>
  void note(Key key, Operation call, Make make) {
    call.began = clock_.now();
    const bool is_lawful = make(call);
    call.returned = clock_.now();
    if (!is_lawful && trouble_.empty()) trouble_ = "an answer that may not be: " + call.text();
    histories_[key].push_back(call);
  }

  // The key is the nearest to its place if it is there, and it is there once.
  void search(Key key, const char* how, const SearchOptions& options) {
    note(key, reading(how), [&](Operation& call) {
      const Vector place = vector_of(key, 0);
      std::array<Hit, 8> hits;
      const Result<SearchResult> found = target_.search(place, hits, options);
      if (!found.ok()) return false;
      for (std::uint32_t i = 0; i < found->count; ++i) {
        if (hits[i].key >= kKeys && !is_right(place, hits[i])) return false;
        if (hits[i].key != key) continue;
        if (call.value != Operation::kNothing) return false;
        call.value = number_at(hits[i].distance);
      }
      return true;
    });
  }

  bool is_right(const Vector& place, const Hit& hit) const {
    if (hit.key - kKeys >= others_.size()) return false;
    const Vector& other = others_[hit.key - kKeys];
    double distance = 0;
    for (std::size_t i = 0; i < kDimension; ++i) {
      distance += std::pow(double{other[i]} - double{place[i]}, 2);
    }
    return std::abs(hit.distance - distance) <= distance * 1e-4;
  }

  Target& target_;
  Clock& clock_;
  std::span<const Vector> others_;
  Random random_;
  std::uint64_t number_;
  SearchOptions walk_;
  std::array<std::vector<Operation>, kKeys> histories_;
  std::string trouble_;
};

}  // namespace skerry::testing
