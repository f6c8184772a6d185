// folder_lock.h - who else is in this folder, and what may we do meanwhile?
//
// Locks on bytes of the empty file `<folder>/lock`. They are OFD locks: they belong to the open
// file, so a second open in the same process meets them as well, and they go with the process
// however that ends; there is nothing to clean up after kill -9.
//
//   bytes            shared                                 exclusive
//   0                whoever has the database open          whoever must be alone: the first to
//                                                           open, until it stands; compact()
//   2^40 + pid       -                                      the process of that number: it opens a
//                                                           database once, as LMDB demands, and
//                                                           others see that it is alive
//   2^41 + pid       all of them: a blind reader, below     the process, if it may write; all of
//                                                           them: the only writer, below
//   2^42 + 2 id      who loads the image of collection id   who puts one in its place, and trims
//   2^42 + 2 id + 1  -                                      who makes one
//
// A blind reader cannot write to the folder (other rights, a read-only device), so it has no place
// in LMDB's table of readers and nobody would know which pages it reads: it shuts writers out, and
// finds the database busy while there is one.
//
// Durability::none promises that kill -9 harms nothing while nothing is synced, which one process
// can keep alone: it is the only writer, beside any number of readers.
//
// Processes in different spaces of process ids (containers) may have one number: the second gets
// busy, as LMDB could not tell their readers apart either.
//
// Threads: take, become_alone and release by one thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>

#include "skerry/status.h"

namespace skerry {

class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Opens the folder for this process. Alone, when nobody else has it open: then nobody comes in
  // before let_others_in(). Waits some seconds for one that is alone in there, then it is busy.
  enum class As : std::uint8_t { reader, writer, only_writer };
  Status take(const std::filesystem::path& folder, As as);
  bool is_alone() const noexcept { return alone_; }
  bool is_blind() const noexcept { return blind_; }
  Status let_others_in() noexcept;

  // busy when another process has the folder open.
  Status become_alone() noexcept;

  // Whether the process has the folder open. Not for a blind reader.
  bool is_here(pid_t process) const noexcept;

  void release() noexcept;

  // In a forked child: closes the child's copy, which leaves the locks with the parent.
  void forget() noexcept;

 private:
  Status enter(As as) noexcept;

  int fd_ = -1;
  bool blind_ = false;
  bool alone_ = false;
};

// While it lives, other processes and other threads wait, or are told that it is being done.
class ImageLock {
 public:
  enum class For : std::uint8_t { loading, placing, making };

  ImageLock() = default;
  ~ImageLock();
  ImageLock(const ImageLock&) = delete;
  ImageLock& operator=(const ImageLock&) = delete;

  // `wait` false: busy when somebody else has it.
  Status take(const std::filesystem::path& folder, std::uint32_t collection, For what, bool wait);
  void release() noexcept;

 private:
  int fd_ = -1;
};

}  // namespace skerry
