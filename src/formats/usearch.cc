// usearch.cc - an index file of usearch: the vectors, a head, then the graph with the keys.
//
//   vectors   uint32 rows, uint32 bytes of a row (or both uint64), then the rows
//   head      64 bytes: "usearch", uint16 version [3], uint8 kinds of metric, component, key, slot,
//             uint64 present, uint64 removed, uint64 dimension, uint8 many a key, zeroes
//   graph     uint64 elements, links on upper levels, links on level 0, highest level, entry point;
//             int16 level [elements]; then each element:
//             | uint64 key | int16 level | uint32 count, slot [level 0] | uint32 count, slot
//             [upper] ...
//
// A removed element has the largest key. Of an empty index nothing follows the five numbers.
#include <fmt/core.h>

#include <cstring>
#include <limits>
#include <string>

#include "formats/elements.h"
#include "formats/fixed.h"

namespace skerry::formats {
namespace {

constexpr std::string_view kMagic = "usearch";
constexpr std::size_t kHeadBytes = 64;
constexpr std::uint64_t kLinksMax = 1 << 20;  // of an element, on one level
constexpr Key kRemoved = std::numeric_limits<Key>::max();

// Kinds of components, keys and slots.
enum Kind : std::uint8_t {
  kB1 = 1,
  kU40 = 2,
  kBf16 = 4,
  kF64 = 10,
  kF32 = 11,
  kF16 = 12,
  kU64 = 14,
  kU32 = 15,
  kU8 = 17,
  kI8 = 23,
};

struct Head {
  std::uint16_t version[3];
  std::uint8_t metric, component, key, slot;
  std::uint64_t present, removed, dimension;

  static Head of(const std::byte* bytes) noexcept {
    Head head{};
    std::memcpy(head.version, bytes + 7, 6);
    std::memcpy(&head.metric, bytes + 13, 1);
    std::memcpy(&head.component, bytes + 14, 1);
    std::memcpy(&head.key, bytes + 15, 1);
    std::memcpy(&head.slot, bytes + 16, 1);
    std::memcpy(&head.present, bytes + 17, 8);
    std::memcpy(&head.removed, bytes + 25, 8);
    std::memcpy(&head.dimension, bytes + 33, 8);
    return head;
  }
};

struct Graph {
  std::uint64_t elements, upper_links, base_links, level_max, entry;
};
static_assert(sizeof(Graph) == 40);

bool has_magic(const std::byte* bytes) noexcept {
  return std::memcmp(bytes, kMagic.data(), kMagic.size()) == 0;
}

std::optional<Metric> metric_of(std::uint8_t kind) noexcept {
  switch (kind) {
    case 'i':
      return Metric::ip;
    case 'c':
      return Metric::cosine;
    case 'e':
      return Metric::l2;
    case 'h':
      return Metric::haversine;
    case 'b':
      return Metric::hamming;
    case 't':
      return Metric::jaccard;
    default:
      return std::nullopt;
  }
}

class Survey {
 public:
  Survey(const InputOptions& options, Elements& elements)
      : options_(options), elements_(elements) {}

  // The numbers before the vectors are of 32 or of 64 bits, and where the head lies tells.
  Outcome find_head() {
    std::byte bytes[kHeadBytes] = {};
    for (const std::size_t width : {sizeof(std::uint32_t), sizeof(std::uint64_t)}) {
      if (Outcome opened = Source::open(options_.path, options_.stop_fd, source_); !opened.ok()) {
        return opened;
      }
      const std::uint64_t size = *source_->size();
      if (size == 0) return bad("empty, expected an index of usearch");
      if (Outcome taken = take_bytes(*source_, bytes, 2 * width, "the first numbers");
          !taken.ok()) {
        return taken;
      }
      if (has_magic(bytes)) {
        return bad("it has no vectors: it was saved without them (exclude_vectors)");
      }
      rows_ = row_bytes_ = 0;
      std::memcpy(&rows_, bytes, width);
      std::memcpy(&row_bytes_, bytes + width, width);
      elements_.begin = 2 * width;
      const std::uint64_t room = size - elements_.begin;
      if (row_bytes_ != 0 && rows_ > room / row_bytes_) continue;
      if (rows_ * row_bytes_ + kHeadBytes > room) continue;
      if (Outcome passed = pass_bytes(*source_, rows_ * row_bytes_, "the vectors"); !passed.ok()) {
        return passed;
      }
      if (Outcome taken = take_bytes(*source_, bytes, kHeadBytes, "the head"); !taken.ok()) {
        return taken;
      }
      if (!has_magic(bytes)) continue;
      head_ = Head::of(bytes);
      return {};
    }
    return bad(
        "not an index of usearch, or truncated: no head with the word usearch stands behind the "
        "vectors that its first numbers promise");
  }

  Outcome check_head() {
    const std::string version =
        fmt::format("{}.{}.{}", head_.version[0], head_.version[1], head_.version[2]);
    if (head_.version[0] != 2 || head_.version[1] < 10) {
      return bad(fmt::format(
          "written by usearch {}, expected 2.10 or a later 2: load and save it with one of those",
          version));
    }
    if (head_.key != kU64) return unknown("keys", head_.key, "numbers of 64 bits (14)");
    if (head_.slot != kU32 && head_.slot != kU40) {
      return unknown("slots", head_.slot, "numbers of 32 or 40 bits (15, 2)");
    }
    if (Outcome found = find_component(); !found.ok()) return found;
    if (Outcome lawful = check_dimension(*source_, head_.dimension); !lawful.ok()) return lawful;
    elements_.dimension = static_cast<std::uint32_t>(head_.dimension);
    const std::uint64_t bytes = elements_.stored == Elements::Stored::doubles
                                    ? head_.dimension * sizeof(double)
                                    : vector_bytes(elements_.scalar, head_.dimension);
    if (row_bytes_ != bytes && rows_ != 0) {
      return bad(fmt::format("a vector of {} components has {} bytes, expected {}", head_.dimension,
                             row_bytes_, bytes));
    }
    elements_.stride = bytes;
    if (head_.present > rows_ || rows_ - head_.present != head_.removed) {
      return bad(fmt::format("{} vectors, of which {} are present and {} removed", rows_,
                             head_.present, head_.removed));
    }
    return {};
  }

  Outcome read_graph() {
    if (Outcome taken = take_bytes(*source_, &graph_, sizeof(graph_), "the graph"); !taken.ok()) {
      return taken;
    }
    if (graph_.elements != rows_) {
      return bad(fmt::format("a graph of {} elements, expected {}", graph_.elements, rows_));
    }
    if (rows_ == 0) return expect_end(*source_);
    if (graph_.upper_links < 1 || graph_.upper_links > kLinksMax || graph_.base_links < 1 ||
        graph_.base_links > kLinksMax) {
      return bad(fmt::format("{} and {} links of an element, expected 1 to {}", graph_.upper_links,
                             graph_.base_links, kLinksMax));
    }
    if (graph_.level_max > std::numeric_limits<std::int16_t>::max()) {
      return bad(fmt::format("the highest level is {}, expected at most {}", graph_.level_max,
                             std::numeric_limits<std::int16_t>::max()));
    }
    if (graph_.entry >= rows_) {
      return bad(
          fmt::format("the entry point is element {}, expected less than {}", graph_.entry, rows_));
    }
    return read_elements();
  }

  const Head& head() const noexcept { return head_; }
  const Graph& graph() const noexcept { return graph_; }

 private:
  Outcome find_component() {
    elements_.stored = Elements::Stored::as_is;
    switch (head_.component) {
      case kF32:
        elements_.scalar = Scalar::f32;
        return {};
      case kF64:
        elements_.scalar = Scalar::f32;
        elements_.stored = Elements::Stored::doubles;
        return {};
      case kF16:
        elements_.scalar = Scalar::f16;
        return {};
      case kBf16:
        elements_.scalar = Scalar::bf16;
        return {};
      case kI8:
        elements_.scalar = Scalar::i8;
        return {};
      case kU8:
        elements_.scalar = Scalar::u8;
        return {};
      case kB1:
        elements_.scalar = Scalar::b1;
        elements_.stored = Elements::Stored::bits;
        return {};
      default:
        return unknown("components", head_.component,
                       "f32 (11), f64 (10), f16 (12), bf16 (4), i8 (23), u8 (17) or b1 (1)");
    }
  }

  Outcome read_elements() {
    // A level of two bytes and an element of this size at least: a promise beyond the file is seen
    // before memory is taken for it.
    const std::uint64_t slot_bytes = head_.slot == kU32 ? 4 : 5;
    const NeighbourList base{graph_.base_links, slot_bytes, rows_};
    const NeighbourList upper{graph_.upper_links, slot_bytes, rows_};
    const std::uint64_t least = sizeof(std::int16_t) + kElementHead + 4 + base.bytes();
    if (rows_ > (*source_->size() - source_->position()) / least) {
      return bad(fmt::format("truncated: a graph of {} elements promised, there is room for {}",
                             rows_, (*source_->size() - source_->position()) / least));
    }
    std::vector<std::int16_t> levels(rows_);
    Outcome step = take_bytes(*source_, levels.data(), rows_ * sizeof(std::int16_t), "the levels");
    if (!step.ok()) return step;
    elements_.keys.reserve(rows_);
    elements_.removed.reserve(rows_);
    std::uint64_t removed = 0;
    for (std::uint64_t i = 0; i < rows_; ++i) {
      if (levels[i] < 0 || static_cast<std::uint64_t>(levels[i]) > graph_.level_max) {
        return bad(fmt::format("element {} is on level {}, expected 0 to {}", i, levels[i],
                               graph_.level_max));
      }
      Key key = 0;
      std::int16_t level = 0;
      step = take_bytes(*source_, &key, sizeof(key), "an element");
      if (step.ok()) step = take_bytes(*source_, &level, sizeof(level), "an element");
      if (!step.ok()) return step;
      if (level != levels[i]) {
        return bad(fmt::format("element {} is on level {}, expected {}", i, level, levels[i]));
      }
      for (int at = 0; at <= level; ++at) {
        if (step = read_list(i, at == 0 ? base : upper); !step.ok()) return step;
      }
      elements_.keys.push_back(key);
      elements_.removed.push_back(key == kRemoved);
      removed += key == kRemoved ? 1 : 0;
    }
    if (static_cast<std::uint64_t>(levels[graph_.entry]) != graph_.level_max) {
      return bad(fmt::format("the entry point is on level {}, expected {}", levels[graph_.entry],
                             graph_.level_max));
    }
    if (removed != head_.removed) {
      return bad(fmt::format("{} elements have the key of removed ones, expected {}", removed,
                             head_.removed));
    }
    return expect_end(*source_);
  }

  Outcome read_list(std::uint64_t i, const NeighbourList& list) {
    std::uint32_t count = 0;
    list_.resize(list.bytes());
    Outcome step = take_bytes(*source_, &count, sizeof(count), "an element");
    if (step.ok()) step = take_bytes(*source_, list_.data(), list_.size(), "an element");
    if (!step.ok()) return step;
    const std::string problem = list.problem(i, count, list_.data());
    return problem.empty() ? Outcome{} : bad(problem);
  }

  Outcome bad(const std::string& what) const {
    return Outcome::data(fmt::format("{}: {}", source_->name(), what));
  }
  Outcome unknown(const char* what, unsigned kind, const char* expected) const {
    return bad(fmt::format("usearch's kind of {} is {}, expected {}", what, kind, expected));
  }

  static constexpr std::uint64_t kElementHead = sizeof(Key) + sizeof(std::int16_t);

  const InputOptions& options_;
  Elements& elements_;
  std::unique_ptr<Source> source_;
  std::uint64_t rows_ = 0;
  std::uint64_t row_bytes_ = 0;
  Head head_{};
  Graph graph_{};
  std::vector<std::byte> list_;
};

}  // namespace

Outcome survey_usearch(const InputOptions& options, Elements& elements, ForeignIndex& index) {
  Survey survey(options, elements);
  Outcome step = survey.find_head();
  if (step.ok()) step = survey.check_head();
  if (step.ok()) step = survey.read_graph();
  if (!step.ok()) return step;
  index.metric = metric_of(survey.head().metric);
  index.M = static_cast<std::uint32_t>(survey.graph().upper_links);
  return {};
}

}  // namespace skerry::formats
