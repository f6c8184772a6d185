// reports.cc - what the library tells, as dicts.
#include "python/options.h"

#include "python/keys.h"

namespace skerry::python {

using namespace py::literals;

namespace {

// By number; of collections with names there are names instead.
py::list list_of(const std::vector<Key>& keys, const std::vector<std::string>& names) {
  py::list list;
  for (const Key key : keys) list.append(key_out(key));
  for (const std::string& name : names) list.append(name_out(name, KeyKind::text));
  return list;
}

py::list list_of(const std::vector<KeyRange>& ranges) {
  py::list list;
  for (const KeyRange& range : ranges) list.append(py::make_tuple(range.first, range.last));
  return list;
}

py::dict out(const CollectionRepair& repair) {
  return py::dict(
      "name"_a = name_out(repair.name, KeyKind::text), "number"_a = repair.number,
      "is_kept"_a = repair.is_kept, "has_options_of_image"_a = repair.has_options_of_image,
      "is_recounted"_a = repair.is_recounted, "rows"_a = repair.rows,
      "rows_mended"_a = repair.rows_mended, "rows_from_image"_a = repair.rows_from_image,
      "places_rebuilt"_a = repair.places_rebuilt, "rows_lost"_a = repair.rows_lost,
      "is_rows_lost_exact"_a = repair.is_rows_lost_exact,
      "keys_lost"_a = list_of(repair.keys_lost, repair.names_lost),
      "ranges_lost"_a = list_of(repair.ranges_lost), "payloads"_a = repair.payloads,
      "payloads_lost"_a = repair.payloads_lost,
      "is_payloads_lost_exact"_a = repair.is_payloads_lost_exact,
      "payload_keys_lost"_a = list_of(repair.payload_keys_lost, repair.payload_names_lost),
      "payload_ranges_lost"_a = list_of(repair.payload_ranges_lost),
      "is_image_discarded"_a = repair.is_image_discarded);
}

}  // namespace

py::dict out(const IndexStats& stats) {
  return py::dict("live"_a = stats.live, "tombstones"_a = stats.tombstones,
                  "free_slots"_a = stats.free_slots, "vector_bytes"_a = stats.vector_bytes,
                  "vector_disk_bytes"_a = stats.vector_disk_bytes,
                  "code_bytes"_a = stats.code_bytes, "codes"_a = text(name_of(stats.codes)),
                  "link_bytes"_a = stats.link_bytes, "other_bytes"_a = stats.other_bytes,
                  "levels"_a = stats.levels, "has_graph"_a = stats.has_graph,
                  "backlog"_a = stats.backlog, "sequence"_a = stats.sequence);
}

py::dict out(const GraphShape& shape) {
  const auto list = [](const std::vector<std::uint64_t>& counts) {
    py::list numbers;
    for (const std::uint64_t count : counts) numbers.append(count);
    return numbers;
  };
  return py::dict("nodes"_a = shape.nodes, "levels"_a = list(shape.levels),
                  "out_degrees"_a = list(shape.out_degrees),
                  "in_degrees"_a = list(shape.in_degrees));
}

py::dict out(const CheckReport& report) {
  return py::dict("live"_a = report.live, "tombstones"_a = report.tombstones,
                  "links"_a = report.links, "unreachable"_a = report.unreachable,
                  "levels"_a = report.levels);
}

py::dict out(const CollectionStats& stats) {
  return py::dict("index"_a = out(stats.index), "opened"_a = text(name_of(stats.opened)),
                  "image"_a = stats.image.message(), "replayed"_a = stats.replayed,
                  "mended_blocks"_a = stats.mended_blocks, "log_entries"_a = stats.log_entries,
                  "image_bytes"_a = stats.image_bytes, "payload_count"_a = stats.payload_count);
}

py::dict out(const CollectionInfo& info) {
  py::dict words = out(info.options.index);
  words["byte_keys"] = info.options.byte_keys;
  return py::dict("name"_a = name_out(info.name, KeyKind::text), "size"_a = info.size,
                  "payload_count"_a = info.payload_count, "options"_a = words);
}

py::dict out(const VerifyReport& report) {
  return py::dict("index"_a = out(report.index), "vectors_compared"_a = report.vectors_compared,
                  "payloads"_a = report.payloads, "samples"_a = report.samples,
                  "samples_lost"_a = report.samples_lost, "recall_at_10"_a = report.recall_at_10);
}

py::dict out(const DatabaseStats& stats) {
  return py::dict(
      "collections"_a = stats.collections, "map_bytes"_a = stats.map_bytes,
      "store_used_bytes"_a = stats.store_used_bytes, "store_disk_bytes"_a = stats.store_disk_bytes,
      "store_file_bytes"_a = stats.store_file_bytes, "image_disk_bytes"_a = stats.image_disk_bytes,
      "commits"_a = stats.commits, "grown"_a = stats.grown, "sequence"_a = stats.sequence,
      "readers"_a = stats.readers, "max_readers"_a = stats.max_readers,
      "stale_readers"_a = stats.stale_readers, "oldest_reader"_a = stats.oldest_reader,
      "snapshots"_a = stats.snapshots, "oldest_snapshot"_a = stats.oldest_snapshot);
}

py::dict out(const RepairReport& report) {
  py::list collections;
  for (const CollectionRepair& repair : report.collections) collections.append(out(repair));
  return py::dict("is_whole"_a = report.is_whole, "has_losses"_a = report.has_losses,
                  "may_lack_last_commit"_a = report.may_lack_last_commit,
                  "may_mix_moments"_a = report.may_mix_moments,
                  "may_lack_collections"_a = report.may_lack_collections,
                  "has_new_identity"_a = report.has_new_identity, "pages"_a = report.pages,
                  "pages_damaged"_a = report.pages_damaged, "pages_found"_a = report.pages_found,
                  "set_aside"_a = name_out(report.set_aside.native(), KeyKind::text),
                  "collections"_a = collections);
}

py::dict out(const SearchResult& result) {
  return py::dict("exact"_a = result.exact, "exhausted"_a = result.exhausted,
                  "visited"_a = result.visited, "hops"_a = result.hops,
                  "reranked"_a = result.reranked, "bytes"_a = result.bytes);
}

py::dict out(const Explanation& why) {
  return py::dict("fate"_a = text(name_of(why.fate)), "way"_a = text(name_of(why.way)),
                  "fallback"_a = text(name_of(why.fallback)), "cost"_a = out(why.result),
                  "share"_a = why.share, "walk_cost_ns"_a = why.walk_cost_ns,
                  "scan_cost_ns"_a = why.scan_cost_ns, "ef"_a = why.ef, "stretch"_a = why.stretch,
                  "bar_at_end"_a = why.bar_at_end, "is_live"_a = why.is_live,
                  "passes"_a = why.passes, "distance"_a = why.distance, "rank"_a = why.rank,
                  "passing"_a = why.passing, "place"_a = why.place, "was_met"_a = why.was_met,
                  "was_reranked"_a = why.was_reranked, "met_at_hop"_a = why.met_at_hop,
                  "code_distance"_a = why.code_distance, "bar_when_met"_a = why.bar_when_met,
                  "in_links"_a = why.in_links, "in_links_met"_a = why.in_links_met,
                  "in_links_asked"_a = why.in_links_asked);
}

}  // namespace skerry::python
