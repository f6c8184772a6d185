// c_story.c - does a program in C get what the C++ headers promise?
//
// One walk through the whole interface: an index with its types, strides, filters, controls and
// files; a database with both kinds of keys, payloads, snapshots, unions, backups and a repair.
// What each function answers to what it should not be given is every_call_test's.
#define _POSIX_C_SOURCE 200809L  // mkdtemp

#include <math.h>
#include <stdlib.h>

#include "check.h"

static skerry_error error;
static char folder[] = "c-story-XXXXXX";  // where it is started
static char path[256];

static const char* in_folder(const char* name) {
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static skerry_vector of_floats(const float* components, size_t dimension) {
  skerry_vector vector;
  vector.data = components;
  vector.dimension = dimension;
  vector.scalar = SKERRY_F32;
  return vector;
}

// -- callbacks

struct Walk {
  uint64_t calls;
  uint64_t sum;
  uint64_t stop_after;
};
static skerry_bool add_key(void* context, uint64_t key) {
  struct Walk* walk = context;
  walk->calls++;
  walk->sum += key;
  return walk->calls != walk->stop_after;
}
static skerry_bool add_name(void* context, const char* data, size_t size) {
  struct Walk* walk = context;
  walk->calls++;
  walk->sum += size;
  (void)data;
  return walk->calls != walk->stop_after;
}
static skerry_bool add_listed(void* context, const char* name) {
  return add_name(context, name, strlen(name));
}
static skerry_bool add_info(void* context, const skerry_collection_info* info) {
  struct Walk* walk = context;
  CHECK(info->struct_size == sizeof *info);
  CHECK(info->options->dimension == 2);
  CHECK((strcmp(info->name, "words") == 0) == (info->options->byte_keys == 1));
  walk->calls++;
  walk->sum += info->size + 100 * info->payload_count;
  return 1;
}
static skerry_bool is_multiple(void* context, uint64_t key) {
  return key % *(const uint64_t*)context == 0;
}
static skerry_bool starts_with(void* context, const char* data, size_t size) {
  return size != 0 && data[0] == *(const char*)context;
}
struct Watch {
  uint64_t calls;
  uint64_t total;
  uint64_t refuse_at;
};
static skerry_bool watch(void* context, uint64_t done, uint64_t total) {
  struct Watch* seen = context;
  CHECK(total == 0 || done <= total);
  seen->calls++;
  seen->total = total;
  return seen->calls != seen->refuse_at;
}
static float manhattan(void* context, const void* a, const void* b, size_t dimension) {
  const float* left = a;
  const float* right = b;
  float sum = 0;
  size_t i;
  for (i = 0; i < dimension; ++i) sum += fabsf(left[i] - right[i]);
  ++*(uint64_t*)context;
  return sum;
}
static skerry_bool write_inside(void* context, uint64_t key) {
  skerry_index* index = context;
  const float zero[2] = {0, 0};
  const skerry_vector vector = of_floats(zero, 2);
  CHECK(skerry_index_upsert(index, key, &vector, NULL) == SKERRY_INVALID_ARGUMENT);
  return 1;
}

// -- words

static void words(void) {
  CHECK(strcmp(skerry_code_name(SKERRY_INVALID_ARGUMENT), "invalid_argument") == 0);
  CHECK(strcmp(skerry_code_name(99), "unknown") == 0);
  CHECK(strcmp(skerry_code_name(-1), "unknown") == 0);
  CHECK(strcmp(skerry_code_name(256), "unknown") == 0);
  CHECK(strcmp(skerry_metric_name(SKERRY_COSINE), "cosine") == 0);
  CHECK(strcmp(skerry_metric_name(256 + SKERRY_COSINE), "unknown") == 0);
  CHECK(strcmp(skerry_scalar_name(SKERRY_BF16), "bf16") == 0);
  CHECK(strcmp(skerry_codes_name(SKERRY_ROT4), "rot4") == 0);
  CHECK(strcmp(skerry_vectors_name(SKERRY_DISK), "disk") == 0);
  CHECK(strcmp(skerry_opened_name(SKERRY_OPENED_IMAGE), "image") == 0);
  CHECK(strcmp(skerry_search_way_name(SKERRY_WAY_SCAN), "scan") == 0);
  CHECK(strlen(skerry_fallback_name(SKERRY_FALLBACK_GAVE_UP)) > 0);
  CHECK(strlen(skerry_fate_name(SKERRY_FATE_NEVER_MET)) > 0);
  CHECK(strlen(skerry_version()) >= 5);
  CHECK(strlen(skerry_target()) > 0);
  CHECK(skerry_vector_bytes(SKERRY_F32, 3) == 12);
  CHECK(skerry_vector_bytes(SKERRY_B1, 9) == 2);
  CHECK(skerry_vector_bytes(6, 9) == 0);
  CHECK(skerry_vector_bytes(256, 9) == 0);
  CHECK(skerry_f16_to_float(skerry_float_to_f16(0.5F)) == 0.5F);
  CHECK(skerry_bf16_to_float(skerry_float_to_bf16(-2.0F)) == -2.0F);
  CHECK(skerry_now_ns() <= skerry_now_ns());
}

// -- an index

static skerry_index* grid(uint64_t rows) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  uint64_t key;
  options.dimension = 2;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  for (key = 0; key < rows; ++key) {
    float at[2];
    skerry_vector vector = of_floats(at, 2);
    at[0] = (float)key;
    at[1] = 0;
    CHECK_OK(skerry_index_insert(index, key, &vector, &error));
  }
  return index;
}

static void index_of_numbers(void) {
  skerry_index* index = grid(10);
  const float at[2] = {3.25F, 0};
  const float wide[3] = {0, 0, 0};
  const float bad[2] = {0, NAN};
  skerry_vector query = of_floats(at, 2);
  skerry_vector vector;
  skerry_hit hits[20];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_search_options how = SKERRY_SEARCH_OPTIONS_INIT;
  skerry_index_stats stats = SKERRY_INDEX_STATS_INIT;
  skerry_check_report report = SKERRY_CHECK_REPORT_INIT;
  skerry_options options = SKERRY_OPTIONS_INIT;
  struct Walk walk = {0, 0, 0};
  uint64_t size = 0;
  uint64_t removed = 9;
  skerry_bool is_there = 0;
  float got[2];

  CHECK_OK(skerry_index_search(index, &query, 3, hits, NULL, &found, &error));
  CHECK(found.count == 3 && found.exact == 1 && found.exhausted == 0);
  CHECK(hits[0].key == 3 && hits[0].distance == 0.0625F);
  CHECK(hits[1].key == 4 && hits[2].key == 2);
  CHECK_OK(skerry_index_search(index, &query, 20, hits, NULL, &found, &error));
  CHECK(found.count == 10);
  CHECK_OK(skerry_index_search(index, &query, 0, NULL, NULL, &found, &error));
  CHECK(found.count == 0);
  how.max_distance = 1;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.count == 2);
  how.max_distance = INFINITY;
  how.budget = 1;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.exhausted == 1);
  CHECK_CODE(skerry_index_search(index, &query, SIZE_MAX, hits, NULL, &found, &error),
             SKERRY_INVALID_ARGUMENT);

  vector = of_floats(wide, 3);
  CHECK_CODE(skerry_index_upsert(index, 1, &vector, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("expected dimension 2, given 3");
  vector = of_floats(bad, 2);
  CHECK_CODE(skerry_index_upsert(index, 1, &vector, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("component 1 is not a finite number");
  vector.scalar = 17;
  CHECK_CODE(skerry_index_upsert(index, 1, &vector, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("no type has number 17");
  CHECK_CODE(skerry_index_insert(index, 1, &query, &error), SKERRY_ALREADY_EXISTS);
  CHECK_OK(skerry_index_upsert(index, 1, &query, &error));
  CHECK_OK(skerry_index_get(index, 1, got, 2, &error));
  CHECK(got[0] == 3.25F && got[1] == 0);
  CHECK_CODE(skerry_index_get(index, 1, got, 1, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_OK(skerry_index_get_bytes(index, 1, got, sizeof got, &error));
  CHECK_CODE(skerry_index_get(index, 99, got, 2, &error), SKERRY_NOT_FOUND);

  CHECK_OK(skerry_index_remove(index, 99, &removed, &error));
  CHECK(removed == 0);
  CHECK_OK(skerry_index_remove(index, 1, &removed, &error));
  CHECK(removed == 1);
  CHECK_OK(skerry_index_remove(index, 1, NULL, &error));
  CHECK_OK(skerry_index_contains(index, 1, &is_there, &error));
  CHECK(is_there == 0);
  CHECK_OK(skerry_index_contains(index, 2, &is_there, &error));
  CHECK(is_there == 1);
  CHECK_OK(skerry_index_size(index, &size, &error));
  CHECK(size == 9);
  CHECK_OK(skerry_index_for_each(index, add_key, &walk, &error));
  CHECK(walk.calls == 9 && walk.sum == 44);
  walk.calls = 0;
  walk.stop_after = 4;
  CHECK_OK(skerry_index_for_each(index, add_key, &walk, &error));
  CHECK(walk.calls == 4);

  CHECK_OK(skerry_index_reserve(index, 1000, &error));
  CHECK_OK(skerry_index_check(index, NULL, &report, &error));
  CHECK(report.live == 9);
  CHECK_OK(skerry_index_get_stats(index, &stats, &error));
  CHECK(stats.live == 9 && stats.has_graph == 0 && stats.codes == SKERRY_EXACT);
  CHECK(stats.vector_bytes > 0);
  CHECK_OK(skerry_index_get_options(index, &options, &error));
  CHECK(options.dimension == 2 && options.M == 16 && options.seed == 0x5EED);
  skerry_index_free(index);
  skerry_index_free(NULL);
}

static void options_are_checked(void) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = (skerry_index*)&options;
  CHECK_CODE(skerry_index_create(&options, NULL, &index, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("dimension: expected 1 to 65535, given 0");
  CHECK(index == NULL);
  options.dimension = 2;
  options.metric = 256;
  CHECK_CODE(skerry_index_create(&options, NULL, &index, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("no metric has number 256");
  options.metric = SKERRY_L2;
  options.byte_keys = 1;
  CHECK_CODE(skerry_index_create(&options, NULL, &index, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("byte_keys: expected 0 for an index, given 1");
  options.byte_keys = 2;
  CHECK_CODE(skerry_index_create(&options, NULL, &index, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("byte_keys: expected 0 or 1, given 2");
}

static void batches_with_strides(void) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  // Three rows of two, with something else behind each.
  const float rows[3][5] = {{1, 2, 9, 9, 9}, {3, 4, 9, 9, 9}, {5, 6, 9, 9, 9}};
  const float queries[2][2] = {{3, 4}, {5, 6}};
  const uint64_t keys[3] = {10, 20, 30};
  skerry_matrix matrix;
  skerry_hit hits[4];
  uint32_t counts[2] = {9, 9};
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_batch_options how = SKERRY_BATCH_OPTIONS_INIT;
  skerry_control control = SKERRY_CONTROL_INIT;
  struct Watch seen = {0, 0, 1};
  uint64_t number = 0;
  float got[2];

  options.dimension = 2;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  matrix.data = rows;
  matrix.rows = 3;
  matrix.dimension = 2;
  matrix.stride = sizeof rows[0];
  matrix.scalar = SKERRY_F32;

  control.progress = watch;
  control.context = &seen;
  how.control = &control;
  CHECK_CODE(skerry_index_insert_batch(index, keys, &matrix, &how, &error), SKERRY_CANCELLED);
  CHECK_OK(skerry_index_size(index, &number, &error));
  CHECK(number == 0);
  seen.refuse_at = 0;
  CHECK_OK(skerry_index_insert_batch(index, keys, &matrix, &how, &error));
  CHECK(seen.calls > 1 && seen.total == 3);
  CHECK_CODE(skerry_index_insert_batch(index, keys, &matrix, NULL, &error), SKERRY_ALREADY_EXISTS);
  CHECK_OK(skerry_index_upsert_batch(index, keys, &matrix, NULL, &error));
  CHECK_OK(skerry_index_get(index, 30, got, 2, &error));
  CHECK(got[0] == 5 && got[1] == 6);
  matrix.stride = 4;
  CHECK_CODE(skerry_index_upsert_batch(index, keys, &matrix, NULL, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("stride: expected 0 or at least 8 bytes, given 4");

  matrix.data = queries;
  matrix.rows = 2;
  matrix.stride = 0;
  CHECK_OK(skerry_index_search_batch(index, &matrix, 2, hits, counts, NULL, &found, &error));
  CHECK(found.count == 4 && counts[0] == 2 && counts[1] == 2);
  CHECK(hits[0].key == 20 && hits[2].key == 30 && hits[2].distance == 0);
  CHECK_CODE(
      skerry_index_search_batch(index, &matrix, SIZE_MAX / 2, hits, counts, NULL, &found, &error),
      SKERRY_INVALID_ARGUMENT);
  CHECK_OK(skerry_index_remove_batch(index, keys, 3, &number, &error));
  CHECK(number == 3);
  CHECK_OK(skerry_index_remove_batch(index, NULL, 0, &number, &error));
  CHECK(number == 0);
  skerry_index_free(index);
}

static void filters(void) {
  skerry_index* index = grid(20);
  const float zero[2] = {0, 0};
  const skerry_vector query = of_floats(zero, 2);
  const uint64_t five = 5;
  const uint64_t keys[3] = {7, 11, 99};
  skerry_hit hits[20];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_search_options how = SKERRY_SEARCH_OPTIONS_INIT;
  skerry_filter filter = SKERRY_FILTER_INIT;
  how.filter = &filter;

  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.count == 20);
  filter.kind = SKERRY_FILTER_WHERE;
  filter.where = is_multiple;
  filter.context = (void*)(uintptr_t)&five;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.count == 4 && hits[1].key == 5 && hits[3].key == 15);
  filter.where = write_inside;
  filter.context = index;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  filter.keys = keys;
  CHECK_CODE(skerry_index_search(index, &query, 20, hits, &how, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("WHERE expects the function");
  filter.where = NULL;
  filter.count = 3;
  filter.kind = SKERRY_FILTER_ONLY;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.count == 2 && hits[0].key == 7 && hits[1].key == 11);
  filter.kind = SKERRY_FILTER_EXCEPT;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.count == 18);
  filter.kind = SKERRY_FILTER_ONLY;
  filter.keys = NULL;
  CHECK_CODE(skerry_index_search(index, &query, 20, hits, &how, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  filter.count = 0;
  CHECK_OK(skerry_index_search(index, &query, 20, hits, &how, &found, &error));
  CHECK(found.count == 0);
  filter.kind = 77;
  CHECK_CODE(skerry_index_search(index, &query, 20, hits, &how, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("no kind has number 77");
  filter.kind = SKERRY_FILTER_WHERE_NAME;
  filter.where_name = starts_with;
  CHECK_CODE(skerry_index_search(index, &query, 20, hits, &how, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  skerry_index_free(index);
}

static void controls(void) {
  skerry_index* index = grid(200);
  const float zero[2] = {0, 0};
  const skerry_vector query = of_floats(zero, 2);
  skerry_hit hits[3];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_search_options how = SKERRY_SEARCH_OPTIONS_INIT;
  skerry_control control = SKERRY_CONTROL_INIT;
  skerry_check_report report = SKERRY_CHECK_REPORT_INIT;
  struct Watch seen = {0, 0, 0};
  how.control = &control;

  control.progress = watch;
  control.context = &seen;
  CHECK_OK(skerry_index_search(index, &query, 3, hits, &how, &found, &error));
  CHECK(seen.calls > 0);
  seen.refuse_at = seen.calls + 1;
  CHECK_CODE(skerry_index_search(index, &query, 3, hits, &how, &found, &error), SKERRY_CANCELLED);
  control.progress = NULL;
  control.deadline_ns = skerry_now_ns();
  CHECK_OK(skerry_index_search(index, &query, 3, hits, &how, &found, &error));
  CHECK(found.exhausted == 1);
  CHECK_CODE(skerry_index_check(index, &control, &report, &error), SKERRY_CANCELLED);
  control.deadline_ns = skerry_now_ns() + (int64_t)3600 * 1000000000;
  CHECK_OK(skerry_index_check(index, &control, &report, &error));
  CHECK(report.live == 200);
  skerry_index_free(index);
}

static void shapes(void) {
  enum { kRows = 100, kM = 4 };
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  skerry_graph_shape shape = SKERRY_GRAPH_SHAPE_INIT;
  uint64_t levels[25];
  uint64_t out_degrees[2 * kM + 1];
  uint64_t in_degrees[2];
  uint64_t nodes = 0;
  uint64_t links = 0;
  float row[2];
  skerry_vector vector = {row, 2, SKERRY_F32};
  size_t i;
  options.dimension = 2;
  options.M = kM;
  options.flat_below = 0;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  for (i = 0; i < kRows; ++i) {
    row[0] = (float)(i % 10);
    row[1] = (float)(i / 10);
    CHECK_OK(skerry_index_upsert(index, i, &vector, &error));
  }
  CHECK_OK(skerry_index_shape(index, NULL, &shape, &error)); /* no room: the sizes alone */
  CHECK(shape.nodes == kRows && shape.levels.size >= 1 && shape.out_degrees.size > 1);
  CHECK(shape.levels.size <= 25 && shape.out_degrees.size <= 2 * kM + 1);

  shape.levels.data = levels;
  shape.levels.room = 25;
  shape.out_degrees.data = out_degrees;
  shape.out_degrees.room = 2 * kM + 1;
  shape.in_degrees.data = in_degrees;
  shape.in_degrees.room = 2; /* the rest is only told of */
  CHECK_OK(skerry_index_shape(index, NULL, &shape, &error));
  for (i = 0; i < shape.levels.size; ++i) nodes += levels[i];
  CHECK(nodes == kRows);
  for (i = 0, nodes = 0; i < shape.out_degrees.size; ++i) {
    nodes += out_degrees[i];
    links += i * out_degrees[i];
  }
  CHECK(nodes == kRows && links >= kRows);
  CHECK(shape.in_degrees.size > 2);

  shape.in_degrees.data = NULL;
  CHECK_CODE(skerry_index_shape(index, NULL, &shape, &error), SKERRY_INVALID_ARGUMENT);
  skerry_index_free(index);
}

static void types(void) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  const uint8_t bits[2][2] = {{0x0F, 0x01}, {0xFF, 0x00}};
  const int8_t small[2] = {-3, 7};
  skerry_vector vector;
  skerry_hit hit;
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  float got[9];
  int8_t back[2];

  options.dimension = 9;
  options.scalar = SKERRY_B1;
  options.metric = SKERRY_HAMMING;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  vector.data = bits[0];
  vector.dimension = 9;
  vector.scalar = SKERRY_B1;
  CHECK_OK(skerry_index_upsert(index, 1, &vector, &error));
  vector.data = bits[1];
  CHECK_OK(skerry_index_search(index, &vector, 1, &hit, NULL, &found, &error));
  CHECK(found.count == 1 && hit.distance == 5);
  CHECK_OK(skerry_index_get(index, 1, got, 9, &error));
  CHECK(got[0] == 1 && got[3] == 1 && got[4] == 0 && got[8] == 1);
  skerry_index_free(index);

  options.dimension = 2;
  options.scalar = SKERRY_I8;
  options.metric = SKERRY_IP;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  vector.data = small;
  vector.dimension = 2;
  vector.scalar = SKERRY_I8;
  CHECK_OK(skerry_index_upsert(index, 1, &vector, &error));
  CHECK_OK(skerry_index_get_bytes(index, 1, back, sizeof back, &error));
  CHECK(back[0] == -3 && back[1] == 7);
  skerry_index_free(index);
}

static void custom_distance_and_files(void) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  skerry_index* copy = NULL;
  const float a[2] = {1, 1};
  const float b[2] = {2, 3};
  const skerry_vector first = of_floats(a, 2);
  const skerry_vector second = of_floats(b, 2);
  skerry_custom_distance custom;
  skerry_hit hit;
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  uint64_t calls = 0;

  options.dimension = 2;
  options.metric = SKERRY_CUSTOM;
  CHECK_CODE(skerry_index_create(&options, NULL, &index, &error), SKERRY_INVALID_ARGUMENT);
  custom.call = manhattan;
  custom.context = &calls;
  options.custom = custom;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  CHECK_OK(skerry_index_upsert(index, 1, &first, &error));
  CHECK_OK(skerry_index_search(index, &second, 1, &hit, NULL, &found, &error));
  CHECK(hit.distance == 3 && calls > 0);
  CHECK_OK(skerry_index_save(index, in_folder("custom"), NULL, &error));
  skerry_index_free(index);

  CHECK_CODE(skerry_index_load(in_folder("custom"), NULL, NULL, &copy, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK(copy == NULL);
  CHECK_OK(skerry_index_load(in_folder("custom"), &custom, NULL, &copy, &error));
  CHECK_OK(skerry_index_search(copy, &second, 1, &hit, NULL, &found, &error));
  CHECK(hit.distance == 3);
  skerry_index_free(copy);
  CHECK_OK(skerry_index_view(in_folder("custom"), &custom, &copy, &error));
  CHECK_CODE(skerry_index_upsert(copy, 1, &first, &error), SKERRY_READ_ONLY);
  skerry_index_free(copy);
  CHECK_CODE(skerry_index_view(in_folder("nothing"), NULL, &copy, &error), SKERRY_NOT_FOUND);
}

static void explanations(void) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  skerry_hit hits[2];
  skerry_hop hops[64];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_explanation why = SKERRY_EXPLANATION_INIT;
  const float zero[2] = {0, 0};
  const skerry_vector query = of_floats(zero, 2);
  uint64_t key;
  options.dimension = 2;
  options.flat_below = 0;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  for (key = 0; key < 3000; ++key) {
    float at[2];
    skerry_vector vector = of_floats(at, 2);
    at[0] = (float)key;
    at[1] = 1;
    CHECK_OK(skerry_index_insert(index, key, &vector, &error));
  }
  CHECK_OK(skerry_index_explain(index, &query, 1, 2, hits, 64, hops, NULL, &found, &why, &error));
  CHECK(found.count == 2 && hits[0].key == 0);
  CHECK(why.fate == SKERRY_FATE_RETURNED && why.place == 2 && why.rank == 2 && why.is_live == 1);
  CHECK(why.way == SKERRY_WAY_WALK && found.hops > 0 && hops[0].is_live == 1);
  CHECK_OK(skerry_index_explain(index, &query, 7, 2, hits, 0, NULL, NULL, NULL, &why, &error));
  CHECK(why.fate == SKERRY_FATE_BEYOND_K && why.rank == 8 && why.place == 0);
  CHECK_CODE(skerry_index_explain(index, &query, 7, 0, NULL, 0, NULL, NULL, NULL, &why, &error),
             SKERRY_INVALID_ARGUMENT);
  skerry_index_free(index);
}

// -- a database

static skerry_name name_of(const char* text) {
  skerry_name name;
  name.data = text;
  name.size = strlen(text);
  return name;
}

static void collection_of_numbers(skerry_database* database) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_collection* docs = NULL;
  skerry_collection* same = NULL;
  skerry_snapshot* then = NULL;
  const float rows[3][2] = {{0, 0}, {1, 0}, {2, 0}};
  const uint64_t keys[3] = {1, 2, 3};
  const skerry_vector first = of_floats(rows[0], 2);
  const skerry_name name = name_of("x");
  skerry_payload payloads[3];
  skerry_matrix matrix;
  skerry_hit hits[4];
  uint32_t counts[3];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_collection_stats stats = SKERRY_COLLECTION_STATS_INIT;
  skerry_index_stats index = SKERRY_INDEX_STATS_INIT;
  skerry_verify_report report = SKERRY_VERIFY_REPORT_INIT;
  skerry_verify_options verify = SKERRY_VERIFY_OPTIONS_INIT;
  skerry_error image;
  struct Walk walk = {0, 0, 0};
  uint64_t number = 0;
  double age = -1;
  skerry_bool is_there = 0;
  size_t length = 0;
  char text[16];
  float got[2];

  options.dimension = 2;
  CHECK_OK(skerry_database_create(database, "docs", &options, &docs, &error));
  CHECK_CODE(skerry_database_create(database, "docs", &options, &same, &error),
             SKERRY_ALREADY_EXISTS);
  CHECK_OK(skerry_database_open_or_create(database, "docs", &options, NULL, &same, &error));
  skerry_collection_free(same);
  options.dimension = 3;
  CHECK_CODE(skerry_database_open_or_create(database, "docs", &options, NULL, &same, &error),
             SKERRY_INCOMPATIBLE);
  CHECK(same == NULL);
  CHECK_CODE(skerry_database_open_collection(database, "none", NULL, &same, &error),
             SKERRY_NOT_FOUND);

  memset(payloads, 0, sizeof payloads);
  payloads[0].data = "first";
  payloads[0].size = 5;
  matrix.data = rows;
  matrix.rows = 3;
  matrix.dimension = 2;
  matrix.stride = 0;
  matrix.scalar = SKERRY_F32;
  CHECK_OK(skerry_collection_insert_batch(docs, keys, &matrix, payloads, NULL, &error));
  CHECK_OK(skerry_collection_upsert_batch(docs, keys, &matrix, payloads, NULL, &error));
  CHECK_OK(skerry_collection_get_payload(docs, 1, text, sizeof text, &length, &error));
  CHECK(length == 5 && memcmp(text, "first", 5) == 0);
  CHECK_OK(skerry_collection_get_payload(docs, 1, NULL, 0, &length, &error));
  CHECK(length == 5);
  CHECK_OK(skerry_collection_get_payload(docs, 2, text, sizeof text, &length, &error));
  CHECK(length == 0);
  CHECK_CODE(skerry_collection_get_payload(docs, 9, text, sizeof text, &length, &error),
             SKERRY_NOT_FOUND);

  CHECK_OK(skerry_collection_snapshot(docs, &then, &error));
  CHECK_OK(skerry_collection_insert(docs, 4, &first, NULL, &error));
  CHECK_OK(skerry_collection_upsert(docs, 1, &first, NULL, &error));
  CHECK_OK(skerry_collection_get_payload(docs, 1, text, sizeof text, &length, &error));
  CHECK(length == 0);
  CHECK_OK(skerry_collection_remove(docs, 3, &number, &error));
  CHECK(number == 1);
  CHECK_OK(skerry_collection_size(docs, &number, &error));
  CHECK(number == 3);
  CHECK_OK(skerry_collection_contains(docs, 3, &is_there, &error));
  CHECK(is_there == 0);
  CHECK_CODE(skerry_collection_contains_named(docs, &name, &is_there, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_CODE(skerry_collection_upsert_named(docs, &name, &first, NULL, &error),
             SKERRY_INVALID_ARGUMENT);

  CHECK_OK(skerry_snapshot_size(then, &number, &error));
  CHECK(number == 3);
  CHECK_OK(skerry_snapshot_sequence(then, &number, &error));
  CHECK(number > 0);
  CHECK_OK(skerry_snapshot_age(then, &age, &error));
  CHECK(age >= 0);
  CHECK_OK(skerry_snapshot_contains(then, 3, &is_there, &error));
  CHECK(is_there == 1);
  CHECK_OK(skerry_snapshot_get(then, 3, got, 2, &error));
  CHECK(got[0] == 2);
  CHECK_OK(skerry_snapshot_get_bytes(then, 3, got, sizeof got, &error));
  CHECK_OK(skerry_snapshot_get_payload(then, 1, text, sizeof text, &length, &error));
  CHECK(length == 5);
  CHECK_OK(skerry_snapshot_search(then, &first, 4, hits, NULL, &found, &error));
  CHECK(found.count == 3 && hits[2].key == 3);
  CHECK_OK(skerry_snapshot_for_each(then, add_key, &walk, &error));
  CHECK(walk.calls == 3 && walk.sum == 6);
  skerry_snapshot_free(then);

  CHECK_OK(skerry_collection_search(docs, &first, 4, hits, NULL, &found, &error));
  CHECK(found.count == 3 && hits[0].key == 1 && hits[1].key == 4 && hits[2].key == 2);
  matrix.rows = 2;
  CHECK_OK(skerry_collection_search_batch(docs, &matrix, 2, hits, counts, NULL, &found, &error));
  CHECK(found.count == 4 && hits[2].key == 2);
  CHECK_OK(skerry_collection_get(docs, 4, got, 2, &error));
  CHECK_OK(skerry_collection_get_bytes(docs, 4, got, sizeof got, &error));
  walk.calls = 0;
  CHECK_OK(skerry_collection_for_each(docs, add_key, &walk, &error));
  CHECK(walk.calls == 3);

  CHECK_OK(skerry_collection_save_image(docs, NULL, &error));
  CHECK_OK(skerry_collection_get_stats(docs, &stats, &index, &image, &error));
  CHECK(stats.opened == SKERRY_OPENED_CREATED && stats.image == SKERRY_OK && index.live == 3);
  CHECK(image.code == SKERRY_OK && stats.image_bytes > 0);
  CHECK_OK(skerry_collection_get_stats(docs, NULL, NULL, NULL, &error));
  verify.level = SKERRY_VERIFY_RECALL;
  CHECK_OK(skerry_collection_verify(docs, &verify, &report, &error));
  CHECK(report.live == 3 && report.vectors_compared == 3 && report.samples == 3);
  CHECK(report.recall_at_10 == 1);
  verify.level = 3;
  CHECK_CODE(skerry_collection_verify(docs, &verify, &report, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("no level has number 3");
  CHECK_OK(skerry_collection_get_options(docs, &options, &error));
  CHECK(options.dimension == 2 && options.byte_keys == 0);
  CHECK_OK(skerry_collection_get_name(docs, text, 3, &length, &error));
  CHECK(length == 4 && strcmp(text, "do") == 0);
  skerry_collection_free(docs);
  skerry_collection_free(NULL);
  skerry_snapshot_free(NULL);
}

static void collection_of_names(skerry_database* database) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_collection* words_of = NULL;
  const skerry_collection* both[2];
  skerry_snapshot* then = NULL;
  const float rows[2][2] = {{0, 0}, {1, 0}};
  const skerry_vector first = of_floats(rows[0], 2);
  skerry_name names[2];
  skerry_name other = name_of("other");
  skerry_payload payload;
  skerry_matrix matrix;
  skerry_named_hit hits[4];
  skerry_named_union_hit union_hits[4];
  skerry_named_hop hops[4];
  uint32_t counts[2];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_search_options how = SKERRY_SEARCH_OPTIONS_INIT;
  skerry_filter filter = SKERRY_FILTER_INIT;
  skerry_explanation why = SKERRY_EXPLANATION_INIT;
  struct Walk walk = {0, 0, 0};
  uint64_t number = 0;
  skerry_bool is_there = 0;
  size_t length = 0;
  char letter = 'a';
  char text[16];
  float got[2];

  options.dimension = 2;
  options.byte_keys = 1;
  CHECK_OK(skerry_database_create(database, "words", &options, &words_of, &error));
  names[0] = name_of("apple");
  names[1].data = "b\0b";
  names[1].size = 3;
  payload.data = "fruit";
  payload.size = 5;
  matrix.data = rows;
  matrix.rows = 2;
  matrix.dimension = 2;
  matrix.stride = 0;
  matrix.scalar = SKERRY_F32;
  CHECK_OK(skerry_collection_insert_batch_named(words_of, names, &matrix, NULL, NULL, &error));
  CHECK_OK(skerry_collection_upsert_batch_named(words_of, names, &matrix, NULL, NULL, &error));
  CHECK_OK(skerry_collection_upsert_named(words_of, &names[0], &first, &payload, &error));
  CHECK_CODE(skerry_collection_insert_named(words_of, &names[0], &first, NULL, &error),
             SKERRY_ALREADY_EXISTS);
  CHECK_OK(skerry_collection_insert_named(words_of, &other, &first, NULL, &error));
  CHECK_OK(skerry_collection_contains_named(words_of, &names[1], &is_there, &error));
  CHECK(is_there == 1);
  CHECK_CODE(skerry_collection_contains(words_of, 1, &is_there, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_OK(skerry_collection_get_named(words_of, &names[1], got, 2, &error));
  CHECK(got[0] == 1);
  CHECK_OK(skerry_collection_get_bytes_named(words_of, &names[1], got, sizeof got, &error));
  CHECK_OK(skerry_collection_get_payload_named(words_of, &names[0], text, 16, &length, &error));
  CHECK(length == 5);

  CHECK_OK(skerry_collection_search_named(words_of, &first, 4, hits, NULL, &found, &error));
  CHECK(found.count == 3 && hits[0].name_size == 5 && memcmp(hits[0].name, "apple", 5) == 0);
  CHECK(hits[2].name_size == 3 && memcmp(hits[2].name, "b\0b", 3) == 0 && hits[2].distance == 1);
  CHECK_OK(skerry_collection_search_batch_named(words_of, &matrix, 2, hits, counts, NULL, &found,
                                                &error));
  CHECK(found.count == 4 && hits[2].name_size == 3);
  how.filter = &filter;
  filter.kind = SKERRY_FILTER_WHERE_NAME;
  filter.where_name = starts_with;
  filter.context = &letter;
  CHECK_OK(skerry_collection_search_named(words_of, &first, 4, hits, &how, &found, &error));
  CHECK(found.count == 1);
  memset(&filter, 0, sizeof filter);
  filter.struct_size = sizeof filter;
  filter.kind = SKERRY_FILTER_ONLY_NAMES;
  filter.names = names;
  filter.count = 2;
  CHECK_OK(skerry_collection_search_named(words_of, &first, 4, hits, &how, &found, &error));
  CHECK(found.count == 2);
  filter.kind = SKERRY_FILTER_EXCEPT_NAMES;
  CHECK_OK(skerry_collection_search_named(words_of, &first, 4, hits, &how, &found, &error));
  CHECK(found.count == 1 && memcmp(hits[0].name, "other", 5) == 0);
  names[1].data = NULL;
  CHECK_CODE(skerry_collection_search_named(words_of, &first, 4, hits, &how, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("in place 1");
  names[1].data = "b\0b";
  CHECK_OK(skerry_collection_explain_named(words_of, &first, &other, 1, hits, 4, hops, NULL, &found,
                                           &why, &error));
  CHECK(why.fate == SKERRY_FATE_BEYOND_K && why.rank == 2);

  both[0] = words_of;
  both[1] = words_of;
  CHECK_OK(skerry_database_search_union_named(database, both, 2, &first, 4, union_hits, NULL,
                                              &found, &error));
  CHECK(found.count == 4 && union_hits[0].collection == 0 && union_hits[1].collection == 1);

  CHECK_OK(skerry_collection_snapshot(words_of, &then, &error));
  CHECK_OK(skerry_collection_remove_named(words_of, &other, &number, &error));
  CHECK(number == 1);
  CHECK_OK(skerry_snapshot_contains_named(then, &other, &is_there, &error));
  CHECK(is_there == 1);
  CHECK_OK(skerry_snapshot_get_named(then, &other, got, 2, &error));
  CHECK_OK(skerry_snapshot_get_bytes_named(then, &other, got, sizeof got, &error));
  CHECK_OK(skerry_snapshot_get_payload_named(then, &names[0], text, 16, &length, &error));
  CHECK(length == 5);
  CHECK_OK(skerry_snapshot_for_each_named(then, add_name, &walk, &error));
  CHECK(walk.calls == 3 && walk.sum == 13);
  CHECK_OK(skerry_snapshot_search_named(then, &first, 4, hits, NULL, &found, &error));
  CHECK(found.count == 3);
  walk.calls = 0;
  CHECK_OK(skerry_collection_for_each_named(words_of, add_name, &walk, &error));
  CHECK(walk.calls == 2);
  CHECK_OK(skerry_collection_remove_batch_named(words_of, names, 2, &number, &error));
  CHECK(number == 2);
  skerry_snapshot_free(then);
  skerry_collection_free(words_of);
}

static void whole_database(void) {
  skerry_database_options how = SKERRY_DATABASE_OPTIONS_INIT;
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_database* database = NULL;
  skerry_database* second = NULL;
  skerry_collection* docs = NULL;
  skerry_collection* copy = NULL;
  skerry_collection* dropped = NULL;
  const skerry_collection* both[2];
  const char* const names[2] = {"one", "two"};
  const float zero[2] = {0, 0};
  const skerry_vector query = of_floats(zero, 2);
  skerry_union_hit hits[6];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_database_stats stats = SKERRY_DATABASE_STATS_INIT;
  skerry_repair_report* report = NULL;
  skerry_repair_options repair = SKERRY_REPAIR_OPTIONS_INIT;
  skerry_repair_summary summary = SKERRY_REPAIR_SUMMARY_INIT;
  skerry_collection_repair lost = SKERRY_COLLECTION_REPAIR_INIT;
  struct Walk walk = {0, 0, 0};
  uint64_t number = 0;
  skerry_bool is_there = 0;
  char backup[256];

  how.create_if_missing = 0;
  CHECK_CODE(skerry_database_open(in_folder("db"), &how, &database, &error), SKERRY_NOT_FOUND);
  how.create_if_missing = 7;
  CHECK_CODE(skerry_database_open(in_folder("db"), &how, &database, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("create_if_missing: expected 0 or 1, given 7");
  how.create_if_missing = 1;
  how.durability = SKERRY_NONE;
  CHECK_OK(skerry_database_open(in_folder("db"), &how, &database, &error));
  CHECK_CODE(skerry_database_open(in_folder("db"), &how, &second, &error), SKERRY_BUSY);

  collection_of_numbers(database);
  CHECK_OK(skerry_database_open_collection(database, "docs", NULL, &docs, &error));
  CHECK_OK(skerry_database_clone(database, "docs", "copy", NULL, &copy, &error));
  both[0] = docs;
  both[1] = copy;
  CHECK_OK(skerry_database_search_union(database, both, 2, &query, 6, hits, NULL, &found, &error));
  CHECK(found.count == 6 && hits[0].key == 1 && hits[0].collection == 0);
  CHECK(hits[1].key == 1 && hits[1].collection == 1);
  both[1] = NULL;
  CHECK_CODE(skerry_database_search_union(database, both, 2, &query, 6, hits, NULL, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("null in place 1");
  collection_of_names(database);
  CHECK_OK(skerry_database_rename(database, "copy", "other", &error));

  options.dimension = 2;
  CHECK_OK(skerry_database_create_many(database, names, 2, &options, &error));
  CHECK_CODE(skerry_database_create_many(database, names, 2, &options, &error),
             SKERRY_ALREADY_EXISTS);
  CHECK_OK(skerry_database_open_collection(database, "two", NULL, &dropped, &error));
  CHECK_OK(skerry_database_drop(database, "two", &error));
  CHECK_CODE(skerry_collection_size(dropped, &number, &error), SKERRY_CLOSED);
  CHECK_CODE(skerry_collection_contains(dropped, 1, &is_there, &error), SKERRY_CLOSED);
  CHECK_CODE(skerry_collection_upsert(dropped, 1, &query, NULL, &error), SKERRY_CLOSED);
  skerry_collection_free(dropped);
  CHECK_OK(skerry_database_list(database, add_listed, &walk, &error));
  CHECK(walk.calls == 4 && walk.sum == strlen("docs") + strlen("one") + strlen("other") + 5);
  walk.calls = walk.sum = 0;
  CHECK_OK(skerry_database_collections(database, add_info, &walk, &error));
  CHECK(walk.calls == 4 && walk.sum == 6);

  CHECK_OK(skerry_database_sync(database, &error));
  CHECK_OK(skerry_database_checkpoint(database, NULL, &error));
  snprintf(backup, sizeof backup, "%s", in_folder("backup"));
  CHECK_OK(skerry_database_backup(database, backup, NULL, &error));
  CHECK_CODE(skerry_database_backup(database, backup, NULL, &error), SKERRY_ALREADY_EXISTS);
  CHECK_OK(skerry_database_compact(database, NULL, &error));
  CHECK_OK(skerry_database_get_stats(database, &stats, &error));
  CHECK(stats.collections == 4 && stats.commits > 0 && stats.snapshots == 0);
  CHECK(stats.oldest_snapshot == 0);

  CHECK_OK(skerry_database_close(database, &error));
  CHECK_CODE(skerry_database_close(database, &error), SKERRY_CLOSED);
  CHECK_CODE(skerry_collection_upsert(docs, 1, &query, NULL, &error), SKERRY_CLOSED);
  CHECK(strlen(error.message) > strlen("closed: "));
  skerry_database_free(database);
  skerry_collection_free(docs);
  skerry_collection_free(copy);

  how.read_only = 1;
  CHECK_OK(skerry_database_open(backup, &how, &database, &error));
  CHECK_OK(skerry_database_open_collection(database, "docs", NULL, &docs, &error));
  CHECK_CODE(skerry_collection_upsert(docs, 1, &query, NULL, &error), SKERRY_READ_ONLY);
  skerry_collection_free(docs);
  skerry_database_free(database);
  skerry_database_free(NULL);

  repair.destination = "";
  CHECK_OK(skerry_database_repair(backup, &repair, &report, &error));
  CHECK_OK(skerry_repair_report_summary(report, &summary, &error));
  CHECK(summary.is_whole == 1 && summary.has_losses == 0);
  CHECK_CODE(skerry_repair_report_collection(report, summary.collections, &lost, &error),
             SKERRY_NOT_FOUND);
  skerry_repair_report_free(report);
  skerry_repair_report_free(NULL);
}

int main(void) {
  CHECK(mkdtemp(folder) != NULL);
  words();
  index_of_numbers();
  options_are_checked();
  batches_with_strides();
  filters();
  controls();
  shapes();
  types();
  custom_distance_and_files();
  explanations();
  whole_database();
  {
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK(system(command) == 0);
  }
  return 0;
}
