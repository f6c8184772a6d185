// c_allocator.c - can a host lend its memory?
//
// An allocator that counts what is out, and refuses when it is told to: everything that grows with
// vectors comes from it, everything goes back to it, what it refuses is out_of_memory and changes
// nothing.
#define _DEFAULT_SOURCE  // mmap's anonymous pages

#include <pthread.h>
#include <sys/mman.h>

#include "check.h"

enum { DIMENSION = 16, ROWS = 70000, SPACES = 256 };  // more rows than are reserved for at first

static skerry_error error;

struct Space {
  void* base;
  int64_t committed;
};
struct Host {
  pthread_mutex_t mutex;
  int64_t pieces;
  int64_t piece_bytes;
  int64_t reservations;
  int64_t reserved_bytes;
  int64_t committed_bytes;
  struct Space spaces[SPACES];
  int refuses_pieces;
  int refuses_space;
  int refuses_pages;
  uint64_t refusals;
};
static struct Host host;

static struct Space* space_at(const void* base) {
  int i;
  for (i = 0; i < SPACES; ++i) {
    if (host.spaces[i].base == base) return &host.spaces[i];
  }
  CHECK(!"a place of the host's");
  return NULL;
}

static int may(int refuses) {
  if (refuses) ++host.refusals;
  return !refuses;
}

static void* allocate(void* context, size_t bytes, size_t alignment) {
  void* memory = NULL;
  CHECK(context == &host);
  pthread_mutex_lock(&host.mutex);
  if (may(host.refuses_pieces) && posix_memalign(&memory, alignment, bytes) == 0) {
    ++host.pieces;
    host.piece_bytes += (int64_t)bytes;
  }
  pthread_mutex_unlock(&host.mutex);
  return memory;
}
static void release(void* context, void* memory, size_t bytes, size_t alignment) {
  CHECK(context == &host && (uintptr_t)memory % alignment == 0);
  pthread_mutex_lock(&host.mutex);
  --host.pieces;
  host.piece_bytes -= (int64_t)bytes;
  pthread_mutex_unlock(&host.mutex);
  free(memory);
}
static void* reserve(void* context, size_t bytes) {
  void* base = NULL;
  CHECK(context == &host && bytes % 4096 == 0);
  pthread_mutex_lock(&host.mutex);
  if (may(host.refuses_space)) {
    base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) base = NULL;
  }
  if (base != NULL) {
    ++host.reservations;
    host.reserved_bytes += (int64_t)bytes;
    space_at(NULL)->base = base;
  }
  pthread_mutex_unlock(&host.mutex);
  return base;
}
static skerry_bool commit(void* context, void* base, size_t begin, size_t bytes) {
  int done = 0;
  CHECK(context == &host && begin % 4096 == 0 && bytes % 4096 == 0);
  pthread_mutex_lock(&host.mutex);
  if (may(host.refuses_pages)) {
    done = mprotect((char*)base + begin, bytes, PROT_READ | PROT_WRITE) == 0;
    if (done) {
      CHECK(space_at(base)->committed == (int64_t)begin);
      space_at(base)->committed += (int64_t)bytes;
      host.committed_bytes += (int64_t)bytes;
    }
  }
  pthread_mutex_unlock(&host.mutex);
  return done ? 1 : 0;
}
static void unreserve(void* context, void* base, size_t bytes) {
  CHECK(context == &host);
  pthread_mutex_lock(&host.mutex);
  --host.reservations;
  host.reserved_bytes -= (int64_t)bytes;
  host.committed_bytes -= space_at(base)->committed;
  memset(space_at(base), 0, sizeof(struct Space));
  pthread_mutex_unlock(&host.mutex);
  CHECK(munmap(base, bytes) == 0);
}

static skerry_vector row_of(uint64_t key) {
  static float components[DIMENSION];
  skerry_vector vector;
  int i;
  for (i = 0; i < DIMENSION; ++i) components[i] = (float)((key + 1) * (uint64_t)(i + 3) % 1009);
  vector.data = components;
  vector.dimension = DIMENSION;
  vector.scalar = SKERRY_F32;
  return vector;
}

static void insert(skerry_index* index, uint64_t begin, uint64_t end) {
  uint64_t key;
  for (key = begin; key < end; ++key) {
    const skerry_vector vector = row_of(key);
    CHECK_OK(skerry_index_insert(index, key, &vector, &error));
  }
}

// Inserts until the host's refusal is met; the key that met it goes in when there is memory again.
static void insert_until_refused(skerry_index* index, uint64_t* next, int* refuses) {
  const uint64_t refusals = host.refusals;
  uint64_t size = 0;
  skerry_vector vector;
  skerry_code code = SKERRY_OK;
  *refuses = 1;
  while (host.refusals == refusals) {
    CHECK(*next < ROWS);
    vector = row_of(*next);
    code = skerry_index_insert(index, *next, &vector, &error);
    if (code == SKERRY_OK) ++*next;
  }
  *refuses = 0;
  CHECK(code == SKERRY_OUT_OF_MEMORY);
  CHECK_OK(skerry_index_size(index, &size, &error));
  CHECK(size == *next);
  vector = row_of(*next);
  CHECK_OK(skerry_index_insert(index, *next, &vector, &error));
  ++*next;
}

int main(void) {
  skerry_allocator allocator = SKERRY_ALLOCATOR_INIT;
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index_stats stats = SKERRY_INDEX_STATS_INIT;
  skerry_check_report report = SKERRY_CHECK_REPORT_INIT;
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_hit hits[5];
  skerry_index* index = NULL;
  skerry_index* refused = NULL;
  skerry_vector query;
  uint64_t next = 0;
  int64_t out;

  CHECK(pthread_mutex_init(&host.mutex, NULL) == 0);
  CHECK_CODE(skerry_set_allocator(NULL, &error), SKERRY_INVALID_ARGUMENT);
  allocator.allocate = allocate;
  allocator.release = release;
  allocator.reserve = reserve;
  allocator.commit = commit;
  allocator.context = &host;
  CHECK_CODE(skerry_set_allocator(&allocator, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("expected all five functions");
  allocator.unreserve = unreserve;
  CHECK_OK(skerry_set_allocator(&allocator, &error));
  CHECK_CODE(skerry_set_allocator(&allocator, &error), SKERRY_BUSY);

  // The first pieces are small; larger ones are reserved and committed.
  options.dimension = DIMENSION;
  options.M = 4;
  options.ef_construction = 8;
  options.codes = SKERRY_SQ8;
  host.refuses_pieces = 1;
  CHECK_CODE(skerry_index_create(&options, NULL, &refused, &error), SKERRY_OUT_OF_MEMORY);
  CHECK(refused == NULL);
  host.refuses_pieces = 0;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  insert_until_refused(index, &next, &host.refuses_pieces);
  insert_until_refused(index, &next, &host.refuses_space);
  insert_until_refused(index, &next, &host.refuses_pages);
  insert(index, next, ROWS);
  CHECK_OK(skerry_index_check(index, NULL, &report, &error));
  CHECK(report.live == ROWS);
  query = row_of(17);
  CHECK_OK(skerry_index_search(index, &query, 5, hits, NULL, &found, &error));
  CHECK(found.count == 5 && hits[0].distance == 0);

  // Rows, codes, links and keys: all of the index is the host's memory.
  CHECK_OK(skerry_index_get_stats(index, &stats, &error));
  out = host.piece_bytes + host.committed_bytes;
  CHECK(out >=
        (int64_t)(stats.vector_bytes + stats.code_bytes + stats.link_bytes + stats.other_bytes));
  CHECK(host.reserved_bytes > host.committed_bytes && host.reservations > 0);

  // A saved index and what is read of it.
  CHECK_OK(skerry_index_save(index, "c_allocator.image", NULL, &error));
  CHECK_OK(skerry_index_load("c_allocator.image", NULL, NULL, &refused, &error));
  CHECK(host.piece_bytes + host.committed_bytes >= out + (int64_t)stats.vector_bytes);
  CHECK_OK(skerry_index_search(refused, &query, 5, hits, NULL, &found, &error));
  CHECK(hits[0].distance == 0);
  skerry_index_free(refused);
  CHECK_OK(skerry_index_view("c_allocator.image", NULL, &refused, &error));
  CHECK_OK(skerry_index_search(refused, &query, 5, hits, NULL, &found, &error));
  CHECK(hits[0].distance == 0);
  skerry_index_free(refused);
  CHECK(remove("c_allocator.image") == 0);

  // All of it comes back but for scratch that is kept for the next call.
  skerry_index_free(index);
  CHECK(host.reservations == 0 && host.reserved_bytes == 0 && host.committed_bytes == 0);
  CHECK(host.pieces >= 0 && host.piece_bytes < (int64_t)1 << 20);
  return 0;
}
