// repair.cc - a damaged database becomes a whole one, or as much of it as there is.
//
// The damaged store is read and never written to. What can be told is written into a store beside
// it (store/salvage.h), synced, read again, and then put in its place, or into a folder of the
// caller's. What is true if the power goes at each step:
//
//   1. `store.repair/` is made, with a file `unfinished`    the damaged store; the next repair
//   2. the new store is written there, synced, checked      removes store.repair/
//   3. the file `unfinished` goes                           the damaged store, and a whole one
//   beside
//                                                           it, which the next repair sets aside
//   4. `store/` and `store.repair/` exchange their names    the new store; the next repair sets the
//                                                           damaged one aside
//   5. `store.repair/` becomes `store.damaged/`, or         all of it happened
//      `store.damaged.2/` and so on
//   6. images of what was lost are removed                  the same: they do not fit any more
//
// The whole folder is exchanged, not the file: a root that store/synced.root keeps belongs to the
// file that it stands beside, and would be written over another.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "base/files.h"
#include "base/watch.h"
#include "db/database_state.h"
#include "db/folder_lock.h"
#include "index/image_rows.h"
#include "store/salvage.h"

namespace skerry {
namespace {

namespace fs = std::filesystem;

// What the images of a database tell of its collections.
class Images final : public store::Witness {
 public:
  explicit Images(fs::path folder) : folder_(std::move(folder)) {}

  std::optional<Testimony> about(std::uint32_t collection) override {
    const Result<std::unique_ptr<ImageRows>> rows = open(collection);
    if (!rows.ok() || !check_options_of(**rows)) return std::nullopt;
    const ImageTag tag = (*rows)->tag();
    if (tag.collection != collection) return std::nullopt;
    return Testimony{{tag.identity[0], tag.identity[1]}, (*rows)->options(), (*rows)->sequence()};
  }

  Status rows(std::uint32_t collection, FunctionRef<Status(Key, store::Bytes)> visit) override {
    const Result<std::unique_ptr<ImageRows>> rows = open(collection);
    if (!rows.ok()) return rows.error();
    Status stopped;
    const Status status = (*rows)->each([&](Key key, store::Bytes vector) {
      stopped = visit(key, vector);
      return stopped;
    });
    // What the image has lost, the store has lost too: that is no failure of the repair.
    return status.code() == Code::corruption ? stopped : status;
  }

  std::uint32_t last_collection() override {
    std::uint32_t last = 0;
    std::error_code error;
    for (fs::directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename();
      std::uint32_t number = 0;
      const auto [after, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
      if (failed == std::errc() && std::string_view(after) == ".image")
        last = std::max(last, number);
    }
    return last;
  }

 private:
  Result<std::unique_ptr<ImageRows>> open(std::uint32_t collection) const {
    return ImageRows::open(folder_ / (std::to_string(collection) + ".image"));
  }
  static bool check_options_of(const ImageRows& rows) {
    IndexOptions options = rows.options();
    // The function is the program's own, and not kept.
    options.custom.call = [](void*, const void*, const void*, std::size_t) { return 0.0F; };
    if (options.metric != Metric::custom) options.custom = {};
    return check_options(options).ok();
  }

  fs::path folder_;
};

// Lies in the store that a repair makes until it is in its place: what is beside it and has none is
// the damaged one, if it is a store at all.
constexpr const char* kMark = "unfinished";

class Repair {
 public:
  Repair(const fs::path& folder, const RepairOptions& options)
      : folder_(folder), options_(options), in_place_(options.destination.empty()) {}

  Result<RepairReport> run() {
    std::error_code error;
    if (!fs::exists(folder_ / "store", error)) {
      return Status(Code::not_found, "there is no database in the folder");
    }
    FolderLock lock;
    Status status = lock.take(folder_, in_place_ ? FolderLock::As::writer : FolderLock::As::reader);
    if (!status.ok()) return status;
    // Who cannot write to the folder keeps writers out, and cannot know of readers: they do no
    // harm.
    if (!lock.is_alone() && !lock.is_blind()) {
      return Status(Code::busy, "another process has the database open");
    }
    status = in_place_ ? prepare_in_place() : prepare_destination();
    if (!status.ok()) return status;
    status = salvage();
    if (status.ok() && !report_.is_whole) status = in_place_ ? exchange() : place();
    // Whole: nothing changes. Failed: everything is as it was.
    if (!status.ok() || report_.is_whole) discard(error);
    if (!status.ok()) return status;
    if (in_place_ && !report_.is_whole) remove_images();
    return std::move(report_);
  }

 private:
  Status prepare_in_place() {
    fresh_ = folder_ / "store.repair";
    std::error_code error;
    fs::remove(folder_ / "store" / kMark, error);  // a repair was killed behind the exchange
    if (!error && (fs::exists(fresh_ / kMark, error) || !fs::exists(fresh_ / "data.mdb", error))) {
      discard(error);
    }
    if (!error && fs::exists(fresh_, error)) {
      // A repair was killed between the exchange and the end: nobody has been told yet.
      const Result<fs::path> aside = set_aside();
      if (!aside.ok()) return aside.error();
    }
    if (error) return status_of_errno(error.value(), "cannot tidy up after a repair: {e}");
    return make(fresh_);
  }

  Status prepare_destination() {
    std::error_code error;
    fresh_ = options_.destination / "store.new";
    fs::remove_all(fresh_, error);  // left by a repair that was killed
    if (fs::exists(options_.destination, error) && !fs::is_empty(options_.destination, error)) {
      return Status(Code::already_exists, "the folder of the repaired database is not empty");
    }
    fs::create_directories(options_.destination, error);
    if (error) return status_of_errno(error.value(), "cannot make the folder: {e}");
    return make(fresh_);
  }

  // The mark must not go before what it marks.
  void discard(std::error_code& error) const {
    fs::remove(fresh_ / "data.mdb", error);
    fs::remove_all(fresh_, error);
  }

  static Status make(const fs::path& folder) {
    std::error_code error;
    fs::create_directory(folder, error);
    if (error) return status_of_errno(error.value(), "cannot make the folder: {e}");
    const int fd = ::open((folder / kMark).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return status_of_errno(errno, "cannot make the folder: {e}");
    ::close(fd);
    return sync_path(folder);
  }

  Status salvage() {
    Images images(folder_ / "images");
    std::optional<Watch> watch;  // of as many pages as there are
    const auto step = [&](std::uint64_t done, std::uint64_t total) {
      if (watch.has_value()) return watch->at(done);
      watch.emplace(options_.control, total);
      return watch->begin();
    };
    Status status = store::salvage(folder_ / "store", fresh_, images, {.keeps_identity = in_place_},
                                   step, report_);
    if (status.ok() && watch.has_value()) status = watch->finish();
    return status.ok() ? sync_path(fresh_) : status;
  }

  Status place() {
    std::error_code error;
    fs::rename(fresh_, options_.destination / "store", error);
    if (error) return status_of_errno(error.value(), "cannot put the repaired store in place: {e}");
    fs::remove(options_.destination / "store" / kMark, error);
    return sync_path(options_.destination);
  }

  Status exchange() {
    const fs::path store = folder_ / "store";
    if (::renameat2(AT_FDCWD, fresh_.c_str(), AT_FDCWD, store.c_str(), RENAME_EXCHANGE) != 0) {
      return errno == EINVAL || errno == ENOSYS
                 ? Status(Code::io_error,
                          "the file system cannot exchange two folders: repair into another folder")
                 : status_of_errno(errno, "cannot put the repaired store in place: {e}");
    }
    // From here on it has happened: what cannot be done any more is done by the next repair.
    const Status synced = sync_path(folder_);
    std::error_code ignored;
    fs::remove(store / kMark, ignored);
    const Result<fs::path> aside = set_aside();
    report_.set_aside = aside.ok() ? *aside : fresh_;
    fresh_.clear();
    return synced;
  }

  // Gives what is in store.repair/ a name that stays.
  Result<fs::path> set_aside() const {
    std::error_code error;
    fs::path aside = folder_ / "store.damaged";
    for (unsigned number = 2; fs::exists(aside, error); ++number) {
      aside = folder_ / ("store.damaged." + std::to_string(number));
    }
    fs::rename(folder_ / "store.repair", aside, error);
    if (error) return status_of_errno(error.value(), "cannot set the damaged store aside: {e}");
    const Status status = sync_path(folder_);
    if (!status.ok()) return status;
    return aside;
  }

  void remove_images() const {
    for (const CollectionRepair& collection : report_.collections) {
      if (collection.is_kept && !collection.is_image_discarded) continue;
      std::error_code ignored;
      fs::remove(folder_ / "images" / (std::to_string(collection.number) + ".image"), ignored);
    }
  }

  const fs::path& folder_;
  const RepairOptions& options_;
  const bool in_place_;
  fs::path fresh_;
  RepairReport report_;
};

}  // namespace

Result<RepairReport> DatabaseState::repair(const fs::path& folder, const RepairOptions& options) {
  return Repair(folder, options).run();
}

}  // namespace skerry
