// c_executor.c - can a host lend its threads?
//
// An executor that makes a thread for each hand: batches are searched and linked by the host's
// threads and the caller's, with the answers they have otherwise; the library makes none of its
// own.
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>

#include "check.h"

enum { HANDS = 3, ROWS = 3000, DIMENSION = 8 };

static skerry_error error;

struct Host {
  pthread_mutex_t mutex;
  uint64_t runs;
  uint64_t tasks;
  uint32_t most;
  int idle;  // 1: makes no call at all
};
struct Hand {
  void (*task)(void* argument);
  void* argument;
};

static void* work(void* given) {
  const struct Hand* hand = given;
  hand->task(hand->argument);
  return NULL;
}

static void run(void* context, void (*task)(void* argument), void* argument, uint32_t hands) {
  struct Host* host = context;
  pthread_t threads[HANDS];
  struct Hand hand;
  uint32_t i;
  pthread_mutex_lock(&host->mutex);
  ++host->runs;
  if (hands > host->most) host->most = hands;
  if (!host->idle) host->tasks += hands;
  pthread_mutex_unlock(&host->mutex);
  if (host->idle) return;
  hand.task = task;
  hand.argument = argument;
  for (i = 1; i < hands; ++i) CHECK(pthread_create(&threads[i], NULL, work, &hand) == 0);
  work(&hand);
  for (i = 1; i < hands; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
}

struct Watch {
  pthread_t caller;
  uint64_t calls;
};
static skerry_bool watch(void* context, uint64_t done, uint64_t total) {
  struct Watch* seen = context;
  CHECK(pthread_equal(pthread_self(), seen->caller));
  CHECK(done <= total);
  ++seen->calls;
  return 1;
}

static float rows[ROWS][DIMENSION];
static uint64_t keys[ROWS];
static skerry_hit hits[ROWS];
static uint32_t counts[ROWS];

int main(void) {
  static struct Host host;
  skerry_executor executor = SKERRY_EXECUTOR_INIT;
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_search_options how = SKERRY_SEARCH_OPTIONS_INIT;
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_check_report report = SKERRY_CHECK_REPORT_INIT;
  skerry_control control = SKERRY_CONTROL_INIT;
  skerry_index* index = NULL;
  skerry_matrix matrix;
  struct Watch seen;
  uint64_t runs;
  uint32_t state = 1;
  int i, j;

  CHECK(pthread_mutex_init(&host.mutex, NULL) == 0);
  CHECK_CODE(skerry_set_executor(NULL, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_CODE(skerry_set_executor(&executor, &error), SKERRY_INVALID_ARGUMENT);
  executor.run = run;
  executor.context = &host;
  CHECK_CODE(skerry_set_executor(&executor, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("expected 1 to 65536 hands, given 0");
  executor.hands = HANDS;
  CHECK_OK(skerry_set_executor(&executor, &error));
  CHECK_CODE(skerry_set_executor(&executor, &error), SKERRY_BUSY);

  for (i = 0; i < ROWS; ++i) {
    keys[i] = (uint64_t)i;
    for (j = 0; j < DIMENSION; ++j) {
      state = state * 1664525u + 1013904223u;
      rows[i][j] = (float)(state >> 8) / 16777216.0F;
    }
  }
  options.dimension = DIMENSION;
  options.ef_construction = 40;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  matrix.data = rows;
  matrix.rows = ROWS;
  matrix.dimension = DIMENSION;
  matrix.stride = 0;
  matrix.scalar = SKERRY_F32;
  CHECK_OK(skerry_index_upsert_batch(index, keys, &matrix, NULL, &error));
  CHECK(host.runs > 0 && host.most == HANDS);
  CHECK_OK(skerry_index_check(index, NULL, &report, &error));
  CHECK(report.live == ROWS && report.unreachable == 0);

  // Every thread of the host helps, and only the caller's is asked for its progress.
  runs = host.runs;
  host.most = 0;
  seen.caller = pthread_self();
  seen.calls = 0;
  control.progress = watch;
  control.context = &seen;
  how.threads = 0;
  how.control = &control;
  CHECK_OK(skerry_index_search_batch(index, &matrix, 1, hits, counts, &how, &found, &error));
  CHECK(host.runs == runs + 1 && host.most == HANDS && seen.calls > 0);
  CHECK(found.count == ROWS);
  for (i = 0; i < ROWS; ++i) CHECK(counts[i] == 1 && hits[i].key == (uint64_t)i);

  // As many hands as were asked for; alone, nobody is asked.
  how.control = NULL;
  how.threads = 2;
  host.most = 0;
  CHECK_OK(skerry_index_search_batch(index, &matrix, 1, hits, counts, &how, &found, &error));
  CHECK(host.most == 2);
  runs = host.runs;
  how.threads = 1;
  CHECK_OK(skerry_index_search_batch(index, &matrix, 1, hits, counts, &how, &found, &error));
  CHECK(host.runs == runs);

  // A host that makes no call at all: the caller's thread works.
  host.idle = 1;
  how.threads = 0;
  memset(counts, 0, sizeof counts);
  CHECK_OK(skerry_index_search_batch(index, &matrix, 1, hits, counts, &how, &found, &error));
  CHECK(host.runs == runs + 1);
  for (i = 0; i < ROWS; ++i) CHECK(counts[i] == 1 && hits[i].key == (uint64_t)i);
  skerry_index_free(index);
  return 0;
}
