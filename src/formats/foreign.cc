// foreign.cc - the vectors and keys in an index file of another library.
#include "formats/foreign.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "formats/elements.h"

namespace skerry::formats {
namespace {

constexpr std::array<std::pair<std::string_view, Foreign>, 2> kNames{
    {{"hnswlib", Foreign::hnswlib}, {"usearch", Foreign::usearch}}};

class ElementReader final : public VectorReader {
 public:
  ElementReader(std::unique_ptr<Source> source, Elements elements)
      : VectorReader(std::move(source)), elements_(std::move(elements)) {
    shape_.scalar = elements_.scalar;
    shape_.dimension = elements_.dimension;
    shape_.rows = static_cast<std::uint64_t>(
        std::count(elements_.removed.begin(), elements_.removed.end(), false));
    shape_.keys = true;
    const std::uint64_t dimension = elements_.dimension;
    row_bytes_ = elements_.stored == Elements::Stored::doubles
                     ? dimension * sizeof(double)
                     : vector_bytes(elements_.scalar, dimension);
  }

 private:
  Outcome read_rows(std::size_t limit, Batch& batch) override {
    for (; batch.rows < limit && find_live(); ++next_) {
      const std::uint64_t at = elements_.begin + next_ * elements_.stride;
      const std::string_view where = "a vector";  // it was there a moment ago
      if (Outcome passed = pass_bytes(*source_, at - source_->position(), where); !passed.ok()) {
        return passed;
      }
      row_.resize(row_bytes_);
      if (Outcome taken = take_bytes(*source_, row_.data(), row_bytes_, where); !taken.ok()) {
        return taken;
      }
      hand_out(batch.vectors);
      batch.keys.push_back(std::to_string(elements_.keys[next_]));
      ++batch.rows;
    }
    return {};
  }

  Outcome skip_rows(std::uint64_t rows, std::uint64_t& skipped) override {
    for (skipped = 0; skipped < rows && find_live(); ++skipped) ++next_;
    return {};
  }

  bool find_live() noexcept {
    while (next_ < elements_.keys.size() && elements_.removed[next_]) ++next_;
    return next_ < elements_.keys.size();
  }

  void hand_out(std::vector<std::byte>& out) {
    if (elements_.stored == Elements::Stored::doubles) {
      // In place: a float ends before the next double begins.
      for (std::size_t i = 0; i < shape_.dimension; ++i) {
        double wide = 0;
        std::memcpy(&wide, row_.data() + i * sizeof(double), sizeof(double));
        const auto narrow = static_cast<float>(wide);  // beyond float's range: infinite, refused
        std::memcpy(row_.data() + i * sizeof(float), &narrow, sizeof(float));
      }
      row_.resize(shape_.dimension * sizeof(float));
    } else if (elements_.stored == Elements::Stored::bits) {
      for (std::byte& byte : row_) byte = turned(byte);
      if (shape_.dimension % 8 != 0) row_.back() &= std::byte((1U << shape_.dimension % 8) - 1);
    }
    out.insert(out.end(), row_.begin(), row_.end());
  }

  static std::byte turned(std::byte byte) noexcept {
    unsigned out = 0;
    for (int i = 0; i < 8; ++i) out |= (std::to_integer<unsigned>(byte) >> i & 1U) << (7 - i);
    return std::byte(out);
  }

  Elements elements_;
  std::uint64_t row_bytes_ = 0;  // in the file
  std::uint64_t next_ = 0;       // element
  std::vector<std::byte> row_;
};

// A key that two elements have would be lost to one of them.
Outcome check_keys_once(const std::string& name, const Elements& elements) {
  std::vector<Key> live;
  for (std::size_t i = 0; i < elements.keys.size(); ++i) {
    if (!elements.removed[i]) live.push_back(elements.keys[i]);
  }
  std::sort(live.begin(), live.end());
  const auto twice = std::adjacent_find(live.begin(), live.end());
  if (twice == live.end()) return {};
  return Outcome::data(fmt::format("{}: key {} belongs to more than one vector", name, *twice));
}

}  // namespace

std::string_view name_of(Foreign foreign) noexcept {
  for (const auto& [name, value] : kNames) {
    if (value == foreign) return name;
  }
  return "unknown";
}

std::optional<Foreign> parse_foreign(std::string_view name) noexcept {
  for (const auto& [known, value] : kNames) {
    if (known == name) return value;
  }
  return std::nullopt;
}

Outcome take_bytes(Source& source, void* out, std::size_t bytes, std::string_view where) {
  std::size_t got = 0;
  if (Outcome read = source.read(out, bytes, got); !read.ok()) return read;
  if (got == bytes) return {};
  return Outcome::data(fmt::format("{}: truncated: it ends within {}", source.name(), where));
}

Outcome pass_bytes(Source& source, std::uint64_t bytes, std::string_view where) {
  std::uint64_t passed = 0;
  if (Outcome skipped = source.skip(bytes, passed); !skipped.ok()) return skipped;
  if (passed == bytes) return {};
  return Outcome::data(fmt::format("{}: truncated: it ends within {}", source.name(), where));
}

Outcome expect_end(Source& source) {
  char more = 0;
  std::size_t got = 0;
  if (Outcome read = source.read(&more, 1, got); !read.ok()) return read;
  if (got == 0) return {};
  return Outcome::data(fmt::format("{}: too long: more bytes follow the index", source.name()));
}

std::string NeighbourList::problem(std::uint64_t i, std::uint64_t count,
                                   const std::byte* slots) const {
  if (count > slots_max) {
    return fmt::format("element {} has {} links, expected at most {}", i, count, slots_max);
  }
  for (std::uint64_t link = 0; link < count; ++link) {
    std::uint64_t slot = 0;
    std::memcpy(&slot, slots + link * slot_bytes, slot_bytes);
    if (slot >= elements) {
      return fmt::format("element {} links to element {}, expected less than {}", i, slot,
                         elements);
    }
  }
  return {};
}

Outcome open_foreign(Foreign foreign, const InputOptions& options, Scalar components,
                     std::unique_ptr<VectorReader>& out, ForeignIndex& index) {
  std::unique_ptr<Source> source;
  if (Outcome opened = Source::open(options.path, options.stop_fd, source); !opened.ok()) {
    return opened;
  }
  if (!source->size().has_value()) {
    return Outcome::usage(fmt::format("{}: an index of {} is read twice, expected a file",
                                      source->name(), name_of(foreign)));
  }
  Elements elements;
  const Outcome survey = foreign == Foreign::hnswlib
                             ? survey_hnswlib(*source, components, elements, index)
                             : survey_usearch(options, elements, index);
  if (!survey.ok()) return survey;
  if (Outcome once = check_keys_once(source->name(), elements); !once.ok()) return once;
  index.removed = static_cast<std::uint64_t>(
      std::count(elements.removed.begin(), elements.removed.end(), true));
  if (Outcome opened = Source::open(options.path, options.stop_fd, source); !opened.ok()) {
    return opened;
  }
  out = std::make_unique<ElementReader>(std::move(source), std::move(elements));
  return {};
}

}  // namespace skerry::formats
