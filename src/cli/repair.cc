// repair.cc - `skerry repair`: what can still be read of a damaged database, and what could not.
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/failure.h"
#include "cli/long_call.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kKeysShown = 20;

Json names_json(const std::vector<std::string>& names) {
  Json all = Json::array();
  for (const std::string& name : names) {
    Json one = Json::object();
    add_bytes(one, "key", name);
    all.push_back(std::move(one));
  }
  return all;
}

Json ranges_json(const std::vector<KeyRange>& ranges) {
  Json all = Json::array();
  for (const KeyRange& range : ranges)
    all.push_back({{"first", range.first}, {"last", range.last}});
  return all;
}

Json collection_json(const CollectionRepair& repair) {
  Json json = Json::object();
  if (repair.name.empty()) {
    json["collection"] = nullptr;
  } else {
    add_bytes(json, "collection", repair.name);
  }
  json["number"] = repair.number;
  json["kept"] = repair.is_kept;
  json["options_of_image"] = repair.has_options_of_image;
  json["recounted"] = repair.is_recounted;
  json["rows"] = repair.rows;
  json["rows_mended"] = repair.rows_mended;
  json["rows_from_image"] = repair.rows_from_image;
  json["places_rebuilt"] = repair.places_rebuilt;
  json["rows_lost"] = repair.rows_lost;
  json["rows_lost_exact"] = repair.is_rows_lost_exact;
  json["keys_lost"] = repair.keys_lost;
  json["names_lost"] = names_json(repair.names_lost);
  json["ranges_lost"] = ranges_json(repair.ranges_lost);
  json["payloads"] = repair.payloads;
  json["payloads_lost"] = repair.payloads_lost;
  json["payloads_lost_exact"] = repair.is_payloads_lost_exact;
  json["payload_keys_lost"] = repair.payload_keys_lost;
  json["payload_names_lost"] = names_json(repair.payload_names_lost);
  json["payload_ranges_lost"] = ranges_json(repair.payload_ranges_lost);
  json["image_discarded"] = repair.is_image_discarded;
  return json;
}

// A name as it is, or what it is made of.
std::string shown(const std::string& name) {
  Json one = Json::object();
  add_bytes(one, "key", name);
  return one.begin().value().get<std::string>();
}

// "lost rows: 3, 7, 9 and 12 more", and where the others lie.
void print_lost(const char* what, const std::vector<Key>& keys,
                const std::vector<std::string>& names, const std::vector<KeyRange>& ranges,
                std::uint64_t lost) {
  const std::size_t known = keys.size() + names.size();
  std::string line;
  for (std::size_t i = 0; i < std::min(known, kKeysShown); ++i) {
    line += (line.empty() ? "" : ", ") +
            (i < keys.size() ? std::to_string(keys[i]) : shown(names[i - keys.size()]));
  }
  if (known > kKeysShown) {
    line += fmt::format(" and {} more (--json has them all)", with_commas(known - kKeysShown));
  }
  if (!line.empty()) fmt::print("  {} of keys: {}\n", what, line);
  if (lost <= known && ranges.empty()) return;
  if (lost > known) fmt::print("  {} of unknown keys: {}\n", what, with_commas(lost - known));
  for (const KeyRange& range : ranges) {
    fmt::print("    they lie between {} and {}\n", range.first, range.last);
  }
}

void print_collection(const CollectionRepair& repair) {
  const std::string name =
      repair.name.empty() ? fmt::format("collection {}", repair.number) : shown(repair.name);
  const char* about = repair.is_rows_lost_exact ? "" : "at least ";
  if (!repair.is_kept) {
    fmt::print("{}: lost: nothing tells what it was any more; {}{} rows\n", name, about,
               with_commas(repair.rows_lost));
    return;
  }
  fmt::print("{}: {} rows", name, with_commas(repair.rows));
  if (repair.rows_mended > 0) fmt::print(", {} mended", with_commas(repair.rows_mended));
  if (repair.rows_from_image > 0)
    fmt::print(", {} from the image", with_commas(repair.rows_from_image));
  if (repair.rows_lost > 0 || !repair.is_rows_lost_exact) {
    fmt::print("; {}{} lost", about, with_commas(repair.rows_lost));
  }
  fmt::print("; {} payloads", with_commas(repair.payloads));
  if (repair.payloads_lost > 0 || !repair.is_payloads_lost_exact) {
    fmt::print("; {}{} lost", repair.is_payloads_lost_exact ? "" : "about ",
               with_commas(repair.payloads_lost));
  }
  fmt::print("\n");
  if (repair.has_options_of_image)
    fmt::print("  its record was lost: its image told its options\n");
  if (repair.is_recounted) fmt::print("  its counters were lost: it was counted anew\n");
  print_lost("lost rows", repair.keys_lost, repair.names_lost, repair.ranges_lost,
             repair.rows_lost);
  print_lost("lost payloads", repair.payload_keys_lost, repair.payload_names_lost,
             repair.payload_ranges_lost, repair.payloads_lost);
  if (repair.is_image_discarded) fmt::print("  its index is made again when it is opened\n");
}

struct Repair {
  Place place;
  std::string destination;

  void run() {
    const Result<RepairReport> repaired = [&] {
      LongCall call("repair");
      return Database::repair(place.database,
                              {.destination = destination, .control = call.control()});
    }();
    check(repaired.status(), place.database);
    if (json_wanted()) {
      print_json(json_of(*repaired));
    } else {
      say(*repaired);
    }
    if (repaired->has_losses) fail(kLost, "");
  }

  static const char* word(const RepairReport& report) {
    return report.is_whole ? "whole" : report.has_losses ? "repaired with losses" : "repaired";
  }

  Json json_of(const RepairReport& report) const {
    Json collections = Json::array();
    for (const CollectionRepair& repair : report.collections) {
      collections.push_back(collection_json(repair));
    }
    Json json{{"database", place.database}, {"repair", word(report)}};
    json["set_aside"] = report.set_aside.empty() ? Json(nullptr) : Json(report.set_aside.string());
    json["may_lack_last_commit"] = report.may_lack_last_commit;
    json["may_mix_moments"] = report.may_mix_moments;
    json["may_lack_collections"] = report.may_lack_collections;
    json["new_identity"] = report.has_new_identity;
    json["pages"] = report.pages;
    json["pages_damaged"] = report.pages_damaged;
    json["pages_found"] = report.pages_found;
    json["collections"] = std::move(collections);
    return json;
  }

  void say(const RepairReport& report) const {
    if (!report.is_whole) {
      for (const CollectionRepair& repair : report.collections) print_collection(repair);
      fmt::print(
          "{} of {} pages were damaged or missing; {} were found though nothing led to them\n",
          with_commas(report.pages_damaged), with_commas(report.pages),
          with_commas(report.pages_found));
    }
    if (report.may_lack_last_commit) {
      fmt::print("the newest root was damaged: the last commit may be missing\n");
    }
    if (report.may_mix_moments) {
      fmt::print(
          "store/synced.root was damaged: if the power had gone, rows of different moments may "
          "be mixed\n");
    }
    if (report.may_lack_collections) {
      fmt::print("records of collections were lost: there may have been more\n");
    }
    if (!report.set_aside.empty()) {
      fmt::print("the damaged store is kept in {}\n", report.set_aside.string());
    }
    if (report.is_whole) {
      fmt::print("{}: nothing is damaged, nothing was changed\n", place.database);
    } else if (!destination.empty()) {
      fmt::print("the repaired database is {}\n", destination);
    }
    fmt::print("repair: {}\n", word(report));
  }
};

}  // namespace

void add_repair(CLI::App& app) {
  auto self = std::make_shared<Repair>();
  CLI::App* command = add_command(
      app, "repair", "Make a whole database of a damaged one, and say what was lost",
      "  skerry repair my.skerry\n"
      "  skerry repair my.skerry --to repaired.skerry --json\n\n"
      "For a database that is damaged and has no backup: restore is better. The damaged\n"
      "store is kept, in store.damaged/; the disk must hold both. Leaves with 0 when nothing\n"
      "was lost, with 8 when something was, and with 5 when nothing can be told any more,\n"
      "and then has changed nothing.",
      Needs::database, self->place);
  command->add_option("--to", self->destination,
                      "A new folder for the repaired database; the damaged one is only read");
  command->callback([self] { self->run(); });
}

}  // namespace skerry::cli
