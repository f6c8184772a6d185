// database.h - a folder that holds collections and does not lose them.
//
//   auto db = skerry::Database::open("vectors.skerry");
//   auto docs = db->open_or_create("docs", {.index = {.dimension = 384}});
//   docs->upsert(7, vector);               // durable when it returns
//
// The folder: `store/` holds the LMDB environment, the only truth; `images/` holds what can be
// made again. One process opens a database at a time; a second open, there or here, is `busy`.
//
// Threads: every method from any thread at once. After fork() the child's calls return `closed`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "skerry/collection.h"
#include "skerry/export.h"
#include "skerry/options.h"
#include "skerry/status.h"

namespace skerry {

class DatabaseState;

struct DatabaseStats {
  std::uint64_t collections = 0;
  std::uint64_t map_bytes = 0;         // address space of the store
  std::uint64_t store_used_bytes = 0;  // pages in use
  std::uint64_t store_disk_bytes = 0;  // blocks the file system has given to the store
  std::uint64_t image_disk_bytes = 0;
  std::uint64_t commits = 0;   // transactions since open
  std::uint64_t grown = 0;     // times the map grew since open
  std::uint64_t sequence = 0;  // of the last committed change
};

class SKERRY_API Database {
 public:
  // Errors: not_found (no such folder and create_if_missing is false), busy, corruption,
  // incompatible (not a Skerry store, or made by a newer version), io_error, storage_full.
  static Result<Database> open(const std::filesystem::path& folder,
                               const DatabaseOptions& options = {});

  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();  // close(), its status lost

  // A name is 1 to 255 bytes without a zero byte. Errors: already_exists; not_found;
  // incompatible when open_or_create finds other options, naming the first that differs.
  Result<Collection> create(std::string_view name, const CollectionOptions& options);
  Result<Collection> open_collection(std::string_view name);
  Result<Collection> open_or_create(std::string_view name, const CollectionOptions& options);
  Status drop(std::string_view name);

  // Names in ascending order of bytes.
  Result<std::vector<std::string>> list() const;

  // Makes everything that has returned survive power loss, whatever the durability.
  Status sync();

  // Saves an image of every open collection that changed, and trims the log.
  Status checkpoint();

  // A consistent copy of the store into a new folder, while writers go on. The copy is opened like
  // any database; its images are made again when it is first opened. already_exists when the
  // folder is there and not empty.
  Status backup(const std::filesystem::path& folder) const;

  // Gives the store's free pages back to the file system: writes a compacted copy beside it, syncs
  // and renames it into place. Readers and writers wait for the switch.
  Status compact();

  // Saves images of what changed, syncs and lets go. Every handle returns `closed` from then on.
  Status close();

  Result<DatabaseStats> stats() const;

 private:
  explicit Database(std::shared_ptr<DatabaseState> state) noexcept;
  std::shared_ptr<DatabaseState> state_;
};

}  // namespace skerry
