// output.h - answers for people in aligned columns, for programs as JSON.
//
// Standard output carries answers and nothing else; what goes on the way there, and every error,
// is said on standard error. With --json each answer is one object on one line.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cli {

using Json = nlohmann::ordered_json;

// Whether --json was given: one answer for the whole process.
bool& json_wanted() noexcept;

void print_json(const Json& object);

// {"key": 7}, {"key": "name"} or, of bytes that are no UTF-8, {"key_base64": "..."}.
void add_bytes(Json& object, std::string_view name, std::string_view bytes);

// The same of a key of a collection, as its text: a name, or a number.
void add_key(Json& object, bool names, const std::string& key);

// The float as the shortest decimal that reads back the same.
double shortest(float value);

// Columns that line up. Cells that begin with a digit, a sign or a dot stand to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : rows_{std::move(header)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

// Name and value, one a line, the values in one column.
void print_pairs(const std::vector<std::pair<std::string, std::string>>& pairs);

std::string with_commas(std::uint64_t number);  // 1,234,567
std::string human_bytes(std::uint64_t bytes);   // 1.2 MB

}  // namespace skerry::cli
