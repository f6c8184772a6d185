// repaired.h - is what a repair kept what was there, and did it tell what is missing?
//
// The promise has three parts: what is kept is byte for byte what the last write left; what is
// missing is what the report says; and nothing comes back that had been removed or replaced.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "skerry/database.h"

namespace skerry::testing {

struct ExpectedRow {
  std::string vector;
  std::string payload;
};

// What a collection held. Numbers are keys in decimal.
struct Expected {
  std::uint32_t dimension = 0;  // tells a collection that has lost its name
  bool byte_keys = false;
  std::map<std::string, ExpectedRow> rows;
};

// How much was kept, summed over repairs.
struct Kept {
  std::uint64_t rows = 0;
  std::uint64_t rows_missing = 0;
  std::uint64_t payloads = 0;
  std::uint64_t payloads_missing = 0;
};

class Repaired {
 public:
  // `leeway`: keys that may be as they were before the last commit, when the report says that it
  // may be missing.
  Repaired(const RepairReport& report, Database& database, std::size_t leeway)
      : report_(report), database_(database), leeway_(report.may_lack_last_commit ? leeway : 0) {}

  // Empty when all is well; else the first thing that is not.
  std::string disagreement(const std::map<std::string, Expected>& all) {
    std::size_t known = 0;
    for (const auto& [name, expected] : all) {
      const CollectionRepair* repair = find(name, expected);
      if (repair == nullptr) {
        kept_.rows_missing += expected.rows.size();
        const bool is_told =
            report_.may_lack_collections ||
            std::ranges::any_of(report_.collections, [](const auto& c) { return !c.is_kept; });
        if (!is_told || !report_.has_losses) return name + ": gone, and nobody told";
        continue;
      }
      ++known;
      const std::string wrong = compare(*repair, expected);
      if (!wrong.empty()) return name + ": " + wrong;
    }
    const auto names = database_.list();
    if (!names.ok()) return "list: " + names.status().message();
    if (names->size() != known) return std::to_string(names->size()) + " collections are there";
    return {};
  }

  const Kept& kept() const { return kept_; }

 private:
  const CollectionRepair* find(const std::string& name, const Expected& expected) {
    for (const CollectionRepair& repair : report_.collections) {
      if (!repair.is_kept) continue;
      const bool is_renamed = repair.has_options_of_image && repair.name.starts_with("recovered-");
      if (!is_renamed && repair.name != name) continue;
      const auto collection = database_.open_collection(repair.name);
      const auto options =
          collection.ok() ? collection->options() : Result<CollectionOptions>(collection.status());
      if (options.ok() && options->index.dimension == expected.dimension) return &repair;
      if (!is_renamed) return &repair;  // and compare() will say what is wrong
    }
    return nullptr;
  }

  std::string compare(const CollectionRepair& repair, const Expected& expected) {
    auto collection = database_.open_collection(repair.name);
    if (!collection.ok()) return "open: " + collection.status().message();
    const auto verified = collection->verify();
    if (!verified.ok()) return "verify: " + verified.status().message();
    if (collection->size() != repair.rows) return "other rows than told";
    if (collection->options()->byte_keys != expected.byte_keys) return "another kind of keys";

    std::vector<std::string> found;
    const Status walk = expected.byte_keys ? collection->for_each_name([&](std::string_view name) {
      found.emplace_back(name);
      return true;
    })
                                           : collection->for_each([&](Key key) {
                                               found.push_back(std::to_string(key));
                                               return true;
                                             });
    if (!walk.ok()) return "walk: " + walk.message();
    std::set<std::string> missing;
    for (const auto& [key, row] : expected.rows) missing.insert(key);
    std::set<std::string> without_payload;
    for (const std::string& key : found) {
      missing.erase(key);
      const auto row = expected.rows.find(key);
      if (row == expected.rows.end()) {
        if (leeway_ > 0 && leeway_-- > 0) continue;
        return "key " + key + " came back";
      }
      std::string vector(row->second.vector.size(), '\0');
      std::string payload(64 << 10, '\0');
      const auto get = [&](auto k) {
        const Status got = collection->get_bytes(k, std::as_writable_bytes(std::span(vector)));
        const auto size = collection->get_payload(k, std::as_writable_bytes(std::span(payload)));
        payload.resize(size.value_or(0));
        return got.ok() ? size.status() : got;
      };
      const Status got = expected.byte_keys ? get(std::string_view(key)) : get(number(key));
      if (!got.ok()) return "get " + key + ": " + got.message();
      ++kept_.rows;
      const bool is_lost = payload.empty() && !row->second.payload.empty();
      if (vector != row->second.vector || (payload != row->second.payload && !is_lost)) {
        if (leeway_ > 0 && leeway_-- > 0) continue;
        return "key " + key + " is not what it was";
      }
      if (is_lost) without_payload.insert(key);
      if (!payload.empty()) ++kept_.payloads;
    }
    kept_.rows_missing += missing.size();
    kept_.payloads_missing += without_payload.size();
    if (report_.may_lack_last_commit) return {};

    const auto told = [&](const std::vector<Key>& keys, const std::vector<std::string>& names) {
      std::set<std::string> all(names.begin(), names.end());
      for (const Key key : keys) all.insert(std::to_string(key));
      return all;
    };
    const auto is_in = [&](const std::vector<KeyRange>& ranges, const std::string& key) {
      return std::ranges::any_of(ranges, [&](const KeyRange& range) {
        return number(key) >= range.first && number(key) <= range.last;
      });
    };
    if (!report_.has_losses && !(missing.empty() && without_payload.empty())) {
      return "losses that nobody told";
    }
    if (repair.is_rows_lost_exact && missing.size() != repair.rows_lost) {
      return std::to_string(missing.size()) + " rows are missing, and " +
             std::to_string(repair.rows_lost) + " told";
    }
    const std::set<std::string> keys = told(repair.keys_lost, repair.names_lost);
    for (const std::string& key : keys) {
      if (!missing.contains(key)) return "key " + key + " is told lost and is not";
    }
    for (const std::string& key : missing) {
      if (keys.contains(key) || expected.byte_keys || is_in(repair.ranges_lost, key)) continue;
      return "key " + key + " is missing and not told";
    }
    if (repair.is_payloads_lost_exact && without_payload.size() != repair.payloads_lost) {
      return std::to_string(without_payload.size()) + " payloads are missing, and " +
             std::to_string(repair.payloads_lost) + " told";
    }
    const std::set<std::string> payloads =
        told(repair.payload_keys_lost, repair.payload_names_lost);
    for (const std::string& key : payloads) {
      if (!without_payload.contains(key)) return "payload of " + key + " is told lost and is not";
    }
    for (const std::string& key : without_payload) {
      if (payloads.contains(key) || expected.byte_keys || is_in(repair.payload_ranges_lost, key)) {
        continue;
      }
      return "payload of " + key + " is missing and not told";
    }
    return {};
  }

  static Key number(const std::string& key) { return std::strtoull(key.c_str(), nullptr, 10); }

  const RepairReport& report_;
  Database& database_;
  std::size_t leeway_;
  Kept kept_;
};

}  // namespace skerry::testing
