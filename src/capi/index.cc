// index.cc - Index, for C: one line a call.
#include "skerry/index.h"

#include "capi/calls.h"

namespace skerry::capi {
namespace {

// Some calls of C++ have no way to say so.
Status usable(const skerry_index* index) noexcept {
  SKERRY_NEED(index);
  if (index->generation == fork_generation()) return {};
  return Status(Code::closed, "the index belongs to the process that was forked");
}

// A call on an index that is there.
template <class Call>
skerry_code with_index(skerry_error* error, const skerry_index* index, Call call) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_TRY(usable(index));
    return call();
  });
}

// A call that makes an index.
template <class Make>
skerry_code make_index(skerry_error* error, skerry_index** out, Make make) noexcept {
  if (out != nullptr) *out = nullptr;
  return enter(error, [&]() -> Status {
    SKERRY_NEED(out);
    return make();
  });
}

std::filesystem::path folder_of(const char* folder) {
  return folder == nullptr ? std::filesystem::path() : std::filesystem::path(folder);
}

CustomDistance custom_of(const skerry_custom_distance* custom) noexcept {
  return custom == nullptr ? CustomDistance() : read(*custom);
}

using WriteRows = Status (Index::*)(std::span<const Key>, MatrixView, const BatchOptions&);

Status write_rows(Index& index, WriteRows write, const std::uint64_t* keys,
                  const skerry_matrix* vectors, const skerry_batch_options* options) {
  MatrixView rows;
  std::span<const Key> list;
  ControlArgument control;
  BatchOptions how;
  SKERRY_TRY(read(vectors, rows));
  SKERRY_TRY(read_list(keys, rows.rows(), "keys: expected a pointer, given null", list));
  SKERRY_TRY(read(options, control, how));
  return (index.*write)(list, rows, how);
}

}  // namespace
}  // namespace skerry::capi

using namespace skerry;
using namespace skerry::capi;

skerry_code skerry_index_create(const skerry_options* options, const char* folder,
                                skerry_index** out, skerry_error* error) noexcept {
  return make_index(error, out, [&]() -> Status {
    CollectionOptions what;
    SKERRY_TRY(read(options, what));
    if (what.byte_keys) {
      return Status(Code::invalid_argument, "byte_keys: expected 0 for an index, given 1");
    }
    return hand_out(out, [&] { return Index::create(what.index, folder_of(folder)); });
  });
}

skerry_code skerry_index_load(const char* path, const skerry_custom_distance* custom,
                              const char* folder, skerry_index** out,
                              skerry_error* error) noexcept {
  return make_index(error, out, [&]() -> Status {
    SKERRY_NEED(path);
    return hand_out(out, [&] { return Index::load(path, custom_of(custom), folder_of(folder)); });
  });
}

skerry_code skerry_index_view(const char* path, const skerry_custom_distance* custom,
                              skerry_index** out, skerry_error* error) noexcept {
  return make_index(error, out, [&]() -> Status {
    SKERRY_NEED(path);
    return hand_out(out, [&] { return Index::view(path, custom_of(custom)); });
  });
}

void skerry_index_free(skerry_index* index) noexcept {
  delete index;
}

skerry_code skerry_index_save(const skerry_index* index, const char* path,
                              const skerry_control* control, skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    SKERRY_NEED(path);
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return index->index.save(path, watch.get());
  });
}

skerry_code skerry_index_reserve(skerry_index* index, size_t count, skerry_error* error) noexcept {
  return with_index(error, index, [&] { return index->index.reserve(count); });
}

skerry_code skerry_index_insert(skerry_index* index, uint64_t key, const skerry_vector* vector,
                                skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    VectorView view;
    SKERRY_TRY(read(vector, view));
    return index->index.insert(key, view);
  });
}

skerry_code skerry_index_upsert(skerry_index* index, uint64_t key, const skerry_vector* vector,
                                skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    VectorView view;
    SKERRY_TRY(read(vector, view));
    return index->index.upsert(key, view);
  });
}

skerry_code skerry_index_insert_batch(skerry_index* index, const uint64_t* keys,
                                      const skerry_matrix* vectors,
                                      const skerry_batch_options* options,
                                      skerry_error* error) noexcept {
  return with_index(error, index, [&] {
    return write_rows(index->index, &Index::insert, keys, vectors, options);
  });
}

skerry_code skerry_index_upsert_batch(skerry_index* index, const uint64_t* keys,
                                      const skerry_matrix* vectors,
                                      const skerry_batch_options* options,
                                      skerry_error* error) noexcept {
  return with_index(error, index, [&] {
    return write_rows(index->index, &Index::upsert, keys, vectors, options);
  });
}

skerry_code skerry_index_remove(skerry_index* index, uint64_t key, uint64_t* removed,
                                skerry_error* error) noexcept {
  return with_index(error, index, [&] { return capi::remove(index->index, key, removed); });
}

skerry_code skerry_index_remove_batch(skerry_index* index, const uint64_t* keys, size_t count,
                                      uint64_t* removed, skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    std::span<const Key> list;
    SKERRY_TRY(read_list(keys, count, "keys: expected a pointer, given null", list));
    return answer_plain(index->index.remove(list), removed);
  });
}

skerry_code skerry_index_contains(const skerry_index* index, uint64_t key, skerry_bool* out,
                                  skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    SKERRY_NEED(out);
    *out = index->index.contains(key) ? 1 : 0;
    return {};
  });
}

skerry_code skerry_index_size(const skerry_index* index, uint64_t* out,
                              skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    SKERRY_NEED(out);
    *out = index->index.size();
    return {};
  });
}

skerry_code skerry_index_get(const skerry_index* index, uint64_t key, float* out, size_t count,
                             skerry_error* error) noexcept {
  return with_index(error, index, [&] { return capi::get(index->index, key, out, count); });
}

skerry_code skerry_index_get_bytes(const skerry_index* index, uint64_t key, void* out, size_t bytes,
                                   skerry_error* error) noexcept {
  return with_index(error, index, [&] { return get_bytes(index->index, key, out, bytes); });
}

skerry_code skerry_index_for_each(const skerry_index* index, skerry_visit_key visit, void* context,
                                  skerry_error* error) noexcept {
  return with_index(error, index, [&] { return capi::for_each(index->index, visit, context); });
}

skerry_code skerry_index_search(const skerry_index* index, const skerry_vector* query, size_t k,
                                skerry_hit* hits, const skerry_search_options* options,
                                skerry_search_result* result, skerry_error* error) noexcept {
  return with_index(error, index,
                    [&] { return capi::search(index->index, query, k, hits, options, result); });
}

skerry_code skerry_index_search_batch(const skerry_index* index, const skerry_matrix* queries,
                                      size_t k, skerry_hit* hits, uint32_t* counts,
                                      const skerry_search_options* options,
                                      skerry_search_result* result, skerry_error* error) noexcept {
  return with_index(error, index, [&] {
    return search_batch(index->index, queries, k, hits, counts, options, result);
  });
}

skerry_code skerry_index_explain(const skerry_index* index, const skerry_vector* query,
                                 uint64_t key, size_t k, skerry_hit* hits, size_t hop_room,
                                 skerry_hop* hops, const skerry_search_options* options,
                                 skerry_search_result* result, skerry_explanation* explanation,
                                 skerry_error* error) noexcept {
  return with_index(error, index, [&] {
    return explain(index->index, query, key, k, hits, hop_room, hops, options, result, explanation);
  });
}

skerry_code skerry_index_check(const skerry_index* index, const skerry_control* control,
                               skerry_check_report* report, skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    SKERRY_NEED(report);
    SKERRY_TRY(check_room(report));
    return answer(index->index.check(watch.get()), report);
  });
}

skerry_code skerry_index_shape(const skerry_index* index, const skerry_control* control,
                               skerry_graph_shape* shape, skerry_error* error) noexcept {
  return with_index(error, index, [&] { return count_shape(index->index, control, shape); });
}

skerry_code skerry_index_get_stats(const skerry_index* index, skerry_index_stats* out,
                                   skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    SKERRY_NEED(out);
    SKERRY_TRY(check_room(out));
    give(written(index->index.stats()), out);
    return {};
  });
}

skerry_code skerry_index_get_options(const skerry_index* index, skerry_options* out,
                                     skerry_error* error) noexcept {
  return with_index(error, index, [&]() -> Status {
    SKERRY_NEED(out);
    SKERRY_TRY(check_room(out));
    give(written(CollectionOptions{index->index.options(), false}), out);
    return {};
  });
}
