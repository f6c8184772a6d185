// recovery.cc - where does the index in memory come from when a collection is opened?
//
//   image loads, fits the store and is at or after `trimmed`?   the image, and the log after it
//   no image                                                    rebuilt from the vectors: absent
//   of another store or collection, too old, or too new         rebuilt: stale
//   fails its checks, or the count afterwards is wrong          rebuilt: damaged
//
// An image that does not fit is removed before anything else is written: its number could be within
// the log of a later day, and then it would be believed. Deleting an image is always safe.
//
// Replaying looks at the log only for which keys changed after the image, in what order; their
// final state is read from the vectors. It needs as many sequence numbers as there are changes, and
// has them: each change in the log has one.
#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/files.h"
#include "db/collection_state.h"
#include "db/database_state.h"

namespace skerry {
namespace {

// Vectors copied out of the store for one step of a rebuild: enough for many threads to share, and
// few enough that whoever watches sees it move.
constexpr std::size_t kBytesAtOnce = 16 << 20;
constexpr std::size_t kRowsAtOnceMax = 16384;

// Rows on their way from the store to the engine.
class Rows {
 public:
  Rows(Scalar scalar, std::size_t dimension)
      : scalar_(scalar),
        dimension_(dimension),
        bytes_(vector_bytes(scalar, dimension)),
        limit_(std::clamp(kBytesAtOnce / bytes_, std::size_t{1}, kRowsAtOnceMax)) {}

  bool is_full() const noexcept { return keys_.size() == limit_; }
  bool is_empty() const noexcept { return keys_.empty(); }
  std::size_t size() const noexcept { return keys_.size(); }
  Key last_key() const noexcept { return keys_.back(); }

  // False when the bytes are not a vector of ours.
  bool add(Key key, store::Bytes vector) {
    if (vector.size() != bytes_) return false;
    keys_.push_back(key);
    data_.insert(data_.end(), vector.begin(), vector.end());
    return true;
  }

  // Shows them in the engine as of `sequence` and forgets them.
  Status publish(Engine& engine, std::uint64_t sequence, std::uint32_t threads) {
    const Status status = engine.reserve(keys_.size());
    if (!status.ok()) return status;
    const MatrixView vectors(data_.data(), scalar_, keys_.size(), dimension_);
    engine.publish({keys_, vectors, false}, sequence, threads);
    keys_.clear();
    data_.clear();
    return status;
  }

 private:
  Scalar scalar_;
  std::size_t dimension_;
  std::size_t bytes_;
  std::size_t limit_;
  std::vector<Key> keys_;
  std::vector<std::byte> data_;
};

Status wrong_length() noexcept {
  return Status(Code::corruption, "a vector of the store has a wrong length");
}

}  // namespace

Status CollectionState::recover(View& view) {
  store::Counters counters;
  Status status = database_->store().read([&](const store::Reading& reading) {
    const Result<store::Counters> found = reading.counters(id_);
    if (found.ok()) counters = *found;
    return found.status();
  });
  if (status.ok() && options_.byte_keys) status = read_names(view);
  if (!status.ok()) return status;
  log_entries_ = counters.log_entries;

  view.opened = Opened::rebuilt_absent;
  if (counters.sequence == 0) {
    view.opened = Opened::created;
  } else if (database_->options().use_images) {
    status = load_image(view, counters);
    if (!status.ok() || view.engine != nullptr) return status;
  }
  return rebuild(view, counters);
}

Status CollectionState::read_names(View& view) {
  return database_->store().read([&](const store::Reading& reading) {
    return reading.each_name(id_, [&](Key id, std::string_view name) {
      KeyRecordPtr record = make_key_record(id, name);
      view.book.reserve(1, 0);
      view.book.add(std::move(record));
      return true;
    });
  });
}

// On success there is an engine, or `opened` says why the image is of no use.
Status CollectionState::load_image(View& view, const store::Counters& counters) {
  const ImageOwner owner{options_.index, image_tag(),
                         options_.byte_keys ? view.book.order() : KeyOrder(),
                         RowSource{fetch_row, this}};
  Result<std::unique_ptr<Engine>> engine =
      Engine::load(image_path(), ImageMode::map, options_.index.custom, &owner);
  if (!engine.ok()) {
    if (engine.error().code() == Code::out_of_memory) return engine.error();
    if (engine.error().code() != Code::not_found) return discard_image(view, engine.error());
    view.image = engine.error();
    return Status();
  }
  const std::uint64_t sequence = (*engine)->sequence();
  if (sequence < counters.trimmed) {
    return discard_image(
        view, Status(Code::incompatible, "the image is of change {a}, and the log begins after {b}",
                     sequence, counters.trimmed));
  }
  if (sequence > counters.sequence) {
    return discard_image(
        view, Status(Code::incompatible, "the image is of change {a}, and the store has {b}",
                     sequence, counters.sequence));
  }
  view.engine = std::move(*engine);
  const Status status = replay(view, sequence, counters);
  if (!status.ok()) {
    view.engine.reset();
    return status;
  }
  if (view.engine->size() != counters.live) {
    const Status why(Code::corruption, "the image and its log hold {a} keys, the store {b}",
                     view.engine->size(), counters.live);
    view.engine.reset();
    return discard_image(view, why);
  }
  image_sequence_ = sequence;
  view.opened = Opened::image;
  return status;
}

// A row of the image that is damaged, as of the engine's number: what the store has, unless it has
// changed since, which the log tells.
RowSource::Answer CollectionState::fetch_row(void* context, Key key, std::uint64_t sequence,
                                             std::span<std::byte> out) {
  const auto& self = *static_cast<const CollectionState*>(context);
  RowSource::Answer answer = RowSource::Answer::lost;
  const Status status = self.database_->store().read([&](const store::Reading& reading) {
    const Result<store::Counters> counters = reading.counters(self.id_);
    if (!counters.ok()) return counters.status();
    bool changed = sequence < counters->trimmed;
    Status walk = reading.each_change(
        self.id_, sequence, [&](std::uint64_t, store::LogKind, store::Bytes record) {
          for (std::size_t at = 0; at < record.size(); at += sizeof(Key)) {
            changed = changed || get_le<Key>(&record[at]) == key;
          }
          return !changed;
        });
    if (changed) answer = RowSource::Answer::later;
    if (!walk.ok() || changed) return walk;
    Result<store::HeapReader> heap = reading.heap(self.id_);
    if (!heap.ok()) return heap.status();
    const Result<store::Bytes> vector = heap->vector(key);
    if (vector.ok() && vector->size() == out.size()) {
      std::memcpy(out.data(), vector->data(), out.size());
      answer = RowSource::Answer::given;
    }
    return vector.status();
  });
  return status.code() == Code::out_of_memory ? RowSource::Answer::later : answer;
}

Status CollectionState::discard_image(View& view, const Status& why) {
  view.opened = why.code() == Code::incompatible ? Opened::rebuilt_stale : Opened::rebuilt_damaged;
  view.image = why;
  if (database_->options().read_only) return Status();
  std::error_code error;
  std::filesystem::remove(image_path(), error);
  if (error) return status_of_errno(error.value(), "cannot remove an image that does not fit: {e}");
  return sync_path(database_->images());
}

Status CollectionState::replay(View& view, std::uint64_t after, const store::Counters& counters) {
  std::vector<Key> keys;
  std::unordered_map<Key, std::size_t> last;  // where in `keys` each one comes last
  Status status = database_->store().read([&](const store::Reading& reading) {
    return reading.each_change(id_, after, [&](std::uint64_t, store::LogKind, store::Bytes record) {
      for (std::size_t at = 0; at < record.size(); at += sizeof(Key)) {
        const Key key = get_le<Key>(&record[at]);
        last[key] = keys.size();
        keys.push_back(key);
      }
      return true;
    });
  });
  if (!status.ok() || keys.empty()) return status;
  view.replayed = keys.size();
  if (counters.sequence - after < keys.size()) {
    return Status(Code::corruption, "the log has more changes than numbers");
  }

  // Runs of upserts and of removals by turns, each as of the number of its last change.
  Rows rows(options_.index.scalar, options_.index.dimension);
  std::vector<Key> removals;
  const std::uint32_t threads = database_->options().threads;
  const std::uint64_t base = counters.sequence - keys.size();
  for (std::size_t at = 0; at < keys.size();) {
    std::uint64_t reached = 0;  // the last change that is in `rows` or `removals`
    status = database_->store().read([&](const store::Reading& reading) -> Status {
      Result<store::HeapReader> heap = reading.heap(id_);
      if (!heap.ok()) return heap.error();
      for (; at < keys.size(); ++at) {
        if (last[keys[at]] != at) continue;
        const Result<store::Bytes> vector = heap->vector(keys[at]);
        if (!vector.ok() && vector.error().code() != Code::not_found) return vector.error();
        // A run ends where the other kind begins; the key is looked at again in the next.
        if (vector.ok() ? !removals.empty() || rows.is_full() : !rows.is_empty()) return Status();
        if (!vector.ok()) {
          removals.push_back(keys[at]);
        } else if (!rows.add(keys[at], *vector)) {
          return wrong_length();
        }
        reached = base + at + 1;
      }
      return Status();
    });
    if (status.ok() && !rows.is_empty()) status = rows.publish(*view.engine, reached, threads);
    if (!status.ok()) return status;
    if (!removals.empty()) {
      view.engine->publish({removals, {}, true}, reached);
      removals.clear();
    }
  }
  // The last change of the log is the last of its key: the number is reached.
  return status;
}

Status CollectionState::rebuild(View& view, const store::Counters& counters) {
  Result<std::unique_ptr<Engine>> engine =
      Engine::create(options_.index, options_.byte_keys ? view.book.order() : KeyOrder());
  if (!engine.ok()) return engine.error();
  view.engine = std::move(*engine);

  Rows rows(options_.index.scalar, options_.index.dimension);
  const RebuildProgress& progress = database_->options().rebuild_progress;
  const auto show = [&](std::uint64_t rows) {
    if (progress.call != nullptr && counters.live != 0) {
      progress.call(progress.context, name_, rows, counters.live);
    }
  };
  show(0);
  std::uint64_t done = 0;
  Key first = 0;
  while (done < counters.live) {
    bool fits = true;
    Status status = database_->store().read([&](const store::Reading& reading) {
      return reading.each_vector(id_, first, [&](Key key, store::Bytes vector) {
        fits = rows.add(key, vector);
        return fits && !rows.is_full();
      });
    });
    if (!status.ok()) return status;
    if (!fits) return wrong_length();
    if (rows.is_empty()) break;
    done += rows.size();
    if (done > counters.live || counters.live > counters.sequence) break;
    first = rows.last_key() + 1;
    const std::uint64_t sequence = done == counters.live ? counters.sequence : done;
    status = rows.publish(*view.engine, sequence, database_->options().threads);
    if (!status.ok()) return status;
    show(done);
  }
  if (done != counters.live) {
    return Status(Code::corruption, "the store counts {a} vectors and holds {b}", counters.live,
                  done);
  }
  // Everything was removed again: only the number is to be shown.
  if (counters.live == 0 && counters.sequence != 0) {
    view.engine->publish({{}, {}, true}, counters.sequence);
  }
  return Status();
}

}  // namespace skerry
