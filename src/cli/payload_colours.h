// payload_colours.h - which colour has a vector, by a field of its payload?
//
// A payload is any bytes. One that is a JSON object has fields: words are coloured by how often
// they come, numbers, when there are many different ones, by their size.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"

namespace skerry::cli {

struct Legend {
  std::string colour;
  std::string text;
};

class PayloadColours {
 public:
  // `field` empty: payloads are looked into, and all have one colour.
  explicit PayloadColours(std::string field) : field_(std::move(field)) {}

  // One after the other.
  void add(std::string_view payload);

  // When all are there: what stands beside the colours, and those of each.
  std::vector<Legend> settle();
  const std::string& colour(std::size_t i) const noexcept { return colours_[i]; }
  std::string text(std::size_t i) const;  // "lang: en"; empty without a field

  // Names of fields that were seen, the first dozen.
  const std::vector<std::string>& fields() const noexcept { return fields_; }
  std::size_t found() const noexcept { return found_; }  // payloads that have the field

 private:
  void note_fields(const Json& object);
  std::vector<Legend> by_size();
  std::vector<Legend> by_word();

  std::string field_;
  std::vector<std::string> words_;              // the field's value, as it is told
  std::vector<std::optional<double>> numbers_;  // when it is one
  std::vector<bool> present_;
  std::vector<std::string> colours_;
  std::vector<std::string> fields_;
  std::size_t found_ = 0;
};

}  // namespace skerry::cli
