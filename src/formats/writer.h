// writer.h - vectors into a file, row after row, whatever its format.
//
// What a format cannot hold is refused by row and component, never rounded away: bvecs, ivecs,
// u8bin and i8bin take whole numbers in their range. Only f16bin and a half-precision npy round,
// to the nearest.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "formats/format.h"
#include "formats/outcome.h"
#include "formats/sink.h"
#include "skerry/types.h"

namespace skerry::formats {

struct OutputOptions {
  std::string path;  // "-": standard output
  Format format = Format::fbin;
  std::uint32_t dimension = 0;
  std::uint64_t rows = 0;       // exactly as many will be put: headers say so
  Scalar scalar = Scalar::f32;  // npy: of the file, one of f32, f16, i8, u8
  bool numeric_keys = true;     // jsonl: keys are written as numbers
  bool payloads = true;         // jsonl and csv: write them
};

class VectorWriter {
 public:
  virtual ~VectorWriter() = default;

  // `key` as text. Binary formats leave key and payload out.
  Outcome put(std::string_view key, std::span<const float> vector, std::string_view payload);

  // To be called after the last row: only then does the file exist under its name.
  Outcome finish();

 protected:
  VectorWriter(std::unique_ptr<Sink> sink, const OutputOptions& options)
      : sink_(std::move(sink)), options_(options) {}

  virtual Outcome put_row(std::string_view key, std::span<const float> vector,
                          std::string_view payload) = 0;
  std::uint64_t row() const noexcept { return row_; }

  std::unique_ptr<Sink> sink_;
  OutputOptions options_;

 private:
  std::uint64_t row_ = 0;
};

Outcome open_writer(const OutputOptions& options, std::unique_ptr<VectorWriter>& out);

// One per kind of format; open_writer() chooses.
Outcome open_binary_writer(std::unique_ptr<Sink> sink, const OutputOptions& options,
                           std::unique_ptr<VectorWriter>& out);
Outcome open_text_writer(std::unique_ptr<Sink> sink, const OutputOptions& options,
                         std::unique_ptr<VectorWriter>& out);

}  // namespace skerry::formats
