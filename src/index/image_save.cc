// image_save.cc - an index becomes a file, while it is written to and searched.
//
//   1. the moment      under the writer lock: the numbers of the header, and the snapshot begins
//   2. slots           states, flags, links: by the saver and by writers (image_snapshot.h)
//   3. their sums      read back from the file, and the key directory made from the states
//   4. rows            copied with no lock; from here on freed slots may be used again
//   5. the end         directory, checksums, header; synced, read again, renamed, the folder synced
//
// The old image or the new one is there at every moment. Whatever fails before the renaming removes
// the new one.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/epoch.h"
#include "base/files.h"
#include "base/watch.h"
#include "index/engine.h"
#include "index/image_file.h"
#include "index/image_snapshot.h"

namespace skerry {
namespace {

// Called with nothing held for bytes that are about to be moved; what it fails with ends the save.
using Step = FunctionRef<Status(std::uint64_t bytes)>;

constexpr std::size_t kLockedBytes = 64 << 10;             // copied under the writer lock at a time
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;  // of everything else
// So much is written between two syncs: a commit of the store that syncs meanwhile may have to wait
// for what the file system still holds of ours.
constexpr std::uint64_t kUnsyncedBytes = std::uint64_t{32} << 20;

Status stopped() noexcept {
  return Status(Code::closed, "the image is not wanted any more");
}

Status no_memory_to_save() noexcept {
  return Status(Code::out_of_memory, "no memory for the image");
}

Status unlike() noexcept {
  return Status(Code::io_error, "the image is read back unlike it was written");
}

Status sync_file(const image::File& file) noexcept {
  return ::fsync(file.descriptor()) == 0 ? Status()
                                         : status_of_errno(errno, "cannot sync the image: {e}");
}

// The checksums of an image, as it is written.
class Sums {
 public:
  explicit Sums(const image::Header& header) : header_(header) {
    sums_.resize(image::first_sum(header, image::kSums));
  }

  // `bytes` begin at `offset` of the section, the beginning of a block.
  void add(std::uint32_t section, std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
    std::uint32_t* sum = at(section, offset);
    for (; !bytes.empty(); ++sum) {
      const std::size_t size = std::min(image::kPage, bytes.size());
      *sum = crc32c(bytes.first(size));
      bytes = bytes.subspan(size);
    }
  }
  std::uint32_t* at(std::uint32_t section, std::uint64_t offset) noexcept {
    return sums_.data() + image::first_sum(header_, section) + offset / image::kPage;
  }
  std::span<const std::byte> bytes() const noexcept { return std::as_bytes(std::span(sums_)); }

 private:
  const image::Header& header_;
  std::vector<std::uint32_t> sums_;
};

// Calls visit(offset, bytes) for each piece of a section of the file, read into `buffer`.
template <class Visit>
Status each_piece_of_file(const image::File& file, const image::SectionEntry& section,
                          std::span<std::byte> buffer, Step step, Visit visit) {
  for (std::uint64_t at = 0; at < section.bytes; at += buffer.size()) {
    const std::span<std::byte> piece =
        buffer.first(std::min<std::uint64_t>(buffer.size(), section.bytes - at));
    Status status = step(piece.size());
    if (status.ok()) status = file.read(section.offset + at, piece);
    if (status.ok()) status = visit(at, std::span<const std::byte>(piece));
    if (!status.ok()) return status;
  }
  return {};
}

// That a save writes and reads: everything is read again at the end, the slots once before.
std::uint64_t bytes_moved(const image::Header& header) noexcept {
  std::uint64_t bytes = 0;
  for (const image::SectionEntry& section : header.section) bytes += 2 * section.bytes;
  for (const std::uint32_t section :
       {image::kStates, image::kFlags, image::kLayer0, image::kUpper}) {
    bytes += header.section[section].bytes;
  }
  return bytes;
}

// A file that is removed again unless it was kept.
class Beside {
 public:
  explicit Beside(const std::filesystem::path& path) : path_(path) { path_ += ".new"; }
  ~Beside() {
    if (!kept_) ::unlink(path_.c_str());
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }

  Status rename_to(const std::filesystem::path& path) {
    if (std::rename(path_.c_str(), path.c_str()) != 0) {
      return status_of_errno(errno, "cannot rename the image into place: {e}");
    }
    kept_ = true;
    const std::filesystem::path folder = path.parent_path();
    return sync_path(folder.empty() ? std::filesystem::path(".") : folder);
  }

 private:
  std::filesystem::path path_;
  bool kept_ = false;
};

}  // namespace

// -- the snapshot ---------------------------------------------------------------------------------

void ImageSnapshot::keep(const Storage& storage, Slot slot) noexcept {
  if (slot >= header_.used || written_[slot / kBlock]) return;
  written_[slot / kBlock] = true;
  const Slot first = slot / kBlock * kBlock;
  const Slot limit = std::min(first + kBlock, header_.used);
  const Status status = each_piece(
      storage, first, limit,
      [&](image::Section section, std::uint64_t offset, std::span<const std::byte> bytes) {
        return file_.write(header_.section[section].offset + offset, bytes);
      });
  if (status_.ok()) status_ = status;
}

Slot ImageSnapshot::claim(Slot& first, std::uint32_t blocks) noexcept {
  const std::uint32_t end = (header_.used + kBlock - 1) / kBlock;
  std::uint32_t block = first / kBlock;
  while (block < end && written_[block]) ++block;
  first = std::min(block * kBlock, header_.used);
  for (; block < end && blocks > 0 && !written_[block]; ++block, --blocks) written_[block] = true;
  return std::min(block * kBlock, header_.used);
}

void Engine::keep_for_snapshot(Slot slot) noexcept {
  snapshot_->keep(writable(), slot);
}

// Notes what the header says and lets writers know. Upserts that were reserved counted on free
// slots; those are not to be had now, so as many others are made.
Status Engine::begin_snapshot(ImageSnapshot& snapshot) {
  WriterLock lock(write_mutex_);
  be_alone(lock);
  if (!read_only_) {
    keeps_rows_ = true;
    if (Status status = reserve_locked(0, Linking::now, own_scratch_, nullptr); !status.ok()) {
      keeps_rows_ = false;
      return status;
    }
  }
  const Storage& storage = writable();
  const std::uint32_t used = storage.used.load(std::memory_order_relaxed);
  image::Header& header = snapshot.header();
  header.flags = (graph_.load(std::memory_order_relaxed) ? image::kGraph : 0U) |
                 (linking_ ? image::kLinking : 0U);
  header.sequence = visible_.load(std::memory_order_relaxed);
  header.live = live_.load(std::memory_order_relaxed);
  header.entry = storage.entry.load(std::memory_order_relaxed);
  header.used = used;
  const Slot from = linked_until_.load(std::memory_order_relaxed);
  const Slot until = backlog_until_.load(std::memory_order_relaxed);
  header.linked_until = graph_.load(std::memory_order_relaxed) && from >= until ? used : from;
  header.backlog_until = from < until ? until : 0;
  header.sweep_at = sweep_at_;
  header.recall = recall_model_.state();
  header.chosen = options_.codes == Codes::automatic && chosen_
                      ? static_cast<std::uint8_t>(1 + static_cast<std::uint8_t>(*chosen_))
                      : std::uint8_t{0};
  const auto bytes = image::sizes_of(storage.shape, used, storage.upper_words_until(used),
                                     Directory::entries_for(static_cast<std::size_t>(header.live)));
  std::uint64_t offset = image::kPage;
  for (std::uint32_t i = 0; i < image::kSections; ++i) {
    header.section[i] = image::SectionEntry{offset, bytes[i]};
    offset += image::page_up(bytes[i]);
  }
  if (Status status = snapshot.begin(header); !status.ok()) {
    keeps_rows_ = false;
    return status;
  }
  snapshot_ = &snapshot;
  return {};
}

void Engine::end_snapshot(ImageSnapshot& snapshot) noexcept {
  const WriterLock lock(write_mutex_);
  const std::lock_guard linking_stops(link_mutex_);
  SKERRY_ASSERT(snapshot_ == nullptr || snapshot_ == &snapshot);
  snapshot_ = nullptr;
  keeps_rows_ = false;
}

Status Engine::save_slots(ImageSnapshot& snapshot, Step step) {
  struct Piece {
    std::uint64_t place;
    std::size_t bytes;
  };
  const image::Header& header = snapshot.header();
  const std::size_t slot_bytes = sizeof(SlotState) + 1 + std::size_t{2} * options_.M * sizeof(Slot);
  const auto blocks = static_cast<std::uint32_t>(
      std::max<std::size_t>(1, kLockedBytes / (slot_bytes * ImageSnapshot::kBlock)));
  std::vector<std::byte> buffer;
  std::vector<Piece> pieces;
  for (Slot next = 0;;) {
    if (Status status = step(buffer.size()); !status.ok()) return status;
    buffer.clear();
    pieces.clear();
    {
      const WriterLock lock(write_mutex_);
      const std::lock_guard linking_stops(link_mutex_);
      const Slot limit = snapshot.claim(next, blocks);
      if (!snapshot.status().ok() || limit == next) {
        snapshot_ = nullptr;  // writers need not look any more
        return snapshot.status();
      }
      const Status copied = ImageSnapshot::each_piece(
          writable(), next, limit,
          [&](image::Section section, std::uint64_t offset, std::span<const std::byte> bytes) {
            buffer.insert(buffer.end(), bytes.begin(), bytes.end());
            pieces.push_back(Piece{header.section[section].offset + offset, bytes.size()});
            return Status();
          });
      SKERRY_ASSERT(copied.ok());
      next = limit;
    }
    std::span<const std::byte> rest(buffer);
    for (const Piece& piece : pieces) {
      const Status status = snapshot.file().write(piece.place, rest.first(piece.bytes));
      if (!status.ok()) return status;
      rest = rest.subspan(piece.bytes);
    }
  }
}

// Copies the rows of the snapshot's slots; `write` gets them piece by piece. They stand still, but
// the memory they are in may be left for a larger one: a guard for each piece.
Status Engine::save_rows(const image::Header& header, std::uint32_t section,
                         std::span<std::byte> buffer, Step step,
                         FunctionRef<Status(std::uint64_t, std::span<const std::byte>)> write) {
  const std::uint64_t bytes = header.section[section].bytes;
  for (std::uint64_t at = 0; at < bytes;) {
    const std::size_t size = std::min<std::uint64_t>(buffer.size(), bytes - at);
    if (Status status = step(size); !status.ok()) return status;
    CheckedRows::Look worst = CheckedRows::Look::whole;
    {
      EpochGuard guard;
      Storage& storage = *storage_.load(std::memory_order_acquire);
      if (section == image::kVectors && storage.read_ahead() != nullptr) {
        will_read(storage.vectors.base() + at, size);
      }
      CheckedRows* const unchecked =
          section == image::kCodes ? storage.unchecked_codes() : storage.unchecked_vectors();
      if (unchecked != nullptr) {
        const std::size_t end =
            std::min(CheckedRows::blocks_of(at + size), unchecked->block_count());
        for (std::size_t block = at / CheckedRows::kBlock; block < end; ++block) {
          worst = std::max(worst, unchecked->look(block));
        }
      }
      if (worst == CheckedRows::Look::whole) {
        std::memcpy(buffer.data(), image::memory_of(storage, section).base() + at, size);
      }
    }
    if (worst == CheckedRows::Look::lost) return rows_failed();
    if (worst == CheckedRows::Look::later) {
      std::this_thread::yield();
      continue;
    }
    if (Status status = write(at, buffer.first(size)); !status.ok()) return status;
    at += size;
  }
  return {};
}

// -- the whole image ------------------------------------------------------------------------------

Result<std::uint64_t> Engine::save(const std::filesystem::path& path, const ImageTag& tag,
                                   const Control& control) {
  return save(
      path, tag, [] { return true; }, [] { return Status(); }, control);
}

Result<std::uint64_t> Engine::save(const std::filesystem::path& path, const ImageTag& tag,
                                   FunctionRef<bool()> go_on, FunctionRef<Status()> ready,
                                   const Control& control) try {
  std::lock_guard one(save_mutex_);
  Beside beside(path);
  const image::File file(beside.path(), O_RDWR | O_CREAT | O_TRUNC);
  if (!file.is_open()) return status_of_errno(file.error(), "cannot create the image: {e}");
  ImageSnapshot snapshot(file);
  image::Header& header = snapshot.header();
  std::memcpy(header.magic, image::kMagic, sizeof(header.magic));
  header.version = image::kVersion;
  header.byte_order = image::kByteOrder;
  header.collection = tag.collection;
  header.identity[0] = tag.identity[0];
  header.identity[1] = tag.identity[1];
  header.dimension = options_.dimension;
  header.metric = static_cast<std::uint8_t>(options_.metric);
  header.scalar = static_cast<std::uint8_t>(options_.scalar);
  header.codes = static_cast<std::uint8_t>(options_.codes);
  header.vectors = static_cast<std::uint8_t>(options_.vectors);
  header.M = options_.M;
  header.ef_construction = options_.ef_construction;
  header.ef = options_.ef;
  header.flat_below = options_.flat_below;
  header.seed = options_.seed;
  header.sections = image::kSections;
  if (Status status = begin_snapshot(snapshot); !status.ok()) return status;
  Watch watch(control, bytes_moved(header));
  Status status = watch.begin();
  if (status.ok()) {
    status = save_snapshot(
        snapshot, [&](std::uint64_t bytes) { return go_on() ? watch.advance(bytes) : stopped(); });
  }
  end_snapshot(snapshot);
  if (status.ok()) status = watch.finish();
  if (status.ok()) status = ready();
  if (status.ok()) status = beside.rename_to(path);
  if (!status.ok()) return status;
  return header.sequence;
} catch (const std::bad_alloc&) {
  return no_memory_to_save();
}

// Everything from the slots to the reading again. Leaves the snapshot as it may be: save() ends it.
Status Engine::save_snapshot(ImageSnapshot& snapshot, Step step) try {
  const image::File& file = snapshot.file();
  image::Header& header = snapshot.header();
  Status status = save_slots(snapshot, step);
  if (!status.ok()) return status;

  std::vector<std::byte> memory(kPieceBytes);
  const std::span<std::byte> buffer(memory);
  Sums sums(header);
  std::vector<Slot> directory(header.section[image::kDirectory].bytes / sizeof(Slot),
                              Directory::kEmpty);
  std::uint64_t live = 0;
  for (const std::uint32_t section :
       {image::kStates, image::kFlags, image::kLayer0, image::kUpper}) {
    status = each_piece_of_file(file, header.section[section], buffer, step,
                                [&](std::uint64_t at, std::span<const std::byte> bytes) {
                                  sums.add(section, at, bytes);
                                  if (section != image::kStates) return Status();
                                  Slot slot = static_cast<Slot>(at / sizeof(SlotState));
                                  for (std::size_t i = 0; i < bytes.size();
                                       i += sizeof(SlotState), ++slot) {
                                    std::uint64_t words[3];  // key, born, died
                                    std::memcpy(words, &bytes[i], sizeof(words));
                                    if (words[1] == 0 || words[2] != 0 || ++live > header.live)
                                      continue;
                                    Directory::place(directory, words[0], slot);
                                  }
                                  return Status();
                                });
    if (!status.ok()) return status;
  }
  if (live != header.live) {
    return Status(Code::corruption, "the image counts other keys than it has");
  }

  std::uint64_t unsynced = 0;
  for (const std::uint32_t section : {image::kVectors, image::kCodes}) {
    status = save_rows(header, section, buffer, step,
                       [&](std::uint64_t at, std::span<const std::byte> bytes) {
                         sums.add(section, at, bytes);
                         Status written = file.write(header.section[section].offset + at, bytes);
                         unsynced += bytes.size();
                         if (written.ok() && unsynced >= kUnsyncedBytes) {
                           unsynced = 0;
                           written = sync_file(file);
                         }
                         return written;
                       });
    if (!status.ok()) return status;
  }
  end_snapshot(snapshot);

  const std::span<const std::byte> entries = std::as_bytes(std::span(directory));
  sums.add(image::kDirectory, 0, entries);
  header.sums_crc = crc32c(sums.bytes());
  header.crc = image::crc_of(header);
  const image::SectionEntry& last = header.section[image::kSums];
  status = file.write(header.section[image::kDirectory].offset, entries);
  if (status.ok()) status = file.write(last.offset, sums.bytes());
  if (status.ok()) status = file.write(0, std::as_bytes(std::span(&header, 1)));
  if (status.ok() &&
      ::ftruncate(file.descriptor(),
                  static_cast<off_t>(last.offset + image::page_up(last.bytes))) != 0) {
    status = status_of_errno(errno, "cannot write the image: {e}");
  }
  if (status.ok()) status = sync_file(file);
  if (!status.ok()) return status;

  // Is it there as we meant it?
  image::Header again = {};
  status = file.read(0, std::as_writable_bytes(std::span(&again, 1)));
  if (status.ok() && std::memcmp(&again, &header, sizeof(header)) != 0) status = unlike();
  for (std::uint32_t section = 0; status.ok() && section < image::kSums; ++section) {
    status = each_piece_of_file(
        file, header.section[section], buffer, step,
        [&](std::uint64_t at, std::span<const std::byte> bytes) {
          return image::is_as_written(bytes, sums.at(section, at)) ? Status() : unlike();
        });
  }
  if (status.ok()) {
    status = each_piece_of_file(file, last, buffer, step,
                                [&](std::uint64_t at, std::span<const std::byte> bytes) {
                                  const auto meant = sums.bytes().subspan(at, bytes.size());
                                  return std::ranges::equal(bytes, meant) ? Status() : unlike();
                                });
  }
  return status;
} catch (const std::bad_alloc&) {
  return no_memory_to_save();
}

}  // namespace skerry
