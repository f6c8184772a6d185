// remains.h - what can still be read of the file of a damaged store, and what of that is current?
//
// Read with plain reads; LMDB never sees the file. Two things are asked of every page:
//
// Is it current? LMDB never writes over a page that is in use: a file is full of old pages, whole
// and with good checksums, that hold what was changed or removed since. It keeps account of them:
// of the pages up to the last, each is in the table of free pages or in use, and none is both. So:
//
//   the table of free pages    a page is current when
//   is whole                   it is not in that table, whatever leads to it, or nothing does
//   is damaged                 the newest root leads to it, page by page
//
// With the table whole, what hangs below a damaged branch is not lost: its leaves are looked for in
// the whole file. They are the pages in use that nothing led to.
//
// What is it? A leaf's records have checksums of table, key and value (schema.h), so a page tells
// its table, and a record is believed for its own sake. A record with one bit turned over is put
// right (crc32c.h). Pages of `vectors` have no checksum; the rows in them have (heap.h).
//
// Nobody may write meanwhile. What reads from here believes no length, offset or number of the
// file: whatever is in it, it is read in time that is linear in its length.
//
// Memory: two bits a page of the file, 8 bytes a leaf page, and of a table that lost pages 80 bytes
// a leaf page; and the longest value.
//
// Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "skerry/status.h"
#include "skerry/types.h"
#include "store/schema.h"

namespace skerry::store {

class Remains {
 public:
  // Called with every page that is read, about so many of so many; what it fails with ends the
  // call.
  using Step = FunctionRef<Status(std::uint64_t done, std::uint64_t total)>;

  // Looks at the store's file in `fd`, which must stay open as long as `step` must stay there.
  // `kept_root`: what synced_root.h kept of the root that counts instead of the file's two; empty:
  // they count. Errors: corruption (no LMDB file, or neither root leads anywhere), io_error.
  static Result<std::unique_ptr<Remains>> look(int fd, Bytes kept_root, Step step);

  // A record, good until the next. Damaged: its checksum is wrong, by more than a bit, or pages of
  // its value are lost; then `key` is what stands there, and there is no value.
  struct Record {
    enum class State : std::uint8_t { whole, mended, damaged };
    State state = State::damaged;
    Bytes key;
    Bytes value;  // of `vectors`, unchecked
    Bytes raw;    // what stands there, with its checksum; empty if it is lost
  };

  // Every record of a table that can be read, in the order of its keys but for damaged ones.
  // Walks stop at the first error of `visit`. Errors: its own, io_error.
  Status each(Table table, FunctionRef<Status(const Record&)> visit);

  // Keys between these two (with `first`, without `limit`; empty: no limit) may be missing.
  struct Gap {
    std::string first;
    std::string limit;
  };
  const std::vector<Gap>& gaps(Table table) const noexcept { return of(table).gaps; }

  // All records that the table had are read, and none of them is damaged. Known after each().
  bool is_complete(Table table) const noexcept {
    const TableRemains& remains = of(table);
    return remains.entries ? *remains.entries == remains.good
                           : remains.gaps.empty() && remains.bad == 0;
  }

  // Nothing in the file is damaged that was looked at so far: not a page, a root or a record.
  bool is_clean() const noexcept { return is_clean_; }

  // The newest root is gone, or cannot be told from the one before it: of the last commit, all or
  // nothing may be missing.
  bool may_lack_last_commit() const noexcept { return may_lack_last_commit_; }
  // The table of free pages is whole.
  bool knows_free_pages() const noexcept { return knows_free_; }

  // The list of the tables is whole, so that a table that it lacks was never there.
  bool knows_tables() const noexcept { return knows_tables_; }
  bool has(Table table) const noexcept { return of(table).entries.has_value(); }

  std::size_t page_bytes() const noexcept { return page_bytes_; }
  std::uint64_t pages() const noexcept { return pages_; }
  std::uint64_t pages_damaged() const noexcept { return pages_damaged_; }
  // Leaves that nothing led to, and that were found to be current.
  std::uint64_t pages_found() const noexcept { return pages_found_; }
  // Pages that nothing leads to and that are not free, when nothing is damaged: LMDB leaves none.
  std::uint64_t pages_unaccounted() const noexcept { return pages_unaccounted_; }

 private:
  struct Root {
    std::uint64_t number = 0;  // of the transaction
    std::uint64_t last = 0;    // page
    std::uint64_t free_entries = 0;
    std::uint64_t free_root = 0;
    std::uint64_t main_root = 0;
    bool is_plausible = false;

    bool leads_where(const Root& other) const noexcept {
      return free_root == other.free_root && main_root == other.main_root;
    }
  };
  struct TableRemains {
    std::optional<std::uint64_t> entries;  // that the main table counts
    std::uint64_t good = 0;                // read by each(), and believed
    std::uint64_t bad = 0;                 // and not
    std::vector<std::uint64_t> leaves;     // in the order of their keys
    std::vector<Gap> gaps;
  };
  using Page = std::vector<std::byte>;

  Remains(int fd, std::uint64_t file_bytes, Step step)
      : fd_(fd), file_bytes_(file_bytes), step_(step) {}

  TableRemains& of(Table table) noexcept { return tables_[static_cast<std::size_t>(table)]; }
  const TableRemains& of(Table table) const noexcept {
    return tables_[static_cast<std::size_t>(table)];
  }

  Status find_page_bytes(Bytes kept_root);
  Status choose_root(Bytes kept_root);
  Result<Root> read_root(Bytes bytes);
  Result<bool> is_tree(std::uint64_t page);

  Result<bool> read_bytes(std::uint64_t offset, std::span<std::byte> out) const;
  Result<bool> read(std::uint64_t page, Page& out);
  Status tell(std::uint64_t more);
  bool is_free(std::uint64_t page) const noexcept { return knows_free_ && free_[page]; }

  Status walk_free();
  Result<bool> walk_free_page(std::uint64_t page, std::size_t depth, std::uint64_t& key,
                              std::uint64_t& entries);
  bool take_free(Bytes list);

  Status walk_main();
  Status walk(Table table, std::uint64_t number, std::size_t depth, const Gap& range);
  Status walk_branch(Table table, const Page& page, std::size_t depth, const Gap& range);
  void lose(Table table, const Gap& range);
  Result<bool> is_of(Table table, const Page& page, const Gap& range);
  Status meet_values(const Page& page);

  Status find_orphans();
  Status sort_leaves(Table table, const std::vector<std::uint64_t>& orphans);
  Result<std::optional<Table>> attribute(const Page& page);

  Result<bool> load(const std::byte* node, std::size_t room);
  Result<bool> load_big(std::uint64_t number, std::uint64_t size);
  bool fits(Table table) noexcept;
  void judge(Table table);

  const int fd_;
  const std::uint64_t file_bytes_;
  const Step step_;
  std::size_t page_bytes_ = 0;
  std::uint64_t pages_ = 0;  // whole in the file
  Root root_;
  bool is_clean_ = true;
  bool may_lack_last_commit_ = false;
  bool knows_free_ = false;
  bool knows_tables_ = false;
  std::vector<bool> free_;   // by page
  std::vector<bool> met_;    // by page: something leads to it
  std::vector<bool> taken_;  // by page: it was part of a value in this each()
  std::array<TableRemains, kTableNames.size()> tables_;
  std::uint64_t pages_damaged_ = 0;
  std::uint64_t pages_found_ = 0;
  std::uint64_t pages_unaccounted_ = 0;
  std::uint64_t pages_read_ = 0;

  std::vector<std::byte> bytes_;  // number of the table, key and value of the record
  std::size_t key_bytes_ = 0;
  Record record_;
};

}  // namespace skerry::store
