// host.h - whose memory, and whose threads?
//
// The library's own, unless the program that holds it says otherwise before it uses it. A program
// with a memory budget or a pool of threads hands in functions; they are for the whole process and
// for good.
//
// What an Allocator covers: whatever grows with vectors (rows, codes, links, the key directory) and
// the scratch of searches and of linking. What it does not: objects of a few hundred bytes a
// handle, a collection or a thread, names and lists of strings, the lists of a write that is under
// way (operator new, which a program replaces by its own as any C++ program does); what the C
// library and LMDB take for themselves; and mapped files: the store, an image that a collection or
// Index::view maps, vectors on disk.
//
// What an Executor covers: searches of batches, linking, loading. What it does not: the thread that
// saves images (one a database, from the first image that is due), the one of Durability::interval,
// and one while a backup or a compaction copies.
//
// Threads: set_allocator() and set_executor() from any thread; the first that comes, it or a call
// that needs one, settles it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "skerry/export.h"
#include "skerry/status.h"

namespace skerry {

// Every function is called by many threads at once, and must not throw.
struct Allocator {
  // A piece that begins at a multiple of `alignment` (a power of two, at most 64); null: no memory.
  void* (*allocate)(void* context, std::size_t bytes, std::size_t alignment) = nullptr;
  void (*release)(void* context, void* memory, std::size_t bytes, std::size_t alignment) = nullptr;

  // Address space, whole pages and page-aligned, that costs nothing until it is committed: an index
  // of more than 65,536 slots reserves for 67 million at once. Null: none.
  void* (*reserve)(void* context, std::size_t bytes) = nullptr;
  // Makes the bytes from `begin` on usable and zero: whole pages, each once, in ascending order.
  // 0: no memory; 1: done.
  std::uint32_t (*commit)(void* context, void* base, std::size_t begin,
                          std::size_t bytes) = nullptr;
  void (*unreserve)(void* context, void* base, std::size_t bytes) = nullptr;

  void* context = nullptr;
};

struct Executor {
  // Calls task(argument) up to `hands` times, on any threads and at once as far as they are free,
  // and returns when those calls have returned. Never called from inside a task; by many threads at
  // once; must not throw. The calling thread should be among them: only there is a Control's
  // function asked. A call that has not begun when another has returned has nothing left to do, and
  // must not be waited for: its thread may be waiting for the library call that this is a part of.
  void (*run)(void* context, void (*task)(void* argument), void* argument,
              std::uint32_t hands) = nullptr;
  void* context = nullptr;
  std::uint32_t hands = 0;  // 1 .. 65,536: threads that may work for one call, which is what "one a
                            // core" means in the options then
};

// Before the first index or database. Errors: busy (memory has been taken, or there is an allocator
// already); invalid_argument (a function is missing).
SKERRY_API Status set_allocator(const Allocator& allocator) noexcept;

// Before the first call that could share its work. Errors: busy (threads have been used, or there
// is an executor already); invalid_argument.
SKERRY_API Status set_executor(const Executor& executor) noexcept;

}  // namespace skerry
