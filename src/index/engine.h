// engine.h - the index as its owners see it: Index (front door) and Collection (hall).
//
// Three steps of a write stand apart here, so that an owner with a log can put its commit between
// them: check_vectors() and reserve() may fail and show nothing; publish() shows everything and
// cannot fail. Index calls them in a row, Collection commits to the store before publish().
//
// Versions: every publish has a sequence number, and each slot says from which (born) to which
// (died) it is visible. A search reads the number once at its start and returns what was visible
// then; an update is "born = n" on the new slot and "died = n" on the old, so no reader meets both
// or neither.
//
// Threads: all methods from any thread. reserve() and publish() take the writer lock inside;
// insert(), upsert() and remove() hold it for moments only, and link beside each other
// (writers.cc). Readers take none.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/checked_rows.h"
#include "base/fair_mutex.h"
#include "base/schedule.h"
#include "graph/candidate_pool.h"
#include "index/departures.h"
#include "index/directory.h"
#include "index/displaced.h"
#include "index/recall_model.h"
#include "index/searcher.h"
#include "index/storage.h"
#include "index/walk_trace.h"
#include "quant/exact_codes.h"
#include "quant/short_codes.h"
#include "skerry/explain.h"
#include "skerry/index.h"
#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class ImageSnapshot;
class Patience;
class SearchWitness;
class Watch;
namespace image {
class File;
struct Header;
}  // namespace image

// The order of keys in ties: `before` is a strict order, called under an epoch guard. Null: by
// number.
struct KeyOrder {
  bool (*before)(const void* context, Key a, Key b) = nullptr;
  const void* context = nullptr;
};

// One request's writes: upserts of the rows, or, when `removal`, removals (`vectors` is ignored).
struct Changes {
  std::span<const Key> keys;
  MatrixView vectors;
  bool removal = false;
};

// One of the writes that are published together.
struct Publication {
  Changes changes;
  std::uint64_t sequence = 0;
};

// When does what a write shows get its place in the graph?
enum class Linking : std::uint8_t {
  now,    // before publish() returns
  later,  // by and by: it joins the backlog, and is found by a scan until then (backlog.cc)
};

// What an image says of itself beside the options of its index.
struct ImageTag {
  std::uint64_t collection = 0;        // the owner's number for it; 0 for a plain Index
  std::uint64_t identity[2] = {0, 0};  // of the store it was made from; zeroes for a plain Index
};

enum class ImageMode : std::uint8_t {
  copy,  // read into memory
  map,   // mapped private: pages are shared until they are changed
  view,  // mapped read-only: writes are refused
};

// Where the exact bytes of a key come from when its row in a mapped image is damaged.
struct RowSource {
  enum class Answer : std::uint8_t {
    given,  // `out` is the vector of the key as of `sequence`, vector_bytes() long
    later,  // the source is not at that number in this moment
    lost,
  };
  // From any thread, under an EpochGuard, perhaps under the writer lock; must not throw.
  Answer (*fetch)(void* context, Key key, std::uint64_t sequence,
                  std::span<std::byte> out) = nullptr;
  void* context = nullptr;
};

// What a collection knows of an image that is said to be its own.
struct ImageOwner {
  IndexOptions options;
  ImageTag tag;
  KeyOrder order;
  RowSource rows;
};

// What is needed of a folder for vectors, with options that were checked: invalid_argument.
Status check_folder(const IndexOptions& options, const std::filesystem::path& folder) noexcept;

// The one check of an index's options; names the first that is out of range.
Status check_options(const IndexOptions& options) noexcept;

// And of a search in an index of those options. A filter is one of numbers.
Status check_search(const IndexOptions& index, VectorView query,
                    const SearchOptions& options) noexcept;

// And of vectors that are to be stored in one: dimension, type and finiteness. Of a matrix, {b} of
// the message is the bad row.
Status check_vectors(const IndexOptions& index, VectorView vector) noexcept;
Status check_vectors(const IndexOptions& index, MatrixView vectors) noexcept;

class Engine {
 public:
  // `folder`: where files for vectors on disk are made; needed with Vectors::disk.
  static Result<std::unique_ptr<Engine>> create(const IndexOptions& options, KeyOrder order = {},
                                                const std::filesystem::path& folder = {});

  // Reads what save() wrote. `owner`: when not null, the image must be of these options and this
  // tag (`incompatible` otherwise). The errors are those of Index::load. Everything but the rows is
  // checked at once; of a large mapped image, the rows are when they are touched. One that is
  // damaged comes from the owner's source; without one, whoever touches it gets `corruption`.
  // `folder`: as of create(); not needed of a view.
  static Result<std::unique_ptr<Engine>> load(const std::filesystem::path& path, ImageMode mode,
                                              CustomDistance custom, const ImageOwner* owner,
                                              const std::filesystem::path& folder = {});

  // Looks at the rows of a mapped image that nobody has touched yet, some at a time, until `step`,
  // called with nothing held, returns false. corruption when some are lost.
  Status verify_rows(FunctionRef<bool()> step) const;
  bool has_unverified_rows() const noexcept;

  // Blocks of a mapped image that were damaged and are mended.
  std::uint64_t mended() const noexcept { return mended_.load(std::memory_order_acquire); }

  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Writes an image of this moment and returns the number of its last change. Beside its place,
  // synced, read again, and renamed. Readers and writers go on (image_snapshot.h); one save at a
  // time, others wait. `go_on` is called now and then with nothing held, and `ready` before the
  // renaming: when go_on() is false (`closed`), ready() fails or the control says no, there is no
  // new image. The control counts bytes.
  // Memory: 1 MB, 8 to 16 bytes a live key, and the slots that are freed while it is written.
  Result<std::uint64_t> save(const std::filesystem::path& path, const ImageTag& tag,
                             FunctionRef<bool()> go_on, FunctionRef<Status()> ready,
                             const Control& control = {});
  Result<std::uint64_t> save(const std::filesystem::path& path, const ImageTag& tag,
                             const Control& control = {});

  // -- a write, step by step ------------------------------------------------------------------

  // What will be stored for a checked vector, into vector_bytes(scalar, dimension) bytes.
  void store(VectorView vector, std::byte* out) const noexcept;

  // Takes all memory that publishing `upserts` more vectors can need, in that way. A reservation
  // adds up with the earlier ones that were not used yet; release() gives one back.
  // `coming`: the vectors among them that are known already, and checked. Codes that are to be
  // chosen are, from these and from what is there, when there may be a graph afterwards.
  Status reserve(std::size_t upserts, Linking linking = Linking::now,
                 const MatrixView& coming = {});
  void release(std::size_t upserts) noexcept;

  // Takes the same memory for whoever will reserve it later. Chooses nothing.
  Status make_room(std::size_t upserts);

  // Shows the changes of all steps at once, each as of its sequence, which must not be smaller than
  // that of the step before and greater than all published before. Upserts must be checked and
  // reserved. Of a key that comes twice the last one wins. threads: to link with, when there is
  // enough for them; 0: one a core. `later` does not link.
  void publish(std::span<const Publication> steps, std::uint32_t threads = 1,
               Linking linking = Linking::now) noexcept;
  void publish(const Publication& step, std::uint32_t threads = 1,
               Linking linking = Linking::now) noexcept {
    publish(std::span(&step, 1), threads, linking);
  }

  // Works off what was published to be linked later, some at a time, until all is done or `step`,
  // called with nothing held, returns false. Writers come in between. threads: as of publish().
  void work_off_backlog(std::uint32_t threads, FunctionRef<bool()> step) noexcept;
  bool has_backlog() const noexcept;

  // The number of the last published change; 0 for none.
  std::uint64_t sequence() const noexcept;

  // -- the three steps in a row, numbered by the engine itself (writers.cc) ----------------------
  // Until a batch is shown its control may stop it: then nothing has changed.
  Status insert(const Changes& changes,
                const BatchOptions& options);  // already_exists, {b} the row
  Status upsert(const Changes& changes, const BatchOptions& options);
  Result<std::uint64_t> remove(const Changes& changes);

  // -- reading -----------------------------------------------------------------------------------
  bool contains(Key key) const noexcept;
  std::uint64_t size() const noexcept;
  Status get(Key key, std::span<float> out) const noexcept;
  Status get_bytes(Key key, std::span<std::byte> out) const noexcept;
  Status for_each(FunctionRef<bool(Key)> visit) const;

  Result<SearchResult> search(VectorView query, std::span<Hit> hits,
                              const SearchOptions& options) const;
  // Without a key: what search() did, and that it is absent. hits: room for one at least.
  Result<Explanation> explain(VectorView query, std::optional<Key> key, std::span<Hit> hits,
                              std::span<Hop> hops, const SearchOptions& options) const;
  Result<SearchResult> search_batch(MatrixView queries, std::span<Hit> hits,
                                    std::span<std::uint32_t> counts,
                                    const SearchOptions& options) const;

  // `watch` counts the slots once, and may end it.
  Result<CheckReport> check_invariants(Watch& watch) const;
  Result<CheckReport> check_invariants() const;
  // `watch` counts the live slots once, and may end it (shape.cc).
  Result<GraphShape> shape(Watch& watch) const;
  IndexStats stats() const;
  const IndexOptions& options() const noexcept { return options_; }

 private:
  // Slots in a row by SlotState::link. Writer.
  struct SlotList {
    Slot head = kNoSlot;
    Slot tail = kNoSlot;
    std::uint64_t count = 0;
  };

  // What linking a node will do, found without the lock: neighbours by level.
  struct Plan {
    Slot slot = kNoSlot;
    std::uint32_t levels = 0;  // lists planned: 0 .. levels - 1
    std::uint32_t counts[kMaxLevel + 1] = {};
    std::size_t most = 0;     // own_degree(0)
    Buffer<Slot> neighbours;  // so many a level
    bool is_late = false;     // made under the lock: nobody has proposed its links back
    bool is_sample = false;   // the model learns from its walk:
    RecallModel::Sample sample;

    Slot* room(std::uint32_t level) noexcept { return neighbours.data() + level * most; }
    std::span<const Slot> list(std::uint32_t level) const noexcept {
      if (level >= levels) return {};
      return {neighbours.data() + level * most, counts[level]};
    }
  };

  // A planned node that wants to be in a list on layer 0.
  struct Arrival {
    Slot at;
    std::uint32_t number;  // of its plan
    friend auto operator<=>(const Arrival&, const Arrival&) = default;
  };

  // A list that planned nodes want to be in. When they do not all have a place there, also what it
  // would be with them: that holds for as long as it is what it was.
  struct Proposal {
    Slot at;
    bool is_new;  // planned as well: there is no list yet
    std::uint32_t arrivals_begin;
    std::uint32_t arrivals_end;
    std::uint32_t before;  // its length then; 0: nothing is proposed
    std::uint32_t after;
  };

  // The scratch of whoever chooses a list anew.
  struct ListScratch {
    Buffer<std::byte> code;  // of a neighbour
    Buffer<Candidate> candidates;
    Buffer<std::uint8_t> settled;
    Buffer<Slot> list;  // one list, and who wants to be in it
    Buffer<Slot> taken;
    Buffer<float> distances;
  };

  // Nodes that are planned beside each other, and then connected.
  static constexpr std::size_t kTogether = 64;

  // The scratch of a thread that links.
  struct LinkScratch {
    BeamScratch beam;
    WalkTrace trace;
    std::uint32_t slots = 0;  // there is room to walk among so many
    Buffer<std::byte> code;   // of the node that is being linked
    Buffer<Candidate> candidates;
    float distances[kTogether];
    ListScratch lists;
    // Of the thread whose write it is:
    Buffer<Slot> fresh;          // slots of the write that is under way
    std::vector<Plan> plans;     // as many as are planned together
    Buffer<Arrival> arrivals;    // by list
    Buffer<Proposal> proposals;  // one a list
    Buffer<Slot> proposed;       // for each of them the list before and after, `degree` each
    std::size_t degree = 0;      // 2 M

    Slot* room_before(std::size_t number) noexcept { return proposed.data() + 2 * degree * number; }
    Slot* room_after(std::size_t number) noexcept { return room_before(number) + degree; }
    std::span<const Slot> list_before(std::size_t number) const noexcept {
      return {proposed.data() + 2 * degree * number, proposals[number].before};
    }
    std::span<const Slot> list_after(std::size_t number) const noexcept {
      return {proposed.data() + (2 * number + 1) * degree, proposals[number].after};
    }
  };

  // A write of insert(), upsert() or remove(), from its first slot to its last; on its thread's
  // stack, and in line until it is shown.
  struct Write {
    std::uint64_t sequence = 0;
    SlotList departed;
    bool done = false;       // linked, or withdrawn
    bool withdrawn = false;  // it will not be shown
    bool shown = false;      // its turn is over
    Write* next = nullptr;
  };
  using WriterLock = std::unique_lock<FairMutex>;

  // How often a reader that met a damaged row whose key is being written tries again.
  static constexpr int kMendingAttempts = 10'000;

  // What a search knows when it starts. The order of the loads matters: first the number, then the
  // storage, which is then at least as new.
  struct View {
    std::uint64_t sequence;
    const Storage* storage;
  };

  Engine(const IndexOptions& options, KeyOrder order, const std::filesystem::path& folder);

  // engine.cc
  View view() const noexcept {
    schedule_point("view: number");
    const std::uint64_t sequence = visible_.load(std::memory_order_acquire);
    schedule_point("view: storage");
    return View{sequence, storage_.load(std::memory_order_acquire)};
  }
  Storage& writable() const noexcept { return *storage_.load(std::memory_order_relaxed); }
  StorageShape shape_of(const std::optional<ShortCodes>& codes) const noexcept;
  static Slot version_at(const Storage& storage, Slot slot, Key key, std::uint64_t sequence,
                         bool& stale) noexcept;
  Slot find(Key key, const Storage*& storage) const noexcept;
  Slot newest(Key key) const noexcept;
  template <class Read>
  Status read_row(Key key, Read read) const noexcept;
  Status reserve_locked(std::size_t upserts, Linking linking, LinkScratch& scratch,
                        const MatrixView* coming);
  Status settle_codes(const MatrixView& coming, std::uint64_t slots, LinkScratch& scratch);
  Status replace_storage(const std::optional<ShortCodes>& codes, std::uint64_t slots,
                         LinkScratch& scratch);
  Result<std::uint64_t> publish_locked(std::span<const Publication> steps, std::uint32_t threads,
                                       Linking linking, LinkScratch& scratch,
                                       Watch& watch) noexcept;
  std::uint64_t slots_for(std::size_t upserts, Linking linking) const noexcept;
  bool is_unseen(Slot slot) const noexcept;
  void make_slots(const Changes& upserts, std::uint64_t sequence, Linking linking,
                  std::uint32_t threads, LinkScratch& scratch, SlotList& departed,
                  std::span<Slot> fresh) noexcept;
  std::uint64_t end_slots(std::span<const Key> removals, std::uint64_t sequence,
                          SlotList& departed) noexcept;
  void show(std::uint64_t sequence, const SlotList& departed) noexcept;
  void settle(const SlotList& departed, Linking linking) noexcept;
  void take_out(const SlotList& departed, Linking linking) noexcept;
  // Before anything of a slot changes but its rows: an image that is being written keeps what was.
  // While there is one, under the link lock: whoever changes slots without needing that otherwise
  // takes it by lock_for_snapshot(), under the writer lock.
  std::unique_lock<Mutex> lock_for_snapshot() noexcept {
    return snapshot_ != nullptr ? std::unique_lock(link_mutex_) : std::unique_lock<Mutex>();
  }
  void change(Slot slot) noexcept {
    if (snapshot_ != nullptr) [[unlikely]]
      keep_for_snapshot(slot);
  }
  Slot take_slot(Linking linking) noexcept;

  // Scorers over the codes, and over the exact rows; those of a node for walks, and for choosing
  // links.
  Scorer code_scorer(const Storage& storage, VectorView query, std::byte* scratch) const noexcept;
  Scorer exact_scorer(const Storage& storage, VectorView query, std::byte* scratch) const noexcept;
  Scorer node_scorer(const Storage& storage, Slot slot, std::byte* scratch) const noexcept;
  Scorer edge_scorer(const Storage& storage, Slot slot, std::byte* scratch) const noexcept;
  Scorer exact_node_scorer(const Storage& storage, Slot slot, std::byte* scratch) const noexcept;
  std::size_t code_scratch(const Storage& storage) const noexcept;

  // code_choice.cc
  Result<Codes> choose(const MatrixView& coming) const;

  // writers.cc
  void be_alone(WriterLock& lock) const noexcept;
  bool may_write_beside(std::size_t upserts) const noexcept;
  bool is_in_flight(std::span<const Key> keys) const noexcept;
  Status check_write(const Changes& changes) const noexcept;
  Status check_absent(std::span<const Key> keys) const noexcept;
  Result<std::uint64_t> write(const Changes& changes, bool only_new, const BatchOptions& options);
  void finish(Write& write, WriterLock& lock) noexcept;
  SlotList withdraw(std::span<const Slot> fresh, std::uint64_t sequence) noexcept;

  // insert.cc
  Status reserve_link_scratch(LinkScratch& scratch, std::uint32_t slots) const;
  Status reserve_list_scratch(ListScratch& scratch) const;
  Status reserve_plans(LinkScratch& scratch, std::size_t count) const;
  void link_slots(std::span<const Slot> slots, std::uint32_t threads, LinkScratch& scratch,
                  Watch& watch) noexcept;
  void link_together(std::span<const Slot> slots, std::uint32_t threads,
                     LinkScratch& scratch) noexcept;
  void share_out(std::size_t count, std::uint32_t threads, LinkScratch& scratch,
                 FunctionRef<void(std::size_t, LinkScratch&)> task) const noexcept;
  void plan_links(std::span<const Slot> together, std::size_t number, LinkScratch& scratch,
                  Plan& plan) const noexcept;
  RecallModel::Sample judge_walk(const Storage& storage, Slot slot,
                                 LinkScratch& scratch) const noexcept;
  std::size_t gather_arrivals(std::span<const Slot> together, LinkScratch& scratch) const noexcept;
  void propose(LinkScratch& plans, std::size_t number, ListScratch& lists) const noexcept;
  // Links that a node chooses itself; the others' links back come on top.
  std::size_t own_degree(std::uint32_t level) const noexcept {
    return level == 0 ? options_.M + options_.M / 2 : options_.M;
  }
  // Links that stay of a full list, so that it is not full again at once.
  std::size_t kept_degree(std::uint32_t level) const noexcept {
    return level == 0 ? 2 * options_.M - options_.M * 3 / 8 : options_.M - options_.M / 4;
  }
  std::size_t choose(Slot from, std::uint32_t level, std::size_t count,
                     ListScratch& lists) const noexcept;

  // connect.cc
  void connect_together(std::span<const Slot> slots, std::size_t proposals,
                        LinkScratch& scratch) noexcept;
  void forget_erased(Plan& plan) const noexcept;
  void write_own_lists(const Plan& plan) noexcept;
  void link_back(const LinkScratch& plans, std::size_t number, ListScratch& lists) noexcept;
  void add_reverse_link(Slot from, std::uint32_t level, Slot to, ListScratch& lists) noexcept;
  void finish_connecting(const Plan& plan, ListScratch& lists) noexcept;
  void rewrite_list(Slot slot, std::uint32_t level, std::span<const Slot> now) noexcept;
  bool has_left(Slot slot) const noexcept;
  bool is_looked_for(Slot slot) const noexcept;
  bool is_erased(Slot slot) const noexcept;
  void flag(Slot slot, std::uint8_t flags) noexcept;
  void count_link(Slot to, std::uint32_t level) noexcept;
  bool drop_link(Slot to, std::uint32_t level) noexcept;
  void let_go(Slot to, std::uint32_t level) noexcept;

  // hold.cc
  Status reserve_rescue(std::uint32_t slots);
  bool is_elder(Slot a, Slot b) const noexcept;
  bool is_held(Slot slot, Slot except) const noexcept;
  bool links_to(Slot from, Slot to) const noexcept;
  bool leads_nowhere(Slot slot) const noexcept;
  void hold(Slot slot, Slot holder = kNoSlot) noexcept;
  void release_held(Slot slot) noexcept;
  void rescue(Slot slot) noexcept;
  Slot shelter(Slot slot) noexcept;
  void displace(Slot holder) noexcept;
  bool hold_by(Slot holder, Slot slot, std::uint32_t spared) noexcept;
  bool take_in(Slot holder, Slot slot, std::uint32_t spared) noexcept;
  void walk_to(Slot slot, std::size_t ef) noexcept;
  void watch(Slot slot) noexcept;
  void watch_dropped(Slot slot, Slot by) noexcept;
  bool has_few_in_links(Slot slot) const noexcept;
  bool is_left_by_nearest(Slot slot, Slot by) const noexcept;
  void look_after(Slot slot) noexcept;
  void patrol(Slot slot) noexcept;

  // backlog.cc
  void join_backlog(Slot first) noexcept;
  bool is_in_backlog(Slot slot) const noexcept;
  bool has_backlog_locked() const noexcept;
  void work_off(std::uint64_t steps, std::uint32_t threads, LinkScratch& scratch,
                Watch& watch) noexcept;

  // erase.cc
  void erase_from_graph(Slot slot) noexcept;
  void repair_around(Slot slot) noexcept;
  void inherit(Slot slot, std::uint32_t level, Slot departed) noexcept;
  void sweep(std::uint64_t removals) noexcept;
  void sweep_slot(Slot slot) noexcept;
  void replace_entry(Slot departed) noexcept;
  void retire(Slot slot) noexcept;
  void drop_graph(const SlotList& departed) noexcept;
  void reclaim() noexcept;
  void push(SlotList& list, Slot slot, Storage& storage) noexcept;
  static void push_slot(SlotList& list, Slot slot, Storage& storage) noexcept;
  static void append(SlotList& list, const SlotList& more, Storage& storage) noexcept;

  // search.cc
  class Search;  // search.h
  Result<SearchResult> search_with(Searcher& searcher, VectorView query, std::span<Hit> hits,
                                   const SearchOptions& options,
                                   SearchWitness* witness = nullptr) const;
  Result<SearchResult> search_once(Searcher& searcher, VectorView query, std::span<Hit> hits,
                                   const SearchOptions& options, Patience& patience,
                                   SearchWitness* witness) const;

  // image_load.cc
  struct Inspection;
  enum class Readers : std::uint8_t { none, walks, all };  // of a row: walks only pass by
  Status adopt(const image::File& file, const image::Header& header, std::uint64_t size,
               ImageMode mode);
  Status adopt_choice(const image::Header& header) noexcept;
  Status watch_rows(const image::Header& header, const Storage& storage, ImageMode mode);
  Readers readers_of(Slot slot) const noexcept;
  static CheckedRows::Mender::Answer make_vector_row(void* context, Slot slot, std::byte* out);
  static CheckedRows::Mender::Answer make_code_row(void* context, Slot slot, std::byte* out);
  static Status rows_failed() noexcept;
  static Status rows_busy() noexcept;

  // image_save.cc
  void keep_for_snapshot(Slot slot) noexcept;
  Status begin_snapshot(ImageSnapshot& snapshot);
  void end_snapshot(ImageSnapshot& snapshot) noexcept;
  using SaveStep = FunctionRef<Status(std::uint64_t bytes)>;
  Status save_slots(ImageSnapshot& snapshot, SaveStep step);
  Status save_snapshot(ImageSnapshot& snapshot, SaveStep step);
  Status save_rows(const image::Header& header, std::uint32_t section, std::span<std::byte> buffer,
                   SaveStep step,
                   FunctionRef<Status(std::uint64_t, std::span<const std::byte>)> write);

  // Set at construction.
  IndexOptions options_;
  KeyOrder order_;
  ExactCodes exact_;
  std::filesystem::path folder_;  // for vectors on disk; empty: they are in memory
  bool read_only_ = false;
  RowSource rows_;  // of a mapped image

  // Written by the writer, read by all.
  std::atomic<Storage*> storage_{nullptr};
  Directory directory_;
  std::atomic<std::uint64_t> visible_{0};
  std::atomic<std::uint64_t> live_{0};
  // Every live slot is linked, but for those of the backlog: searches may walk.
  std::atomic<bool> graph_{false};
  // The backlog, live slots of which may not be linked yet: [linked_until_, backlog_until_), which
  // may be empty. Without a graph nothing from linked_until_ on is.
  std::atomic<Slot> linked_until_{0};
  std::atomic<Slot> backlog_until_{0};
  std::atomic<std::uint64_t> tombstones_{0};
  Departures departures_;     // who died lately, for walks that began before
  Displaced displaced_;       // whose links are being moved, for walks that come by
  RecallModel recall_model_;  // taught under the link lock

  std::atomic<std::uint64_t> mended_{0};  // blocks of rows; written by whoever mends

  mutable SearcherPool searchers_;

  // The writers' own. The writer lock is held for moments, or by one who is alone for all of his
  // write; the link lock is taken inside it or by itself, while the
  // nodes of a batch are connected, or one is erased.
  mutable FairMutex write_mutex_;
  mutable Mutex link_mutex_;
  // Under the writer lock: writes that are under way (writers.cc).
  std::uint32_t active_ = 0;              // begun, and not done with what they replaced
  mutable std::uint32_t want_alone_ = 0;  // who wait until there are none; nobody begins then
  Write* first_ = nullptr;                // in line to be shown
  Write* last_ = nullptr;
  mutable Condition changed_;  // something of this
  mutable ScratchPool<LinkScratch> link_scratches_;
  Mutex save_mutex_;                   // one image at a time; taken before the writer lock
  ImageSnapshot* snapshot_ = nullptr;  // of the image whose slots are being written
  bool keeps_rows_ = false;            // an image is being written: freed slots are not used again
  std::optional<Codes> chosen_;        // what is walked over; none: it is still to be chosen
  std::uint64_t reserved_ = 0;         // upserts that were reserved and not published yet
  SlotList free_slots_;
  SlotList waiting_;  // unlinked, until epoch waiting_tag_ has passed
  std::uint64_t waiting_tag_ = 0;
  SlotList leaving_;         // dead and still to be taken out of the graph (backlog.cc)
  bool linking_ = false;     // the graph exists, perhaps not for all slots yet
  LinkScratch own_scratch_;  // of publish() and work_off_backlog()
  // Under the link lock.
  SlotList retired_;               // unlinked, no tag yet
  std::uint32_t dead_linked_ = 0;  // dead slots still in the graph
  std::uint32_t sweep_at_ = 0;
  ListScratch repair_;
  BeamScratch rescue_beam_;
  Buffer<std::byte> rescue_code_;
  Buffer<Slot> rescue_queue_;
  struct OldStorage {
    std::unique_ptr<Storage> storage;
    std::uint64_t tag;
  };
  std::vector<OldStorage> old_storages_;
};

// True while this thread is inside a filter's callback: writes are refused then.
bool inside_filter() noexcept;

// Set while a filter's predicate may be called.
class FilterScope {
 public:
  FilterScope() noexcept;
  ~FilterScope();
  FilterScope(const FilterScope&) = delete;
  FilterScope& operator=(const FilterScope&) = delete;
};

}  // namespace skerry
