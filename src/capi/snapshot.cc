// snapshot.cc - Snapshot, for C: one line a call.
#include "skerry/snapshot.h"

#include "capi/calls.h"

namespace skerry::capi {
namespace {

// A call on a handle.
template <class Call>
skerry_code with_snapshot(skerry_error* error, const skerry_snapshot* snapshot,
                          Call call) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(snapshot);
    return call();
  });
}

template <class Given>
Status holds(const Snapshot& snapshot, Given given, skerry_bool* out) {
  typename Naming<Given>::Word word = {};
  SKERRY_TRY(read(given, word));
  SKERRY_NEED(out);
  return answer_plain(snapshot.contains(word), out);
}

}  // namespace
}  // namespace skerry::capi

using namespace skerry;
using namespace skerry::capi;

void skerry_snapshot_free(skerry_snapshot* snapshot) noexcept {
  delete snapshot;
}

skerry_code skerry_snapshot_size(const skerry_snapshot* snapshot, uint64_t* out,
                                 skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&]() -> Status {
    SKERRY_NEED(out);
    *out = snapshot->snapshot.size();
    return {};
  });
}
skerry_code skerry_snapshot_sequence(const skerry_snapshot* snapshot, uint64_t* out,
                                     skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&]() -> Status {
    SKERRY_NEED(out);
    *out = snapshot->snapshot.sequence();
    return {};
  });
}
skerry_code skerry_snapshot_age(const skerry_snapshot* snapshot, double* out,
                                skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&]() -> Status {
    SKERRY_NEED(out);
    *out = snapshot->snapshot.age();
    return {};
  });
}

skerry_code skerry_snapshot_contains(const skerry_snapshot* snapshot, uint64_t key,
                                     skerry_bool* out, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&] { return holds(snapshot->snapshot, key, out); });
}
skerry_code skerry_snapshot_contains_named(const skerry_snapshot* snapshot, const skerry_name* name,
                                           skerry_bool* out, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&] { return holds(snapshot->snapshot, name, out); });
}
skerry_code skerry_snapshot_get(const skerry_snapshot* snapshot, uint64_t key, float* out,
                                size_t count, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return capi::get(snapshot->snapshot, key, out, count); });
}
skerry_code skerry_snapshot_get_named(const skerry_snapshot* snapshot, const skerry_name* name,
                                      float* out, size_t count, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return capi::get(snapshot->snapshot, name, out, count); });
}
skerry_code skerry_snapshot_get_bytes(const skerry_snapshot* snapshot, uint64_t key, void* out,
                                      size_t bytes, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return get_bytes(snapshot->snapshot, key, out, bytes); });
}
skerry_code skerry_snapshot_get_bytes_named(const skerry_snapshot* snapshot,
                                            const skerry_name* name, void* out, size_t bytes,
                                            skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return get_bytes(snapshot->snapshot, name, out, bytes); });
}
skerry_code skerry_snapshot_get_payload(const skerry_snapshot* snapshot, uint64_t key, void* out,
                                        size_t room, size_t* length, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return get_payload(snapshot->snapshot, key, out, room, length); });
}
skerry_code skerry_snapshot_get_payload_named(const skerry_snapshot* snapshot,
                                              const skerry_name* name, void* out, size_t room,
                                              size_t* length, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return get_payload(snapshot->snapshot, name, out, room, length); });
}

skerry_code skerry_snapshot_for_each(const skerry_snapshot* snapshot, skerry_visit_key visit,
                                     void* context, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return capi::for_each(snapshot->snapshot, visit, context); });
}
skerry_code skerry_snapshot_for_each_named(const skerry_snapshot* snapshot, skerry_visit_name visit,
                                           void* context, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot,
                       [&] { return for_each_name(snapshot->snapshot, visit, context); });
}

skerry_code skerry_snapshot_search(const skerry_snapshot* snapshot, const skerry_vector* query,
                                   size_t k, skerry_hit* hits, const skerry_search_options* options,
                                   skerry_search_result* result, skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&] {
    return capi::search(snapshot->snapshot, query, k, hits, options, result);
  });
}
skerry_code skerry_snapshot_search_named(const skerry_snapshot* snapshot,
                                         const skerry_vector* query, size_t k,
                                         skerry_named_hit* hits,
                                         const skerry_search_options* options,
                                         skerry_search_result* result,
                                         skerry_error* error) noexcept {
  return with_snapshot(error, snapshot, [&] {
    return capi::search(snapshot->snapshot, query, k, hits, options, result);
  });
}
