// recovery.cc - where does the index in memory come from when a collection is opened, or has fallen
// too far behind other processes?
//
//   image loads, fits the store and is at or after `trimmed`?   the image, and the log after it
//   no image                                                    rebuilt from the vectors: absent
//   of another store or collection, too old, or too new         rebuilt: stale
//   fails its checks, or the count afterwards is wrong          rebuilt: damaged
//
// An image that does not fit is removed before anything else is written: its number could be within
// the log of a later day, and then it would be believed. Deleting an image is always safe.
//
// Other processes go on writing and saving meanwhile. The image lock keeps the log from being
// trimmed from the moment that the image is chosen until its part of the log has been read;
// whatever is written later is taken up by follow(), in one last snapshot. When the log has been
// trimmed beyond even that, there is a newer image, and everything starts again.
//
// Replaying looks at the log only for which keys changed after the image, in what order; their
// final state is read from the vectors. It needs as many sequence numbers as there are changes, and
// has them: each change in the log has one.
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/files.h"
#include "base/watch.h"
#include "db/collection_state.h"
#include "db/database_state.h"
#include "db/folder_lock.h"

namespace skerry {
namespace {

// Vectors copied out of the store for one step of a rebuild: enough for many threads to share, and
// few enough that whoever watches sees it move, and can stop it: half a second on one core.
constexpr std::size_t kBytesAtOnce = 16 << 20;
constexpr std::size_t kRowsAtOnceMax = 2048;

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
  // After the last that was published.
  Key next_key() const noexcept { return next_; }

  // Room for so many more, or for as many as are taken at once.
  void reserve(std::uint64_t rows) {
    const std::size_t count = std::min<std::uint64_t>(rows, limit_);
    keys_.reserve(count);
    data_.reserve(count * bytes_);
  }

  // False when the bytes are not a vector of ours.
  bool add(Key key, store::Bytes vector) {
    if (vector.size() != bytes_) return false;
    keys_.push_back(key);
    data_.insert(data_.end(), vector.begin(), vector.end());
    return true;
  }

  // Shows them in the engine as of `sequence` and forgets them.
  Status publish(Engine& engine, std::uint64_t sequence, std::uint32_t threads, Linking linking) {
    const MatrixView vectors(data_.data(), scalar_, keys_.size(), dimension_);
    const Status status = engine.reserve(keys_.size(), linking, vectors);
    if (!status.ok()) return status;
    engine.publish({{keys_, vectors, false}, sequence}, threads, linking);
    next_ = keys_.back() + 1;
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
  Key next_ = 0;
};

Status wrong_length() noexcept {
  return Status(Code::corruption, "a vector of the store has a wrong length");
}

// Which file is it? 0: none.
std::uint64_t file_number(const std::filesystem::path& path) noexcept {
  struct stat file = {};
  return ::stat(path.c_str(), &file) == 0 ? file.st_ino : 0;
}

}  // namespace

// A collection whose rows another process is removing looks damaged: not_found.
Result<std::unique_ptr<View>> CollectionState::make_view(const Control& control) const {
  Result<std::unique_ptr<View>> view = recover(control);
  if (view.ok() || view.error().code() != Code::corruption) return view;
  Result<bool> there = true;
  const Status status = database_->store().read([&](const store::Reading& reading) {
    there = reading.is_there(name(), id_);
    return there.status();
  });
  if (!status.ok() || *there) return view;
  return Status(Code::not_found, "the collection was dropped by another process");
}

Result<std::unique_ptr<View>> CollectionState::recover(const Control& control) const {
  for (;;) {
    Status why;
    if (database_->options().use_images) {
      Result<std::unique_ptr<View>> mapped = load_image(why);
      if (!mapped.ok()) return mapped;
      if (*mapped != nullptr) {
        if ((*mapped)->engine->sequence() == 0) (*mapped)->opened = Opened::created;
        return mapped;
      }
    }
    std::uint64_t reached = 0;
    Result<std::unique_ptr<View>> view = rebuild(reached, control);
    if (!view.ok()) return view;
    const Result<Followed> followed = follow(**view, reached, true);
    if (!followed.ok()) return followed.error();
    if (followed->found == Found::dropped) {
      return Status(Code::not_found, "the collection was dropped by another process");
    }
    if (followed->found == Found::trimmed) continue;
    Engine& engine = *(*view)->engine;
    if (engine.size() != followed->live) {
      return Status(Code::corruption, "the store counts {a} vectors and holds {b}", followed->live,
                    engine.size());
    }
    (*view)->opened = engine.sequence() == 0                      ? Opened::created
                      : why.code() == Code::incompatible          ? Opened::rebuilt_stale
                      : why.ok() || why.code() == Code::not_found ? Opened::rebuilt_absent
                                                                  : Opened::rebuilt_damaged;
    (*view)->image = engine.sequence() == 0 ? Status() : why;
    return view;
  }
}

// Null when there is no image of use; `why` says so.
Result<std::unique_ptr<View>> CollectionState::load_image(Status& why) const {
  const std::filesystem::path path = image_path();
  if (file_number(path) == 0) {
    why = Status(Code::not_found, "there is no image");
    return std::unique_ptr<View>();
  }
  ImageLock lock;
  Status status = lock.take(database_->folder(), id_, ImageLock::For::loading, true);
  if (!status.ok()) return status;
  const std::uint64_t file = file_number(path);
  auto view = std::make_unique<View>();
  // Rows that are damaged are read from the store, which a const collection may do.
  const ImageOwner owner{options_.index, image_tag(),
                         options_.byte_keys ? view->book.order() : KeyOrder(),
                         RowSource{fetch_row, const_cast<CollectionState*>(this)}};
  Result<std::unique_ptr<Engine>> engine =
      Engine::load(path, ImageMode::map, options_.index.custom, &owner, database_->folder());
  const Code code = engine.status().code();
  if (code == Code::out_of_memory) return engine.error();
  if (code == Code::not_found) {
    why = engine.error();
    return std::unique_ptr<View>();
  }
  if (!engine.ok()) {
    why = engine.error();
    lock.release();
    status = discard_image(file);
    if (!status.ok()) return status;
    return std::unique_ptr<View>();
  }
  view->engine = std::move(*engine);
  const std::uint64_t sequence = view->engine->sequence();
  store::Counters counters;
  std::vector<Key> keys;
  std::unordered_map<Key, std::size_t> last;
  status = database_->store().read([&](const store::Reading& reading) {
    const Result<store::Counters> found = reading.counters(id_);
    if (!found.ok()) return found.status();
    counters = *found;
    if (sequence < counters.trimmed) {
      why = Status(Code::incompatible, "the image is of change {a}, and the log begins after {b}",
                   sequence, counters.trimmed);
    } else if (sequence > counters.sequence) {
      why = Status(Code::incompatible, "the image is of change {a}, and the store has {b}",
                   sequence, counters.sequence);
    }
    return why.ok() ? read_changes(reading, sequence, keys, last) : Status();
  });
  lock.release();
  if (!status.ok()) return status;
  if (why.ok()) {
    view->opened = Opened::image;
    view->replayed = keys.size();
    status = replay(*view, keys, last, counters.sequence);
    if (!status.ok()) return status;
    const Result<Followed> followed = follow(*view, counters.sequence, true);
    if (!followed.ok()) return followed.error();
    if (followed->found == Found::trimmed) return load_image(why);
    if (followed->found == Found::dropped) {
      return Status(Code::not_found, "the collection was dropped by another process");
    }
    if (view->engine->size() == followed->live) {
      image_sequence_ = sequence;
      return view;
    }
    why = Status(Code::corruption, "the image and its log hold {a} keys, the store {b}",
                 view->engine->size(), followed->live);
  }
  status = discard_image(file);
  if (!status.ok()) return status;
  return std::unique_ptr<View>();
}

// A row of the image that is damaged, as of the engine's number: what the store has, unless it has
// changed since, which the log tells. Inside a reading (verify's) the store is as that one sees it.
RowSource::Answer CollectionState::fetch_row(void* context, Key key, std::uint64_t sequence,
                                             std::span<std::byte> out) {
  const auto& self = *static_cast<const CollectionState*>(context);
  RowSource::Answer answer = RowSource::Answer::lost;
  const Status status = self.database_->store().read([&](const store::Reading& reading) {
    const Result<store::Counters> counters = reading.counters(self.id_);
    if (!counters.ok()) return counters.status();
    bool changed = sequence < counters->trimmed || sequence > counters->sequence;
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

// Removes the image, if it is still that file.
Status CollectionState::discard_image(std::uint64_t file) const {
  if (database_->options().read_only) return Status();
  ImageLock lock;
  const Status status = lock.take(database_->folder(), id_, ImageLock::For::placing, true);
  if (!status.ok()) return status;
  const std::filesystem::path path = image_path();
  if (file_number(path) != file) return status;
  std::error_code error;
  std::filesystem::remove(path, error);
  if (error) return status_of_errno(error.value(), "cannot remove an image that does not fit: {e}");
  return sync_path(database_->images());
}

// The keys that changed after `after`, in the order of the log.
Status CollectionState::read_changes(const store::Reading& reading, std::uint64_t after,
                                     std::vector<Key>& keys,
                                     std::unordered_map<Key, std::size_t>& last) const {
  const Result<store::Counters> counters = reading.counters(id_);
  if (!counters.ok()) return counters.error();
  const Status status =
      reading.each_change(id_, after, [&](std::uint64_t, store::LogKind, store::Bytes record) {
        for (std::size_t at = 0; at < record.size(); at += sizeof(Key)) {
          const Key key = get_le<Key>(&record[at]);
          last[key] = keys.size();
          keys.push_back(key);
        }
        return true;
      });
  if (status.ok() && counters->sequence - after < keys.size()) {
    return Status(Code::corruption, "the log has more changes than numbers");
  }
  return status;
}

// Shows what became of the keys, the last of which is change `sequence`, some at a time: nobody
// reads this view yet. Nothing is linked here: searches find it all the same, and whoever opens has
// the keeper see to it.
Status CollectionState::replay(View& view, const std::vector<Key>& keys,
                               const std::unordered_map<Key, std::size_t>& last,
                               std::uint64_t sequence) const {
  // Runs of upserts and of removals by turns, each as of the number of its last change.
  Rows rows(options_.index.scalar, options_.index.dimension);
  std::vector<Key> removals;
  const std::uint32_t threads = database_->options().threads;
  const std::uint64_t base = sequence - keys.size();
  for (std::size_t at = 0; at < keys.size();) {
    std::uint64_t reached = 0;  // the last change that is in `rows` or `removals`
    Status status = database_->store().read([&](const store::Reading& reading) -> Status {
      Result<store::HeapReader> heap = reading.heap(id_);
      if (!heap.ok()) return heap.error();
      for (; at < keys.size(); ++at) {
        if (last.at(keys[at]) != at) continue;
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
    if (status.ok() && !rows.is_empty()) {
      status = rows.publish(*view.engine, reached, threads, Linking::later);
    }
    if (!status.ok()) return status;
    if (!removals.empty()) {
      view.engine->publish({{removals, {}, true}, reached}, threads, Linking::later);
      removals.clear();
    }
  }
  // The last change of the log is the last of its key: the number is reached.
  return Status();
}

// All vectors there are, some at a time, and `reached`, the number from before the first: what
// others write meanwhile may be met or not, and is in the log after that number.
Result<std::unique_ptr<View>> CollectionState::rebuild(std::uint64_t& reached,
                                                       const Control& control) const {
  auto view = std::make_unique<View>();
  Result<std::unique_ptr<Engine>> engine = Engine::create(
      options_.index, options_.byte_keys ? view->book.order() : KeyOrder(), database_->folder());
  if (!engine.ok()) return engine.error();
  view->engine = std::move(*engine);

  store::Counters counters;
  Rows rows(options_.index.scalar, options_.index.dimension);
  std::optional<Watch> watch;  // of as many as there are
  std::uint64_t publishes = 0;
  for (bool all = false; !all;) {
    bool fits = true;
    const Key first = publishes == 0 ? 0 : rows.next_key();
    Status status = database_->store().read([&](const store::Reading& reading) {
      const Result<store::Counters> found = reading.counters(id_);
      if (!found.ok()) return found.status();
      if (publishes == 0) {
        counters = *found;
        rows.reserve(counters.live);
      }
      all = true;
      return reading.each_vector(id_, first, [&](Key key, store::Bytes vector) {
        fits = rows.add(key, vector);
        all = !rows.is_full() || key == ~Key{0};
        return fits && !rows.is_full();
      });
    });
    if (!status.ok()) return status;
    if (!fits) return wrong_length();
    if (!watch.has_value()) {
      watch.emplace(counters.live != 0 ? control : Control(), counters.live);
      status = watch->begin();
      if (!status.ok()) return status;
    }
    if (rows.is_empty()) break;
    const std::size_t count = rows.size();
    // Whoever wrote these rows took more numbers than we have steps.
    ++publishes;
    const bool last = all && counters.sequence > publishes;
    status = rows.publish(*view->engine, last ? counters.sequence : publishes,
                          database_->options().threads, Linking::now);
    if (status.ok()) status = watch->advance(count);
    if (!status.ok()) return status;
  }
  if (view->engine->sequence() < counters.sequence) {
    view->engine->publish({{{}, {}, true}, counters.sequence});
  }
  reached = counters.sequence;
  const Status wanted = watch->finish();
  if (!wanted.ok()) return wanted;
  return view;
}

}  // namespace skerry
