// entry.cc - one stored entry, whatever the kind of its key.
#include "cli/entry.h"

#include "cli/failure.h"

namespace skerry::cli {
namespace {

// The payload's length is known only after asking: asks again when the buffer was too small.
template <class K>
void read_payload(const Collection& collection, K key, std::string& payload) {
  for (;;) {
    const auto room = std::as_writable_bytes(std::span(payload));
    const std::size_t size = take(collection.get_payload(key, room), "payload");
    const bool fits = size <= payload.size();
    payload.resize(size);
    if (fits) return;
  }
}

template <class K>
bool read(const Collection& collection, K key, bool payloads, Entry& entry) {
  const Status got = collection.get(key, entry.vector);
  if (got.code() == Code::not_found) return false;
  check(got, "get");
  if (payloads) read_payload(collection, key, entry.payload);
  return true;
}

}  // namespace

bool read_entry(const Collection& collection, const KeyList& keys, std::size_t i,
                std::uint32_t dimension, bool payloads, Entry& entry) {
  entry.vector.resize(dimension);
  entry.payload.clear();
  return keys.names() ? read(collection, keys.name(i), payloads, entry)
                      : read(collection, keys.keys()[i], payloads, entry);
}

KeyList all_keys(const Collection& collection, bool names) {
  KeyList keys(names);
  if (names) {
    check(collection.for_each_name([&](std::string_view name) {
      keys.add_name(name);
      return true;
    }),
          "keys");
  } else {
    check(collection.for_each([&](Key key) {
      keys.add_key(key);
      return true;
    }),
          "keys");
  }
  keys.sort();
  return keys;
}

}  // namespace skerry::cli
