// stats.cc - `skerry stats`: how full, how large, how deep?
#include <fmt/core.h>

#include <memory>

#include "cli/command.h"
#include "cli/failure.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

struct Stats {
  Place place;

  void run() {
    Database database = open_to_read(place);
    const auto names = place.collection.empty() ? take(database.list(), place.database)
                                                : std::vector<std::string>{place.collection};
    Json collections = Json::array();
    std::vector<std::string> notes;
    Table table({"collection", "live", "dimension", "metric", "scalar", "codes", "levels",
                 "vectors", "codes of", "links", "bytes/vector", "opened"});
    for (const std::string& name : names) {
      Collection collection = open_collection(database, {place.database, name});
      const CollectionOptions options = take(collection.options(), name);
      const CollectionStats stats = take(collection.stats(), name);
      collections.push_back(describe(name, options, stats));
      if (!stats.image.ok()) notes.push_back(name + ": " + stats.image.message());
      if (stats.mended_blocks != 0) {
        notes.push_back(fmt::format("{}: {} blocks of the image were damaged and are mended", name,
                                    with_commas(stats.mended_blocks)));
      }
      const IndexStats& index = stats.index;
      const std::uint64_t bytes = index.vector_bytes - index.vector_disk_bytes + index.code_bytes +
                                  index.link_bytes + index.other_bytes;
      table.add({name, with_commas(index.live), std::to_string(options.index.dimension),
                 std::string(name_of(options.index.metric)),
                 std::string(name_of(options.index.scalar)), codes_of(options.index, index),
                 std::to_string(index.levels), vectors_of(index), human_bytes(index.code_bytes),
                 human_bytes(index.link_bytes),
                 index.live == 0 ? "" : with_commas(bytes / index.live),
                 std::string(name_of(stats.opened))});
    }
    const DatabaseStats stats = take(database.stats(), place.database);
    check(database.close(), place.database);
    if (json_wanted()) {
      return print_json({{"database", place.database},
                         {"collection_count", stats.collections},
                         {"map_bytes", stats.map_bytes},
                         {"store_used_bytes", stats.store_used_bytes},
                         {"store_disk_bytes", stats.store_disk_bytes},
                         {"store_file_bytes", stats.store_file_bytes},
                         {"readers", stats.readers},
                         {"max_readers", stats.max_readers},
                         {"oldest_reader", stats.oldest_reader},
                         {"snapshots", stats.snapshots},
                         {"oldest_snapshot", stats.oldest_snapshot},
                         {"image_disk_bytes", stats.image_disk_bytes},
                         {"sequence", stats.sequence},
                         {"collections", collections}});
    }
    print_pairs({{"database", place.database},
                 {"collections", with_commas(stats.collections)},
                 {"store", fmt::format("{} on disk, {} in use", human_bytes(stats.store_disk_bytes),
                                       human_bytes(stats.store_used_bytes))},
                 {"readers", readers_of(stats)},
                 {"snapshots", snapshots_of(stats)},
                 {"images", human_bytes(stats.image_disk_bytes) + " on disk"},
                 {"sequence", with_commas(stats.sequence)}});
    if (!names.empty()) {
      fmt::print("\n");
      table.print();
    }
    for (const std::string& note : notes) fmt::print("\n{}\n", note);
  }

  // What was asked for; of what is chosen by itself also what it is now.
  static std::string codes_of(const IndexOptions& options, const IndexStats& index) {
    const std::string wanted(name_of(options.codes));
    return options.codes == Codes::automatic ? fmt::format("{}: {}", wanted, name_of(index.codes))
                                             : wanted;
  }

  static std::string vectors_of(const IndexStats& index) {
    return human_bytes(index.vector_bytes) + (index.vector_disk_bytes != 0 ? " on disk" : "");
  }

  static std::string readers_of(const DatabaseStats& stats) {
    const std::string count =
        fmt::format("{} of {}", with_commas(stats.readers), with_commas(stats.max_readers));
    return stats.readers == 0 ? count
                              : fmt::format("{}, {} transactions since the oldest began", count,
                                            with_commas(stats.oldest_reader));
  }

  static std::string snapshots_of(const DatabaseStats& stats) {
    const std::string count = fmt::format("{} of this process", with_commas(stats.snapshots));
    return stats.snapshots == 0
               ? count
               : fmt::format("{}, the oldest for {:.0f} s", count, stats.oldest_snapshot);
  }

  static Json describe(const std::string& name, const CollectionOptions& options,
                       const CollectionStats& stats) {
    const IndexStats& index = stats.index;
    return {{"collection", name},
            {"dimension", options.index.dimension},
            {"metric", name_of(options.index.metric)},
            {"scalar", name_of(options.index.scalar)},
            {"codes", name_of(options.index.codes)},
            {"codes_now", name_of(index.codes)},
            {"vectors", name_of(options.index.vectors)},
            {"M", options.index.M},
            {"ef_construction", options.index.ef_construction},
            {"ef", options.index.ef},
            {"flat_below", options.index.flat_below},
            {"byte_keys", options.byte_keys},
            {"live", index.live},
            {"tombstones", index.tombstones},
            {"free_slots", index.free_slots},
            {"vector_bytes", index.vector_bytes},
            {"vector_disk_bytes", index.vector_disk_bytes},
            {"code_bytes", index.code_bytes},
            {"link_bytes", index.link_bytes},
            {"other_bytes", index.other_bytes},
            {"levels", index.levels},
            {"has_graph", index.has_graph},
            {"backlog", index.backlog},
            {"sequence", index.sequence},
            {"payloads", stats.payload_count},
            {"opened", name_of(stats.opened)},
            {"image_status", stats.image.ok() ? "" : stats.image.message()},
            {"mended_blocks", stats.mended_blocks},
            {"replayed", stats.replayed},
            {"log_entries", stats.log_entries},
            {"image_bytes", stats.image_bytes}};
  }
};

}  // namespace

void add_stats(CLI::App& app) {
  auto self = std::make_shared<Stats>();
  CLI::App* command = add_command(app, "stats", "How full, how large, how deep?",
                                  "  skerry stats my.skerry\n"
                                  "  skerry stats my.skerry docs --json",
                                  Needs::maybe_collection, self->place);
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli
