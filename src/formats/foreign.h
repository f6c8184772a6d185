// foreign.h - the vectors and keys in an index file of another library.
//
//   hnswlib   what saveIndex() and, in Python, save_index() write
//   usearch   what save() writes, of version 2.10 and later
//
// Opening looks at everything but the components, every header, link and key, so a damaged file is
// refused before its first row is used. Rows are the elements that are not marked as removed, in
// the file's order, counted from 0; a row's key is its label there. The graph is not taken over.
//
// Memory: 16 bytes an element. The file is read twice, so a pipe is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "formats/outcome.h"
#include "formats/reader.h"
#include "skerry/types.h"

namespace skerry::formats {

enum class Foreign { hnswlib, usearch };

inline constexpr std::string_view kForeignNames = "hnswlib, usearch";
std::string_view name_of(Foreign foreign) noexcept;
std::optional<Foreign> parse_foreign(std::string_view name) noexcept;

// What a file says of the index that wrote it.
struct ForeignIndex {
  std::optional<Metric> metric;       // hnswlib does not say; usearch has some that we have not
  std::uint32_t M = 0;                // links a node keeps
  std::uint32_t ef_construction = 0;  // 0: it does not say
  std::uint64_t removed = 0;          // elements that are marked so
};

// `components`: of the vectors of a hnswlib file, which says only how many bytes one has. usearch
// says its own.
Outcome open_foreign(Foreign foreign, const InputOptions& options, Scalar components,
                     std::unique_ptr<VectorReader>& out, ForeignIndex& index);

}  // namespace skerry::formats
