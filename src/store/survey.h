// survey.h - is every page that the store uses in its file, and has it the shape of one?
//
// LMDB trusts its file: it follows page numbers into a map of it, and a page that is not there is a
// SIGBUS. So before LMDB sees a file that is shorter than it should be, we walk it ourselves with
// plain reads. (Short is not damaged: LMDB counts pages as used before it writes them, and a file
// lacks its last pages when those are free.) A small store is walked at every open: it costs
// a few milliseconds, and a damaged page is found before LMDB meets it.
//
// The walk sees: pages that are missing, met twice, or free and in use at once; keys out of order,
// also across pages; nodes that leave their page or do not fill it; tables of another kind; roots
// that do not follow each other (LMDB takes the one of the higher number, and has no checksum of
// it). It does not look into values, but for lists of free pages: rows have checksums of their own.
// Nobody may write meanwhile.
//
// What is read is LMDB 0.9's layout on a 64-bit machine:
//
//   page      u64 number, u16 -, u16 flags (1 branch, 2 leaf, 4 overflow, 8 meta), then
//             branch, leaf:  u16 lower, u16 upper, (lower - 16) / 2 offsets (u16) of nodes
//             overflow:      u32 pages, then the value's bytes over all of them
//   node      u16 lo, u16 hi, u16 flags, u16 key size, key, then
//             branch:        -; the child is page lo + hi 2^16 + flags 2^32
//             leaf:          lo + hi 2^16 bytes of value; flags 1: the u64 number of an overflow
//                            page instead; flags 2: the value is a table. Nodes begin at even
//                            offsets and lie without gaps from `upper` to the page's end
//   table     u32 -, u16 flags, u16 depth, four u64, u64 root page (2^64 - 1: empty); 48 bytes
//   meta      pages 0 and 1, behind their headers: u32 magic 0xBEEFC0DE, u32 version 1, two u64,
//             the table of free pages (its first u32 is the page size), the main table, u64 last
//             page, u64 transaction; the higher transaction counts; n is written to page n mod 2
//   free      the table of free pages: key u64 transaction; value u64 count, then as many page
//             numbers, descending, then room for more
#pragma once

#include "skerry/status.h"

namespace skerry::store {

// Walks the store in `fd`. A file that is no LMDB file at all is not our answer to give: success.
// Errors: corruption, io_error.
Status survey(int fd);

}  // namespace skerry::store
