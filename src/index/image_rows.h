// image_rows.h - the exact rows of a saved index, read without making an index of it.
//
// For the repair of a store that has lost rows: what an image says is true as of its number, and
// each 4 KB of it have a checksum. A row is given when the blocks that it and its slot's state lie
// on are as they were written, whatever is wrong with the others.
//
// Memory: 128 rows, and four bytes a block of the image. Threads: one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>

#include "index/engine.h"
#include "index/image_file.h"
#include "skerry/options.h"
#include "skerry/status.h"
#include "skerry/types.h"

namespace skerry {

class ImageRows {
 public:
  // Reads the header alone. Errors: not_found, incompatible, corruption, io_error.
  static Result<std::unique_ptr<ImageRows>> open(const std::filesystem::path& path);

  IndexOptions options() const noexcept { return image::options_of(header_); }
  ImageTag tag() const noexcept {
    return {header_.collection, {header_.identity[0], header_.identity[1]}};
  }
  std::uint64_t sequence() const noexcept { return header_.sequence; }

  // Every live row that can be shown whole, until `visit` fails. corruption when nothing in the
  // image can be believed.
  Status each(FunctionRef<Status(Key, std::span<const std::byte>)> visit) const;

 private:
  explicit ImageRows(const std::filesystem::path& path);

  image::File file_;
  image::Header header_ = {};
};

}  // namespace skerry
