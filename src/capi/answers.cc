#include "capi/answers.h"

#include <cstddef>
#include <type_traits>

namespace skerry::capi {
namespace {

// One layout in both languages.
template <class Ours, class Theirs>
constexpr bool kSameSize = sizeof(Ours) == sizeof(Theirs) && alignof(Ours) == alignof(Theirs) &&
                           std::is_standard_layout_v<Ours>&& std::is_standard_layout_v<Theirs>;

#define SKERRY_SAME_PLACE(Ours, ours, Theirs, theirs) \
  static_assert(offsetof(Ours, ours) == offsetof(Theirs, theirs))

static_assert(kSameSize<Hit, skerry_hit>);
SKERRY_SAME_PLACE(Hit, key, skerry_hit, key);
SKERRY_SAME_PLACE(Hit, distance, skerry_hit, distance);

SKERRY_SAME_PLACE(Name, size, skerry_named_hit, name_size);
SKERRY_SAME_PLACE(Name, bytes, skerry_named_hit, name);
static_assert(kSameSize<NamedHit, skerry_named_hit>);
SKERRY_SAME_PLACE(NamedHit, name, skerry_named_hit, name_size);
SKERRY_SAME_PLACE(NamedHit, distance, skerry_named_hit, distance);

static_assert(kSameSize<UnionHit, skerry_union_hit>);
SKERRY_SAME_PLACE(UnionHit, distance, skerry_union_hit, distance);
SKERRY_SAME_PLACE(UnionHit, collection, skerry_union_hit, collection);
static_assert(kSameSize<NamedUnionHit, skerry_named_union_hit>);
SKERRY_SAME_PLACE(NamedUnionHit, distance, skerry_named_union_hit, distance);
SKERRY_SAME_PLACE(NamedUnionHit, collection, skerry_named_union_hit, collection);

static_assert(kSameSize<Hop, skerry_hop>);
SKERRY_SAME_PLACE(Hop, distance, skerry_hop, distance);
SKERRY_SAME_PLACE(Hop, level, skerry_hop, level);
SKERRY_SAME_PLACE(Hop, is_live, skerry_hop, is_live);
static_assert(kSameSize<NamedHop, skerry_named_hop>);
SKERRY_SAME_PLACE(NamedHop, distance, skerry_named_hop, distance);
SKERRY_SAME_PLACE(NamedHop, level, skerry_named_hop, level);
SKERRY_SAME_PLACE(NamedHop, is_live, skerry_named_hop, is_live);

static_assert(kSameSize<KeyRange, skerry_key_range>);
SKERRY_SAME_PLACE(KeyRange, last, skerry_key_range, last);

#undef SKERRY_SAME_PLACE

// One set of numbers in both languages.
template <class Enum>
constexpr bool is(Enum ours, int theirs) {
  return static_cast<int>(ours) == theirs;
}
static_assert(is(Code::ok, SKERRY_OK) && is(Code::invalid_argument, SKERRY_INVALID_ARGUMENT) &&
              is(Code::not_found, SKERRY_NOT_FOUND) &&
              is(Code::already_exists, SKERRY_ALREADY_EXISTS) && is(Code::busy, SKERRY_BUSY) &&
              is(Code::closed, SKERRY_CLOSED) && is(Code::read_only, SKERRY_READ_ONLY) &&
              is(Code::cancelled, SKERRY_CANCELLED) &&
              is(Code::out_of_memory, SKERRY_OUT_OF_MEMORY) &&
              is(Code::storage_full, SKERRY_STORAGE_FULL) && is(Code::io_error, SKERRY_IO_ERROR) &&
              is(Code::corruption, SKERRY_CORRUPTION) &&
              is(Code::incompatible, SKERRY_INCOMPATIBLE));
static_assert(is(Metric::l2, SKERRY_L2) && is(Metric::ip, SKERRY_IP) &&
              is(Metric::cosine, SKERRY_COSINE) && is(Metric::hamming, SKERRY_HAMMING) &&
              is(Metric::jaccard, SKERRY_JACCARD) && is(Metric::haversine, SKERRY_HAVERSINE) &&
              is(Metric::custom, SKERRY_CUSTOM));
static_assert(is(Scalar::f32, SKERRY_F32) && is(Scalar::f16, SKERRY_F16) &&
              is(Scalar::bf16, SKERRY_BF16) && is(Scalar::i8, SKERRY_I8) &&
              is(Scalar::u8, SKERRY_U8) && is(Scalar::b1, SKERRY_B1));
static_assert(is(Codes::exact, SKERRY_EXACT) && is(Codes::sq8, SKERRY_SQ8) &&
              is(Codes::rot4, SKERRY_ROT4) && is(Codes::automatic, SKERRY_AUTOMATIC));
static_assert(is(Vectors::memory, SKERRY_MEMORY) && is(Vectors::disk, SKERRY_DISK));
static_assert(is(Durability::commit, SKERRY_COMMIT) && is(Durability::interval, SKERRY_INTERVAL) &&
              is(Durability::none, SKERRY_NONE));
static_assert(is(Opened::created, SKERRY_OPENED_CREATED) &&
              is(Opened::image, SKERRY_OPENED_IMAGE) &&
              is(Opened::rebuilt_absent, SKERRY_OPENED_REBUILT_ABSENT) &&
              is(Opened::rebuilt_stale, SKERRY_OPENED_REBUILT_STALE) &&
              is(Opened::rebuilt_damaged, SKERRY_OPENED_REBUILT_DAMAGED));
static_assert(is(VerifyLevel::quick, SKERRY_VERIFY_QUICK) &&
              is(VerifyLevel::full, SKERRY_VERIFY_FULL) &&
              is(VerifyLevel::recall, SKERRY_VERIFY_RECALL));
static_assert(is(SearchWay::scan, SKERRY_WAY_SCAN) && is(SearchWay::look_up, SKERRY_WAY_LOOK_UP) &&
              is(SearchWay::walk, SKERRY_WAY_WALK) &&
              is(SearchWay::gated_walk, SKERRY_WAY_GATED_WALK) &&
              is(SearchWay::probe, SKERRY_WAY_PROBE));
static_assert(is(Fallback::none, SKERRY_FALLBACK_NONE) &&
              is(Fallback::gave_up, SKERRY_FALLBACK_GAVE_UP) &&
              is(Fallback::too_few, SKERRY_FALLBACK_TOO_FEW) &&
              is(Fallback::too_late, SKERRY_FALLBACK_TOO_LATE));
static_assert(is(Fate::absent, SKERRY_FATE_ABSENT) && is(Fate::filtered, SKERRY_FATE_FILTERED) &&
              is(Fate::returned, SKERRY_FATE_RETURNED) &&
              is(Fate::beyond_max_distance, SKERRY_FATE_BEYOND_MAX_DISTANCE) &&
              is(Fate::beyond_k, SKERRY_FATE_BEYOND_K) &&
              is(Fate::lost_in_rerank, SKERRY_FATE_LOST_IN_RERANK) &&
              is(Fate::dropped_from_pool, SKERRY_FATE_DROPPED_FROM_POOL) &&
              is(Fate::budget, SKERRY_FATE_BUDGET) && is(Fate::deadline, SKERRY_FATE_DEADLINE) &&
              is(Fate::never_met, SKERRY_FATE_NEVER_MET));
static_assert(is(Filter::Kind::none, SKERRY_FILTER_NONE) &&
              is(Filter::Kind::predicate, SKERRY_FILTER_WHERE) &&
              is(Filter::Kind::only, SKERRY_FILTER_ONLY) &&
              is(Filter::Kind::except, SKERRY_FILTER_EXCEPT) &&
              is(Filter::Kind::name_predicate, SKERRY_FILTER_WHERE_NAME) &&
              is(Filter::Kind::only_names, SKERRY_FILTER_ONLY_NAMES) &&
              is(Filter::Kind::except_names, SKERRY_FILTER_EXCEPT_NAMES));
static_assert(kMaxDimension == SKERRY_MAX_DIMENSION && kMaxKeyBytes == SKERRY_MAX_NAME_BYTES);

}  // namespace

skerry_options written(const CollectionOptions& options) noexcept {
  const IndexOptions& index = options.index;
  skerry_options all = SKERRY_OPTIONS_INIT;
  all.dimension = index.dimension;
  all.metric = static_cast<skerry_metric>(index.metric);
  all.scalar = static_cast<skerry_scalar>(index.scalar);
  all.codes = static_cast<skerry_codes>(index.codes);
  all.vectors = static_cast<skerry_vectors>(index.vectors);
  all.M = index.M;
  all.ef_construction = index.ef_construction;
  all.ef = index.ef;
  all.flat_below = index.flat_below;
  all.byte_keys = options.byte_keys ? 1 : 0;
  all.seed = index.seed;
  all.custom = {index.custom.call, index.custom.context};
  return all;
}

skerry_search_result written(const SearchResult& result) noexcept {
  skerry_search_result out = SKERRY_SEARCH_RESULT_INIT;
  out.count = result.count;
  out.exact = result.exact;
  out.exhausted = result.exhausted;
  out.visited = result.visited;
  out.hops = result.hops;
  out.reranked = result.reranked;
  out.bytes = result.bytes;
  return out;
}

skerry_explanation written(const Explanation& why) noexcept {
  skerry_explanation out = SKERRY_EXPLANATION_INIT;
  out.way = static_cast<skerry_search_way>(why.way);
  out.fallback = static_cast<skerry_fallback>(why.fallback);
  out.fate = static_cast<skerry_fate>(why.fate);
  out.ef = why.ef;
  out.share = why.share;
  out.walk_cost_ns = why.walk_cost_ns;
  out.scan_cost_ns = why.scan_cost_ns;
  out.stretch = why.stretch;
  out.bar_at_end = why.bar_at_end;
  out.distance = why.distance;
  out.is_live = why.is_live;
  out.passes = why.passes;
  out.place = why.place;
  out.rank = why.rank;
  out.passing = why.passing;
  out.was_met = why.was_met;
  out.was_reranked = why.was_reranked;
  out.met_at_hop = why.met_at_hop;
  out.code_distance = why.code_distance;
  out.bar_when_met = why.bar_when_met;
  out.in_links = why.in_links;
  out.in_links_met = why.in_links_met;
  out.in_links_asked = why.in_links_asked;
  return out;
}

skerry_index_stats written(const IndexStats& stats) noexcept {
  skerry_index_stats out = SKERRY_INDEX_STATS_INIT;
  out.live = stats.live;
  out.tombstones = stats.tombstones;
  out.free_slots = stats.free_slots;
  out.vector_bytes = stats.vector_bytes;
  out.vector_disk_bytes = stats.vector_disk_bytes;
  out.code_bytes = stats.code_bytes;
  out.link_bytes = stats.link_bytes;
  out.other_bytes = stats.other_bytes;
  out.backlog = stats.backlog;
  out.sequence = stats.sequence;
  out.codes = static_cast<skerry_codes>(stats.codes);
  out.levels = stats.levels;
  out.has_graph = stats.has_graph;
  return out;
}

skerry_collection_stats written(const CollectionStats& stats) noexcept {
  skerry_collection_stats out = SKERRY_COLLECTION_STATS_INIT;
  out.opened = static_cast<skerry_opened>(stats.opened);
  out.image = static_cast<skerry_code>(stats.image.code());
  out.replayed = stats.replayed;
  out.mended_blocks = stats.mended_blocks;
  out.log_entries = stats.log_entries;
  out.image_bytes = stats.image_bytes;
  out.payload_count = stats.payload_count;
  return out;
}

skerry_database_stats written(const DatabaseStats& stats) noexcept {
  skerry_database_stats out = SKERRY_DATABASE_STATS_INIT;
  out.collections = stats.collections;
  out.map_bytes = stats.map_bytes;
  out.store_used_bytes = stats.store_used_bytes;
  out.store_disk_bytes = stats.store_disk_bytes;
  out.store_file_bytes = stats.store_file_bytes;
  out.image_disk_bytes = stats.image_disk_bytes;
  out.commits = stats.commits;
  out.grown = stats.grown;
  out.sequence = stats.sequence;
  out.readers = stats.readers;
  out.max_readers = stats.max_readers;
  out.stale_readers = stats.stale_readers;
  out.oldest_reader = stats.oldest_reader;
  out.snapshots = stats.snapshots;
  out.oldest_snapshot = stats.oldest_snapshot;
  return out;
}

skerry_check_report written(const CheckReport& report) noexcept {
  skerry_check_report out = SKERRY_CHECK_REPORT_INIT;
  out.live = report.live;
  out.tombstones = report.tombstones;
  out.links = report.links;
  out.unreachable = report.unreachable;
  out.levels = report.levels;
  return out;
}

skerry_verify_report written(const VerifyReport& report) noexcept {
  skerry_verify_report out = SKERRY_VERIFY_REPORT_INIT;
  out.live = report.index.live;
  out.tombstones = report.index.tombstones;
  out.links = report.index.links;
  out.unreachable = report.index.unreachable;
  out.levels = report.index.levels;
  out.vectors_compared = report.vectors_compared;
  out.payloads = report.payloads;
  out.samples = report.samples;
  out.samples_lost = report.samples_lost;
  out.recall_at_10 = report.recall_at_10;
  return out;
}

}  // namespace skerry::capi
