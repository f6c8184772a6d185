// collection.cc - Collection, for C: one line a call.
#include "skerry/collection.h"

#include "capi/calls.h"

namespace skerry::capi {
namespace {

// A call on a handle.
template <class Call>
skerry_code with_collection(skerry_error* error, const skerry_collection* collection,
                            Call call) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(collection);
    return call();
  });
}

// Where C++ answers false or 0, is there a collection, and has it this kind of key?
Status check(const Collection& collection, bool by_name) {
  const Result<CollectionOptions> options = collection.options();
  if (!options.ok()) return options.status();
  if (options->byte_keys == by_name) return {};
  return Status(Code::invalid_argument, by_name ? "expected a 64-bit key, given a byte-string key"
                                                : "expected a byte-string key, given a 64-bit key");
}

template <class Given>
Status contains(const Collection& collection, Given given, bool by_name, skerry_bool* out) {
  typename Naming<Given>::Word word = {};
  SKERRY_TRY(read(given, word));
  SKERRY_NEED(out);
  const bool is_there = collection.contains(word);
  if (!is_there) SKERRY_TRY(check(collection, by_name));
  *out = is_there ? 1 : 0;
  return {};
}

template <class Word>
using Write = Status (Collection::*)(Word, VectorView, Payload);
template <class Word>
using WriteBatch = Status (Collection::*)(std::span<const Word>, MatrixView,
                                          std::span<const Payload>, const BatchOptions&);

template <class Given>
Status write(Collection& collection, Write<typename Naming<Given>::Word> write, Given given,
             const skerry_vector* vector, const skerry_payload* payload) {
  typename Naming<Given>::Word word = {};
  VectorView view;
  Payload bytes;
  SKERRY_TRY(read(given, word));
  SKERRY_TRY(read(vector, view));
  SKERRY_TRY(read(payload, bytes));
  return (collection.*write)(word, view, bytes);
}

Status read_words(const std::uint64_t* keys, std::size_t count, LentLists&,
                  std::span<const Key>& out) {
  return read_list(keys, count, "keys: expected a pointer, given null", out);
}
Status read_words(const skerry_name* names, std::size_t count, LentLists& lists,
                  std::span<const std::string_view>& out) {
  return lists.read_names(names, count, out);
}

template <class Word, class Given>
Status write_batch(Collection& collection, WriteBatch<Word> write, const Given* given,
                   const skerry_matrix* vectors, const skerry_payload* payloads,
                   const skerry_batch_options* options) {
  LentLists lists;
  MatrixView rows;
  std::span<const Word> words;
  std::span<const Payload> bytes;
  ControlArgument control;
  BatchOptions how;
  SKERRY_TRY(read(vectors, rows));
  SKERRY_TRY(read_words(given, rows.rows(), lists, words));
  SKERRY_TRY(lists.read_payloads(payloads, rows.rows(), bytes));
  SKERRY_TRY(read(options, control, how));
  return (collection.*write)(words, rows, bytes, how);
}

template <class Word, class Given>
Status remove_batch(Collection& collection, const Given* given, std::size_t count,
                    std::uint64_t* removed) {
  LentLists lists;
  std::span<const Word> words;
  SKERRY_TRY(read_words(given, count, lists, words));
  return answer_plain(collection.remove(words), removed);
}

}  // namespace
}  // namespace skerry::capi

using namespace skerry;
using namespace skerry::capi;

void skerry_collection_free(skerry_collection* collection) noexcept {
  delete collection;
}

skerry_code skerry_collection_insert(skerry_collection* collection, uint64_t key,
                                     const skerry_vector* vector, const skerry_payload* payload,
                                     skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write(collection->collection, &Collection::insert, key, vector, payload);
  });
}
skerry_code skerry_collection_insert_named(skerry_collection* collection, const skerry_name* name,
                                           const skerry_vector* vector,
                                           const skerry_payload* payload,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write(collection->collection, &Collection::insert, name, vector, payload);
  });
}
skerry_code skerry_collection_upsert(skerry_collection* collection, uint64_t key,
                                     const skerry_vector* vector, const skerry_payload* payload,
                                     skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write(collection->collection, &Collection::upsert, key, vector, payload);
  });
}
skerry_code skerry_collection_upsert_named(skerry_collection* collection, const skerry_name* name,
                                           const skerry_vector* vector,
                                           const skerry_payload* payload,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write(collection->collection, &Collection::upsert, name, vector, payload);
  });
}

skerry_code skerry_collection_insert_batch(skerry_collection* collection, const uint64_t* keys,
                                           const skerry_matrix* vectors,
                                           const skerry_payload* payloads,
                                           const skerry_batch_options* options,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write_batch<Key>(collection->collection, &Collection::insert, keys, vectors, payloads,
                            options);
  });
}
skerry_code skerry_collection_insert_batch_named(skerry_collection* collection,
                                                 const skerry_name* names,
                                                 const skerry_matrix* vectors,
                                                 const skerry_payload* payloads,
                                                 const skerry_batch_options* options,
                                                 skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write_batch<std::string_view>(collection->collection, &Collection::insert, names,
                                         vectors, payloads, options);
  });
}
skerry_code skerry_collection_upsert_batch(skerry_collection* collection, const uint64_t* keys,
                                           const skerry_matrix* vectors,
                                           const skerry_payload* payloads,
                                           const skerry_batch_options* options,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write_batch<Key>(collection->collection, &Collection::upsert, keys, vectors, payloads,
                            options);
  });
}
skerry_code skerry_collection_upsert_batch_named(skerry_collection* collection,
                                                 const skerry_name* names,
                                                 const skerry_matrix* vectors,
                                                 const skerry_payload* payloads,
                                                 const skerry_batch_options* options,
                                                 skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return write_batch<std::string_view>(collection->collection, &Collection::upsert, names,
                                         vectors, payloads, options);
  });
}

skerry_code skerry_collection_remove(skerry_collection* collection, uint64_t key, uint64_t* removed,
                                     skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return capi::remove(collection->collection, key, removed); });
}
skerry_code skerry_collection_remove_named(skerry_collection* collection, const skerry_name* name,
                                           uint64_t* removed, skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return capi::remove(collection->collection, name, removed); });
}
skerry_code skerry_collection_remove_batch(skerry_collection* collection, const uint64_t* keys,
                                           size_t count, uint64_t* removed,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return remove_batch<Key>(collection->collection, keys, count, removed);
  });
}
skerry_code skerry_collection_remove_batch_named(skerry_collection* collection,
                                                 const skerry_name* names, size_t count,
                                                 uint64_t* removed, skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return remove_batch<std::string_view>(collection->collection, names, count, removed);
  });
}

skerry_code skerry_collection_contains(const skerry_collection* collection, uint64_t key,
                                       skerry_bool* out, skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return contains(collection->collection, key, false, out); });
}
skerry_code skerry_collection_contains_named(const skerry_collection* collection,
                                             const skerry_name* name, skerry_bool* out,
                                             skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return contains(collection->collection, name, true, out); });
}
skerry_code skerry_collection_size(const skerry_collection* collection, uint64_t* out,
                                   skerry_error* error) noexcept {
  return with_collection(error, collection, [&]() -> Status {
    SKERRY_NEED(out);
    const std::uint64_t size = collection->collection.size();
    if (size == 0) SKERRY_TRY(collection->collection.options().status());
    *out = size;
    return {};
  });
}

skerry_code skerry_collection_get(const skerry_collection* collection, uint64_t key, float* out,
                                  size_t count, skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return capi::get(collection->collection, key, out, count); });
}
skerry_code skerry_collection_get_named(const skerry_collection* collection,
                                        const skerry_name* name, float* out, size_t count,
                                        skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return capi::get(collection->collection, name, out, count); });
}
skerry_code skerry_collection_get_bytes(const skerry_collection* collection, uint64_t key,
                                        void* out, size_t bytes, skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return get_bytes(collection->collection, key, out, bytes); });
}
skerry_code skerry_collection_get_bytes_named(const skerry_collection* collection,
                                              const skerry_name* name, void* out, size_t bytes,
                                              skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return get_bytes(collection->collection, name, out, bytes); });
}
skerry_code skerry_collection_get_payload(const skerry_collection* collection, uint64_t key,
                                          void* out, size_t room, size_t* length,
                                          skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return get_payload(collection->collection, key, out, room, length);
  });
}
skerry_code skerry_collection_get_payload_named(const skerry_collection* collection,
                                                const skerry_name* name, void* out, size_t room,
                                                size_t* length, skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return get_payload(collection->collection, name, out, room, length);
  });
}

skerry_code skerry_collection_for_each(const skerry_collection* collection, skerry_visit_key visit,
                                       void* context, skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return capi::for_each(collection->collection, visit, context); });
}
skerry_code skerry_collection_for_each_named(const skerry_collection* collection,
                                             skerry_visit_name visit, void* context,
                                             skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return for_each_name(collection->collection, visit, context); });
}

skerry_code skerry_collection_search(const skerry_collection* collection,
                                     const skerry_vector* query, size_t k, skerry_hit* hits,
                                     const skerry_search_options* options,
                                     skerry_search_result* result, skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return capi::search(collection->collection, query, k, hits, options, result);
  });
}
skerry_code skerry_collection_search_named(const skerry_collection* collection,
                                           const skerry_vector* query, size_t k,
                                           skerry_named_hit* hits,
                                           const skerry_search_options* options,
                                           skerry_search_result* result,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return capi::search(collection->collection, query, k, hits, options, result);
  });
}
skerry_code skerry_collection_search_batch(const skerry_collection* collection,
                                           const skerry_matrix* queries, size_t k, skerry_hit* hits,
                                           uint32_t* counts, const skerry_search_options* options,
                                           skerry_search_result* result,
                                           skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return search_batch(collection->collection, queries, k, hits, counts, options, result);
  });
}
skerry_code skerry_collection_search_batch_named(const skerry_collection* collection,
                                                 const skerry_matrix* queries, size_t k,
                                                 skerry_named_hit* hits, uint32_t* counts,
                                                 const skerry_search_options* options,
                                                 skerry_search_result* result,
                                                 skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return search_batch(collection->collection, queries, k, hits, counts, options, result);
  });
}
skerry_code skerry_collection_explain(const skerry_collection* collection,
                                      const skerry_vector* query, uint64_t key, size_t k,
                                      skerry_hit* hits, size_t hop_room, skerry_hop* hops,
                                      const skerry_search_options* options,
                                      skerry_search_result* result, skerry_explanation* explanation,
                                      skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return explain(collection->collection, query, key, k, hits, hop_room, hops, options, result,
                   explanation);
  });
}
skerry_code skerry_collection_explain_named(
    const skerry_collection* collection, const skerry_vector* query, const skerry_name* name,
    size_t k, skerry_named_hit* hits, size_t hop_room, skerry_named_hop* hops,
    const skerry_search_options* options, skerry_search_result* result,
    skerry_explanation* explanation, skerry_error* error) noexcept {
  return with_collection(error, collection, [&] {
    return explain(collection->collection, query, name, k, hits, hop_room, hops, options, result,
                   explanation);
  });
}

skerry_code skerry_collection_snapshot(const skerry_collection* collection, skerry_snapshot** out,
                                       skerry_error* error) noexcept {
  if (out != nullptr) *out = nullptr;
  return with_collection(error, collection, [&]() -> Status {
    SKERRY_NEED(out);
    return hand_out(out, [&] { return collection->collection.snapshot(); });
  });
}

skerry_code skerry_collection_save_image(skerry_collection* collection,
                                         const skerry_control* control,
                                         skerry_error* error) noexcept {
  return with_collection(error, collection, [&]() -> Status {
    ControlArgument watch;
    SKERRY_TRY(watch.read(control));
    return collection->collection.save_image(watch.get());
  });
}

skerry_code skerry_collection_shape(const skerry_collection* collection,
                                    const skerry_control* control, skerry_graph_shape* shape,
                                    skerry_error* error) noexcept {
  return with_collection(error, collection,
                         [&] { return count_shape(collection->collection, control, shape); });
}

skerry_code skerry_collection_verify(const skerry_collection* collection,
                                     const skerry_verify_options* options,
                                     skerry_verify_report* report, skerry_error* error) noexcept {
  return with_collection(error, collection, [&]() -> Status {
    skerry_verify_options all = SKERRY_VERIFY_OPTIONS_INIT;
    ControlArgument watch;
    SKERRY_TRY(take(options, all));
    SKERRY_TRY(watch.read(all.control));
    SKERRY_NEED(report);
    SKERRY_TRY(check_room(report));
    if (all.level > SKERRY_VERIFY_RECALL) {
      return Status(Code::invalid_argument, "level: no level has number {b}", 0, all.level);
    }
    return answer(collection->collection.verify(
                      {static_cast<VerifyLevel>(all.level), all.samples, all.seed, watch.get()}),
                  report);
  });
}

skerry_code skerry_collection_get_stats(const skerry_collection* collection,
                                        skerry_collection_stats* out, skerry_index_stats* index,
                                        skerry_error* image, skerry_error* error) noexcept {
  return with_collection(error, collection, [&]() -> Status {
    if (out != nullptr) SKERRY_TRY(check_room(out));
    if (index != nullptr) SKERRY_TRY(check_room(index));
    const Result<CollectionStats> stats = collection->collection.stats();
    if (!stats.ok()) return stats.status();
    if (out != nullptr) give(written(*stats), out);
    if (index != nullptr) give(written(stats->index), index);
    static_cast<void>(tell(stats->image, image));
    return {};
  });
}

skerry_code skerry_collection_get_options(const skerry_collection* collection, skerry_options* out,
                                          skerry_error* error) noexcept {
  return with_collection(error, collection, [&]() -> Status {
    SKERRY_NEED(out);
    SKERRY_TRY(check_room(out));
    return answer(collection->collection.options(), out);
  });
}

skerry_code skerry_collection_get_name(const skerry_collection* collection, char* out, size_t room,
                                       size_t* length, skerry_error* error) noexcept {
  return with_collection(error, collection, [&]() -> Status {
    std::span<char> text;
    SKERRY_TRY(read_room(out, room, text));
    SKERRY_NEED(length);
    const std::string_view name = collection->collection.name();
    *length = name.size();
    if (text.empty()) return {};
    const std::size_t fits = std::min(name.size(), text.size() - 1);
    std::copy_n(name.begin(), fits, text.begin());
    text[fits] = '\0';
    return {};
  });
}
