// reader.h - vectors of a file, a batch at a time, whatever its format.
//
//   std::unique_ptr<VectorReader> reader;
//   if (Outcome opened = open_reader({.path = "points.fbin"}, reader); !opened.ok()) ...
//   Batch batch;
//   while (reader->next(1000, batch).ok() && batch.rows > 0) use(batch.matrix());
//
// A file of any size streams: memory is one batch and a buffer. What opening can see it says at
// once (a truncated fbin is refused before its first row is used); the rest is said at its row.
// Rows count from 0. Every component that is handed out is finite.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "formats/format.h"
#include "formats/outcome.h"
#include "formats/source.h"
#include "skerry/types.h"

namespace skerry::formats {

// Rows in the caller's hands; use it again for the next batch and its memory stays.
struct Batch {
  Scalar scalar = Scalar::f32;
  std::uint32_t dimension = 0;
  std::uint64_t first_row = 0;  // of the file
  std::size_t rows = 0;
  std::vector<std::byte> vectors;     // `rows` of them, one after the other
  std::vector<std::string> keys;      // as written in the file; empty, or one a row
  std::vector<std::string> payloads;  // empty, or one a row; "" is none

  MatrixView matrix() const noexcept { return MatrixView(vectors.data(), scalar, rows, dimension); }
};

struct Shape {
  std::uint32_t dimension = 0;
  Scalar scalar = Scalar::f32;
  std::optional<std::uint64_t> rows;  // when the header or the file's size tells
  bool keys = false;
};

struct InputOptions {
  std::string path;              // "-": standard input, and then `format` is needed
  std::optional<Format> format;  // none: by the path's extension
  // csv: a column's name (with a header) or number from 0; "none": no keys, no payloads.
  std::string key_column;      // "": the column named "key", else the first
  std::string payload_column;  // "": the column named "payload", else none
  enum class Header { guess, yes, no } header = Header::guess;
  int stop_fd = -1;  // becomes readable when reading should stop (source.h)
};

class VectorReader {
 public:
  virtual ~VectorReader() = default;

  const Shape& shape() const noexcept { return shape_; }
  std::uint64_t row() const noexcept { return row_; }  // the next one
  std::uint64_t offset() const noexcept { return source_->position(); }
  std::optional<std::uint64_t> bytes() const noexcept { return source_->size(); }
  const std::string& name() const noexcept { return source_->name(); }

  // Up to `limit` rows; none at the end. When the outcome is not ok, the batch holds the good rows
  // before the bad one: throw them away to fail whole, or keep them after `stopped`.
  Outcome next(std::size_t limit, Batch& batch);

  // Passes over rows without looking into them. Fewer rows than that: Trouble::data.
  Outcome skip(std::uint64_t rows);

 protected:
  explicit VectorReader(std::unique_ptr<Source> source) : source_(std::move(source)) {}

  // Appends up to `limit` rows to the batch, counting them in batch.rows.
  virtual Outcome read_rows(std::size_t limit, Batch& batch) = 0;
  virtual Outcome skip_rows(std::uint64_t rows, std::uint64_t& skipped) = 0;

  // "points.fbin: row 7: ..."
  Outcome bad_row(std::uint64_t row, const std::string& what) const;
  Outcome bad_file(const std::string& what) const;

  std::unique_ptr<Source> source_;
  Shape shape_;

 private:
  std::uint64_t row_ = 0;
};

Outcome open_reader(const InputOptions& options, std::unique_ptr<VectorReader>& out);

// A whole file in memory, for queries and benchmarks.
Outcome read_all(const InputOptions& options, Batch& all);

// The batch's components as floats, bits as 0 and 1.
std::vector<float> to_floats(const MatrixView& matrix);

// The first component that is NaN or infinite, if any.
std::optional<std::size_t> first_not_finite(VectorView vector) noexcept;

// One per family of formats; open_reader() chooses.
Outcome open_vecs(std::unique_ptr<Source> source, Format format,
                  std::unique_ptr<VectorReader>& out);
Outcome open_bin(std::unique_ptr<Source> source, Format format, std::unique_ptr<VectorReader>& out);
Outcome open_npy(std::unique_ptr<Source> source, std::unique_ptr<VectorReader>& out);
Outcome open_jsonl(std::unique_ptr<Source> source, std::unique_ptr<VectorReader>& out);
Outcome open_csv(std::unique_ptr<Source> source, const InputOptions& options,
                 std::unique_ptr<VectorReader>& out);

}  // namespace skerry::formats
