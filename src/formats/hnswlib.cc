// hnswlib.cc - an index file of hnswlib: a header, the elements, then their upper levels.
//
//   header    96 bytes, below
//   element   | links: uint16 count, uint8 mark, 0, uint32 slot [2 M] | components | uint64 label |
//   above     uint32 bytes, then for each level of the element above 0:
//             | uint16 count, 0, 0, uint32 slot [M] |
//
// It says neither the metric nor what a component is, only how many bytes a vector has. Bit 0 of
// the mark: the element was removed.
#include <fmt/core.h>

#include <cmath>
#include <cstring>

#include "formats/elements.h"
#include "formats/fixed.h"

namespace skerry::formats {
namespace {

struct Header {
  std::uint64_t level0_offset;
  std::uint64_t elements_max;
  std::uint64_t elements;
  std::uint64_t element_bytes;
  std::uint64_t label_offset;  // in an element
  std::uint64_t vector_offset;
  std::int32_t level_max;  // -1: there is no element
  std::uint32_t entry;
  std::uint64_t upper_links;  // M
  std::uint64_t base_links;   // 2 M
  std::uint64_t M;
  double level_factor;  // 1 / ln M
  std::uint64_t ef_construction;
};
static_assert(sizeof(Header) == 96);

constexpr std::uint64_t kLinksMax = 10000;          // that hnswlib accepts as M
constexpr std::uint64_t kVectorBytesMax = 1 << 24;  // beyond any dimension of ours

class Survey {
 public:
  Survey(Source& source, Elements& elements) : source_(source), elements_(elements) {}

  Outcome read_header(Scalar components) {
    if (*source_.size() == 0) return bad("empty, expected an index of hnswlib");
    if (Outcome taken = take_bytes(source_, &header_, sizeof(header_), "the header"); !taken.ok()) {
      return taken;
    }
    const Header& h = header_;
    if (h.level0_offset != 0) return foreign("its elements begin at", h.level0_offset, 0);
    if (h.M < 1 || h.M > kLinksMax) return foreign("M is", h.M, "1 to 10000");
    if (h.upper_links != h.M) return foreign("links on upper levels are", h.upper_links, h.M);
    if (h.base_links != 2 * h.M) return foreign("links on level 0 are", h.base_links, 2 * h.M);
    const std::uint64_t link_bytes = 4 + 4 * h.base_links;
    if (h.vector_offset != link_bytes) {
      return foreign("a vector begins at", h.vector_offset, link_bytes);
    }
    if (h.label_offset <= link_bytes || h.label_offset > link_bytes + kVectorBytesMax) {
      return foreign("a label begins at", h.label_offset, "a place behind the vector");
    }
    if (h.element_bytes != h.label_offset + sizeof(std::uint64_t)) {
      return foreign("bytes of an element are", h.element_bytes,
                     h.label_offset + sizeof(std::uint64_t));
    }
    if (h.elements > h.elements_max) {
      return foreign("there are elements:", h.elements, fmt::format("at most {}", h.elements_max));
    }
    if (!(h.level_factor > 0)) return bad("the header's level factor is not greater than 0");
    if (h.ef_construction < 1) return bad("ef_construction is 0, expected at least 1");
    const std::uint64_t found =
        (*source_.size() - sizeof(Header)) / (h.element_bytes + sizeof(std::uint32_t));
    if (h.elements > found) {
      return bad(
          fmt::format("truncated: {} elements promised, there is room for {}", h.elements, found));
    }
    if (h.elements == 0 ? h.level_max != -1 : h.level_max < 0) {
      return bad(fmt::format("the highest level is {} of {} elements", h.level_max, h.elements));
    }
    if (h.elements > 0 && h.entry >= h.elements) {
      return bad(
          fmt::format("the entry point is element {}, expected less than {}", h.entry, h.elements));
    }
    return find_vectors(components);
  }

  Outcome read_elements() {
    const NeighbourList list{header_.base_links, 4, header_.elements};
    std::vector<std::byte> links(4 + list.bytes());
    elements_.keys.reserve(header_.elements);
    elements_.removed.reserve(header_.elements);
    for (std::uint64_t i = 0; i < header_.elements; ++i) {
      Outcome step = take_bytes(source_, links.data(), links.size(), "an element");
      if (step.ok()) {
        step = pass_bytes(source_, header_.label_offset - header_.vector_offset, "an element");
      }
      std::uint64_t label = 0;
      if (step.ok()) step = take_bytes(source_, &label, sizeof(label), "an element");
      if (!step.ok()) return step;
      const auto mark = std::to_integer<unsigned>(links[2]);
      if (mark > 1 || links[3] != std::byte{0}) {
        return bad(fmt::format("element {} has marks that hnswlib does not set", i));
      }
      const std::string problem = list.problem(i, count_of(links.data()), links.data() + 4);
      if (!problem.empty()) return bad(problem);
      elements_.keys.push_back(label);
      elements_.removed.push_back(mark == 1);
    }
    return {};
  }

  Outcome read_upper_levels() {
    const NeighbourList list{header_.upper_links, 4, header_.elements};
    std::vector<std::byte> links(4 + list.bytes());
    for (std::uint64_t i = 0; i < header_.elements; ++i) {
      std::uint32_t bytes = 0;
      Outcome step = take_bytes(source_, &bytes, sizeof(bytes), "the upper levels");
      if (!step.ok()) return step;
      const std::uint64_t levels = bytes / links.size();
      const auto level_max = static_cast<std::uint64_t>(header_.level_max);
      if (bytes % links.size() != 0 || levels > level_max) {
        return bad(
            fmt::format("element {} has {} bytes of upper levels, expected at most {} times {}", i,
                        bytes, level_max, links.size()));
      }
      if (i == header_.entry && levels != level_max) {
        return bad(fmt::format("the entry point has {} levels, expected {}", levels, level_max));
      }
      for (std::uint64_t level = 0; level < levels; ++level) {
        step = take_bytes(source_, links.data(), links.size(), "the upper levels");
        if (!step.ok()) return step;
        const std::string problem = list.problem(i, count_of(links.data()), links.data() + 4);
        if (!problem.empty()) return bad(problem);
      }
    }
    return expect_end(source_);
  }

  const Header& header() const noexcept { return header_; }

 private:
  Outcome find_vectors(Scalar components) {
    const std::uint64_t bytes = header_.label_offset - header_.vector_offset;
    const std::uint64_t each = vector_bytes(components, 1);
    if (bytes % each != 0) {
      return bad(fmt::format("a vector has {} bytes, expected a multiple of {} for {}", bytes, each,
                             skerry::name_of(components)));
    }
    if (Outcome lawful = check_dimension(source_, bytes / each); !lawful.ok()) return lawful;
    elements_.begin = sizeof(Header) + header_.vector_offset;
    elements_.stride = header_.element_bytes;
    elements_.scalar = components;
    elements_.dimension = static_cast<std::uint32_t>(bytes / each);
    return {};
  }

  static std::uint64_t count_of(const std::byte* list) noexcept {
    std::uint16_t count = 0;
    std::memcpy(&count, list, sizeof(count));
    return count;
  }

  Outcome bad(const std::string& what) const {
    return Outcome::data(fmt::format("{}: {}", source_.name(), what));
  }
  template <class Expected>
  Outcome foreign(const char* what, std::uint64_t given, const Expected& expected) const {
    return bad(fmt::format("not an index of hnswlib: {} {}, expected {}", what, given, expected));
  }

  Source& source_;
  Elements& elements_;
  Header header_{};
};

}  // namespace

Outcome survey_hnswlib(Source& source, Scalar components, Elements& elements, ForeignIndex& index) {
  Survey survey(source, elements);
  Outcome step = survey.read_header(components);
  if (step.ok()) step = survey.read_elements();
  if (step.ok()) step = survey.read_upper_levels();
  if (!step.ok()) return step;
  index.M = static_cast<std::uint32_t>(survey.header().M);
  index.ef_construction = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(survey.header().ef_construction, UINT32_MAX));
  return {};
}

}  // namespace skerry::formats
