// calls.h - the calls that indexes, collections and snapshots share, once.
//
// C++ tells a key from a name by its type, and C by the function's name: each pair of functions of
// c.h is one template here, over what it is called on (Index, Collection, Snapshot, const or not)
// and what names a vector. A Key is given by value, a name as a skerry_name*.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "capi/answers.h"
#include "capi/arguments.h"

namespace skerry::capi {

inline Status read(std::uint64_t given, Key& out) noexcept {
  out = given;
  return {};
}

// What C++ calls a given key or name, and the hits and hops that come with it.
template <class Given>
struct Naming;
template <>
struct Naming<std::uint64_t> {
  using Word = Key;
};
template <>
struct Naming<const skerry_name*> {
  using Word = std::string_view;
};
template <class Given>
struct Counterpart;
template <>
struct Counterpart<skerry_hit> {
  using Type = Hit;
};
template <>
struct Counterpart<skerry_named_hit> {
  using Type = NamedHit;
};
template <>
struct Counterpart<skerry_union_hit> {
  using Type = UnionHit;
};
template <>
struct Counterpart<skerry_named_union_hit> {
  using Type = NamedUnionHit;
};
template <>
struct Counterpart<skerry_hop> {
  using Type = Hop;
};
template <>
struct Counterpart<skerry_named_hop> {
  using Type = NamedHop;
};

// -- one vector

template <class On, class Given>
Status get(const On& on, Given given, float* out, std::size_t count) {
  typename Naming<Given>::Word word = {};
  std::span<float> room;
  SKERRY_TRY(read(given, word));
  SKERRY_TRY(read_room(out, count, room));
  return on.get(word, room);
}

template <class On, class Given>
Status get_bytes(const On& on, Given given, void* out, std::size_t bytes) {
  typename Naming<Given>::Word word = {};
  std::span<std::byte> room;
  SKERRY_TRY(read(given, word));
  SKERRY_TRY(read_room(out, bytes, room));
  return on.get_bytes(word, room);
}

template <class On, class Given>
Status get_payload(const On& on, Given given, void* out, std::size_t bytes, std::size_t* length) {
  typename Naming<Given>::Word word = {};
  std::span<std::byte> room;
  SKERRY_TRY(read(given, word));
  SKERRY_TRY(read_room(out, bytes, room));
  SKERRY_NEED(length);
  return answer_plain(on.get_payload(word, room), length);
}

template <class On, class Given>
Status remove(On& on, Given given, std::uint64_t* removed) {
  typename Naming<Given>::Word word = {};
  SKERRY_TRY(read(given, word));
  return answer_plain(on.remove(word), removed);
}

// -- walks

template <class On>
Status for_each(const On& on, skerry_visit_key visit, void* context) {
  SKERRY_NEED(visit);
  return on.for_each([&](Key key) { return visit(context, key) != 0; });
}

template <class On>
Status for_each_name(const On& on, skerry_visit_name visit, void* context) {
  SKERRY_NEED(visit);
  return on.for_each_name(
      [&](std::string_view name) { return visit(context, name.data(), name.size()) != 0; });
}

// -- searches

template <class On, class Given>
Status search(const On& on, const skerry_vector* query, std::size_t k, Given* hits,
              const skerry_search_options* options, skerry_search_result* result) {
  VectorView vector;
  std::span<typename Counterpart<Given>::Type> room;
  SearchArgument how;
  SKERRY_TRY(read(query, vector));
  SKERRY_TRY(read_hits(hits, k, 1, room));
  SKERRY_TRY(how.read(options));
  SKERRY_NEED(result);
  SKERRY_TRY(check_room(result));
  return answer(on.search(vector, room, how.get()), result);
}

template <class On, class Given>
Status search_batch(const On& on, const skerry_matrix* queries, std::size_t k, Given* hits,
                    std::uint32_t* counts, const skerry_search_options* options,
                    skerry_search_result* result) {
  MatrixView rows;
  std::span<typename Counterpart<Given>::Type> room;
  SearchArgument how;
  SKERRY_TRY(read(queries, rows));
  SKERRY_TRY(read_hits(hits, k, rows.rows(), room));
  SKERRY_TRY(how.read(options));
  if (rows.rows() != 0) SKERRY_NEED(counts);
  SKERRY_NEED(result);
  SKERRY_TRY(check_room(result));
  return answer(on.search_batch(rows, room, std::span(counts, rows.rows()), how.get()), result);
}

template <class On, class Given, class GivenHit, class GivenHop>
Status explain(const On& on, const skerry_vector* query, Given given, std::size_t k, GivenHit* hits,
               std::size_t hop_room, GivenHop* hops, const skerry_search_options* options,
               skerry_search_result* result, skerry_explanation* explanation) {
  VectorView vector;
  typename Naming<Given>::Word word = {};
  std::span<typename Counterpart<GivenHit>::Type> room;
  SearchArgument how;
  SKERRY_TRY(read(query, vector));
  SKERRY_TRY(read(given, word));
  SKERRY_TRY(read_hits(hits, k, 1, room));
  if (hop_room != 0) SKERRY_NEED(hops);
  SKERRY_TRY(how.read(options));
  if (result != nullptr) SKERRY_TRY(check_room(result));
  SKERRY_NEED(explanation);
  SKERRY_TRY(check_room(explanation));
  using OurHop = typename Counterpart<GivenHop>::Type;
  const std::span<OurHop> way(reinterpret_cast<OurHop*>(hops), hop_room);
  const Result<Explanation> why = on.explain(vector, word, room, way, how.get());
  if (!why.ok()) return why.status();
  if (result != nullptr) give(written(why->result), result);
  give(written(*why), explanation);
  return {};
}

// Into the caller's memory, as many as there is room for.
inline void give(const std::vector<std::uint64_t>& numbers, skerry_counts& out) noexcept {
  out.size = numbers.size();
  std::copy_n(numbers.begin(), std::min(out.room, numbers.size()), out.data);
}

template <class On>
Status count_shape(const On& on, const skerry_control* control, skerry_graph_shape* shape) {
  ControlArgument watch;
  SKERRY_TRY(watch.read(control));
  SKERRY_NEED(shape);
  skerry_graph_shape all = SKERRY_GRAPH_SHAPE_INIT;
  SKERRY_TRY(take(shape, all));
  for (const skerry_counts* counts : {&all.levels, &all.out_degrees, &all.in_degrees}) {
    if (counts->room != 0) SKERRY_NEED(counts->data);
  }
  const Result<GraphShape> counted = on.shape(watch.get());
  if (!counted.ok()) return counted.status();
  all.nodes = counted->nodes;
  give(counted->levels, all.levels);
  give(counted->out_degrees, all.out_degrees);
  give(counted->in_degrees, all.in_degrees);
  give(all, shape);
  return {};
}

// How many threads a batch may use, and who watches it. Refers to `control`.
inline Status read(const skerry_batch_options* given, ControlArgument& control,
                   BatchOptions& out) noexcept {
  skerry_batch_options all = SKERRY_BATCH_OPTIONS_INIT;
  SKERRY_TRY(take(given, all));
  SKERRY_TRY(check_reserved(all.reserved));
  SKERRY_TRY(control.read(all.control));
  out.threads = all.threads;
  out.control = control.get();
  return {};
}

}  // namespace skerry::capi
