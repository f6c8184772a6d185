// disk.h - what is on a disk after the power went?
//
// A Film is everything that a program did to the files of one folder, in order, seen through
// system_calls.h. A Disk plays a film up to some event and then loses power: what was synced is
// there, and of the rest what a Loss says. The rules are the weakest that a file system may have:
//
//   a write         lasts from the next fsync/fdatasync of its file, or at once when the file was
//                   opened with O_DSYNC. Until then each of its 512-byte sectors is there or not,
//                   whatever became of others; sectors that were never written are zeroes.
//   a file's size   the same; it may be there without the bytes
//   a name          made, renamed or removed: lasts from the next fsync of its folder. A rename is
//                   there whole or not at all.
//   scratch         a file that is mapped shared and writable changes without a call: it is
//                   afterwards absent, empty, zeroes or noise
//
// Only the later of two writes to a sector can hide the other, never the earlier: the writes of a
// page go through one cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "torture/system_calls.h"

namespace skerry::torture {

using Node = std::uint32_t;  // a file or folder; 0 is the folder that is filmed

struct Event {
  enum class Kind : std::uint8_t {
    make_file,    // `node`, as `name` in `folder`
    make_folder,  // the same
    write,        // `bytes` at `offset` of `node`
    resize,       // `node` to `offset` bytes
    sync,         // `node`
    rename,       // `name` in `folder` to `target` in `target_folder`
    remove,       // `name` from `folder`
    scratch,      // `node` is one
    mark,         // the program's own: `offset` is what it says
  };
  Kind kind;
  bool lasts = false;  // of a write: it waited for the device
  Node node = 0;
  Node folder = 0;
  Node target_folder = 0;
  std::uint64_t offset = 0;
  std::string name = {};
  std::string target = {};
  std::string bytes = {};
};

// Films while it lives. One at a time.
class Film final : public SystemCallObserver {
 public:
  // `folder` must be empty, and every path that the program uses of it absolute.
  explicit Film(std::filesystem::path folder);
  ~Film();
  Film(const Film&) = delete;
  Film& operator=(const Film&) = delete;

  void mark(std::uint64_t number);

  // Ends the film.
  void stop() noexcept;

  const std::vector<Event>& events() const noexcept { return events_; }
  const std::filesystem::path& folder() const noexcept { return folder_; }

  int before(SystemCall& call) noexcept override;
  void after(const SystemCall& call, std::int64_t result) noexcept override;

 private:
  struct Place {
    Node folder = 0;
    std::string name;  // empty: the filmed folder itself
  };
  struct Open {
    Node node = 0;
    bool lasts = false;
  };

  bool place_of(int folder, const char* path, Place& place) const;
  bool node_of(const Place& place, Node& node) const;
  void opened(const SystemCall& call, std::int64_t fd);
  void written(const SystemCall& call, std::int64_t bytes);
  void add(Event event) { events_.push_back(std::move(event)); }

  const std::filesystem::path folder_;
  std::recursive_mutex mutex_;  // held through a call, so that events stand in the order of effect
  std::vector<Event> events_;
  std::vector<std::map<std::string, Node>> names_;  // by node; empty for files
  std::unordered_map<int, Open> open_;              // numbers of closed ones are overwritten
};

// How power is lost. The chances are out of 256.
struct Loss {
  enum class Writes : std::uint8_t {
    each,   // each unsynced write is there by chance
    torn,   // each of its sectors is
    first,  // those up to a moment are
    last,   // only the last of each file is
  };
  Writes writes = Writes::each;
  unsigned write_chance = 0;
  unsigned name_chance = 0;
  bool names_in_order = false;  // a name that lasted has those before it with it
};

// One of so many ways, from nothing that is not synced to everything.
constexpr unsigned kWays = 8;
Loss loss_of(unsigned way, std::mt19937_64& random);

class Disk {
 public:
  // As it is when the power goes before event `events` of the film.
  Disk(const Film& film, std::size_t events);

  // Makes `folder`, which must not exist, out of what is left.
  void lose_power(const Loss& loss, std::mt19937_64& random, const std::filesystem::path& folder);

  // The program's own, as they were met.
  const std::vector<std::uint64_t>& marks() const { return marks_; }

  // Of a file by its present path in the folder.
  bool is_scratch(const std::filesystem::path& path) const;

 private:
  struct File {
    bool is_folder = false;
    bool is_scratch = false;
    std::string bytes;                   // that lasts
    std::vector<const Event*> unsynced;  // writes and resizes
    std::map<std::string, Node> names;   // that last
  };

  void sync(Node node);
  void apply_name(const Event& event);
  static void apply_write(std::string& bytes, const Event& event, std::size_t from, std::size_t to);
  std::string content(const File& file, const Loss& loss, std::mt19937_64& random) const;
  void write_folder(Node node, const Loss& loss, std::mt19937_64& random,
                    const std::filesystem::path& path) const;

  std::vector<File> files_;
  std::vector<const Event*> unsynced_names_;
  std::vector<std::uint64_t> marks_;
};

}  // namespace skerry::torture
