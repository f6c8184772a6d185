// csv.cc - a record a vector (RFC 4180): the key's column, the components, perhaps a payload.
//
// The first record is a header when a cell that should be a number is none. Without other word the
// key is the column named "key", or the first; the payload is the column named "payload", or none.
// A quoted field may hold commas, quotes (doubled) and line ends. Rows count from 0 after the
// header.
#include <fmt/core.h>

#include <charconv>

#include "formats/reader.h"
#include "formats/text.h"

namespace skerry::formats {
namespace {

constexpr std::size_t kNoColumn = SIZE_MAX;

class CsvReader final : public VectorReader {
 public:
  CsvReader(std::unique_ptr<Source> source, const InputOptions& options)
      : VectorReader(std::move(source)), options_(options) {}

  // The first record, which stays in hand unless it is a header, tells the columns.
  Outcome begin() {
    bool found = false;
    if (Outcome read = read_record(found); !read.ok()) return read;
    if (!found) return bad_file("empty, so its dimension is not known");
    using Header = InputOptions::Header;
    bool header = options_.header == Header::yes;
    if (Outcome chosen = choose_columns(header); !chosen.ok()) return chosen;
    if (options_.header == Header::guess && !numbers_only()) {
      header = true;
      if (Outcome chosen = choose_columns(true); !chosen.ok()) return chosen;
    }
    in_hand_ = !header;
    columns_ = fields_.size();
    const std::size_t taken = (key_ != kNoColumn) + (payload_ != kNoColumn);
    if (columns_ <= taken || columns_ - taken > kMaxDimension) {
      return bad_file(fmt::format("{} columns, expected 1 to {} beside key and payload", columns_,
                                  kMaxDimension));
    }
    shape_.dimension = static_cast<std::uint32_t>(columns_ - taken);
    shape_.keys = key_ != kNoColumn;
    return {};
  }

 private:
  Outcome bad_record(std::uint64_t row, const std::string& what) const {
    return bad_file(fmt::format("row {} (line {}): {}", row, line_number_, what));
  }

  bool numbers_only() const {
    float value = 0;
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      if (i != key_ && i != payload_ && !parse_float(fields_[i], value)) return false;
    }
    return true;
  }

  // A column by its name in the header, or by its number from 0.
  Outcome find_column(const std::string& word, bool header, std::size_t& column) const {
    column = kNoColumn;
    if (word == "none") return {};
    for (std::size_t i = 0; header && i < fields_.size(); ++i) {
      if (trim(fields_[i]) == word) {
        column = i;
        return {};
      }
    }
    const char* limit = word.data() + word.size();
    const auto [end, error] = std::from_chars(word.data(), limit, column);
    if (error == std::errc{} && end == limit && column < fields_.size()) return {};
    // A name is lawful only with a header; whether there is one is not known yet when guessing.
    if (!header && options_.header == InputOptions::Header::guess) {
      column = kNoColumn;
      return {};
    }
    return Outcome::usage(fmt::format("{}: no column \"{}\"", source_->name(), word));
  }

  Outcome choose_columns(bool header) {
    const auto named = [&](std::string_view name) {
      for (std::size_t i = 0; header && i < fields_.size(); ++i) {
        if (trim(fields_[i]) == name) return i;
      }
      return kNoColumn;
    };
    if (options_.key_column.empty()) {
      key_ = named("key") != kNoColumn ? named("key") : 0;
    } else if (Outcome found = find_column(options_.key_column, header, key_); !found.ok()) {
      return found;
    }
    if (options_.payload_column.empty()) {
      payload_ = named("payload");
      return {};
    }
    return find_column(options_.payload_column, header, payload_);
  }

  // Cuts one record into fields_; a quoted field may run over several lines.
  Outcome read_record(bool& found) {
    std::string line;
    do {  // blank lines are no records
      if (Outcome read = source_->line(line, found); !read.ok()) return read;
      line_number_ += found;
    } while (found && trim(line).empty());
    fields_.clear();
    if (!found) return {};
    for (std::size_t at = 0;;) {
      std::string& field = fields_.emplace_back();
      if (at < line.size() && line[at] == '"') {
        if (Outcome read = read_quoted(line, at, field); !read.ok()) return read;
        if (at < line.size() && line[at] != ',') {
          return bad_file(fmt::format("line {}: column {}: text after the closing quote",
                                      line_number_, fields_.size() - 1));
        }
      } else {
        const std::size_t end = std::min(line.find(',', at), line.size());
        field = line.substr(at, end - at);
        at = end;
      }
      if (at >= line.size()) return {};
      ++at;  // the comma
    }
  }

  // `at` stands on the opening quote, and then behind the closing one.
  Outcome read_quoted(std::string& line, std::size_t& at, std::string& field) {
    const std::uint64_t first_line = line_number_;
    for (++at;;) {
      const std::size_t quote = line.find('"', at);
      if (quote == std::string::npos) {
        field.append(line, at);
        field += '\n';
        bool found = false;
        if (Outcome read = source_->line(line, found); !read.ok()) return read;
        if (!found) {
          return bad_file(fmt::format("line {}: truncated: a quote is never closed", first_line));
        }
        ++line_number_;
        at = 0;
        continue;
      }
      field.append(line, at, quote - at);
      at = quote + 1;
      if (at >= line.size() || line[at] != '"') return {};
      field += '"';
      ++at;
    }
  }

  Outcome next_record(bool& found) {
    found = in_hand_;
    if (in_hand_) {
      in_hand_ = false;
      return {};
    }
    return read_record(found);
  }

  Outcome read_rows(std::size_t limit, Batch& batch) override {
    for (; batch.rows < limit; ++batch.rows) {
      const std::uint64_t row = batch.first_row + batch.rows;
      bool found = false;
      if (Outcome read = next_record(found); !read.ok()) return read;
      if (!found) return {};
      if (fields_.size() != columns_) {
        const std::size_t taken = columns_ - shape_.dimension;
        const std::size_t given = fields_.size() - std::min(taken, fields_.size());
        return bad_record(row, fmt::format("dimension {}, expected {} ({} columns, expected {})",
                                           given, shape_.dimension, fields_.size(), columns_));
      }
      std::uint32_t component = 0;
      for (std::size_t i = 0; i < columns_; ++i) {
        if (i == key_ || i == payload_) continue;
        float value = 0;
        if (!parse_float(fields_[i], value)) {
          return bad_record(row, fmt::format("component {} is \"{}\", expected a number", component,
                                             fields_[i].substr(0, 40)));
        }
        const auto* bytes = reinterpret_cast<const std::byte*>(&value);
        batch.vectors.insert(batch.vectors.end(), bytes, bytes + 4);
        ++component;
      }
      if (key_ != kNoColumn) {
        if (fields_[key_].empty()) return bad_record(row, "the key is empty");
        batch.keys.push_back(fields_[key_]);
      }
      if (payload_ != kNoColumn) batch.payloads.push_back(fields_[payload_]);
    }
    return {};
  }

  Outcome skip_rows(std::uint64_t rows, std::uint64_t& skipped) override {
    for (; skipped < rows; ++skipped) {
      bool found = false;
      if (Outcome read = next_record(found); !read.ok()) return read;
      if (!found) return {};
    }
    return {};
  }

  InputOptions options_;
  std::size_t key_ = 0;
  std::size_t payload_ = kNoColumn;
  std::size_t columns_ = 0;
  std::vector<std::string> fields_;
  bool in_hand_ = false;  // fields_ is the next row, not used yet
  std::uint64_t line_number_ = 0;
};

}  // namespace

Outcome open_csv(std::unique_ptr<Source> source, const InputOptions& options,
                 std::unique_ptr<VectorReader>& out) {
  auto reader = std::make_unique<CsvReader>(std::move(source), options);
  if (Outcome begun = reader->begin(); !begun.ok()) return begun;
  out = std::move(reader);
  return {};
}

}  // namespace skerry::formats
