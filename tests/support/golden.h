// golden.h - does a database hold what expected.txt says?
//
// The file stands beside each golden database; tests/golden/make.cc says in which words.
#pragma once

#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "skerry/database.h"
#include "support/status_matchers.h"

namespace skerry::testing {

inline std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// One collection against its lines of expected.txt. A key is a number or bytes, as `Any` says.
class Checked {
 public:
  Checked(Collection collection, std::size_t dimension, std::string_view metric,
          std::string_view scalar, bool byte_keys)
      : collection_(std::move(collection)), byte_keys_(byte_keys) {
    const Result<CollectionOptions> options = collection_.options();
    EXPECT_OK(options);
    if (!options.ok()) return;
    options_ = *options;
    EXPECT_EQ(options_.index.dimension, dimension);
    EXPECT_EQ(name_of(options_.index.metric), metric);
    EXPECT_EQ(name_of(options_.index.scalar), scalar);
    EXPECT_EQ(options_.byte_keys, byte_keys);
  }

  void row(const std::string& key, const std::string& vector, const std::string& payload) {
    ++rows_;
    std::string got(vector.size(), '\0');
    std::vector<std::byte> room(8192);
    const std::span<std::byte> bytes = std::as_writable_bytes(std::span(got));
    const Status status = byte_keys_ ? collection_.get_bytes(from_hex(key), bytes)
                                     : collection_.get_bytes(std::stoull(key), bytes);
    EXPECT_OK(status) << key;
    EXPECT_EQ(got, vector) << key;
    const Result<std::size_t> size = byte_keys_ ? collection_.get_payload(from_hex(key), room)
                                                : collection_.get_payload(std::stoull(key), room);
    ASSERT_OK(size) << key;
    EXPECT_EQ(std::string_view(reinterpret_cast<const char*>(room.data()), *size), payload) << key;
  }

  void search(const std::string& query, const std::vector<std::pair<std::string, float>>& nearest) {
    const VectorView view(query.data(), options_.index.scalar, options_.index.dimension);
    const auto same = [&](const auto& hits, const auto& result, const auto& text) {
      ASSERT_OK(result);
      ASSERT_EQ(result->count, nearest.size());
      for (std::size_t i = 0; i < nearest.size(); ++i) {
        EXPECT_EQ(text(hits[i]), nearest[i].first) << "hit " << i;
        EXPECT_NEAR(hits[i].distance, nearest[i].second, 1e-4) << "hit " << i;
      }
    };
    if (byte_keys_) {
      std::vector<NamedHit> hits(5);
      const auto result = collection_.search(view, std::span(hits));
      same(hits, result, [](const NamedHit& hit) { return to_hex(hit.name.view()); });
    } else {
      std::vector<Hit> hits(5);
      const auto result = collection_.search(view, std::span(hits));
      same(hits, result, [](const Hit& hit) { return std::to_string(hit.key); });
    }
  }

  void finish() {
    EXPECT_EQ(collection_.size(), rows_);
    const Result<VerifyReport> report = collection_.verify();
    ASSERT_OK(report);
    EXPECT_EQ(report->vectors_compared, rows_);
  }

 private:
  static std::string to_hex(std::string_view bytes) {
    std::ostringstream text;
    for (const char byte : bytes) {
      text << std::hex << (static_cast<unsigned char>(byte) >> 4)
           << (static_cast<unsigned char>(byte) & 15);
    }
    return text.str();
  }

  Collection collection_;
  CollectionOptions options_;
  bool byte_keys_;
  std::size_t rows_ = 0;
};

// Everything that `expected` says is there, and nothing else.
inline void expect_all(Database& database, const std::filesystem::path& expected) {
  std::ifstream file(expected);
  ASSERT_TRUE(file) << expected;
  std::optional<Checked> checked;
  std::string line;
  std::size_t collections = 0;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string what, name;
    words >> what >> name;
    if (what == "row") {
      std::string vector, payload;
      words >> vector >> payload;
      ASSERT_TRUE(checked);
      checked->row(name, from_hex(vector), payload == "-" ? "" : from_hex(payload));
    } else if (what == "search") {
      std::vector<std::pair<std::string, float>> nearest;
      std::string key;
      for (float distance = 0; words >> key >> distance;) nearest.emplace_back(key, distance);
      ASSERT_TRUE(checked);
      checked->search(from_hex(name), nearest);
    } else if (what == "collection") {
      SCOPED_TRACE(name);
      if (checked) checked->finish();
      std::size_t dimension = 0;
      std::string metric, scalar;
      bool byte_keys = false;
      words >> dimension >> metric >> scalar >> byte_keys;
      Result<Collection> collection = database.open_collection(name);
      ASSERT_OK(collection);
      checked.emplace(*std::move(collection), dimension, metric, scalar, byte_keys);
      ++collections;
    } else {
      ASSERT_EQ(what, "dropped") << line;
      EXPECT_ERROR(database.open_collection(name), Code::not_found);
    }
  }
  ASSERT_TRUE(checked);
  checked->finish();
  const Result<std::vector<std::string>> list = database.list();
  ASSERT_OK(list);
  EXPECT_EQ(list->size(), collections);
}

}  // namespace skerry::testing
