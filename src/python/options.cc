// options.cc - the library's options as Python has them: words.
#include "python/options.h"

#include <array>
#include <string_view>

#include "python/errors.h"
#include "python/keys.h"
#include "python/numbers.h"

namespace skerry::python {
namespace {

constexpr std::array kMetrics{Metric::l2,      Metric::ip,        Metric::cosine, Metric::hamming,
                              Metric::jaccard, Metric::haversine, Metric::custom};
constexpr std::array kScalars{Scalar::f32, Scalar::f16, Scalar::bf16,
                              Scalar::i8,  Scalar::u8,  Scalar::b1};
constexpr std::array kCodes{Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic};
constexpr std::array kVectors{Vectors::memory, Vectors::disk};
constexpr std::array kDurabilities{Durability::commit, Durability::interval, Durability::none};
constexpr std::array kLevels{VerifyLevel::quick, VerifyLevel::full, VerifyLevel::recall};

std::string_view word_of(Durability durability) {
  constexpr std::array<std::string_view, 3> kWords{"commit", "interval", "none"};
  return kWords[static_cast<std::size_t>(durability)];
}
std::string_view word_of(VerifyLevel level) {
  constexpr std::array<std::string_view, 3> kWords{"quick", "full", "recall"};
  return kWords[static_cast<std::size_t>(level)];
}
template <class Choice>
std::string_view word_of(Choice choice) {
  return name_of(choice);
}

template <class Choices>
auto choose(const char* name, py::handle word, const Choices& choices) {
  const std::string given_word =
      PyUnicode_Check(word.ptr()) != 0 ? word.cast<std::string>() : std::string();
  std::string expected;
  for (const auto choice : choices) {
    if (given_word == word_of(choice)) return choice;
    expected += (expected.empty() ? "'" : ", '") + std::string(word_of(choice)) + "'";
  }
  raise_invalid(std::string(name) + ": expected one of " + expected + ", given " +
                py::repr(word).cast<std::string>());
}

// Gives each option to `take(name, value)`, which answers whether it knows the name.
template <class Take>
void each(const py::dict& words, Take&& take) {
  for (const auto& item : words) {
    if (item.second.is_none()) continue;
    const auto name = py::str(item.first).template cast<std::string>();
    if (!take(name, item.second)) raise_invalid("there is no option '" + name + "'");
  }
}

}  // namespace

IndexOptions index_options(const py::dict& words) {
  IndexOptions options;
  each(words, [&](const std::string& name, py::handle value) {
    const char* label = name.c_str();
    if (name == "dimension") {
      options.dimension = whole<std::uint32_t>(label, value);
    } else if (name == "metric") {
      options.metric = choose(label, value, kMetrics);
    } else if (name == "scalar") {
      options.scalar = choose(label, value, kScalars);
    } else if (name == "codes") {
      options.codes = choose(label, value, kCodes);
    } else if (name == "vectors") {
      options.vectors = choose(label, value, kVectors);
    } else if (name == "M") {
      options.M = whole<std::uint32_t>(label, value);
    } else if (name == "ef_construction") {
      options.ef_construction = whole<std::uint32_t>(label, value);
    } else if (name == "ef") {
      options.ef = whole<std::uint32_t>(label, value);
    } else if (name == "flat_below") {
      options.flat_below = whole<std::uint32_t>(label, value);
    } else if (name == "seed") {
      options.seed = whole<std::uint64_t>(label, value);
    } else {
      return false;
    }
    return true;
  });
  return options;
}

DatabaseOptions database_options(const py::dict& words) {
  DatabaseOptions options;
  each(words, [&](const std::string& name, py::handle value) {
    const char* label = name.c_str();
    if (name == "create_if_missing") {
      options.create_if_missing = truth(value);
    } else if (name == "read_only") {
      options.read_only = truth(value);
    } else if (name == "durability") {
      options.durability = choose(label, value, kDurabilities);
    } else if (name == "sync_interval_ms") {
      options.sync_interval_ms = whole<std::uint32_t>(label, value);
    } else if (name == "map_bytes") {
      options.map_bytes = whole<std::uint64_t>(label, value);
    } else if (name == "max_readers") {
      options.max_readers = whole<std::uint32_t>(label, value);
    } else if (name == "threads") {
      options.threads = whole<std::uint32_t>(label, value);
    } else if (name == "use_images") {
      options.use_images = truth(value);
    } else if (name == "warm_collections") {
      options.warm_collections = whole<std::uint32_t>(label, value);
    } else {
      return false;
    }
    return true;
  });
  return options;
}

VerifyLevel verify_level(py::handle word) {
  return choose("level", word, kLevels);
}

py::dict out(const IndexOptions& options) {
  using namespace py::literals;
  return py::dict("dimension"_a = options.dimension, "metric"_a = text(name_of(options.metric)),
                  "scalar"_a = text(name_of(options.scalar)),
                  "codes"_a = text(name_of(options.codes)),
                  "vectors"_a = text(name_of(options.vectors)), "M"_a = options.M,
                  "ef_construction"_a = options.ef_construction, "ef"_a = options.ef,
                  "flat_below"_a = options.flat_below, "seed"_a = options.seed);
}

}  // namespace skerry::python
