// repair.cc - Database::repair, for C: a report that stays until it is freed, and what is in it.
#include "skerry/repair.h"

#include <memory>
#include <mutex>

#include "capi/arguments.h"

namespace skerry::capi {
namespace {

std::vector<skerry_name> names_of(const std::vector<std::string>& names) {
  std::vector<skerry_name> out;
  out.reserve(names.size());
  for (const std::string& name : names) out.push_back({name.data(), name.size()});
  return out;
}

const skerry_repair_report::Names& names_of(const skerry_repair_report& report, std::size_t place) {
  const std::lock_guard lock(report.making);
  if (report.names.empty()) {
    std::vector<skerry_repair_report::Names> names;
    for (const CollectionRepair& one : report.report.collections) {
      names.push_back({names_of(one.names_lost), names_of(one.payload_names_lost)});
    }
    report.names = std::move(names);
  }
  return report.names[place];
}

const skerry_key_range* ranges_of(const std::vector<KeyRange>& ranges) noexcept {
  return reinterpret_cast<const skerry_key_range*>(ranges.data());
}

}  // namespace
}  // namespace skerry::capi

using namespace skerry;
using namespace skerry::capi;

skerry_code skerry_database_repair(const char* folder, const skerry_repair_options* options,
                                   skerry_repair_report** out, skerry_error* error) noexcept {
  if (out != nullptr) *out = nullptr;
  return enter(error, [&]() -> Status {
    SKERRY_NEED(folder);
    SKERRY_NEED(out);
    skerry_repair_options all = SKERRY_REPAIR_OPTIONS_INIT;
    ControlArgument watch;
    SKERRY_TRY(take(options, all));
    SKERRY_TRY(watch.read(all.control));
    RepairOptions how;
    if (all.destination != nullptr) how.destination = all.destination;
    how.control = watch.get();
    auto made = std::make_unique<skerry_repair_report>();
    Result<RepairReport> report = Database::repair(folder, how);
    if (!report.ok()) return report.status();
    made->report = std::move(*report);
    *out = made.release();
    return {};
  });
}

skerry_code skerry_repair_report_summary(const skerry_repair_report* report,
                                         skerry_repair_summary* out, skerry_error* error) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(report);
    SKERRY_NEED(out);
    SKERRY_TRY(check_room(out));
    const RepairReport& found = report->report;
    skerry_repair_summary all = SKERRY_REPAIR_SUMMARY_INIT;
    all.is_whole = found.is_whole;
    all.has_losses = found.has_losses;
    all.may_lack_last_commit = found.may_lack_last_commit;
    all.may_mix_moments = found.may_mix_moments;
    all.may_lack_collections = found.may_lack_collections;
    all.has_new_identity = found.has_new_identity;
    all.pages = found.pages;
    all.pages_damaged = found.pages_damaged;
    all.pages_found = found.pages_found;
    all.set_aside = found.set_aside.c_str();
    all.collections = found.collections.size();
    give(all, out);
    return {};
  });
}

skerry_code skerry_repair_report_collection(const skerry_repair_report* report, size_t place,
                                            skerry_collection_repair* out,
                                            skerry_error* error) noexcept {
  return enter(error, [&]() -> Status {
    SKERRY_NEED(report);
    SKERRY_NEED(out);
    SKERRY_TRY(check_room(out));
    const std::vector<CollectionRepair>& list = report->report.collections;
    if (place >= list.size()) {
      return Status(Code::not_found, "the report tells of {a} collections, and was asked for {b}",
                    list.size(), place);
    }
    const CollectionRepair& found = list[place];
    const skerry_repair_report::Names& names = names_of(*report, place);
    skerry_collection_repair all = SKERRY_COLLECTION_REPAIR_INIT;
    all.name = found.name.c_str();
    all.number = found.number;
    all.is_kept = found.is_kept;
    all.has_options_of_image = found.has_options_of_image;
    all.is_recounted = found.is_recounted;
    all.is_rows_lost_exact = found.is_rows_lost_exact;
    all.is_payloads_lost_exact = found.is_payloads_lost_exact;
    all.is_image_discarded = found.is_image_discarded;
    all.rows = found.rows;
    all.rows_mended = found.rows_mended;
    all.rows_from_image = found.rows_from_image;
    all.places_rebuilt = found.places_rebuilt;
    all.rows_lost = found.rows_lost;
    all.keys_lost = found.keys_lost.data();
    all.keys_lost_count = found.keys_lost.size();
    all.names_lost = names.keys_lost.data();
    all.names_lost_count = names.keys_lost.size();
    all.ranges_lost = ranges_of(found.ranges_lost);
    all.ranges_lost_count = found.ranges_lost.size();
    all.payloads = found.payloads;
    all.payloads_lost = found.payloads_lost;
    all.payload_keys_lost = found.payload_keys_lost.data();
    all.payload_keys_lost_count = found.payload_keys_lost.size();
    all.payload_names_lost = names.payload_keys_lost.data();
    all.payload_names_lost_count = names.payload_keys_lost.size();
    all.payload_ranges_lost = ranges_of(found.payload_ranges_lost);
    all.payload_ranges_lost_count = found.payload_ranges_lost.size();
    give(all, out);
    return {};
  });
}

void skerry_repair_report_free(skerry_repair_report* report) noexcept {
  delete report;
}
