// words.c - a few words with their meanings, kept on disk and asked for by likeness.
//
// Opens (or makes) the database in the folder `words.skerry`, puts five words and their vectors
// into it with a payload each, and prints those that are nearest to a question. Run it again: the
// words are still there, and are replaced.
#include <stdio.h>
#include <string.h>

#include "skerry/c.h"

enum { DIMENSION = 4, WORDS = 5, WANTED = 2 };

struct Word {
  const char* word;
  const char* text;
  float meaning[DIMENSION];  // swims, flies, is large, is a plant
};

static const struct Word words[WORDS] = {
    {"whale", "a large animal of the sea", {0.9F, 0.0F, 1.0F, 0.0F}},
    {"dolphin", "a clever animal of the sea", {1.0F, 0.0F, 0.4F, 0.0F}},
    {"gull", "a bird that swims", {0.5F, 1.0F, 0.1F, 0.0F}},
    {"kelp", "a plant of the sea", {0.8F, 0.0F, 0.5F, 1.0F}},
    {"oak", "a large tree", {0.0F, 0.0F, 1.0F, 1.0F}},
};

static int say(const skerry_error* error) {
  fprintf(stderr, "words: %s\n", error->message);
  return 1;
}

static int fill(skerry_collection* collection, skerry_error* error) {
  int i;
  for (i = 0; i < WORDS; ++i) {
    const skerry_name name = {words[i].word, strlen(words[i].word)};
    const skerry_vector vector = {words[i].meaning, DIMENSION, SKERRY_F32};
    const skerry_payload payload = {words[i].text, strlen(words[i].text)};
    // On the disk when it returns.
    if (skerry_collection_upsert_named(collection, &name, &vector, &payload, error) != SKERRY_OK) {
      return say(error);
    }
  }
  return 0;
}

static int ask(const skerry_collection* collection, skerry_error* error) {
  const float question[DIMENSION] = {1.0F, 0.0F, 0.9F, 0.0F};  // what is large and swims?
  const skerry_vector query = {question, DIMENSION, SKERRY_F32};
  skerry_named_hit hits[WANTED];
  skerry_search_result found = SKERRY_SEARCH_RESULT_INIT;
  uint32_t i;
  if (skerry_collection_search_named(collection, &query, WANTED, hits, NULL, &found, error) !=
      SKERRY_OK) {
    return say(error);
  }
  for (i = 0; i < found.count; ++i) {
    const skerry_name name = {hits[i].name, hits[i].name_size};
    char text[64];
    size_t length = 0;
    if (skerry_collection_get_payload_named(collection, &name, text, sizeof text, &length, error) !=
        SKERRY_OK) {
      return say(error);
    }
    printf("%u. %.*s: %.*s (at %.3f)\n", (unsigned)i + 1, (int)name.size, name.data, (int)length,
           text, hits[i].distance);
  }
  return 0;
}

int main(void) {
  skerry_database* database = NULL;
  skerry_collection* collection = NULL;
  skerry_options options = SKERRY_OPTIONS_INIT;
  skerry_error error;
  int failed = 1;

  options.dimension = DIMENSION;
  options.metric = SKERRY_COSINE;
  options.byte_keys = 1;
  if (skerry_database_open("words.skerry", NULL, &database, &error) != SKERRY_OK ||
      skerry_database_open_or_create(database, "words", &options, NULL, &collection, &error) !=
          SKERRY_OK) {
    failed = say(&error);
  } else {
    failed = fill(collection, &error) || ask(collection, &error);
  }
  skerry_collection_free(collection);
  skerry_database_free(database);
  return failed;
}
