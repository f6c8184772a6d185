/* main.c - can a program in C, and nothing but C, use an installed Skerry? */
#include <stdio.h>

#include "skerry/c.h"

int main(void) {
  static const float points[3][3] = {{0, 0, 0}, {1, 0, 0}, {5, 5, 5}};
  static const uint64_t keys[3] = {1, 2, 3};
  const skerry_matrix all = {points, 3, 3, 0, SKERRY_F32};
  const skerry_vector query = {points[2], 3, SKERRY_F32};
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  skerry_hit hits[2];
  skerry_index* index = NULL;
  skerry_error error;
  int right;

  options.dimension = 3;
  right = skerry_index_create(&options, NULL, &index, &error) == SKERRY_OK &&
          skerry_index_upsert_batch(index, keys, &all, NULL, &error) == SKERRY_OK &&
          skerry_index_search(index, &query, 2, hits, NULL, &found, &error) == SKERRY_OK &&
          found.count == 2 && hits[0].key == 3 && hits[0].distance == 0 && hits[1].key == 2;
  skerry_index_free(index);
  printf("c: skerry %s, %s\n", skerry_version(), right ? "right answer" : "WRONG ANSWER");
  return right ? 0 : 1;
}
