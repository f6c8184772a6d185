// collection_state.h - one open collection: its index, its names, and what all its handles share.
//
// Reading calls take no lock: they hold an EpochGuard (Inside), and shut() waits until every guard
// of its moment is gone before it lets the view go. Before that each asks whether another process
// has written since (is_current(): loads of four words); when one has, catch_up() takes the changes
// from the store's log, once for all threads that wait. follow.cc tells how. Calls that take long
// (image, verify) hold gate_ shared and a Pin instead. Writing calls check their input on their own
// thread and go through DatabaseState's queue. See database_state.h for the order of locks.
//
// The view of a small collection may be put away (warm_list.h, put_away()): then there is none, and
// the next call makes it again from the store. A new collection begins so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/epoch.h"
#include "base/scratch_pool.h"
#include "db/key_book.h"
#include "db/shared_counter.h"
#include "db/warm_list.h"
#include "db/writer_queue.h"
#include "index/engine.h"
#include "skerry/collection.h"
#include "store/store.h"

namespace skerry {

class DatabaseState;
class SnapshotState;

// What is in memory of a collection: made anew from the store as a whole, and exchanged as one.
struct View {
  KeyBook book;  // byte keys only; written by who may move the view
  std::unique_ptr<Engine> engine;
  Opened opened = Opened::created;
  Status image;  // why no image was used
  std::uint64_t replayed = 0;
};

// What a search of a collection with byte-string keys needs beside the engine's own. The database
// keeps them, as there may be very many collections.
struct NameScratch {
  std::vector<Hit> hits;
  std::vector<Key> ids;
};

class CollectionState : public std::enable_shared_from_this<CollectionState> {
 public:
  // A collection that is to be made, of which only the options are checked, or (open) one that the
  // store holds: its index comes from the image and the log after it, or from the store's vectors.
  static Result<std::shared_ptr<CollectionState>> create(
      const std::shared_ptr<DatabaseState>& database, std::string_view name,
      const CollectionOptions& options);
  static Result<std::shared_ptr<CollectionState>> open(
      const std::shared_ptr<DatabaseState>& database, std::string_view name,
      const store::CollectionRecord& record, const Control& control);

  ~CollectionState();
  CollectionState(const CollectionState&) = delete;
  CollectionState& operator=(const CollectionState&) = delete;

  // As this process last heard; good for as long as the collection.
  const std::string& name() const noexcept { return *name_.load(std::memory_order_acquire); }
  std::uint32_t id() const noexcept { return id_; }
  const DatabaseState& database() const noexcept { return *database_; }
  const CollectionOptions& options() const noexcept { return options_; }

  // After create(): the number that the store gave it. Before any other thread knows of it.
  void set_id(std::uint32_t id) noexcept { id_ = id; }
  // Under its entry's mutex.
  using Name = std::unique_ptr<const std::string>;
  void set_name(Name name) noexcept;

  // -- calls of the handles
  // ------------------------------------------------------------------------ `by_name`: the
  // caller's keys are byte strings; `single`: it has one row and no row numbers.
  Status write(Request& request, bool by_name, bool single);
  bool contains(Key key) const noexcept;
  bool contains(std::string_view name) const noexcept;
  std::uint64_t size() const noexcept;
  Status get(Key key, std::span<float> out) const noexcept;
  Status get(std::string_view name, std::span<float> out) const noexcept;
  Status get_bytes(Key key, std::span<std::byte> out) const noexcept;
  Status get_bytes(std::string_view name, std::span<std::byte> out) const noexcept;
  Result<std::size_t> get_payload(Key key, std::span<std::byte> out) const;
  Result<std::size_t> get_payload(std::string_view name, std::span<std::byte> out) const;
  Status for_each(FunctionRef<bool(Key)> visit) const;
  Status for_each_name(FunctionRef<bool(std::string_view)> visit) const;
  Result<std::unique_ptr<SnapshotState>> snapshot() const;
  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options) const;
  Result<SearchResult> search(VectorView query, std::span<NamedHit> hits,
                              const SearchOptions& options) const;
  Result<Explanation> explain(VectorView query, Key key, std::span<Hit> hits, std::span<Hop> hops,
                              const SearchOptions& options) const;
  Result<Explanation> explain(VectorView query, std::string_view name, std::span<NamedHit> hits,
                              std::span<NamedHop> hops, const SearchOptions& options) const;
  Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options) const;
  Result<SearchResult> search_batch(MatrixView queries, std::span<NamedHit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options) const;
  Result<GraphShape> shape(const Control& control) const;
  Status save_image(const Control& control) { return save_image(false, control); }
  Result<VerifyReport> verify(const VerifyOptions& options) const;
  Result<CollectionStats> stats() const;
  Status alive() const noexcept;

  // Takes up what other processes have written. `closed` when one of them has dropped the
  // collection. Under no lock of the database, or the commit lock alone.
  Status keep_up() const noexcept {
    if (is_current()) [[likely]]
      return Status();
    return catch_up(false);
  }

  // -- for the leader, under the commit lock ------------------------------------------------------
  // In the transaction, at the first touch. busy: another process has written (or a thread of ours
  // is taking that up), and catch_up() is to be called outside of the transaction.
  Status begin_commit(store::Commit& commit);
  // What became of the transaction.
  void end_commit(bool committed) noexcept;
  // After the publishing.
  void end_publish() noexcept;
  // Looks at the store even though the counter says that nothing happened.
  Status catch_up_for_commit() const noexcept { return catch_up(true); }

  // Memory for the request's vectors; its status says why when there is none.
  void admit(Request& request) noexcept;
  // The request's rows. An error of the request alone goes into its status; what is returned is
  // an error of the store, or `cancelled` with some of the rows written. `alone`: no earlier
  // request of this commit is of this collection.
  Status write_rows(store::Commit& commit, Request& request, bool alone);
  // What was committed of the group's requests that are ours becomes visible.
  void publish(std::span<Request* const> group) noexcept;
  // The memory of a request that will not be published.
  void give_up(Request& request) noexcept;
  // No write is accepted from now on; reading goes on.
  void seal() noexcept { sealed_ = true; }

  // The number of the last commit in which a request of this collection was written, and the
  // names that it adds.
  std::uint64_t commit_number = 0;
  std::size_t commit_fresh = 0;
  std::size_t commit_gone = 0;

  // -- for close, checkpoint and drop -------------------------------------------------------------
  Status save_image_if_changed(const Control& control) { return save_image(true, control); }
  // The keeper's work: links what was shown unlinked, looks at rows that nobody has touched, and
  // saves an image that is due. Ends early when `go_on` says so.
  void keep(FunctionRef<bool()> go_on) noexcept;
  // Waits for calls under way, then lets the index go.
  void shut() noexcept;
  std::filesystem::path image_path() const;

  // -- for the warm list, which holds its mutex ---------------------------------------------------
  // Lets the index go, if it is small, and nobody has used it since the last time that this was
  // asked.
  enum class PutAway : std::uint8_t {
    done,     // nothing of it is in memory any more
    not_now,  // somebody uses it
    never,    // it is no small one
  };
  PutAway put_away() noexcept;
  WarmPlace warm_place;

 private:
  CollectionState(std::shared_ptr<DatabaseState> database, std::string_view name,
                  const CollectionOptions& options);

  // Where there is one: under a Pin, or by the leader from admit() to the publishing; of an Inside,
  // its own.
  View& view() const noexcept { return *view_.load(std::memory_order_acquire); }
  Engine& engine() const noexcept { return *view().engine; }

  // A call that reads the index. Takes up what others have written, makes a view that was put away,
  // and keeps what it has found for as long as it lives.
  class Inside {
   public:
    explicit Inside(const CollectionState& collection) noexcept;
    // Why the call cannot go on.
    const Status& status() const noexcept { return status_; }
    // Null when there is none to read, whatever the status.
    const View* view() const noexcept { return view_; }
    const Engine& engine() const noexcept { return *view_->engine; }

   private:
    Status status_;
    const View* view_ = nullptr;
    std::optional<EpochGuard> guard_;
  };

  // recovery.cc
  Result<std::unique_ptr<View>> make_view(const Control& control) const;
  Result<std::unique_ptr<View>> recover(const Control& control) const;
  Result<std::unique_ptr<View>> load_image(Status& why) const;
  Result<std::unique_ptr<View>> rebuild(std::uint64_t& reached, const Control& control) const;
  Status replay(View& view, const std::vector<Key>& keys,
                const std::unordered_map<Key, std::size_t>& last, std::uint64_t sequence) const;
  Status read_changes(const store::Reading& reading, std::uint64_t after, std::vector<Key>& keys,
                      std::unordered_map<Key, std::size_t>& last) const;
  Status discard_image(std::uint64_t file) const;
  static RowSource::Answer fetch_row(void* context, Key key, std::uint64_t sequence,
                                     std::span<std::byte> out);

  // follow.cc
  bool is_current() const noexcept {
    return view_.load(std::memory_order_relaxed) != nullptr &&
           counter_.others() == caught_up_.load(std::memory_order_acquire);
  }
  enum class Found : std::uint8_t {
    all,      // the view holds what the store holds
    trimmed,  // the log does not reach back to the view any more
    leading,  // a commit of ours has first to be published
    dropped,
  };
  Status catch_up(bool look) const noexcept;
  Status wake(const Control& control) const;
  Status wake_or_close() const;
  Status reload() const;
  void release_retired() const noexcept;
  void call_keeper(const View& view) const noexcept;
  struct Followed {
    Found found = Found::all;
    std::uint64_t live = 0;  // vectors in the store
  };
  Result<Followed> follow(View& view, std::uint64_t after, bool fresh) const;

  // verify.cc
  std::uint64_t verify_steps(const VerifyOptions& options) const;
  Result<CheckReport> engine_check(Watch& watch) const;
  Status verify_counts(const store::Reading& reading, VerifyReport& report, bool& behind) const;
  Status verify_contents(const store::Reading& reading, VerifyReport& report, Watch& watch) const;
  Status verify_recall(const VerifyOptions& options, VerifyReport& report, Watch& watch) const;

  // May be put away: it is scanned, and made again as quickly as an image of it is read.
  bool is_small(const View& view) const noexcept;
  ImageTag image_tag() const noexcept;
  Status save_image(bool only_if_changed, const Control& control);
  Status save_image_now(FunctionRef<bool()> go_on, bool wait, const Control& control);
  Status place_image(FunctionRef<bool()> go_on, const Control& control);
  bool is_image_due() const noexcept;
  bool is_image_damaged() const noexcept;
  Status check_write(const Request& request, bool by_name, bool single) const noexcept;
  Status check_rows(const Request& request, bool single) const noexcept;
  // Runs `search(hits, options)` with scratch hits and a filter of ids, under a guard that is still
  // held by `copy(hits, result)`.
  template <class Search, class Copy>
  auto with_names(const SearchOptions& options, std::size_t hits, Search search, Copy copy) const
      -> std::invoke_result_t<Search, const View&, std::span<Hit>, const SearchOptions&>;
  static void copy_hit(const View& view, const Hit& from, NamedHit& to) noexcept;

  // Set at construction (id_ before anybody else knows of the collection).
  const std::shared_ptr<DatabaseState> database_;
  SharedCounter& counter_;          // the database's
  const std::uint64_t generation_;  // of forks
  std::uint32_t id_ = 0;
  CollectionOptions options_;  // with the custom function

  std::atomic<const std::string*> name_{nullptr};
  std::vector<Name> names_;  // all that it had: name() hands them out

  // Moving the view: taking up what others wrote, exchanging it, publishing, counting what is
  // reserved in it. Mutable, as it is a read that finds the need.
  mutable std::mutex view_mutex_;
  mutable std::atomic<View*> view_{nullptr};  // ours; let go by shut() when nobody reads
  struct OldView {
    std::unique_ptr<View> view;
    std::uint64_t tag;
  };
  mutable std::vector<OldView> retired_;
  // Long calls that read a view outside of an epoch: while there are any, none that is retired
  // goes, and none is put away. Raised under view_mutex_.
  mutable std::atomic<std::uint32_t> pins_{0};
  class Pin {
   public:
    explicit Pin(const CollectionState& collection) noexcept;
    ~Pin() { pins_.fetch_sub(1, std::memory_order_acq_rel); }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

    // False: it was put away, and who only looks after it has nothing to do.
    bool has_view() const noexcept { return has_view_; }
    // Makes it again. `closed` when the collection was dropped.
    Status need_view() noexcept;

   private:
    const CollectionState& collection_;
    std::atomic<std::uint32_t>& pins_;
    bool has_view_;
  };
  mutable std::atomic<std::uint64_t> caught_up_{0};  // counter_.others() that the view holds
  std::uint64_t reserved_ = 0;                       // upserts of the leader's group
  std::vector<Publication> steps_;  // of the leader, who publishes; has room for all
  std::uint64_t admitted_ = 0;      // its requests
  // Since put_away() last asked; set by whoever reads. Racy by design: a mark that is
  // lost, or set late, costs making an index again.
  mutable std::atomic<bool> used_{false};

  // How far the leader is with a commit of this collection, so that a thread that looks at the
  // store knows our own commit, which is published by its leader, from those of others. Under
  // view_mutex_.
  enum class Leading : std::uint8_t { no, writing, committed };
  Leading leading_ = Leading::no;
  std::uint64_t commit_from_ = 0;           // the store's number before the commit
  std::uint64_t commit_to_ = 0;             // and after it
  mutable std::condition_variable landed_;  // leading_ has changed

  bool sealed_ = false;  // under the commit lock
  mutable std::atomic<bool> closed_{false};
  mutable std::shared_mutex gate_;  // exclusive: shut()

  mutable std::mutex image_mutex_;  // one image at a time
  // The image on disk holds at least this.
  mutable std::atomic<std::uint64_t> image_sequence_{0};
  mutable std::atomic<std::uint64_t> log_entries_{0};  // of the store's log, about
  std::atomic<std::uint64_t> image_due_at_{0};         // entries at which an image is due
  std::atomic<std::int64_t> image_rests_until_{0};     // nanoseconds: and not before
  mutable std::atomic<std::uint64_t> mended_in_image_{
      0};  // blocks that the image on disk has mended
};

}  // namespace skerry
