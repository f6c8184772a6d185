// store_fuzz.cc - can any damage to a store make us crash, or hang?
//
// The input is damage to a small good store: patches of five bytes, u16 page, u16 offset in it, u8
// to xor. (Whole stores as inputs would be kept from nearly every page by the first one that is
// wrong.) A store that opens in spite of it is read from end to end, written to, and read again.
// What repairs a store reads it too, and a store that it makes opens. The input itself is tried as
// each record of the schema too.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "skerry/database.h"
#include "store/salvage.h"
#include "store/schema.h"
#include "store/store.h"

namespace {

namespace fs = std::filesystem;
namespace store = skerry::store;

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPatchBytes = 5;

// Where the store is, and the good file.
struct Base {
  fs::path home;
  std::string bytes;

  Base() : home(fs::temp_directory_path() / ("skerry-fuzz-" + std::to_string(::getpid()))) {
    fs::remove_all(home);
    {
      auto database = skerry::Database::open(
          home, {.durability = skerry::Durability::none, .use_images = false});
      if (!database.ok()) std::abort();
      for (const bool byte_keys : {false, true}) {
        auto made = database->create(byte_keys ? "names" : "numbers",
                                     {.index = {.dimension = 4}, .byte_keys = byte_keys});
        if (!made.ok()) std::abort();
        const std::vector<float> vector(4, 0.5F);
        for (std::uint64_t i = 0; i < 60; ++i) {
          const std::string payload(i % 10 == 0 ? 5000 : i, 'p');
          const auto bytes = std::as_bytes(std::span(payload));
          const std::string name = "name " + std::to_string(i);
          const skerry::Status put = byte_keys ? made->upsert(std::string_view(name), vector, bytes)
                                               : made->upsert(i, vector, bytes);
          if (!put.ok()) std::abort();
        }
        if (!byte_keys && !made->remove(skerry::Key{10}).ok()) std::abort();
      }
    }
    std::ifstream file(home / "store" / "data.mdb", std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  ~Base() {
    std::error_code ignored;
    fs::remove_all(home, ignored);
  }
};

template <class Record>
void decode(store::Bytes bytes) {
  Record record;
  if (store::decode(bytes, record)) static_cast<void>(store::encode(record));
}

void read_all(const store::Store& store) {
  std::size_t seen = 0;
  const auto add = [&](auto, store::Bytes bytes) {
    for (const std::byte byte : bytes) seen += std::to_integer<std::size_t>(byte);
    return true;
  };
  static_cast<void>(store.read([&](const store::Reading& reading) {
    for (std::uint32_t collection = 0; collection < 4; ++collection) {
      static_cast<void>(reading.counters(collection));
      static_cast<void>(reading.each_vector(collection, 0, add));
      static_cast<void>(reading.each_payload(collection, add));
      static_cast<void>(reading.each_name(
          collection, 0,
          [&](skerry::Key id, std::string_view name) { return add(id, store::bytes_of(name)); }));
      static_cast<void>(reading.each_change(
          collection, 0, [&](std::uint64_t sequence, store::LogKind, store::Bytes keys) {
            return add(sequence, keys);
          }));
      static_cast<void>(reading.check(collection));
      static_cast<void>(reading.each_row(collection, 0, 60, add));
      auto heap = reading.heap(collection);
      for (skerry::Key key = 0; key < 60; ++key) {
        if (heap.ok()) static_cast<void>(heap->vector(key));
        static_cast<void>(reading.payload(collection, key));
      }
    }
    return reading.each_collection(
        [](std::string_view name, const store::CollectionRecord&) { return !name.empty(); });
  }));
  if (seen == 1) std::abort();  // never: so that the bytes are read
}

// Nobody else knows anything of the store.
class NoWitness final : public store::Witness {
 public:
  std::optional<Testimony> about(std::uint32_t) override { return std::nullopt; }
  skerry::Status rows(std::uint32_t,
                      skerry::FunctionRef<skerry::Status(skerry::Key, store::Bytes)>) override {
    return {};
  }
  std::uint32_t last_collection() override { return 0; }
};

// What is read of a file does not take longer than the file is long, however its pages point.
void salvage(const fs::path& home) {
  const fs::path fresh = home / "salvaged";
  fs::remove_all(fresh);
  fs::create_directory(fresh);
  NoWitness witness;
  skerry::RepairReport report;
  std::uint64_t steps = 0;
  const auto step = [&](std::uint64_t, std::uint64_t total) {
    if (++steps > 200 * (total + 10)) std::abort();
    return skerry::Status();
  };
  const skerry::Status status = store::salvage(home / "store", fresh, witness, {}, step, report);
  if (!status.ok()) {
    const skerry::Code code = status.code();
    if (code != skerry::Code::corruption && code != skerry::Code::incompatible) std::abort();
    return;
  }
  auto opened = store::Store::open(fresh, {.read_only = true});
  if (!opened.ok()) std::abort();
  for (const skerry::CollectionRepair& repair : report.collections) {
    if (!repair.is_kept) continue;
    const skerry::Status good = (*opened)->read(
        [&](const store::Reading& reading) { return reading.check(repair.number); });
    if (!good.ok()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const store::Bytes input = std::as_bytes(std::span(data, size));
  decode<store::Format>(input);
  decode<store::CollectionRecord>(input);
  decode<store::Counters>(input);

  static const Base base;
  std::string bytes = base.bytes;
  for (std::size_t at = 0; at + kPatchBytes <= size; at += kPatchBytes) {
    std::uint16_t page = 0, offset = 0;
    std::memcpy(&page, data + at, 2);
    std::memcpy(&offset, data + at + 2, 2);
    const std::size_t where = page % (bytes.size() / kPage) * kPage + offset % kPage;
    bytes[where] = static_cast<char>(bytes[where] ^ data[at + 4]);
  }
  std::ofstream(base.home / "store" / "data.mdb", std::ios::binary) << bytes;

  salvage(base.home);
  auto opened = store::Store::open(base.home / "store", {.durability = skerry::Durability::none});
  if (!opened.ok()) {
    if (opened.status().message().empty()) std::abort();
    return 0;
  }
  store::Store& store = **opened;
  read_all(store);
  static_cast<void>(store.create_collection("fresh", {.index = {.dimension = 3}}));
  static_cast<void>(store.remove_rows(2));
  read_all(store);
  return 0;
}
