// writer.cc - vectors into a file, row after row, whatever its format.
#include "formats/writer.h"

#include <fmt/core.h>

namespace skerry::formats {

Outcome VectorWriter::put(std::string_view key, std::span<const float> vector,
                          std::string_view payload) {
  if (vector.size() != options_.dimension) {
    return Outcome::data(fmt::format("{}: row {}: dimension {}, expected {}", sink_->name(), row_,
                                     vector.size(), options_.dimension));
  }
  Outcome written = put_row(key, vector, payload);
  if (written.ok()) ++row_;
  return written;
}

Outcome VectorWriter::finish() {
  if (row_ != options_.rows) {
    return Outcome::data(
        fmt::format("{}: {} rows announced, {} written", sink_->name(), options_.rows, row_));
  }
  return sink_->finish();
}

Outcome open_writer(const OutputOptions& options, std::unique_ptr<VectorWriter>& out) {
  std::unique_ptr<Sink> sink;
  if (Outcome opened = Sink::open(options.path, sink); !opened.ok()) return opened;
  if (carries_keys(options.format)) return open_text_writer(std::move(sink), options, out);
  return open_binary_writer(std::move(sink), options, out);
}

}  // namespace skerry::formats
