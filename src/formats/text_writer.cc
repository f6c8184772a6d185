// text_writer.cc - writes jsonl and csv, with keys and payloads.
#include <fmt/core.h>

#include "formats/text.h"
#include "formats/writer.h"

namespace skerry::formats {
namespace {

class JsonlWriter final : public VectorWriter {
 public:
  JsonlWriter(std::unique_ptr<Sink> sink, const OutputOptions& options)
      : VectorWriter(std::move(sink), options) {}

 private:
  // "key": "..." or, of bytes that are no text, "key_base64": "..."
  void append_bytes(std::string_view name, std::string_view bytes) {
    const std::size_t before = line_.size();
    line_ += fmt::format("\"{}\": ", name);
    if (append_json_string(line_, bytes)) return;
    line_.resize(before);
    line_ += fmt::format("\"{}_base64\": \"", name);
    append_base64(line_, bytes);
    line_ += '"';
  }

  Outcome put_row(std::string_view key, std::span<const float> vector,
                  std::string_view payload) override {
    line_ = "{";
    if (options_.numeric_keys) {
      line_ += fmt::format("\"key\": {}", key);
    } else {
      append_bytes("key", key);
    }
    line_ += ", \"vector\": [";
    for (std::size_t i = 0; i < vector.size(); ++i) {
      if (i > 0) line_ += ", ";
      append_float(line_, vector[i]);
    }
    line_ += ']';
    if (options_.payloads && !payload.empty()) {
      line_ += ", ";
      append_bytes("payload", payload);
    }
    line_ += "}\n";
    return sink_->write(line_);
  }

  std::string line_;  // used again for every row
};

class CsvWriter final : public VectorWriter {
 public:
  CsvWriter(std::unique_ptr<Sink> sink, const OutputOptions& options)
      : VectorWriter(std::move(sink), options) {}

  Outcome begin() {
    line_ = "key";
    for (std::uint32_t i = 0; i < options_.dimension; ++i) line_ += fmt::format(",v{}", i);
    if (options_.payloads) line_ += ",payload";
    line_ += '\n';
    return sink_->write(line_);
  }

 private:
  void append_field(std::string_view text) {
    const bool plain = text.find_first_of(",\"\r\n") == std::string_view::npos;
    if (plain && trim(text) == text) {
      line_ += text;
      return;
    }
    line_ += '"';
    for (const char c : text) {
      if (c == '"') line_ += '"';
      line_ += c;
    }
    line_ += '"';
  }

  Outcome put_row(std::string_view key, std::span<const float> vector,
                  std::string_view payload) override {
    line_.clear();
    append_field(key);
    for (const float value : vector) {
      line_ += ',';
      append_float(line_, value);
    }
    if (options_.payloads) {
      line_ += ',';
      append_field(payload);
    }
    line_ += '\n';
    return sink_->write(line_);
  }

  std::string line_;  // used again for every row
};

}  // namespace

Outcome open_text_writer(std::unique_ptr<Sink> sink, const OutputOptions& options,
                         std::unique_ptr<VectorWriter>& out) {
  if (options.format == Format::jsonl) {
    out = std::make_unique<JsonlWriter>(std::move(sink), options);
    return {};
  }
  auto writer = std::make_unique<CsvWriter>(std::move(sink), options);
  if (Outcome begun = writer->begin(); !begun.ok()) return begun;
  out = std::move(writer);
  return {};
}

}  // namespace skerry::formats
