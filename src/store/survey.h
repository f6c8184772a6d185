// survey.h - is every page that the store uses in its file, and has it the shape of one?
//
// LMDB trusts its file: it follows page numbers into a map of it, and a page that is not there is a
// SIGBUS; it asserts what a page holds, and stops the program. So before LMDB meets a table we walk
// it ourselves with plain reads. (A short file is not damaged: LMDB counts pages as used before it
// writes them, and a file lacks its last pages when those are free.)
//
// A walk has one of three extents, each with what the one before it looks at:
//
//   opening      the two roots, the main table, and the tables that are named: some ten pages
//   tables       every page of every table, and the lists of free pages. Of a value that has pages
//                of its own: that they are in the file, and nobody else's
//   everything   the header of each such value as well, which is a read for each of them
//
// A small store is walked whole when it is opened, which costs a few milliseconds. A large one is
// walked as far as opening goes, and its tables when one of them is first touched
// (first_touch.h); the header of a long value is then looked at when the value is met.
//
// The walk sees: pages that are missing, met twice, or free and in use at once; keys out of order,
// also across pages; nodes that leave their page or do not fill it; tables of another kind; roots
// that do not follow each other (LMDB takes the one of the higher number, and has no checksum of
// it). It does not look into values, but for lists of free pages: rows have checksums of their own.
// Nobody may write to the pages of the root meanwhile: nobody is there, or a reader of that root
// is. lmdb_layout.h says what lies where.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "skerry/status.h"

namespace skerry::store {

enum class Extent : std::uint8_t { opening, tables, everything };

// A root of the store, as one transaction left it: the record of a meta page.
struct Root {
  std::array<std::byte, 136> meta;
};

// The root that transaction `number` wrote to the store in `fd`. not_found: two transactions later
// it is another's.
Result<Root> read_root(int fd, std::size_t page_bytes, std::uint64_t number);

// Walks the store in `fd`, which nobody writes to, from its newest root: whole if it has at most
// `bytes_whole` (or pages longer than the machine's), else as far as opening goes, with the tables
// of these names. How far it went. A file that is no LMDB file at all is not our answer to give:
// everything. Errors: corruption, io_error.
Result<Extent> survey(int fd, std::uint64_t bytes_whole, std::span<const char* const> names);

// Walks what belongs to one root, to `tables` or `everything`. How far it went.
Result<Extent> survey(int fd, const Root& root, Extent extent);

// Whether these 16 bytes stand at the head of a value of `value_bytes` whose first page is
// `number`. LMDB frees what the header says.
bool is_header_of(const std::byte* header, std::uint64_t number, std::size_t page_bytes,
                  std::uint64_t value_bytes) noexcept;

}  // namespace skerry::store
