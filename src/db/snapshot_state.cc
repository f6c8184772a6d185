// snapshot_state.cc - a collection's rows at one moment: taken, looked up, walked.
#include "db/snapshot_state.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/fork.h"
#include "db/database_state.h"
#include "db/kinds.h"
#include "quant/convert.h"

namespace skerry {
namespace {

constexpr std::size_t kKeysAtOnce = 1024;

Status no_such_key() noexcept {
  return Status(Code::not_found, "no such key");
}

}  // namespace

SnapshotState::SnapshotState(std::shared_ptr<DatabaseState> database, std::uint32_t id,
                             const CollectionOptions& options) noexcept
    : database_(std::move(database)), generation_(fork_generation()), id_(id), options_(options) {}

SnapshotState::~SnapshotState() {
  // In a forked child the transaction, and its place in the table of readers, are the parent's.
  if (generation_ != fork_generation()) static_cast<void>(held_.release());
}

Result<std::unique_ptr<SnapshotState>> SnapshotState::take(std::shared_ptr<DatabaseState> database,
                                                           std::string_view name, std::uint32_t id,
                                                           const CollectionOptions& options) {
  std::unique_ptr<SnapshotState> state(new SnapshotState(std::move(database), id, options));
  Result<std::unique_ptr<store::HeldRead>> held = state->database_->store().environment().hold();
  if (!held.ok()) return held.error();
  state->held_ = std::move(*held);
  const Status status = state->read([&](const store::Reading& reading) -> Status {
    const Result<bool> there = reading.is_there(name, id);
    if (!there.ok()) return there.error();
    if (!*there) return Status(Code::closed, "the collection was dropped");
    const Result<store::Counters> counters = reading.counters(id);
    if (!counters.ok()) return counters.error();
    state->size_ = counters->live;
    state->sequence_ = counters->sequence;
    return Status();
  });
  if (!status.ok()) return status;
  return state;
}

Status SnapshotState::read(FunctionRef<Status(const store::Reading&)> work) const {
  if (generation_ != fork_generation()) {
    return Status(Code::closed, "the snapshot belongs to another process");
  }
  return store::Store::read(*held_, work);
}

Status SnapshotState::read_key(Key key,
                               FunctionRef<Status(const store::Reading&, Key)> work) const {
  const Status status = check_kind(options_, false);
  if (!status.ok()) return status;
  return read([&](const store::Reading& reading) { return work(reading, key); });
}

Status SnapshotState::read_key(std::string_view name,
                               FunctionRef<Status(const store::Reading&, Key)> work) const {
  const Status status = check_kind(options_, true);
  if (!status.ok()) return status;
  return read([&](const store::Reading& reading) -> Status {
    if (name.empty() || name.size() > kMaxKeyBytes) return no_such_key();
    const Result<Key> id = reading.name_id(id_, name);
    if (id.ok()) return work(reading, *id);
    return id.error().code() == Code::not_found ? no_such_key() : id.error();
  });
}

std::size_t SnapshotState::row_bytes() const noexcept {
  return vector_bytes(options_.index.scalar, options_.index.dimension);
}

Status SnapshotState::read_vector(const store::Reading& reading, Key key,
                                  FunctionRef<void(store::Bytes)> use) const {
  Result<store::HeapReader> heap = reading.heap(id_);
  if (!heap.ok()) return heap.error();
  const Result<store::Bytes> vector = heap->vector(key);
  if (!vector.ok()) {
    return vector.error().code() == Code::not_found ? no_such_key() : vector.error();
  }
  if (vector->size() != row_bytes()) {
    return Status(Code::corruption, "a vector of the store has a wrong length");
  }
  use(*vector);
  return Status();
}

template <class KeyOrName>
Result<bool> SnapshotState::contains(KeyOrName key) const {
  Result<bool> present = false;
  const Status status = read_key(key, [&](const store::Reading& reading, Key number) {
    present = reading.contains(id_, number);
    return present.status();
  });
  if (status.code() == Code::not_found) return false;  // a name without a number
  return status.ok() ? present : status;
}
template Result<bool> SnapshotState::contains(Key) const;
template Result<bool> SnapshotState::contains(std::string_view) const;

template <class KeyOrName>
Status SnapshotState::get(KeyOrName key, std::span<float> out) const {
  const IndexOptions& index = options_.index;
  if (out.size() != index.dimension) {
    return Status(Code::invalid_argument, "expected room for {a} components, given {b}",
                  index.dimension, out.size());
  }
  return read_key(key, [&](const store::Reading& reading, Key number) {
    return read_vector(reading, number, [&](store::Bytes vector) {
      to_floats(VectorView(vector.data(), index.scalar, index.dimension), out.data());
    });
  });
}
template Status SnapshotState::get(Key, std::span<float>) const;
template Status SnapshotState::get(std::string_view, std::span<float>) const;

template <class KeyOrName>
Status SnapshotState::get_bytes(KeyOrName key, std::span<std::byte> out) const {
  if (out.size() != row_bytes()) {
    return Status(Code::invalid_argument, "expected room for {a} bytes, given {b}", row_bytes(),
                  out.size());
  }
  return read_key(key, [&](const store::Reading& reading, Key number) {
    return read_vector(reading, number, [&](store::Bytes vector) {
      std::copy(vector.begin(), vector.end(), out.begin());
    });
  });
}
template Status SnapshotState::get_bytes(Key, std::span<std::byte>) const;
template Status SnapshotState::get_bytes(std::string_view, std::span<std::byte>) const;

template <class KeyOrName>
Result<std::size_t> SnapshotState::get_payload(KeyOrName key, std::span<std::byte> out) const {
  Result<std::size_t> size = std::size_t{0};
  const Status status = read_key(key, [&](const store::Reading& reading, Key number) {
    size = reading.copy_payload(id_, number, out);
    return size.status();
  });
  return status.ok() ? size : status;
}
template Result<std::size_t> SnapshotState::get_payload(Key, std::span<std::byte>) const;
template Result<std::size_t> SnapshotState::get_payload(std::string_view,
                                                        std::span<std::byte>) const;

Status SnapshotState::for_each(FunctionRef<bool(Key)> visit) const {
  Status status = check_kind(options_, false);
  std::vector<Key> keys;
  keys.reserve(kKeysAtOnce);
  for (Key first = 0; status.ok(); first = keys.back() + 1) {
    keys.clear();
    status = read([&](const store::Reading& reading) {
      return reading.each_key(id_, first, [&](Key key) {
        keys.push_back(key);
        return keys.size() < kKeysAtOnce;
      });
    });
    if (!status.ok()) return status;
    for (const Key key : keys) {
      if (!visit(key)) return status;
    }
    if (keys.size() < kKeysAtOnce || keys.back() == ~Key{0}) return status;
  }
  return status;
}

Status SnapshotState::for_each_name(FunctionRef<bool(std::string_view)> visit) const {
  Status status = check_kind(options_, true);
  std::vector<std::string> names;
  names.reserve(kKeysAtOnce);
  for (Key first = 0; status.ok();) {
    names.clear();
    status = read([&](const store::Reading& reading) {
      return reading.each_name(id_, first, [&](Key id, std::string_view name) {
        names.emplace_back(name);
        first = id + 1;
        return names.size() < kKeysAtOnce;
      });
    });
    if (!status.ok()) return status;
    for (const std::string& name : names) {
      if (!visit(name)) return status;
    }
    if (names.size() < kKeysAtOnce) return status;
  }
  return status;
}

}  // namespace skerry
