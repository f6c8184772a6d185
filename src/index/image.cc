// image.cc - an index as a file, and back.
//
// Saving: written beside, synced, renamed, the folder synced; the old file or the new one is there
// at every moment. Loading believes nothing: magic, version, checksums, sizes, then every slot and
// every link is looked at before the first search.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>

#include "base/crc32c.h"
#include "base/epoch.h"
#include "base/files.h"
#include "index/engine.h"
#include "index/image_format.h"

namespace skerry {
namespace {

static_assert(std::endian::native == std::endian::little,
              "images are little-endian and mapped as they are");

Status damaged(const char* what, std::uint64_t number = 0) {
  return Status(Code::corruption, what, 0, number);
}

constexpr std::uint64_t page_up(std::uint64_t bytes) noexcept {
  return (bytes + image::kPage - 1) / image::kPage * image::kPage;
}

// A file that is closed at the end of its scope.
class File {
 public:
  File(const std::filesystem::path& path, int flags) noexcept
      : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0666)), error_(errno) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }
  int error() const noexcept { return error_; }

  Status write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const std::size_t part = std::min<std::size_t>(bytes.size(), std::size_t{64} << 20);
      const ssize_t written = ::pwrite(descriptor_, bytes.data(), part, static_cast<off_t>(offset));
      if (written < 0) {
        if (errno == EINTR) continue;
        return status_of_errno(errno, "cannot write the image: {e}");
      }
      offset += static_cast<std::uint64_t>(written);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }

  Status read(std::uint64_t offset, std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
      const std::size_t part = std::min<std::size_t>(bytes.size(), std::size_t{64} << 20);
      const ssize_t got = ::pread(descriptor_, bytes.data(), part, static_cast<off_t>(offset));
      if (got < 0) {
        if (errno == EINTR) continue;
        return status_of_errno(errno, "cannot read the image: {e}");
      }
      if (got == 0) return damaged("the image ends too early");
      offset += static_cast<std::uint64_t>(got);
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    }
    return {};
  }

 private:
  int descriptor_;
  int error_;
};

std::uint32_t crc_of(const image::Header& header) noexcept {
  std::byte page[image::kPage] = {};
  std::memcpy(page, &header, sizeof(header));
  std::memset(page + offsetof(image::Header, crc), 0, sizeof(header.crc));
  return crc32c(page);
}

// The bytes of each section for so many slots.
struct Sizes {
  std::uint64_t bytes[image::kSections];
};

Sizes sizes_of(const StorageShape& shape, std::uint64_t used, std::uint64_t upper_words) noexcept {
  Sizes sizes;
  sizes.bytes[image::kStates] = used * sizeof(SlotState);
  sizes.bytes[image::kVectors] = used * shape.vector_stride;
  sizes.bytes[image::kCodes] = used * shape.code_stride;
  sizes.bytes[image::kFlags] = used;
  sizes.bytes[image::kLayer0] = used * 2 * shape.M * sizeof(Slot);
  sizes.bytes[image::kUpper] = upper_words * sizeof(Slot);
  return sizes;
}

std::uint64_t upper_words_of(const StorageShape& shape, std::uint32_t used) noexcept {
  std::uint64_t words = 0;
  for (Slot slot = 0; slot < used; ++slot) {
    words += Links::upper_words(level_of(shape.seed, slot, shape.M), shape.M);
  }
  return words;
}

StableMemory& memory_of(Storage& storage, std::uint32_t section) noexcept {
  switch (section) {
    case image::kStates:
      return storage.states.memory();
    case image::kVectors:
      return storage.vectors;
    case image::kCodes:
      return storage.codes;
    case image::kFlags:
      return storage.flags.memory();
    case image::kLayer0:
      return storage.layer0.memory();
    default:
      return storage.upper.memory();
  }
}

// Magic, version, checksum; then what the caller expects of it.
Status check_header(const image::Header& header, const IndexOptions* expected,
                    const ImageTag* tag) noexcept {
  if (std::memcmp(header.magic, image::kMagic, sizeof(header.magic)) != 0) {
    return Status(Code::incompatible, "not a Skerry image");
  }
  if (header.version > image::kVersion) {
    return Status(Code::incompatible, "the image was made by a newer version: format {b}", 0,
                  header.version);
  }
  if (header.version != image::kVersion) return damaged("the image has no known version");
  if (header.crc != crc_of(header)) return damaged("the image's header fails its checksum");
  if (header.byte_order != image::kByteOrder || header.sections != image::kSections) {
    return damaged("the image's header is not of this format");
  }
  if (tag != nullptr &&
      (header.collection != tag->collection || header.identity[0] != tag->identity[0] ||
       header.identity[1] != tag->identity[1])) {
    return Status(Code::incompatible, "the image is of another collection");
  }
  if (expected != nullptr &&
      (header.dimension != expected->dimension ||
       header.metric != static_cast<std::uint8_t>(expected->metric) ||
       header.scalar != static_cast<std::uint8_t>(expected->scalar) ||
       header.codes != static_cast<std::uint8_t>(expected->codes) || header.M != expected->M ||
       header.seed != expected->seed || header.flat_below != expected->flat_below)) {
    return Status(Code::incompatible, "the image is of other options");
  }
  return {};
}

}  // namespace

Status Engine::save(const std::filesystem::path& path, const ImageTag& tag) const {
  std::lock_guard lock(write_mutex_);
  const Storage& storage = writable();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  image::Header header = {};
  std::memcpy(header.magic, image::kMagic, sizeof(header.magic));
  header.version = image::kVersion;
  header.byte_order = image::kByteOrder;
  header.flags = (graph_.load(std::memory_order_relaxed) ? image::kGraph : 0U) |
                 (linking_ ? image::kLinking : 0U);
  header.sequence = visible_.load(std::memory_order_relaxed);
  header.collection = tag.collection;
  header.identity[0] = tag.identity[0];
  header.identity[1] = tag.identity[1];
  header.dimension = options_.dimension;
  header.metric = static_cast<std::uint8_t>(options_.metric);
  header.scalar = static_cast<std::uint8_t>(options_.scalar);
  header.codes = static_cast<std::uint8_t>(options_.codes);
  header.M = options_.M;
  header.ef_construction = options_.ef_construction;
  header.ef = options_.ef;
  header.flat_below = options_.flat_below;
  header.seed = options_.seed;
  header.live = live_.load(std::memory_order_relaxed);
  header.entry = storage.entry.load(std::memory_order_relaxed);
  header.used = used;
  header.linked_until = linked_until_;
  header.sweep_at = sweep_at_;
  header.sections = image::kSections;

  const Sizes sizes = sizes_of(storage.shape, used, upper_words_of(storage.shape, used));
  std::filesystem::path beside;
  try {
    beside = path;
    beside += ".new";
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory to save the image");
  }
  Status status;
  {
    const File file(beside, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.is_open()) return status_of_errno(file.error(), "cannot create the image: {e}");
    std::uint64_t offset = image::kPage;
    for (std::uint32_t i = 0; status.ok() && i < image::kSections; ++i) {
      const std::span<const std::byte> bytes(memory_of(writable(), i).base(), sizes.bytes[i]);
      header.section[i] = image::SectionEntry{offset, bytes.size(), crc32c(bytes), 0};
      status = file.write(offset, bytes);
      offset += page_up(bytes.size());
    }
    header.crc = crc_of(header);
    if (status.ok()) status = file.write(0, std::as_bytes(std::span(&header, 1)));
    if (status.ok() && ::ftruncate(file.descriptor(), static_cast<off_t>(offset)) != 0) {
      status = status_of_errno(errno, "cannot write the image: {e}");
    }
    if (status.ok() && ::fsync(file.descriptor()) != 0) {
      status = status_of_errno(errno, "cannot sync the image: {e}");
    }
  }
  if (status.ok() && ::rename(beside.c_str(), path.c_str()) != 0) {
    status = status_of_errno(errno, "cannot rename the image into place: {e}");
  }
  if (!status.ok()) {
    ::unlink(beside.c_str());
    return status;
  }
  const std::filesystem::path folder = path.parent_path();
  return sync_path(folder.empty() ? std::filesystem::path(".") : folder);
}

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& path, ImageMode mode,
                                             const IndexOptions* expected, const ImageTag* tag,
                                             CustomDistance custom, KeyOrder order) {
  const File file(path, O_RDONLY);
  if (!file.is_open()) {
    return file.error() == ENOENT ? Status(Code::not_found, "there is no such image")
                                  : status_of_errno(file.error(), "cannot open the image: {e}");
  }
  struct ::stat info = {};
  if (::fstat(file.descriptor(), &info) != 0) {
    return status_of_errno(errno, "cannot read the image: {e}");
  }
  if (!S_ISREG(info.st_mode)) return Status(Code::incompatible, "not a Skerry image");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size == 0) return damaged("the image is empty");
  image::Header header = {};
  if (Status status = file.read(
          0, std::as_writable_bytes(std::span(&header, 1))
                 .first(std::min<std::size_t>(sizeof(header), static_cast<std::size_t>(size))));
      !status.ok()) {
    return status;
  }
  if (Status status = check_header(header, expected, tag); !status.ok()) return status;

  IndexOptions options;
  options.dimension = header.dimension;
  options.metric = static_cast<Metric>(header.metric);
  options.scalar = static_cast<Scalar>(header.scalar);
  options.codes = static_cast<Codes>(header.codes);
  options.M = header.M;
  options.ef_construction = header.ef_construction;
  options.ef = header.ef;
  options.flat_below = header.flat_below;
  options.seed = header.seed;
  if (expected != nullptr) options = *expected;  // ef and ef_construction may be chosen anew
  options.custom = custom;
  if (options.metric == Metric::custom && custom.call == nullptr) return check_options(options);
  if (!check_options(options).ok()) return damaged("the image's options are out of range");

  std::unique_ptr<Engine> engine(new (std::nothrow) Engine(options, order));
  if (engine == nullptr) return Status(Code::out_of_memory, "no memory for the index");
  const StorageShape shape = engine->shape();
  if (header.used > kMaxSlots) return damaged("the image holds more slots than there can be");
  // Sizes before anything is taken: a wrong count must not make us ask for the world.
  if (std::uint64_t{header.used} * sizeof(SlotState) > size) {
    return damaged("the image ends too early");
  }
  const Sizes sizes = sizes_of(shape, header.used, upper_words_of(shape, header.used));
  for (std::uint32_t i = 0; i < image::kSections; ++i) {
    const image::SectionEntry& section = header.section[i];
    if (section.bytes != sizes.bytes[i] || section.offset % image::kPage != 0 ||
        section.offset < image::kPage) {
      return damaged("section {b} of the image has a wrong size or place", i);
    }
    if (section.offset > size || page_up(section.bytes) > size - section.offset) {
      return damaged("the image ends too early");
    }
  }

  const std::uint32_t capacity =
      mode == ImageMode::view ? std::max(header.used, 1U) : Storage::capacity_for(header.used);
  auto made = Storage::create(shape, capacity);
  if (!made) return made.status();
  std::unique_ptr<Storage> storage = std::move(*made);
  for (std::uint32_t i = 0; i < image::kSections; ++i) {
    const image::SectionEntry& section = header.section[i];
    if (section.bytes == 0) continue;
    StableMemory& memory = memory_of(*storage, i);
    Status status;
    if (mode == ImageMode::copy) {
      status = memory.grow(section.bytes);
      if (status.ok()) status = file.read(section.offset, std::span(memory.base(), section.bytes));
    } else {
      status =
          memory.map_file(file.descriptor(), section.offset, section.bytes, mode == ImageMode::map);
    }
    if (!status.ok()) return status;
    if (crc32c(std::span<const std::byte>(memory.base(), section.bytes)) != section.crc) {
      return damaged("section {b} of the image fails its checksum", i);
    }
  }
  if (Status status = storage->grow(header.used); !status.ok()) return status;
  storage->used.store(header.used, std::memory_order_relaxed);
  storage->entry.store(header.entry, std::memory_order_relaxed);

  Engine& e = *engine;
  e.storage_.store(storage.release(), std::memory_order_release);
  e.visible_.store(header.sequence, std::memory_order_release);
  e.graph_.store((header.flags & image::kGraph) != 0, std::memory_order_release);
  e.linking_ = (header.flags & image::kLinking) != 0;
  e.linked_until_ = header.linked_until;
  e.sweep_at_ = header.sweep_at;
  if (Status status = e.adopt(header.live); !status.ok()) return status;
  e.read_only_ = mode == ImageMode::view;
  if (!e.read_only_) {
    e.collect_free_slots();
    // Removals reserve nothing: what they need is there from now on.
    if (Status status = e.reserve_locked(0); !status.ok()) return status;
  }
  return engine;
}

// Looks at every slot and link of a loaded image and derives what is not in the file: the directory
// and the counts.
Status Engine::adopt(std::uint64_t live) {
  Storage& storage = writable();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  const std::uint64_t sequence = visible_.load(std::memory_order_relaxed);
  if (live > used || linked_until_ > used || sweep_at_ > used) {
    return damaged("the image counts more slots than it has");
  }
  if (graph_.load(std::memory_order_relaxed) && !linking_) {
    return damaged("the image's graph is not of this format");
  }
  if (Status status = directory_.reserve(static_cast<std::size_t>(live), storage.states.data());
      !status.ok()) {
    return status;
  }
  std::uint64_t found = 0;
  for (Slot slot = 0; slot < used; ++slot) {
    const SlotState& state = storage.states[slot];
    const std::uint64_t born = state.born.load(std::memory_order_relaxed);
    const std::uint64_t died = state.died.load(std::memory_order_relaxed);
    const std::uint8_t flags = storage.flags[slot];
    if (born > sequence || died > sequence) return damaged("slot {b} is of the future", slot);
    if ((flags & ~(kLinked | kDead)) != 0 || flags == kDead) {
      return damaged("slot {b} has unknown flags", slot);
    }
    const bool alive = born != 0 && died == 0;
    if (alive != (flags != (kLinked | kDead)) && (flags & kLinked) != 0) {
      return damaged("slot {b} is linked and neither live nor dead", slot);
    }
    if (alive) {
      const Key key = state.key.load(std::memory_order_relaxed);
      if (++found > live || newest(key) != kNoSlot) {
        return damaged("slot {b} holds a key that another holds", slot);
      }
      directory_.put(key, slot, storage.states.data());
      if (linking_ && slot < linked_until_ && (flags & kLinked) == 0) {
        return damaged("live slot {b} is not in the graph", slot);
      }
    } else if ((flags & kLinked) != 0) {
      ++dead_linked_;
    }
  }
  if (found != live) return damaged("the image counts other keys than it has");
  if (graph_.load(std::memory_order_relaxed) && linked_until_ != used) {
    return damaged("the image's graph does not reach all slots");
  }
  if (Status status = adopt_links(); !status.ok()) return status;

  live_.store(live, std::memory_order_release);
  tombstones_.store(dead_linked_, std::memory_order_relaxed);
  return {};
}

void Engine::collect_free_slots() noexcept {
  Storage& storage = writable();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  for (Slot slot = 0; slot < used; ++slot) {
    const SlotState& state = storage.states[slot];
    const bool alive = state.born.load(std::memory_order_relaxed) != 0 && !state.is_dead();
    if (alive || (storage.flags[slot] & kLinked) != 0) continue;
    storage.states[slot].born.store(0, std::memory_order_relaxed);
    push(free_slots_, slot, storage);
  }
}

// Links point to nodes of the graph that have the level, and are counted right.
Status Engine::adopt_links() const {
  const Storage& storage = writable();
  const Links links = storage.links();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  std::vector<std::uint32_t> in0;
  std::vector<std::uint32_t> in_upper;
  try {
    in0.resize(used);
    in_upper.resize(used);
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory to check the image");
  }
  Slot list[2 * 256];
  for (Slot slot = 0; slot < used; ++slot) {
    if ((storage.flags[slot] & kLinked) == 0) continue;
    const std::uint32_t level = level_of(options_.seed, slot, options_.M);
    for (std::uint32_t l = 0; l <= level; ++l) {
      const std::size_t count = links.read(slot, l, list);
      for (std::size_t i = 0; i < count; ++i) {
        if (list[i] >= used || (storage.flags[list[i]] & kLinked) == 0 ||
            (l > 0 && level_of(options_.seed, list[i], options_.M) < l)) {
          return damaged("a link of slot {b} points nowhere", slot);
        }
        ++(l == 0 ? in0 : in_upper)[list[i]];
      }
    }
  }
  for (Slot slot = 0; slot < used; ++slot) {
    if ((storage.flags[slot] & kLinked) == 0) continue;
    if (in0[slot] != storage.states[slot].in_links ||
        (level_of(options_.seed, slot, options_.M) > 0 &&
         in_upper[slot] != links.upper_in_links(slot))) {
      return damaged("the in-links of slot {b} are miscounted", slot);
    }
  }
  const std::uint64_t entry = storage.entry.load(std::memory_order_relaxed);
  if (entry == Storage::kNoEntry) return {};
  const auto first = static_cast<Slot>(entry);
  if (first >= used || storage.flags[first] != kLinked ||
      static_cast<std::uint32_t>(entry >> 32) != level_of(options_.seed, first, options_.M)) {
    return damaged("the image's entry point is no live node");
  }
  return {};
}

}  // namespace skerry
