// image_load.cc - a file becomes an index.
//
// Loading believes nothing that could lead a search or a write astray: magic, version, checksums
// and sizes, then every slot, link and directory entry is within bounds before the first search, by
// all cores at once. What is counted in the file (links to a node) or follows from it (which key is
// where) is believed behind its checksum, and nothing breaks when it is wrong: check() recounts.
//
// The rows are most of a large image. Mapped, they are looked at where they are touched
// (checked_rows.h); a row that is damaged is made again: an exact row from the store, by its key, a
// code from its exact row.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <new>
#include <span>
#include <thread>
#include <vector>

#include "base/crc32c.h"
#include "base/epoch.h"
#include "base/files.h"
#include "base/workers.h"
#include "index/engine.h"
#include "index/image_file.h"

namespace skerry {
namespace {

static_assert(std::endian::native == std::endian::little,
              "images are little-endian and mapped as they are");

// Rows up to so many bytes are looked at when they are loaded: they cost less than remembering.
constexpr std::uint64_t kRowsAtOnce = std::uint64_t{1} << 20;

constexpr std::uint32_t kSlotsAJob = 16384;  // whole blocks of every section by slot
constexpr std::uint64_t kBytesAJob = std::uint64_t{1} << 20;  // of the others
constexpr std::size_t kNearBytes = 64 << 10;  // still in the core's cache afterwards

Status damaged(const char* what, std::uint64_t number = 0) {
  return Status(Code::corruption, what, 0, number);
}

// What the owner expects of it.
Status check_owner(const image::Header& header, const ImageOwner* owner) noexcept {
  if (owner == nullptr) return {};
  const ImageTag& tag = owner->tag;
  const IndexOptions& options = owner->options;
  if (header.collection != tag.collection || header.identity[0] != tag.identity[0] ||
      header.identity[1] != tag.identity[1]) {
    return Status(Code::incompatible, "the image is of another collection");
  }
  if (header.dimension != options.dimension ||
      header.metric != static_cast<std::uint8_t>(options.metric) ||
      header.scalar != static_cast<std::uint8_t>(options.scalar) ||
      header.codes != static_cast<std::uint8_t>(options.codes) ||
      header.vectors != static_cast<std::uint8_t>(options.vectors) || header.M != options.M ||
      header.seed != options.seed || header.flat_below != options.flat_below) {
    return Status(Code::incompatible, "the image is of other options");
  }
  return {};
}

// Sections have the sizes that follow from the counts, and are where the file has as many bytes.
Status check_sections(const image::Header& header, const StorageShape& shape,
                      std::uint64_t upper_words, std::uint64_t file_bytes) noexcept {
  const std::uint64_t entries = header.section[image::kDirectory].bytes / sizeof(Slot);
  if (!std::has_single_bit(entries) || entries > file_bytes || header.live > entries * 2 / 3) {
    return damaged("the image's key directory has a wrong size");
  }
  const auto bytes = image::sizes_of(shape, header.used, upper_words, entries);
  for (std::uint32_t i = 0; i < image::kSections; ++i) {
    const image::SectionEntry& section = header.section[i];
    if (section.bytes != bytes[i] || section.offset % image::kPage != 0 ||
        section.offset < image::kPage) {
      return damaged("section {b} of the image has a wrong size or place", i);
    }
    if (section.offset > file_bytes ||
        image::page_up(section.bytes) > file_bytes - section.offset) {
      return damaged("the image ends too early");
    }
  }
  return {};
}

// Takes one section into memory that was reserved for it.
Status take_section(const image::File& file, const image::SectionEntry& section, ImageMode mode,
                    StableMemory& memory) {
  if (section.bytes == 0) return {};
  if (mode != ImageMode::copy) {
    return memory.map_file(file.descriptor(), section.offset, section.bytes,
                           mode == ImageMode::map);
  }
  Status status = memory.grow(section.bytes);
  if (status.ok()) status = file.read(section.offset, std::span(memory.base(), section.bytes));
  return status;
}

}  // namespace

// What is found out about an image by several threads: each takes the next piece and looks at it.
struct Engine::Inspection {
  // What there is in kSlotsAJob slots.
  struct Found {
    std::uint64_t live = 0;
    std::uint32_t dead_linked = 0;  // taken out, but for links to them
    SlotList free;
    SlotList leaving;           // dead and not taken out yet
    std::uint32_t leavers = 0;  // as many
  };
  struct Job {
    std::uint32_t section;  // kStates: all sections by slot but the rows
    std::uint64_t begin;    // a slot of kStates, else a byte of the section
  };

  Engine& engine;
  const image::Header& header;
  Storage& storage;
  std::span<Slot> directory;
  const std::uint32_t* sums;
  bool keeps_lists;  // free slots are collected
  std::vector<Job> jobs;
  std::vector<Found> found;
  std::atomic<std::uint64_t> entries{0};  // of the directory, not empty
  std::atomic<const char*> error{nullptr};

  void fail(const char* what) noexcept { error.store(what, std::memory_order_relaxed); }

  std::span<const std::byte> bytes_of(std::uint32_t section) const noexcept {
    if (section == image::kDirectory) return std::as_bytes(directory);
    return {image::memory_of(storage, section).base(), header.section[section].bytes};
  }

  bool is_as_written(std::uint32_t section, std::uint64_t begin, std::uint64_t bytes) noexcept {
    const std::span<const std::byte> all = bytes_of(section);
    if (begin >= all.size()) return true;
    const std::uint32_t* first = sums + image::first_sum(header, section) + begin / image::kPage;
    if (image::is_as_written(all.subspan(begin, std::min(bytes, all.size() - begin)), first)) {
      return true;
    }
    fail(image::fails_checksum(section));
    return false;
  }

  // Runs do_job for jobs [0, count) on as many threads as they are worth.
  template <class Job>
  void share(std::size_t count, std::uint64_t bytes, Job do_job) {
    std::atomic<std::size_t> next{0};
    parallel(bytes < 4 * kBytesAJob ? 1 : 0, [&] {
      for (;;) {
        const std::size_t i = next.fetch_add(1, std::memory_order_relaxed);
        if (i >= count || error.load(std::memory_order_relaxed) != nullptr) return;
        do_job(i);
      }
    });
  }

  Status run(bool with_rows);
  void look_at_slots(Slot first, Found& sum) noexcept;
  void look_at_state(Slot slot, Found& sum) noexcept;
  void look_at_lists(Slot first, Slot limit) noexcept;
  void look_at_directory(std::uint64_t begin) noexcept;
  void look_at_upper(Slot first, Slot limit) noexcept;
};

void Engine::Inspection::look_at_state(Slot slot, Found& sum) noexcept {
  SlotState& state = storage.states[slot];
  const std::uint64_t born = state.born.load(std::memory_order_relaxed);
  const std::uint64_t died = state.died.load(std::memory_order_relaxed);
  const Slot link = state.link.load(std::memory_order_relaxed);
  const std::uint8_t flags = storage.flags[slot];
  if (born > header.sequence || died > header.sequence) {
    return fail("the image has a slot of the future");
  }
  if (link != kNoSlot && link >= header.used) {
    return fail("the image has a slot that leads beyond the end");
  }
  if ((flags & ~(kLinked | kDead)) != 0 || flags == kDead) {
    return fail("the image has a slot of unknown flags");
  }
  const bool alive = born != 0 && died == 0;
  const bool linked = (flags & kLinked) != 0;
  if (linked && (born == 0 || (alive && (flags & kDead) != 0))) {
    return fail("the image has a slot in its graph that is neither live nor dead");
  }
  if (alive) {
    ++sum.live;
    const bool is_due = slot < header.linked_until ||
                        ((header.flags & image::kGraph) != 0 && slot >= header.backlog_until);
    if ((header.flags & image::kLinking) != 0 && is_due && !linked) {
      fail("the image has a live slot that is not in its graph");
    }
  } else if (linked && (flags & kDead) != 0) {
    ++sum.dead_linked;
  } else if (linked) {
    if (keeps_lists) push_slot(sum.leaving, slot, storage);
    ++sum.leavers;
  } else if (keeps_lists) {
    state.born.store(0, std::memory_order_relaxed);
    push_slot(sum.free, slot, storage);
  }
}

// Every word of layer 0 names a slot, whether it is in a list or behind one.
void Engine::Inspection::look_at_lists(Slot first, Slot limit) noexcept {
  const std::size_t degree = std::size_t{2} * storage.shape.M;
  const std::size_t at_once = std::max<std::size_t>(kNearBytes / sizeof(Slot), degree);
  const std::size_t end = limit * degree;
  for (std::size_t begin = first * degree; begin < end; begin += at_once) {
    const std::size_t words = std::min(at_once, end - begin);
    if (!is_as_written(image::kLayer0, begin * sizeof(Slot), words * sizeof(Slot))) return;
    const Slot* const list = storage.layer0.data() + begin;
    std::uint32_t beyond = 0;
    for (std::size_t i = 0; i < words; ++i) {
      beyond |= static_cast<std::uint32_t>(list[i] >= header.used) &
                static_cast<std::uint32_t>(list[i] != kNoSlot);
    }
    if (beyond != 0) return fail("the image has a link that points beyond the end");
  }
}

void Engine::Inspection::look_at_slots(Slot first, Found& sum) noexcept {
  const Slot limit =
      static_cast<Slot>(std::min<std::uint64_t>(std::uint64_t{first} + kSlotsAJob, header.used));
  const std::uint64_t count = limit - first;
  if (!is_as_written(image::kStates, first * sizeof(SlotState), count * sizeof(SlotState)) ||
      !is_as_written(image::kFlags, first, count)) {
    return;
  }
  for (Slot slot = first; slot < limit; ++slot) look_at_state(slot, sum);
  look_at_lists(first, limit);
}

void Engine::Inspection::look_at_directory(std::uint64_t begin) noexcept {
  if (!is_as_written(image::kDirectory, begin, kBytesAJob)) return;
  const std::size_t first = begin / sizeof(Slot);
  const std::size_t limit =
      std::min<std::size_t>(first + kBytesAJob / sizeof(Slot), directory.size());
  std::uint64_t filled = 0;
  std::uint32_t beyond = 0;
  for (const Slot slot : directory.subspan(first, limit - first)) {
    const bool is_empty = slot == Directory::kEmpty;
    filled += is_empty ? 0 : 1;
    beyond |=
        static_cast<std::uint32_t>(slot >= header.used) & static_cast<std::uint32_t>(!is_empty);
  }
  if (beyond != 0) return fail("the image's key directory points beyond the end");
  entries.fetch_add(filled, std::memory_order_relaxed);
}

// Upper lists of the nodes in the graph name nodes in the graph that have the level. Whoever is on
// no upper list is not walked to on one, so the others do not matter.
void Engine::Inspection::look_at_upper(Slot first, Slot limit) noexcept {
  const std::uint32_t M = storage.shape.M;
  const auto levels = [&](Slot slot) {
    const std::size_t words = storage.upper_words_until(slot + 1) - storage.upper_words_until(slot);
    return words == 0 ? 0 : static_cast<std::uint32_t>((words - 1) / M);
  };
  for (Slot slot = first; slot < limit; ++slot) {
    const std::uint32_t top = levels(slot);
    if (top == 0 || (storage.flags[slot] & kLinked) == 0) continue;
    const Slot* list = storage.upper.data() + storage.upper_offsets[slot] + 1;
    for (std::uint32_t level = 1; level <= top; ++level, list += M) {
      for (std::uint32_t i = 0; i < M; ++i) {
        if (list[i] == kNoSlot) continue;  // what is behind the end would be met after an append
        if (list[i] >= header.used || (storage.flags[list[i]] & kLinked) == 0 ||
            levels(list[i]) < level) {
          return fail("the image has an upper link that points nowhere");
        }
      }
    }
  }
}

Status Engine::Inspection::run(bool with_rows) {
  std::uint64_t bytes = 0;
  for (std::uint64_t slot = 0; slot < header.used; slot += kSlotsAJob) {
    jobs.push_back(Job{image::kStates, slot});
  }
  found.resize(jobs.size());
  const auto add = [&](std::uint32_t section) {
    for (std::uint64_t at = 0; at < header.section[section].bytes; at += kBytesAJob) {
      jobs.push_back(Job{section, at});
    }
    bytes += header.section[section].bytes;
  };
  bytes += header.section[image::kStates].bytes + header.section[image::kLayer0].bytes;
  add(image::kUpper);
  add(image::kDirectory);
  if (with_rows) {
    add(image::kVectors);
    add(image::kCodes);
  }
  share(jobs.size(), bytes, [&](std::size_t i) {
    const Job& job = jobs[i];
    if (job.section == image::kStates) {
      look_at_slots(static_cast<Slot>(job.begin), found[i]);
    } else if (job.section == image::kDirectory) {
      look_at_directory(job.begin);
    } else {
      is_as_written(job.section, job.begin, kBytesAJob);
    }
  });
  share(found.size(), bytes, [&](std::size_t i) {
    const auto first = static_cast<Slot>(i * kSlotsAJob);
    look_at_upper(first, std::min(first + kSlotsAJob, header.used));
  });
  const char* const what = error.load(std::memory_order_relaxed);
  return what == nullptr ? Status() : damaged(what);
}

Result<std::unique_ptr<Engine>> Engine::load(const std::filesystem::path& path, ImageMode mode,
                                             CustomDistance custom, const ImageOwner* owner,
                                             const std::filesystem::path& folder) try {
  const image::File file(path, O_RDONLY);
  if (!file.is_open()) {
    return file.error() == ENOENT ? Status(Code::not_found, "there is no image")
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
  Status status = file.read(
      0, std::as_writable_bytes(std::span(&header, 1))
             .first(std::min<std::size_t>(sizeof(header), static_cast<std::size_t>(size))));
  if (status.ok()) status = image::check(header);
  if (status.ok()) status = check_owner(header, owner);
  if (!status.ok()) return status;

  // ef and ef_construction may be chosen anew.
  IndexOptions options = owner != nullptr ? owner->options : image::options_of(header);
  options.custom = custom;
  if (options.metric == Metric::custom && custom.call == nullptr) return check_options(options);
  if (!check_options(options).ok()) return damaged("the image's options are out of range");
  if (mode != ImageMode::view) status = check_folder(options, folder);
  if (!status.ok()) return status;
  std::unique_ptr<Engine> engine(
      new (std::nothrow) Engine(options, owner != nullptr ? owner->order : KeyOrder(), folder));
  if (engine == nullptr) return Status(Code::out_of_memory, "no memory for the index");
  if (owner != nullptr) engine->rows_ = owner->rows;
  status = engine->adopt(file, header, size, mode);
  if (!status.ok()) return status;
  return engine;
} catch (const std::bad_alloc&) {
  return Status(Code::out_of_memory, "no memory for the index");
}

Status Engine::adopt(const image::File& file, const image::Header& header, std::uint64_t size,
                     ImageMode mode) {
  if (header.used > kMaxSlots) return damaged("the image holds more slots than there can be");
  // Sizes before anything is taken: a wrong count must not make us ask for the world.
  if (std::uint64_t{header.used} * sizeof(SlotState) > size) {
    return damaged("the image ends too early");
  }
  if (header.live > header.used || header.linked_until > header.used ||
      header.sweep_at > header.used) {
    return damaged("the image counts more slots than it has");
  }
  const bool has_graph = (header.flags & image::kGraph) != 0;
  if (header.backlog_until > header.used ||
      (header.backlog_until != 0 && header.backlog_until <= header.linked_until)) {
    return damaged("the image has a backlog that ends before it begins, or too late");
  }
  if (has_graph && ((header.flags & image::kLinking) == 0 ||
                    (header.linked_until != header.used && header.backlog_until == 0))) {
    return damaged("the image's graph does not reach all slots");
  }
  Status status = adopt_choice(header);
  if (!status.ok()) return status;
  const std::uint32_t capacity =
      mode == ImageMode::view ? std::max(header.used, 1U) : Storage::capacity_for(header.used);
  auto made = Storage::create(shape_of(ShortCodes::of(options_, chosen_.value_or(Codes::exact))),
                              capacity, folder_);
  if (!made) return made.status();
  std::unique_ptr<Storage> storage = std::move(*made);
  const Result<std::size_t> upper_words = storage->lay_out(header.used);
  status = upper_words.status();
  if (status.ok()) status = check_sections(header, storage->shape, *upper_words, size);
  StableMemory directory;
  if (status.ok()) status = directory.reserve(header.section[image::kDirectory].bytes);
  if (status.ok()) status = storage->sums.reserve(header.section[image::kSums].bytes);
  for (std::uint32_t i = 0; status.ok() && i < image::kSections; ++i) {
    StableMemory& memory = i == image::kDirectory ? directory
                           : i == image::kSums    ? storage->sums
                                                  : image::memory_of(*storage, i);
    status = take_section(file, header.section[i], mode, memory);
  }
  if (mode == ImageMode::view && options_.vectors == Vectors::disk) {
    read_singly(storage->vectors.base(), storage->vectors.committed());
    storage->ahead.begin(storage->vectors.base(), storage->shape.vector_stride);
  }
  if (status.ok()) status = storage->grow(header.used);
  if (!status.ok()) return status;
  storage->used.store(header.used, std::memory_order_relaxed);
  storage->entry.store(header.entry, std::memory_order_relaxed);
  const std::span<const std::byte> sums(storage->sums.base(), header.section[image::kSums].bytes);
  if (crc32c(sums) != header.sums_crc) return damaged(image::fails_checksum(image::kSums));

  const std::uint64_t row_bytes =
      header.section[image::kVectors].bytes + header.section[image::kCodes].bytes;
  const bool with_rows = mode == ImageMode::copy || row_bytes <= kRowsAtOnce;
  const std::size_t entries = header.section[image::kDirectory].bytes / sizeof(Slot);
  std::uint64_t tombstones = 0;
  try {
    Inspection inspection{.engine = *this,
                          .header = header,
                          .storage = *storage,
                          .directory = {reinterpret_cast<Slot*>(directory.base()), entries},
                          .sums = reinterpret_cast<const std::uint32_t*>(sums.data()),
                          .keeps_lists = mode != ImageMode::view,
                          .jobs = {},
                          .found = {}};
    status = inspection.run(with_rows);
    if (!status.ok()) return status;
    std::uint64_t live = 0;
    for (const Inspection::Found& found : inspection.found) {
      live += found.live;
      dead_linked_ += found.dead_linked;
      tombstones += found.dead_linked + found.leavers;
      append(free_slots_, found.free, *storage);
      append(leaving_, found.leaving, *storage);
    }
    if (live != header.live || inspection.entries.load(std::memory_order_relaxed) != live) {
      return damaged("the image counts other keys than it has");
    }
  } catch (const std::bad_alloc&) {
    return Status(Code::out_of_memory, "no memory to check the image");
  }
  if (header.entry != Storage::kNoEntry) {
    const auto first = static_cast<Slot>(header.entry);
    if (first >= header.used || storage->flags[first] != kLinked ||
        static_cast<std::uint32_t>(header.entry >> 32) !=
            level_of(options_.seed, first, options_.M)) {
      return damaged("the image's entry point is no live node");
    }
  }
  if (!recall_model_.adopt(header.recall))
    return damaged("the image's model of its recall is none");
  status = directory_.adopt(std::move(directory), entries, static_cast<std::size_t>(header.live));
  if (status.ok() && !with_rows) status = watch_rows(header, *storage, mode);
  if (status.ok() && mode != ImageMode::view && (header.flags & image::kLinking) != 0) {
    status = departures_.reserve();
    if (status.ok()) status = displaced_.reserve();
  }
  if (!status.ok()) return status;

  storage_.store(storage.release(), std::memory_order_release);
  visible_.store(header.sequence, std::memory_order_release);
  live_.store(header.live, std::memory_order_release);
  tombstones_.store(tombstones, std::memory_order_relaxed);
  linking_ = (header.flags & image::kLinking) != 0;
  linked_until_.store(header.linked_until, std::memory_order_relaxed);
  backlog_until_.store(header.backlog_until, std::memory_order_relaxed);
  graph_.store(has_graph, std::memory_order_release);
  sweep_at_ = header.sweep_at;
  read_only_ = mode == ImageMode::view;
  // Removals reserve nothing: what they need is there from now on.
  return read_only_ ? status : reserve_locked(0, Linking::now, own_scratch_, nullptr);
}

// What the codes were chosen to be: not before linking begins, and never without it.
Status Engine::adopt_choice(const image::Header& header) noexcept {
  if (options_.codes != Codes::automatic) {
    return header.chosen == 0 ? Status() : damaged("the image chose codes that it was given");
  }
  chosen_.reset();
  if (header.chosen == 0) {
    return (header.flags & image::kLinking) == 0
               ? Status()
               : damaged("the image has a graph and has not chosen its codes");
  }
  const auto codes = static_cast<Codes>(header.chosen - 1);
  const bool exists = header.chosen <= 1 + static_cast<std::uint8_t>(Codes::rot4);
  if (!exists || (codes != Codes::exact && !ShortCodes::of(options_, codes)) ||
      (codes == Codes::exact && options_.vectors == Vectors::disk)) {
    return damaged("the image chose codes that it cannot have: {b}", header.chosen);
  }
  chosen_ = codes;
  return {};
}

// -- rows that are looked at when they are touched ------------------------------------------------

Status Engine::watch_rows(const image::Header& header, const Storage& storage, ImageMode mode) {
  const auto* sums = reinterpret_cast<const std::uint32_t*>(storage.sums.base());
  const auto mender = [&](CheckedRows::Mender::Answer (*make)(void*, std::uint32_t, std::byte*)) {
    return mode == ImageMode::map ? CheckedRows::Mender{make, this, &mended_}
                                  : CheckedRows::Mender();
  };
  Status status = storage.checked_vectors.begin(
      storage.vectors.base(), header.section[image::kVectors].bytes, storage.shape.vector_stride,
      sums + image::first_sum(header, image::kVectors), mender(make_vector_row));
  if (status.ok() && storage.shape.code_stride != 0) {
    status = storage.checked_codes.begin(
        storage.codes.base(), header.section[image::kCodes].bytes, storage.shape.code_stride,
        sums + image::first_sum(header, image::kCodes), mender(make_code_row));
  }
  return status;
}

// May anybody still read the row of this slot? One that was never born is free, or its writer is at
// work; one that died and left the graph is met by those alone who were on their way to it, and
// they will search again, because something was mended meanwhile. The guard of the caller keeps the
// others from being used again until it is done.
Engine::Readers Engine::readers_of(Slot slot) const noexcept {
  const Storage& storage = *storage_.load(std::memory_order_acquire);
  const SlotState& state = storage.states[slot];
  if (state.born.load(std::memory_order_acquire) == 0) return Readers::none;
  if (state.died.load(std::memory_order_acquire) == 0) return Readers::all;
  const std::uint8_t flags = std::atomic_ref(storage.flags[slot]).load(std::memory_order_relaxed);
  return (flags & kLinked) != 0 ? Readers::walks : Readers::none;
}

// A live row comes from the store. A dead one leads the way and is nobody's answer: zeroes will do.
CheckedRows::Mender::Answer Engine::make_vector_row(void* context, Slot slot, std::byte* out) {
  using Answer = CheckedRows::Mender::Answer;
  const auto& engine = *static_cast<const Engine*>(context);
  EpochGuard guard;
  const Readers readers = engine.readers_of(slot);
  if (readers == Readers::none) return Answer::leave;
  if (readers == Readers::walks) return Answer::made;
  if (engine.rows_.fetch == nullptr) return Answer::lost;
  const IndexOptions& options = engine.options_;
  const std::size_t bytes = vector_bytes(options.scalar, options.dimension);
  const std::unique_ptr<std::byte[]> vector(new (std::nothrow) std::byte[bytes]);
  if (vector == nullptr) return Answer::later;
  const Storage& storage = *engine.storage_.load(std::memory_order_acquire);
  const Key key = storage.states[slot].key.load(std::memory_order_relaxed);
  switch (engine.rows_.fetch(engine.rows_.context, key, engine.sequence(),
                             std::span(vector.get(), bytes))) {
    case RowSource::Answer::given:
      engine.exact_.encode(VectorView(vector.get(), options.scalar, options.dimension), out);
      return Answer::made;
    case RowSource::Answer::later:
      return Answer::later;
    case RowSource::Answer::lost:
      return Answer::lost;
  }
  return Answer::lost;
}

CheckedRows::Mender::Answer Engine::make_code_row(void* context, Slot slot, std::byte* out) {
  using Answer = CheckedRows::Mender::Answer;
  const auto& engine = *static_cast<const Engine*>(context);
  EpochGuard guard;
  if (engine.readers_of(slot) == Readers::none) return Answer::leave;
  const Storage& storage = *engine.storage_.load(std::memory_order_acquire);
  if (!storage.checked_vectors.admit(&slot, 1)) {
    return CheckedRows::trouble() == CheckedRows::Look::later ? Answer::later : Answer::lost;
  }
  const ShortCodes& codes = *storage.shape.codes;
  const std::unique_ptr<std::byte[]> scratch(new (std::nothrow) std::byte[codes.scratch_bytes()]);
  if (scratch == nullptr) return Answer::later;
  codes.encode(engine.exact_.vector(storage.vector(slot)), out, scratch.get());
  return Answer::made;
}

bool Engine::has_unverified_rows() const noexcept {
  EpochGuard guard;
  const Storage& storage = *storage_.load(std::memory_order_acquire);
  return storage.unchecked_vectors() != nullptr || storage.unchecked_codes() != nullptr;
}

Status Engine::rows_failed() noexcept {
  return damaged("rows of the image fail their checksum");
}

Status Engine::rows_busy() noexcept {
  return Status(Code::busy, "a damaged row of the image is being written: try again");
}

Status Engine::verify_rows(FunctionRef<bool()> step) const {
  constexpr std::size_t kBlocksAStep = 256;
  for (const bool of_codes : {true, false}) {
    for (std::size_t block = 0;;) {
      {
        EpochGuard guard;
        const Storage& storage = *storage_.load(std::memory_order_acquire);
        CheckedRows* const rows =
            of_codes ? storage.unchecked_codes() : storage.unchecked_vectors();
        if (rows == nullptr) break;
        const std::size_t count = rows->block_count();
        const std::size_t limit = std::min(block + kBlocksAStep, count);
        CheckedRows::Look worst = CheckedRows::Look::whole;
        while (block < limit && worst == CheckedRows::Look::whole) {
          worst = rows->look(block);
          if (worst == CheckedRows::Look::whole) ++block;
        }
        if (worst == CheckedRows::Look::lost) return rows_failed();
        if (block == count) break;
      }
      if (!step()) return {};
      std::this_thread::yield();
    }
  }
  return {};
}

}  // namespace skerry
