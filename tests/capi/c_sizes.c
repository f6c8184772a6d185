// c_sizes.c - do a program and a library of different age understand each other?
//
// An option struct of an older program is shorter, of a newer one longer; so is one that is to be
// filled. Both say so in struct_size.
#include "check.h"

static skerry_error error;

// What a newer header might have.
struct NewerOptions {
  skerry_search_options now;
  uint64_t later;
};
struct NewerResult {
  skerry_search_result now;
  uint64_t later;
};

static skerry_index* index_of_three(void) {
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_index* index = NULL;
  uint64_t key;
  options.dimension = 1;
  CHECK_OK(skerry_index_create(&options, NULL, &index, &error));
  for (key = 0; key < 3; ++key) {
    const float at = (float)key;
    skerry_vector vector;
    vector.data = &at;
    vector.dimension = 1;
    vector.scalar = SKERRY_F32;
    CHECK_OK(skerry_index_insert(index, key, &vector, &error));
  }
  return index;
}

int main(void) {
  skerry_index* index = index_of_three();
  const float zero = 0;
  skerry_vector query;
  skerry_hit hits[3];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  struct NewerOptions options;
  struct NewerResult result;
  skerry_options made = SKERRY_OPTIONS_INIT;
  skerry_index* other = NULL;
  skerry_graph_shape shape = SKERRY_GRAPH_SHAPE_INIT;
  uint64_t levels[25];
  query.data = &zero;
  query.dimension = 1;
  query.scalar = SKERRY_F32;
  memset(&options, 0, sizeof options);

  // Older: what it does not know takes the defaults, whatever lies behind it in memory.
  memset(&options, 0xEE, sizeof options);
  options.now.struct_size = sizeof(size_t);
  CHECK_OK(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error));
  CHECK(found.count == 3);
  options.now.ef = 0;
  options.now.recall_target = 0;
  options.now.max_distance = 1;
  options.now.struct_size = offsetof(skerry_search_options, exact);
  CHECK_OK(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error));
  CHECK(found.count == 2);

  // Newer: lawful as long as it asks for nothing that is not known here.
  options.now = (skerry_search_options)SKERRY_SEARCH_OPTIONS_INIT;
  options.now.struct_size = sizeof options;
  options.later = 0;
  CHECK_OK(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error));
  options.later = (uint64_t)1 << 63;
  CHECK_CODE(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("struct_size");

  // No size at all, and one that was not filled in.
  options.now.struct_size = 0;
  CHECK_CODE(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("expected at least 8, given 0");
  options.now.struct_size = SIZE_MAX;
  CHECK_CODE(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("expected at most 4096");
  found.struct_size = 0;
  CHECK_CODE(skerry_index_search(index, &query, 3, hits, NULL, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("struct_size");

  // Answers: no more than there is room for, and zero where the library has none.
  memset(&result, 0xEE, sizeof result);
  result.now.struct_size = offsetof(skerry_search_result, exact);
  CHECK_OK(skerry_index_search(index, &query, 3, hits, NULL, &result.now, &error));
  CHECK(result.now.struct_size == offsetof(skerry_search_result, exact));
  CHECK(result.now.count == 3 && result.now.exact == 0xEEEEEEEE);
  result.now.struct_size = sizeof result;
  CHECK_OK(skerry_index_search(index, &query, 3, hits, NULL, &result.now, &error));
  CHECK(result.now.struct_size == sizeof result);
  CHECK(result.now.exact == 1 && result.later == 0);

  // A reserved word is for later.
  options.now = (skerry_search_options)SKERRY_SEARCH_OPTIONS_INIT;
  options.now.reserved = 1;
  CHECK_CODE(skerry_index_search(index, &query, 3, hits, &options.now, &found, &error),
             SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("reserved: expected 0, given 1");

  // What is filled and says where to: an old program that knows of no list but the first.
  shape.levels.data = levels;
  shape.levels.room = 25;
  shape.out_degrees.data = NULL;
  shape.out_degrees.room = 77;
  shape.struct_size = offsetof(skerry_graph_shape, out_degrees);
  CHECK_OK(skerry_index_shape(index, NULL, &shape, &error));
  CHECK(shape.struct_size == offsetof(skerry_graph_shape, out_degrees));
  CHECK(shape.levels.data == levels && shape.levels.room == 25);
  CHECK(shape.out_degrees.data == NULL && shape.out_degrees.room == 77);
  shape.struct_size = sizeof shape;
  CHECK_CODE(skerry_index_shape(index, NULL, &shape, &error), SKERRY_INVALID_ARGUMENT);
  CHECK(shape.out_degrees.room == 77);
  shape.struct_size = 0;
  CHECK_CODE(skerry_index_shape(index, NULL, &shape, &error), SKERRY_INVALID_ARGUMENT);
  CHECK_SAYS("struct_size");

  // An old program that knows a dimension and nothing else.
  made.dimension = 1;
  made.metric = 77;
  made.struct_size = offsetof(skerry_options, metric);
  CHECK_OK(skerry_index_create(&made, NULL, &other, &error));
  made.struct_size = sizeof made;
  CHECK_OK(skerry_index_get_options(other, &made, &error));
  CHECK(made.metric == SKERRY_L2 && made.M == 16);
  skerry_index_free(other);
  skerry_index_free(index);
  return 0;
}
