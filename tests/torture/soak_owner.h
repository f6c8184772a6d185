// soak_owner.h - is every key as the thread it belongs to has left it?
//
// Each thread of a soak owns some keys of each target, and nobody else writes them. So it knows at
// every moment what they hold, whatever the other threads do, and says so to a target in all the
// ways there are to read. Of the keys of others a thread knows one thing: who was removed before a
// search began, and is not on its way back, must not be found by it.
//
// Targets: an Index, a Collection with numbers, and Names, a collection whose keys are byte
// strings.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skerry/collection.h"
#include "skerry/index.h"
#include "torture/run.h"

namespace skerry::torture {

constexpr std::size_t kOwners = 8;  // threads
constexpr std::size_t kOwned = 40;  // keys of each, in each target
constexpr std::uint32_t kDimension = 12;

using Vector = std::array<float, kDimension>;

// The vector of a key's version; no two are alike.
inline Vector vector_of(Key key, std::uint64_t version) {
  Vector vector;
  for (std::size_t i = 0; i < kDimension; ++i) {
    vector[i] = static_cast<float>(mix(key, version, i) >> 40) * 0x1.0p-24F;
  }
  return vector;
}

// What the parent is told, by any thread.
struct Told {
  Words words;
  std::atomic<std::uint64_t> calls;
};
class Complaints {
 public:
  explicit Complaints(Told& told) : told_(told) {}

  void expect(bool good, const char* what) {
    if (good) return;
    const std::lock_guard lock(mutex_);
    told_.words.say("%s", what);
  }
  void expect_ok(const Status& status, const char* what) {
    if (status.ok()) return;
    const std::lock_guard lock(mutex_);
    told_.words.say("%s: %s", what, status.message().c_str());
  }
  void count_call() { told_.calls.fetch_add(1, std::memory_order_relaxed); }

 private:
  Told& told_;
  std::mutex mutex_;
};

// When did the removal of each key of a target return?
class Gone {
 public:
  // A moment, later than all before.
  std::uint64_t now() { return next_++; }

  void leaves(Key key) { since_[key] = now(); }
  void comes(Key key) { since_[key] = kIsThere; }
  bool was_gone(Key key, std::uint64_t moment) const { return since_[key] < moment; }

 private:
  static constexpr std::uint64_t kIsThere = ~std::uint64_t{0};
  std::atomic<std::uint64_t> next_ = 1;
  std::array<std::atomic<std::uint64_t>, kOwners* kOwned> since_ = {};
};

// A collection with byte-string keys, asked with numbers.
class Names {
 public:
  explicit Names(Collection collection) : collection_(std::move(collection)) {}

  static std::string name_of(Key key) { return "number " + std::to_string(key); }
  static Key key_of(std::string_view name) {
    Key key = 0;
    std::from_chars(name.data() + 7, name.data() + name.size(), key);
    return key;
  }

  Status insert(Key key, VectorView vector) { return collection_.insert(name_of(key), vector); }
  Status upsert(Key key, VectorView vector) { return collection_.upsert(name_of(key), vector); }
  Status upsert(std::span<const Key> keys, MatrixView vectors) {
    const List list(keys);
    return collection_.upsert(list.views, vectors);
  }
  Result<std::uint64_t> remove(Key key) { return collection_.remove(name_of(key)); }
  Result<std::uint64_t> remove(std::span<const Key> keys) {
    const List list(keys);
    return collection_.remove(list.views);
  }
  bool contains(Key key) const { return collection_.contains(name_of(key)); }
  Status get(Key key, std::span<float> out) const { return collection_.get(name_of(key), out); }
  Status for_each(FunctionRef<bool(Key)> visit) const {
    return collection_.for_each_name([&](std::string_view name) { return visit(key_of(name)); });
  }

  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options) const {
    return with_names(hits, options, [&](std::span<NamedHit> named, const SearchOptions& by_name) {
      return collection_.search(query, named, by_name);
    });
  }
  Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options) const {
    return with_names(hits, options, [&](std::span<NamedHit> named, const SearchOptions& by_name) {
      return collection_.search_batch(queries, named, counts, by_name);
    });
  }

 private:
  struct List {
    explicit List(std::span<const Key> keys) {
      for (const Key key : keys) names.push_back(name_of(key));
      views.assign(names.begin(), names.end());
    }
    std::vector<std::string> names;
    std::vector<std::string_view> views;
  };

  template <class Search>
  static Result<SearchResult> with_names(std::span<Hit> hits, const SearchOptions& options,
                                         Search search) {
    SearchOptions by_name = options;
    const Filter& filter = options.filter;
    const bool is_list =
        filter.kind() == Filter::Kind::only || filter.kind() == Filter::Kind::except;
    const List list(is_list ? filter.keys() : std::span<const Key>());
    const auto passes = [&](std::string_view name) { return filter.passes(key_of(name)); };
    if (filter.kind() == Filter::Kind::only) by_name.filter = Filter::only_names(list.views);
    if (filter.kind() == Filter::Kind::except) by_name.filter = Filter::except_names(list.views);
    if (filter.kind() == Filter::Kind::predicate) by_name.filter = Filter::where_name(passes);
    std::vector<NamedHit> named(hits.size());
    const Result<SearchResult> found = search(std::span(named), by_name);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      hits[i] = {key_of(named[i].name.view()), named[i].distance};
    }
    return found;
  }

  Collection collection_;
};

// The keys of one thread in one target.
template <class Target>
class Owner {
 public:
  Owner(Target& target, Gone& gone, Complaints& complaints, std::size_t thread, std::uint64_t seed)
      : target_(target),
        gone_(gone),
        complaints_(complaints),
        first_(thread * kOwned),
        random_(seed) {}

  // Writes, or reads and compares.
  void call() {
    complaints_.count_call();
    switch (random_() % 16) {
      case 0:
      case 1:
      case 2:
        return upsert();
      case 3:
      case 4:
        return insert();
      case 5:
      case 6:
        return remove();
      case 7:
        return upsert_some();
      case 8:
        return remove_some();
      case 9:
        return iterate();
      case 10:
        return search_in_a_batch();
      case 11:
        return expect_mine([&](Key key, std::span<float> out) { return target_.get(key, out); },
                           "get");
      default:
        return search();
    }
  }

  // read(key, out) is a way to see what this thread has left, in whatever copy.
  template <class Read>
  void expect_mine(Read read, const char* where) {
    for (std::size_t i = 0; i < kOwned; ++i) {
      Vector got;
      const Status status = read(first_ + i, got);
      if (versions_[i] == 0) {
        complaints_.expect(status.code() == Code::not_found, where);
      } else {
        complaints_.expect_ok(status, where);
        complaints_.expect(got == vector_of(first_ + i, versions_[i]), where);
      }
    }
  }

  // Somebody's answer, to a search that began at `moment`.
  void expect_nobody_gone(std::span<const Hit> hits, std::uint64_t moment) {
    for (const Hit& hit : hits) {
      const bool is_key = hit.key < kOwners * kOwned;
      complaints_.expect(is_key, "a search found a key that never was");
      complaints_.expect(!is_key || !gone_.was_gone(hit.key, moment),
                         "a search found a key that had been removed before it began");
    }
  }

 private:
  std::size_t any() { return random_() % kOwned; }
  Key key_of(std::size_t i) const { return first_ + i; }
  Key somebody_elses() { return (first_ + kOwned + any()) % (kOwners * kOwned); }

  void upsert() {
    const std::size_t i = any();
    gone_.comes(key_of(i));
    const Status status = target_.upsert(key_of(i), vector_of(key_of(i), ++version_));
    complaints_.expect_ok(status, "upsert");
    if (status.ok()) versions_[i] = version_;
    complaints_.expect(target_.contains(key_of(i)), "what was written is not there");
  }

  void insert() {
    const std::size_t i = any();
    gone_.comes(key_of(i));
    const Status status = target_.insert(key_of(i), vector_of(key_of(i), ++version_));
    if (versions_[i] != 0) {
      complaints_.expect(status.code() == Code::already_exists, "an insert of what is there");
      return;
    }
    complaints_.expect_ok(status, "insert");
    if (status.ok()) versions_[i] = version_;
  }

  void remove() {
    const std::size_t i = any();
    const Result<std::uint64_t> removed = target_.remove(key_of(i));
    complaints_.expect_ok(removed.status(), "remove");
    complaints_.expect(!removed.ok() || *removed == (versions_[i] != 0 ? 1U : 0U),
                       "a removal counted wrongly");
    gone_.leaves(key_of(i));
    versions_[i] = 0;
    complaints_.expect(!target_.contains(key_of(i)), "what was removed is there");
  }

  // Keys in a row, twice around at most.
  std::vector<Key> some() {
    std::vector<Key> keys(1 + random_() % (kOwned / 2));
    const std::size_t from = any();
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = key_of((from + i) % kOwned);
    return keys;
  }

  void upsert_some() {
    const std::vector<Key> keys = some();
    std::vector<float> rows;
    ++version_;
    for (const Key key : keys) {
      gone_.comes(key);
      const Vector vector = vector_of(key, version_);
      rows.insert(rows.end(), vector.begin(), vector.end());
    }
    const Status status = target_.upsert(keys, MatrixView(rows, kDimension));
    complaints_.expect_ok(status, "a batch");
    for (const Key key : keys) {
      if (status.ok()) versions_[key - first_] = version_;
    }
  }

  void remove_some() {
    const std::vector<Key> keys = some();
    const auto there = static_cast<std::uint64_t>(std::count_if(
        keys.begin(), keys.end(), [&](Key key) { return versions_[key - first_] != 0; }));
    const Result<std::uint64_t> removed = target_.remove(keys);
    complaints_.expect_ok(removed.status(), "a batch of removals");
    complaints_.expect(!removed.ok() || *removed == there, "a batch of removals counted wrongly");
    for (const Key key : keys) {
      gone_.leaves(key);
      versions_[key - first_] = 0;
    }
  }

  void iterate() {
    std::vector<Key> mine;
    complaints_.expect_ok(target_.for_each([&](Key key) {
      if (key >= first_ && key < first_ + kOwned) mine.push_back(key);
      return true;
    }),
                          "for_each");
    std::sort(mine.begin(), mine.end());
    std::vector<Key> there;
    for (std::size_t i = 0; i < kOwned; ++i) {
      if (versions_[i] != 0) there.push_back(key_of(i));
    }
    complaints_.expect(mine == there, "for_each met other keys than are there");
  }

  // By the vector of one of its own keys, which is found if the way of searching is exact.
  void search() {
    const std::size_t i = any();
    const Vector query = vector_of(key_of(i), std::max<std::uint64_t>(versions_[i], 1));
    const bool is_even = key_of(i) % 2 == 0;
    const auto same_half = [&](Key key) { return (key % 2 == 0) == is_even; };
    const std::array<Key, 3> listed = {key_of(i), key_of(any()), somebody_elses()};
    SearchOptions options;
    switch (random_() % 6) {
      case 0:
        options.exact = true;
        break;
      case 1:
        options.filter = Filter::where(same_half);
        break;
      case 2:
        options.filter = Filter::only(listed);
        break;
      case 3:
        options.filter = Filter::except(std::span(listed).subspan(2));
        break;
      case 4:
        options.max_distance = 0.25F;
        break;
      default:
        break;
    }
    std::array<Hit, 10> hits;
    const std::uint64_t moment = gone_.now();
    const Result<SearchResult> found = target_.search(query, hits, options);
    complaints_.expect_ok(found.status(), "search");
    if (!found.ok()) return;
    const auto answer = std::span<const Hit>(hits).first(found->count);
    expect_nobody_gone(answer, moment);
    const bool is_met = std::any_of(answer.begin(), answer.end(), [&](const Hit& hit) {
      return hit == Hit{key_of(i), 0};
    });
    complaints_.expect(is_met || versions_[i] == 0 || !found->exact,
                       "an exact search did not find a key by its vector");
    complaints_.expect(!is_met || versions_[i] != 0, "a search found what is not there");
    for (const Hit& hit : answer) {
      complaints_.expect(options.filter.kind() != Filter::Kind::predicate || same_half(hit.key),
                         "a hit that the filter does not pass");
      complaints_.expect(hit.distance <= options.max_distance, "a hit beyond the distance");
    }
  }

  void search_in_a_batch() {
    std::vector<float> queries;
    for (std::size_t i = 0; i < 4; ++i) {
      const Vector query = vector_of(key_of(any()), 1 + random_() % (version_ + 1));
      queries.insert(queries.end(), query.begin(), query.end());
    }
    std::array<Hit, 20> hits;
    std::array<std::uint32_t, 4> counts;
    const std::uint64_t moment = gone_.now();
    const Result<SearchResult> found =
        target_.search_batch(MatrixView(queries, kDimension), hits, counts,
                             {.threads = 1 + random_() % 2 == 0 ? 1U : 2U});
    complaints_.expect_ok(found.status(), "a batch of searches");
    for (std::size_t i = 0; found.ok() && i < counts.size(); ++i) {
      expect_nobody_gone(std::span<const Hit>(hits).subspan(i * 5, counts[i]), moment);
    }
  }

  Target& target_;
  Gone& gone_;
  Complaints& complaints_;
  const Key first_;
  std::mt19937_64 random_;
  std::uint64_t version_ = 0;
  std::array<std::uint64_t, kOwned> versions_ = {};  // 0: not there
};

}  // namespace skerry::torture
