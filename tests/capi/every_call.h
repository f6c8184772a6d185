// every_call.h - each function of c.h that can fail, called as it should be.
//
// A World holds what calls need; a Call makes one. Pointers go through World::lend(), which can
// lend null in the place of one of them: so a test tries every pointer of every call without
// knowing the calls. tools/c_door.py fails when a function of c.h is missing here.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>

#include "gtest/gtest.h"
#include "skerry/c.h"
#include "support/temp_dir.h"

namespace skerry::testing {

// What must be there before the call.
enum class Of {
  nothing,
  index,
  image,
  database,
  collection,
  names,
  snapshot,
  name_snapshot,
  report
};

constexpr unsigned kTakesVector = 1;    // of the wrong dimension it is invalid_argument
constexpr unsigned kOutlivesClose = 2;  // answers after the database was closed
constexpr unsigned kMayStand = 4;       // where memory was missing, part of it may be done

constexpr std::size_t kDimension = 4;
constexpr std::uint64_t kRows = 3;  // keys 0 .. 2, and names "0" .. "2"

// Hundreds of databases are made and closed, and no promise about a disk is looked at: they go
// where a sync costs nothing, if there is such a place.
[[maybe_unused]] inline const bool is_in_memory =
    ::access("/dev/shm", W_OK) == 0 && ::setenv("TMPDIR", "/dev/shm", 0) == 0;

class World {
 public:
  explicit World(Of of) { prepare(of); }
  ~World() {
    skerry_index_free(made_index);
    skerry_collection_free(made_collection);
    skerry_snapshot_free(made_snapshot);
    skerry_repair_report_free(made_report);
    skerry_database_free(made_database);
    skerry_repair_report_free(report);
    skerry_snapshot_free(snapshot);
    skerry_snapshot_free(name_snapshot);
    skerry_collection_free(collection);
    skerry_collection_free(names);
    skerry_index_free(index);
    skerry_database_free(database);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // The pointer, or null in its place.
  template <class T>
  T* lend(T* pointer) {
    return lent++ == null_at ? nullptr : pointer;
  }

  void expect_wrong_dimension() {
    vector.dimension = kDimension + 1;
    matrix.dimension = kDimension + 1;
    matrix.stride = sizeof(float) * (kDimension + 1);
  }

  std::size_t null_at = SIZE_MAX;
  std::size_t lent = 0;

  TempDir folder;
  std::string database_folder = (folder / "db").string();
  std::string whole_folder = (folder / "whole").string();
  std::string image_path = (folder / "index.image").string();
  std::string other_path = (folder / "other").string();

  skerry_index* index = nullptr;
  skerry_database* database = nullptr;
  skerry_collection* collection = nullptr;  // "numbers"
  skerry_collection* names = nullptr;       // "names"
  skerry_snapshot* snapshot = nullptr;
  skerry_snapshot* name_snapshot = nullptr;
  skerry_repair_report* report = nullptr;

  std::array<float, 3 * (kDimension + 1)> components = {1, 2, 3, 4, 5, 6, 7, 8};
  skerry_vector vector = {components.data(), kDimension, SKERRY_F32};
  skerry_matrix matrix = {components.data(), 2, kDimension, 0, SKERRY_F32};
  std::array<std::uint64_t, 2> keys = {1, 7};
  std::array<skerry_name, 2> name_list = {skerry_name{"1", 1}, skerry_name{"seven", 5}};
  std::array<skerry_payload, 2> payloads = {skerry_payload{"one", 3}, skerry_payload{}};
  skerry_options options = SKERRY_OPTIONS_INIT;

  skerry_index* made_index = nullptr;
  skerry_database* made_database = nullptr;
  skerry_collection* made_collection = nullptr;
  skerry_snapshot* made_snapshot = nullptr;
  skerry_repair_report* made_report = nullptr;
  std::array<float, kDimension> floats = {};
  std::array<char, 64> bytes = {};
  std::array<skerry_hit, 6> hits = {};
  std::array<skerry_named_hit, 6> named_hits = {};
  std::array<skerry_union_hit, 3> union_hits = {};
  std::array<skerry_named_union_hit, 3> named_union_hits = {};
  std::array<skerry_hop, 4> hops = {};
  std::array<skerry_named_hop, 4> named_hops = {};
  std::array<std::uint32_t, 2> counts = {};
  std::uint64_t number = 0;
  double seconds = 0;
  std::size_t length = 0;
  skerry_bool flag = 0;
  skerry_search_result result = SKERRY_SEARCH_RESULT_INIT;
  skerry_explanation explanation = SKERRY_EXPLANATION_INIT;
  skerry_check_report check_report = SKERRY_CHECK_REPORT_INIT;
  skerry_graph_shape shape = SKERRY_GRAPH_SHAPE_INIT;
  skerry_verify_report verify_report = SKERRY_VERIFY_REPORT_INIT;
  skerry_index_stats index_stats = SKERRY_INDEX_STATS_INIT;
  skerry_collection_stats collection_stats = SKERRY_COLLECTION_STATS_INIT;
  skerry_database_stats database_stats = SKERRY_DATABASE_STATS_INIT;
  skerry_repair_summary summary = SKERRY_REPAIR_SUMMARY_INIT;
  skerry_collection_repair repaired = SKERRY_COLLECTION_REPAIR_INIT;

 private:
  void must(skerry_code code) { EXPECT_EQ(code, SKERRY_OK) << error_.message; }

  skerry_database* open(const std::string& path) {
    skerry_database_options how = SKERRY_DATABASE_OPTIONS_INIT;
    how.durability = SKERRY_NONE;
    skerry_database* opened = nullptr;
    must(skerry_database_open(path.c_str(), &how, &opened, &error_));
    return opened;
  }

  void prepare(Of of) {
    options.dimension = kDimension;
    if (of == Of::index || of == Of::image) {
      must(skerry_index_create(&options, nullptr, &index, &error_));
      for (std::uint64_t key = 0; key < kRows; ++key) {
        must(skerry_index_upsert(index, key, &vector, &error_));
      }
      if (of == Of::image) must(skerry_index_save(index, image_path.c_str(), nullptr, &error_));
      return;
    }
    if (of == Of::nothing) {
      skerry_database_free(open(whole_folder));
      return;
    }
    if (of == Of::report) {
      skerry_database_free(open(whole_folder));
      must(skerry_database_repair(whole_folder.c_str(), nullptr, &report, &error_));
      return;
    }
    database = open(database_folder);
    must(skerry_database_create(database, "numbers", &options, &collection, &error_));
    skerry_options named = options;
    named.byte_keys = 1;
    must(skerry_database_create(database, "names", &named, &names, &error_));
    const skerry_payload payload = {"payload", 7};
    for (std::uint64_t key = 0; key < kRows; ++key) {
      const char digit = static_cast<char>('0' + key);
      const skerry_name name = {&digit, 1};
      must(skerry_collection_upsert(collection, key, &vector, &payload, &error_));
      must(skerry_collection_upsert_named(names, &name, &vector, &payload, &error_));
    }
    if (of == Of::snapshot) must(skerry_collection_snapshot(collection, &snapshot, &error_));
    if (of == Of::name_snapshot) {
      must(skerry_collection_snapshot(names, &name_snapshot, &error_));
    }
  }

  skerry_error error_ = {};
};

struct Call {
  const char* name;
  Of of;
  unsigned traits;
  skerry_code (*make)(World& world, skerry_error* error);
};

inline skerry_bool go_on(void*, std::uint64_t) {
  return 1;
}
inline skerry_bool go_on_name(void*, const char*, std::size_t) {
  return 1;
}
inline skerry_bool go_on_list(void*, const char*) {
  return 1;
}
inline skerry_bool go_on_info(void*, const skerry_collection_info*) {
  return 1;
}

inline constexpr Call kEveryCall[] = {
    // -- Index
    {"skerry_index_create", Of::nothing, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_create(w.lend(&w.options), nullptr, w.lend(&w.made_index), e);
     }},
    {"skerry_index_load", Of::image, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_index_load(w.lend(w.image_path.c_str()), nullptr, nullptr,
                                w.lend(&w.made_index), e);
     }},
    {"skerry_index_view", Of::image, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_index_view(w.lend(w.image_path.c_str()), nullptr, w.lend(&w.made_index), e);
     }},
    {"skerry_index_save", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_save(w.lend(w.index), w.lend(w.image_path.c_str()), nullptr, e);
     }},
    {"skerry_index_reserve", Of::index, 0,
     [](World& w, skerry_error* e) { return skerry_index_reserve(w.lend(w.index), 2000, e); }},
    {"skerry_index_insert", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_index_insert(w.lend(w.index), 7, w.lend(&w.vector), e);
     }},
    {"skerry_index_upsert", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_index_upsert(w.lend(w.index), 1, w.lend(&w.vector), e);
     }},
    {"skerry_index_insert_batch", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       w.keys[0] = 8;
       return skerry_index_insert_batch(w.lend(w.index), w.lend(w.keys.data()), w.lend(&w.matrix),
                                        nullptr, e);
     }},
    {"skerry_index_upsert_batch", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_index_upsert_batch(w.lend(w.index), w.lend(w.keys.data()), w.lend(&w.matrix),
                                        nullptr, e);
     }},
    {"skerry_index_remove", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_remove(w.lend(w.index), 1, &w.number, e);
     }},
    {"skerry_index_remove_batch", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_remove_batch(w.lend(w.index), w.lend(w.keys.data()), 2, &w.number, e);
     }},
    {"skerry_index_contains", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_contains(w.lend(w.index), 1, w.lend(&w.flag), e);
     }},
    {"skerry_index_size", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_size(w.lend(w.index), w.lend(&w.number), e);
     }},
    {"skerry_index_get", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_get(w.lend(w.index), 1, w.lend(w.floats.data()), kDimension, e);
     }},
    {"skerry_index_get_bytes", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_get_bytes(w.lend(w.index), 1, w.lend(w.bytes.data()), kDimension * 4, e);
     }},
    {"skerry_index_for_each", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_for_each(w.lend(w.index), w.lend(&go_on), nullptr, e);
     }},
    {"skerry_index_search", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_index_search(w.lend(w.index), w.lend(&w.vector), 3, w.lend(w.hits.data()),
                                  nullptr, w.lend(&w.result), e);
     }},
    {"skerry_index_search_batch", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_index_search_batch(w.lend(w.index), w.lend(&w.matrix), 3,
                                        w.lend(w.hits.data()), w.lend(w.counts.data()), nullptr,
                                        w.lend(&w.result), e);
     }},
    {"skerry_index_explain", Of::index, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_index_explain(w.lend(w.index), w.lend(&w.vector), 1, 3, w.lend(w.hits.data()),
                                   4, w.lend(w.hops.data()), nullptr, &w.result,
                                   w.lend(&w.explanation), e);
     }},
    {"skerry_index_check", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_check(w.lend(w.index), nullptr, w.lend(&w.check_report), e);
     }},
    {"skerry_index_shape", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_shape(w.lend(w.index), nullptr, w.lend(&w.shape), e);
     }},
    {"skerry_index_get_stats", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_get_stats(w.lend(w.index), w.lend(&w.index_stats), e);
     }},
    {"skerry_index_get_options", Of::index, 0,
     [](World& w, skerry_error* e) {
       return skerry_index_get_options(w.lend(w.index), w.lend(&w.options), e);
     }},

    // -- Database
    {"skerry_database_open", Of::nothing, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_open(w.lend(w.database_folder.c_str()), nullptr,
                                   w.lend(&w.made_database), e);
     }},
    {"skerry_database_repair", Of::nothing, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_repair(w.lend(w.whole_folder.c_str()), nullptr,
                                     w.lend(&w.made_report), e);
     }},
    {"skerry_repair_report_summary", Of::report, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_repair_report_summary(w.lend(w.report), w.lend(&w.summary), e);
     }},
    {"skerry_database_close", Of::database, kMayStand,
     [](World& w, skerry_error* e) { return skerry_database_close(w.lend(w.database), e); }},
    {"skerry_database_create", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_create(w.lend(w.database), w.lend("new"), w.lend(&w.options),
                                     w.lend(&w.made_collection), e);
     }},
    {"skerry_database_open_collection", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_open_collection(w.lend(w.database), w.lend("numbers"), nullptr,
                                              w.lend(&w.made_collection), e);
     }},
    {"skerry_database_open_or_create", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_open_or_create(w.lend(w.database), w.lend("new"), w.lend(&w.options),
                                             nullptr, w.lend(&w.made_collection), e);
     }},
    {"skerry_database_create_many", Of::database, 0,
     [](World& w, skerry_error* e) {
       const char* const list[] = {w.lend("first"), w.lend("second")};
       return skerry_database_create_many(w.lend(w.database), w.lend(&list[0]), 2,
                                          w.lend(&w.options), e);
     }},
    {"skerry_database_drop", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_drop(w.lend(w.database), w.lend("numbers"), e);
     }},
    {"skerry_database_rename", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_rename(w.lend(w.database), w.lend("numbers"), w.lend("others"), e);
     }},
    {"skerry_database_clone", Of::database, kMayStand,
     [](World& w, skerry_error* e) {
       return skerry_database_clone(w.lend(w.database), w.lend("numbers"), w.lend("others"),
                                    nullptr, w.lend(&w.made_collection), e);
     }},
    {"skerry_database_list", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_list(w.lend(w.database), w.lend(&go_on_list), nullptr, e);
     }},
    {"skerry_database_collections", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_collections(w.lend(w.database), w.lend(&go_on_info), nullptr, e);
     }},
    {"skerry_database_search_union", Of::database, kTakesVector,
     [](World& w, skerry_error* e) {
       const skerry_collection* const list[] = {w.lend(w.collection), w.lend(w.collection)};
       return skerry_database_search_union(w.lend(w.database), w.lend(&list[0]), 2,
                                           w.lend(&w.vector), 3, w.lend(w.union_hits.data()),
                                           nullptr, w.lend(&w.result), e);
     }},
    {"skerry_database_search_union_named", Of::database, kTakesVector,
     [](World& w, skerry_error* e) {
       const skerry_collection* const list[] = {w.lend(w.names)};
       return skerry_database_search_union_named(w.lend(w.database), w.lend(&list[0]), 1,
                                                 w.lend(&w.vector), 3,
                                                 w.lend(w.named_union_hits.data()), nullptr,
                                                 w.lend(&w.result), e);
     }},
    {"skerry_database_sync", Of::database, 0,
     [](World& w, skerry_error* e) { return skerry_database_sync(w.lend(w.database), e); }},
    {"skerry_database_checkpoint", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_checkpoint(w.lend(w.database), nullptr, e);
     }},
    {"skerry_database_backup", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_backup(w.lend(w.database), w.lend(w.other_path.c_str()), nullptr, e);
     }},
    {"skerry_database_compact", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_compact(w.lend(w.database), nullptr, e);
     }},
    {"skerry_database_get_stats", Of::database, 0,
     [](World& w, skerry_error* e) {
       return skerry_database_get_stats(w.lend(w.database), w.lend(&w.database_stats), e);
     }},

    // -- Collection
    {"skerry_collection_insert", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_insert(w.lend(w.collection), 7, w.lend(&w.vector), w.payloads.data(),
                                       e);
     }},
    {"skerry_collection_insert_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       const skerry_name name = {w.lend("seven"), 5};
       return skerry_collection_insert_named(w.lend(w.names), w.lend(&name), w.lend(&w.vector),
                                             w.payloads.data(), e);
     }},
    {"skerry_collection_upsert", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_upsert(w.lend(w.collection), 1, w.lend(&w.vector), nullptr, e);
     }},
    {"skerry_collection_upsert_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_upsert_named(w.lend(w.names), w.lend(w.name_list.data()),
                                             w.lend(&w.vector), nullptr, e);
     }},
    {"skerry_collection_insert_batch", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       w.keys[0] = 8;
       return skerry_collection_insert_batch(w.lend(w.collection), w.lend(w.keys.data()),
                                             w.lend(&w.matrix), w.payloads.data(), nullptr, e);
     }},
    {"skerry_collection_insert_batch_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       w.name_list[0] = {w.lend("eight"), 5};
       return skerry_collection_insert_batch_named(w.lend(w.names), w.lend(w.name_list.data()),
                                                   w.lend(&w.matrix), w.payloads.data(), nullptr,
                                                   e);
     }},
    {"skerry_collection_upsert_batch", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       w.payloads[0].data = w.lend("one");
       return skerry_collection_upsert_batch(w.lend(w.collection), w.lend(w.keys.data()),
                                             w.lend(&w.matrix), w.payloads.data(), nullptr, e);
     }},
    {"skerry_collection_upsert_batch_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_upsert_batch_named(w.lend(w.names), w.lend(w.name_list.data()),
                                                   w.lend(&w.matrix), nullptr, nullptr, e);
     }},
    {"skerry_collection_remove", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_remove(w.lend(w.collection), 1, &w.number, e);
     }},
    {"skerry_collection_remove_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_remove_named(w.lend(w.names), w.lend(w.name_list.data()), &w.number,
                                             e);
     }},
    {"skerry_collection_remove_batch", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_remove_batch(w.lend(w.collection), w.lend(w.keys.data()), 2,
                                             &w.number, e);
     }},
    {"skerry_collection_remove_batch_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_remove_batch_named(w.lend(w.names), w.lend(w.name_list.data()), 2,
                                                   &w.number, e);
     }},
    {"skerry_collection_contains", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_contains(w.lend(w.collection), 1, w.lend(&w.flag), e);
     }},
    {"skerry_collection_contains_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_contains_named(w.lend(w.names), w.lend(w.name_list.data()),
                                               w.lend(&w.flag), e);
     }},
    {"skerry_collection_size", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_size(w.lend(w.collection), w.lend(&w.number), e);
     }},
    {"skerry_collection_get", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get(w.lend(w.collection), 1, w.lend(w.floats.data()), kDimension,
                                    e);
     }},
    {"skerry_collection_get_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_named(w.lend(w.names), w.lend(w.name_list.data()),
                                          w.lend(w.floats.data()), kDimension, e);
     }},
    {"skerry_collection_get_bytes", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_bytes(w.lend(w.collection), 1, w.lend(w.bytes.data()),
                                          kDimension * 4, e);
     }},
    {"skerry_collection_get_bytes_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_bytes_named(w.lend(w.names), w.lend(w.name_list.data()),
                                                w.lend(w.bytes.data()), kDimension * 4, e);
     }},
    {"skerry_collection_get_payload", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_payload(w.lend(w.collection), 1, w.lend(w.bytes.data()),
                                            w.bytes.size(), w.lend(&w.length), e);
     }},
    {"skerry_collection_get_payload_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_payload_named(w.lend(w.names), w.lend(w.name_list.data()),
                                                  w.lend(w.bytes.data()), w.bytes.size(),
                                                  w.lend(&w.length), e);
     }},
    {"skerry_collection_for_each", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_for_each(w.lend(w.collection), w.lend(&go_on), nullptr, e);
     }},
    {"skerry_collection_for_each_named", Of::names, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_for_each_named(w.lend(w.names), w.lend(&go_on_name), nullptr, e);
     }},
    {"skerry_collection_search", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_search(w.lend(w.collection), w.lend(&w.vector), 3,
                                       w.lend(w.hits.data()), nullptr, w.lend(&w.result), e);
     }},
    {"skerry_collection_search_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_search_named(w.lend(w.names), w.lend(&w.vector), 3,
                                             w.lend(w.named_hits.data()), nullptr,
                                             w.lend(&w.result), e);
     }},
    {"skerry_collection_search_batch", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_search_batch(w.lend(w.collection), w.lend(&w.matrix), 3,
                                             w.lend(w.hits.data()), w.lend(w.counts.data()),
                                             nullptr, w.lend(&w.result), e);
     }},
    {"skerry_collection_search_batch_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_search_batch_named(
           w.lend(w.names), w.lend(&w.matrix), 3, w.lend(w.named_hits.data()),
           w.lend(w.counts.data()), nullptr, w.lend(&w.result), e);
     }},
    {"skerry_collection_explain", Of::collection, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_explain(w.lend(w.collection), w.lend(&w.vector), 1, 3,
                                        w.lend(w.hits.data()), 4, w.lend(w.hops.data()), nullptr,
                                        &w.result, w.lend(&w.explanation), e);
     }},
    {"skerry_collection_explain_named", Of::names, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_collection_explain_named(
           w.lend(w.names), w.lend(&w.vector), w.lend(w.name_list.data()), 3,
           w.lend(w.named_hits.data()), 4, w.lend(w.named_hops.data()), nullptr, &w.result,
           w.lend(&w.explanation), e);
     }},
    {"skerry_collection_snapshot", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_snapshot(w.lend(w.collection), w.lend(&w.made_snapshot), e);
     }},
    {"skerry_collection_save_image", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_save_image(w.lend(w.collection), nullptr, e);
     }},
    {"skerry_collection_shape", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_shape(w.lend(w.collection), nullptr, w.lend(&w.shape), e);
     }},
    {"skerry_collection_verify", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_verify(w.lend(w.collection), nullptr, w.lend(&w.verify_report), e);
     }},
    {"skerry_collection_get_stats", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_stats(w.lend(w.collection), &w.collection_stats, &w.index_stats,
                                          nullptr, e);
     }},
    {"skerry_collection_get_options", Of::collection, 0,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_options(w.lend(w.collection), w.lend(&w.options), e);
     }},
    {"skerry_collection_get_name", Of::collection, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_collection_get_name(w.lend(w.collection), w.lend(w.bytes.data()),
                                         w.bytes.size(), w.lend(&w.length), e);
     }},

    // -- Snapshot
    {"skerry_snapshot_size", Of::snapshot, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_size(w.lend(w.snapshot), w.lend(&w.number), e);
     }},
    {"skerry_snapshot_sequence", Of::snapshot, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_sequence(w.lend(w.snapshot), w.lend(&w.number), e);
     }},
    {"skerry_snapshot_age", Of::snapshot, kOutlivesClose,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_age(w.lend(w.snapshot), w.lend(&w.seconds), e);
     }},
    {"skerry_snapshot_contains", Of::snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_contains(w.lend(w.snapshot), 1, w.lend(&w.flag), e);
     }},
    {"skerry_snapshot_contains_named", Of::name_snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_contains_named(w.lend(w.name_snapshot), w.lend(w.name_list.data()),
                                             w.lend(&w.flag), e);
     }},
    {"skerry_snapshot_get", Of::snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_get(w.lend(w.snapshot), 1, w.lend(w.floats.data()), kDimension, e);
     }},
    {"skerry_snapshot_get_named", Of::name_snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_get_named(w.lend(w.name_snapshot), w.lend(w.name_list.data()),
                                        w.lend(w.floats.data()), kDimension, e);
     }},
    {"skerry_snapshot_get_bytes", Of::snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_get_bytes(w.lend(w.snapshot), 1, w.lend(w.bytes.data()),
                                        kDimension * 4, e);
     }},
    {"skerry_snapshot_get_bytes_named", Of::name_snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_get_bytes_named(w.lend(w.name_snapshot), w.lend(w.name_list.data()),
                                              w.lend(w.bytes.data()), kDimension * 4, e);
     }},
    {"skerry_snapshot_get_payload", Of::snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_get_payload(w.lend(w.snapshot), 1, w.lend(w.bytes.data()),
                                          w.bytes.size(), w.lend(&w.length), e);
     }},
    {"skerry_snapshot_get_payload_named", Of::name_snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_get_payload_named(w.lend(w.name_snapshot), w.lend(w.name_list.data()),
                                                w.lend(w.bytes.data()), w.bytes.size(),
                                                w.lend(&w.length), e);
     }},
    {"skerry_snapshot_for_each", Of::snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_for_each(w.lend(w.snapshot), w.lend(&go_on), nullptr, e);
     }},
    {"skerry_snapshot_for_each_named", Of::name_snapshot, 0,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_for_each_named(w.lend(w.name_snapshot), w.lend(&go_on_name), nullptr,
                                             e);
     }},
    {"skerry_snapshot_search", Of::snapshot, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_search(w.lend(w.snapshot), w.lend(&w.vector), 3,
                                     w.lend(w.hits.data()), nullptr, w.lend(&w.result), e);
     }},
    {"skerry_snapshot_search_named", Of::name_snapshot, kTakesVector,
     [](World& w, skerry_error* e) {
       return skerry_snapshot_search_named(w.lend(w.name_snapshot), w.lend(&w.vector), 3,
                                           w.lend(w.named_hits.data()), nullptr, w.lend(&w.result),
                                           e);
     }},
};

// A call's name is the test's.
inline void PrintTo(const Call& call, std::ostream* out) {
  *out << call.name;
}
inline std::string name_of_call(const ::testing::TestParamInfo<Call>& info) {
  return info.param.name + sizeof "skerry_" - 1;
}

}  // namespace skerry::testing
