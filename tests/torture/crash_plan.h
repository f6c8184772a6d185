// crash_plan.h - what does a crash torture write, and under which names?
//
// Everything follows from a few numbers: the vector and the payload of a key are made from the
// seed, the collection's life, the key and the version, and a version is used once. So an
// acknowledgement is small, and whoever reads a key afterwards can tell which write it is of, and
// whether it is whole.
//
// Six collections: four live as long as the database, two come and go, with other options in each
// life. Each writer has keys of its own in every lasting collection (only it writes them, so what
// must be there is known exactly); a few more keys are everybody's, in all six.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "skerry/options.h"
#include "skerry/types.h"
#include "support/vectors.h"
#include "torture/run.h"

namespace skerry::torture {

inline constexpr std::size_t kWriters = 3;
inline constexpr std::size_t kOwnKeys = 128;    // of each writer
inline constexpr std::size_t kSharedKeys = 32;  // behind those
inline constexpr std::size_t kKeys = kWriters * kOwnKeys + kSharedKeys;
inline constexpr std::size_t kLasting = 4;
inline constexpr std::size_t kCollections = 6;
inline constexpr std::size_t kBatchMax = 40;

enum class Act : std::uint8_t {
  open,
  create,
  drop,
  upsert,
  insert,
  remove,
  upsert_batch,
  insert_batch,
  remove_batch,
  compact,
  backup,
  checkpoint,
  save_image,
  rename,
  clone,
  sync,
  close,
};

// One end of a pipe writes it, the other reads it: an act begins, an act has ended.
struct Record {
  std::uint64_t version;  // of the act; what it writes and to which keys follows from it
  std::uint64_t life;     // of the collection it is about: the version of its create
  std::uint32_t value;    // what a removal counted
  Act act;
  std::uint8_t collection;
  std::uint8_t thread;
  bool ended;
  bool refused;  // it answered that nothing was changed: already_exists, closed
};

inline std::string collection_name(std::size_t collection) {
  return "collection " + std::to_string(collection);
}

// What it is called for a moment now and then, and what a copy of it is called until it is dropped.
inline std::string moved_name(std::size_t collection) {
  return "moved " + std::to_string(collection);
}
inline std::string clone_name(std::size_t collection) {
  return "clone " + std::to_string(collection);
}

inline CollectionOptions collection_options(std::size_t collection, std::uint64_t life) {
  CollectionOptions options;
  options.index.M = 6;
  options.index.ef_construction = 60;
  const std::uint64_t form = collection < kLasting ? collection : 4 + mix(life, 1) % 5;
  switch (form) {
    case 0:
      options.index.dimension = 24;
      options.index.flat_below = 0;
      break;
    case 1:
      options.index.dimension = 40;
      options.index.scalar = Scalar::u8;
      options.index.flat_below = 100;
      break;
    case 2:
      options.index.dimension = 96;
      options.index.metric = Metric::cosine;
      options.index.codes = Codes::sq8;
      options.index.flat_below = 0;
      options.byte_keys = true;
      break;
    case 3:
      options.index.dimension = 188;
      options.index.metric = Metric::hamming;
      options.index.scalar = Scalar::b1;
      break;
    case 4:
      options.index.dimension = 1200;  // rows longer than a page
      break;
    case 5:
      options.index.dimension = 16;
      options.index.scalar = Scalar::f16;
      options.index.flat_below = 0;
      options.byte_keys = true;
      break;
    case 6:
      options.index.dimension = 128;
      options.index.metric = Metric::jaccard;
      options.index.scalar = Scalar::b1;
      options.index.flat_below = 0;
      break;
    case 7:
      options.index.dimension = 24;  // as collection 0, but for the codes
      options.index.codes = Codes::sq8;
      options.index.flat_below = 0;
      break;
    default:
      options.index.dimension = 33;
      options.index.scalar = Scalar::i8;
      break;
  }
  return options;
}

inline bool is_shared(std::size_t key) {
  return key >= kWriters * kOwnKeys;
}

// The names of key number `key`.
inline Key key_of(std::size_t key) {
  return key == 0 ? ~Key{0} : key * 0x9E3779B97F4A7C15ULL;
}
inline std::string name_of_key(std::size_t key) {
  std::string name = std::to_string(key) + ' ';
  // 2 to 200 bytes, of any value.
  for (std::uint64_t i = mix(key, 2) % 197; i-- > 0;) name += static_cast<char>(mix(key, 3, i));
  return name;
}

// Which key is it? kKeys: none of ours.
class KeyNumbers {
 public:
  KeyNumbers() {
    for (std::size_t key = 0; key < kKeys; ++key) {
      keys_[key_of(key)] = key;
      names_[name_of_key(key)] = key;
    }
  }
  std::size_t of(Key key) const {
    const auto found = keys_.find(key);
    return found == keys_.end() ? kKeys : found->second;
  }
  std::size_t of(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? kKeys : found->second;
  }

 private:
  std::map<Key, std::size_t> keys_;
  std::map<std::string, std::size_t, std::less<>> names_;
};

struct Row {
  testing::Table vector;  // one row
  std::vector<std::byte> payload;
};

inline Row make_row(std::uint64_t seed, std::size_t collection, std::uint64_t life, std::size_t key,
                    std::uint64_t version) {
  const IndexOptions options = collection_options(collection, life).index;
  testing::Random random(mix(seed + life, collection * kKeys + key, version));
  Row row;
  row.vector = testing::random_table(random, options.scalar, 1, options.dimension);
  // Which life and version a shared key has, only its payload can tell.
  const std::uint64_t dice = random() % 16;
  if (dice < 4 && !is_shared(key)) return row;
  row.payload.resize(16 + random() % (dice == 15 ? 9000 : 60));
  for (std::size_t i = 16; i < row.payload.size(); ++i) row.payload[i] = std::byte(i * dice);
  std::memcpy(row.payload.data(), &life, 8);
  std::memcpy(row.payload.data() + 8, &version, 8);
  return row;
}

// The keys that an act on rows is about, in its order; a key may come twice in a batch.
inline std::vector<std::size_t> keys_of_act(std::uint64_t seed, const Record& record) {
  testing::Random random(mix(seed, record.version, 7));
  const bool batch = record.act == Act::upsert_batch || record.act == Act::insert_batch ||
                     record.act == Act::remove_batch;
  // A few single upserts go to everybody's keys; in collections that come and go, all but the first
  // writer's, who makes and drops them.
  const bool lasting = record.collection < kLasting;
  if (record.act == Act::upsert && (lasting ? random() % 6 == 0 : record.thread != 0)) {
    return {kWriters * kOwnKeys + random() % kSharedKeys};
  }
  std::vector<std::size_t> keys(batch ? 2 + random() % (kBatchMax - 1) : 1);
  for (std::size_t& key : keys) key = record.thread * kOwnKeys + random() % kOwnKeys;
  return keys;
}

}  // namespace skerry::torture
