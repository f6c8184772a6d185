// jsonl.cc - a line a vector: {"key": 7 or "seven", "vector": [0.5, ...], "payload": ...}
//
// The line is cut by hand, so that a bad number can be named by its place and a payload that is
// not a string keeps its own text, byte by byte. "key_base64" and "payload_base64" carry bytes that
// are not UTF-8. Members with other names are passed over; blank lines too.
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "formats/reader.h"
#include "formats/text.h"

namespace skerry::formats {
namespace {

using nlohmann::json;

struct Entry {
  std::vector<float> vector;
  bool has_vector = false;
  bool has_key = false;
  std::string key;
  std::string payload;
};

void take_spaces(std::string_view& text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  text.remove_prefix(begin == std::string_view::npos ? text.size() : begin);
}

bool take(std::string_view& text, char expected) noexcept {
  take_spaces(text);
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

// The text of one value: to the comma or bracket that ends it, over strings and nested brackets.
std::string_view take_value(std::string_view& text) noexcept {
  take_spaces(text);
  std::size_t depth = 0;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '[' || c == '{') ++depth;
    if (depth == 0 && (c == ',' || c == ':' || c == ']' || c == '}')) break;
    if (c == ']' || c == '}') --depth;
  }
  std::string_view value = text.substr(0, i);
  text.remove_prefix(value.size());
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return value;
}

bool parse_string(std::string_view value, std::string& out) {
  if (!value.starts_with('"')) return false;
  const json parsed = json::parse(value, nullptr, false);
  if (!parsed.is_string()) return false;
  out = parsed.get_ref<const std::string&>();
  return true;
}

// Empty when `text` was one vector and is now what follows it; otherwise what is wrong.
std::string take_vector(std::string_view& text, std::vector<float>& vector) {
  vector.clear();
  if (!take(text, '[')) return "the vector is not an array";
  if (take(text, ']')) return "the vector is empty";
  for (;;) {
    take_spaces(text);
    float value = 0;
    if (!take_float(text, value)) {
      return fmt::format("component {} is not a number", vector.size());
    }
    vector.push_back(value);
    if (take(text, ']')) return {};
    if (!take(text, ',')) {
      return fmt::format("after component {}, expected a comma or ]", vector.size() - 1);
    }
  }
}

// Empty when `name` with the value at the front of `text` was understood.
std::string take_member(const std::string& name, std::string_view& text, Entry& entry) {
  if (name == "vector") {
    entry.has_vector = true;
    return take_vector(text, entry.vector);
  }
  const std::string_view value = take_value(text);
  if (!json::accept(value)) return fmt::format("the value of \"{}\" is not JSON", name);
  if (name == "key") {
    entry.has_key = true;
    if (parse_string(value, entry.key)) return {};
    entry.key = value;
    const bool number = value.find_first_not_of("0123456789") == std::string_view::npos;
    return number ? std::string{} : "the key is neither a string nor a whole number from 0 on";
  }
  if (name == "key_base64" || name == "payload_base64") {
    const bool is_key = name == "key_base64";
    std::string text64;
    if (!parse_string(value, text64) || !parse_base64(text64, is_key ? entry.key : entry.payload)) {
      return fmt::format("\"{}\" is not base64", name);
    }
    if (is_key) entry.has_key = true;
  }
  if (name == "payload" && value != "null" && !parse_string(value, entry.payload)) {
    entry.payload = value;
  }
  return {};
}

// Empty when the line was an entry; otherwise what is wrong with it.
std::string parse_entry(std::string_view line, Entry& entry) {
  entry.has_vector = entry.has_key = false;
  entry.key.clear();
  entry.payload.clear();
  if (!take(line, '{')) return "expected a JSON object";
  std::string name;
  for (bool first = true; !(first && take(line, '}')); first = false) {
    if (!parse_string(take_value(line), name) || !take(line, ':')) {
      return "expected \"name\": value (or the line is truncated)";
    }
    if (std::string wrong = take_member(name, line, entry); !wrong.empty()) return wrong;
    if (take(line, '}')) break;
    if (!take(line, ',')) return "expected a comma or } (or the line is truncated)";
  }
  take_spaces(line);
  if (!line.empty()) return "something follows the JSON object";
  return entry.has_vector ? std::string{} : "no \"vector\"";
}

class JsonlReader final : public VectorReader {
 public:
  explicit JsonlReader(std::unique_ptr<Source> source) : VectorReader(std::move(source)) {}

  // The first entry, which stays in hand, tells the dimension and whether there are keys.
  Outcome begin() {
    if (Outcome read = find_line(); !read.ok()) return read;
    if (!in_hand_) return bad_file("empty, so its dimension is not known");
    if (std::string wrong = parse_entry(line_, entry_); !wrong.empty()) return bad_line(0, wrong);
    if (entry_.vector.size() > kMaxDimension) {
      return bad_line(
          0, fmt::format("dimension {}, expected 1 to {}", entry_.vector.size(), kMaxDimension));
    }
    shape_.dimension = static_cast<std::uint32_t>(entry_.vector.size());
    shape_.keys = entry_.has_key;
    return {};
  }

 private:
  Outcome bad_line(std::uint64_t row, const std::string& what) const {
    return bad_file(fmt::format("row {} (line {}): {}", row, line_number_, what));
  }

  // Puts the next line that is not blank into line_, if there is one.
  Outcome find_line() {
    for (bool found = true; !in_hand_ && found;) {
      if (Outcome read = source_->line(line_, found); !read.ok()) return read;
      line_number_ += found;
      in_hand_ = found && !trim(line_).empty();
    }
    return {};
  }

  Outcome read_rows(std::size_t limit, Batch& batch) override {
    for (; batch.rows < limit; ++batch.rows) {
      const std::uint64_t row = batch.first_row + batch.rows;
      if (Outcome read = find_line(); !read.ok()) return read;
      if (!in_hand_) return {};
      in_hand_ = false;
      if (std::string wrong = parse_entry(line_, entry_); !wrong.empty()) {
        return bad_line(row, wrong);
      }
      if (entry_.vector.size() != shape_.dimension) {
        return bad_line(
            row, fmt::format("dimension {}, expected {}", entry_.vector.size(), shape_.dimension));
      }
      if (entry_.has_key != shape_.keys) {
        return bad_line(row, shape_.keys ? "no key, but the rows before it have one"
                                         : "a key, but the rows before it have none");
      }
      const auto* bytes = reinterpret_cast<const std::byte*>(entry_.vector.data());
      batch.vectors.insert(batch.vectors.end(), bytes, bytes + entry_.vector.size() * 4);
      if (shape_.keys) batch.keys.push_back(entry_.key);
      batch.payloads.push_back(entry_.payload);
    }
    return {};
  }

  Outcome skip_rows(std::uint64_t rows, std::uint64_t& skipped) override {
    for (; skipped < rows; ++skipped) {
      if (Outcome read = find_line(); !read.ok()) return read;
      if (!in_hand_) return {};
      in_hand_ = false;
    }
    return {};
  }

  std::string line_;
  bool in_hand_ = false;  // line_ is the next row, not used yet
  std::uint64_t line_number_ = 0;
  Entry entry_;
};

}  // namespace

Outcome open_jsonl(std::unique_ptr<Source> source, std::unique_ptr<VectorReader>& out) {
  auto reader = std::make_unique<JsonlReader>(std::move(source));
  if (Outcome begun = reader->begin(); !begun.ok()) return begun;
  out = std::move(reader);
  return {};
}

}  // namespace skerry::formats
