// snapshot_search.cc - the nearest of a snapshot's rows: every row is read, and scored exactly.
//
//   in the store    a block of rows, in the order of the heap or of an allow-list; their names
//   outside of it   the filter is asked, the distances are computed, the best are kept (row_scan.h)
//
// The heap knows byte-string keys by their numbers. The names decide ties and are what is returned,
// so those of the block and of the best so far are kept beside.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <unordered_map>

#include "base/watch.h"
#include "db/kinds.h"
#include "db/snapshot_state.h"
#include "index/row_scan.h"

namespace skerry {
namespace {

constexpr std::uint64_t kListedAtOnce = 4096;  // of an allow-list, looked up in one reading

}  // namespace

// The names of the numbers that a search has in hand.
class NamesInHand {
 public:
  void add(Key id, std::string_view name) { names_.try_emplace(id, name); }
  std::string_view of(Key id) const noexcept { return names_.find(id)->second; }

  // Forgets all but those of the hits when they have become many.
  void keep(std::span<const Hit> hits) {
    if (names_.size() < 2 * hits.size() + kKept) return;
    std::unordered_map<Key, std::string> kept;
    for (const Hit& hit : hits) kept.insert(names_.extract(hit.key));
    names_.swap(kept);
  }

  KeyOrder order() const noexcept {
    return {[](const void* context, Key a, Key b) {
              const auto& names = *static_cast<const NamesInHand*>(context);
              return names.of(a) < names.of(b);  // char_traits<char> compares as unsigned bytes
            },
            this};
  }

 private:
  static constexpr std::size_t kKept = 4096;
  std::unordered_map<Key, std::string> names_;
};

// The numbers of the keys that the filter lists, ascending and each once.
Status SnapshotState::look_up_list(const Filter& filter, std::vector<Key>& listed) const {
  const Status status = read([&](const store::Reading& reading) -> Status {
    switch (filter.kind()) {
      case Filter::Kind::only:
      case Filter::Kind::except:
        listed.assign(filter.keys().begin(), filter.keys().end());
        return Status();
      case Filter::Kind::only_names:
      case Filter::Kind::except_names:
        for (const std::string_view name : filter.names()) {
          if (name.empty() || name.size() > kMaxKeyBytes) continue;
          const Result<Key> id = reading.name_id(id_, name);
          if (id.ok()) listed.push_back(*id);
          if (!id.ok() && id.error().code() != Code::not_found) return id.error();
        }
        return Status();
      default:
        return Status();
    }
  });
  std::sort(listed.begin(), listed.end());
  listed.erase(std::unique(listed.begin(), listed.end()), listed.end());
  return status;
}

// `names`: of a collection with byte-string keys.
Result<SearchResult> SnapshotState::scan(VectorView query, std::span<Hit> hits,
                                         const SearchOptions& options, NamesInHand* names) const {
  const Filter& filter = options.filter;
  Status status = check_kind(options_, names != nullptr);
  if (status.ok()) status = check_filter(options_, filter);
  SearchOptions wanted = options;
  wanted.filter = {};
  if (status.ok()) status = check_search(options_.index, query, wanted);
  std::vector<Key> listed;
  if (status.ok()) status = look_up_list(filter, listed);
  if (!status.ok()) return status;
  if (hits.empty()) return SearchResult{0, true, false, 0};

  RowScan scan(options_.index, query, hits, wanted, names != nullptr ? names->order() : KeyOrder());
  status = scan.reserve();
  if (!status.ok()) return status;
  const auto add = [&](const store::Reading& reading, Key key, store::Bytes vector) -> Status {
    if (vector.size() != row_bytes()) {
      return Status(Code::corruption, "a vector of the store has a wrong length");
    }
    scan.add(key, vector);
    if (names == nullptr) return Status();
    const Result<std::string_view> name = reading.name_of(id_, key);
    if (name.ok()) names->add(key, *name);
    return name.status();
  };

  const bool only =
      filter.kind() == Filter::Kind::only || filter.kind() == Filter::Kind::only_names;
  const bool except =
      filter.kind() == Filter::Kind::except || filter.kind() == Filter::Kind::except_names;
  const std::uint64_t limit = only ? listed.size() : size_;
  Watch watch(without_deadline(options.control), limit);
  for (std::uint64_t at = 0; at < limit && !scan.is_exhausted();) {
    if (Status wanted = watch.at(at); !wanted.ok()) return wanted;
    if (is_late(options.control)) {
      scan.give_up();
      break;
    }
    status = read([&](const store::Reading& reading) -> Status {
      Status step;
      if (!only) {
        const Status walked = reading.each_row(id_, at, limit, [&](Key key, store::Bytes vector) {
          ++at;
          step = add(reading, key, vector);
          return step.ok() && !scan.is_full();
        });
        return walked.ok() ? step : walked;
      }
      Result<store::HeapReader> heap = reading.heap(id_);
      if (!heap.ok()) return heap.error();
      const std::uint64_t end = std::min(limit, at + kListedAtOnce);
      for (; at < end && !scan.is_full() && step.ok(); ++at) {
        const Result<store::Bytes> vector = heap->vector(listed[at]);
        if (vector.ok()) {
          step = add(reading, listed[at], *vector);
        } else if (vector.error().code() != Code::not_found) {
          step = vector.error();
        }
      }
      return step;
    });
    if (!status.ok()) return status;
    const FilterScope asking;
    scan.score([&](Key key) {
      if (filter.kind() == Filter::Kind::predicate) return filter.passes(key);
      if (filter.kind() == Filter::Kind::name_predicate) return filter.passes(names->of(key));
      return !except || !std::binary_search(listed.begin(), listed.end(), key);
    });
    if (names != nullptr) names->keep(scan.best());
  }
  if (Status wanted = watch.finish(); !wanted.ok()) return wanted;
  return scan.finish();
}

Result<SearchResult> SnapshotState::search(VectorView query, std::span<Hit> hits,
                                           const SearchOptions& options) const {
  return scan(query, hits, options, nullptr);
}

Result<SearchResult> SnapshotState::search(VectorView query, std::span<NamedHit> hits,
                                           const SearchOptions& options) const {
  NamesInHand names;
  std::vector<Hit> found(std::min<std::uint64_t>(hits.size(), size_));
  const Result<SearchResult> result = scan(query, found, options, &names);
  if (!result.ok()) return result;
  for (std::size_t i = 0; i < result->count; ++i) {
    const std::string_view name = names.of(found[i].key);
    hits[i].name.size = static_cast<std::uint16_t>(name.size());
    std::memcpy(hits[i].name.bytes, name.data(), name.size());
    hits[i].distance = found[i].distance;
  }
  return result;
}

}  // namespace skerry
