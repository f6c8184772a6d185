// truth.cc - the exact answers to a set of queries, to measure recall against.
#include "formats/truth.h"

#include <fmt/core.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "formats/reader.h"
#include "formats/sink.h"

namespace skerry::formats {
namespace {

Outcome read_ivecs(const std::string& path, Truth& truth) {
  Batch all;
  InputOptions input;
  input.path = path;
  if (Outcome read = read_all(input, all); !read.ok()) return read;
  truth.queries = static_cast<std::uint32_t>(all.rows);
  truth.k = all.dimension;
  const std::vector<float> rows = to_floats(all.matrix());
  truth.rows.assign(rows.begin(), rows.end());
  truth.distances.clear();
  return {};
}

}  // namespace

Outcome read_truth(const std::string& path, Truth& truth) {
  if (path.ends_with(".ivecs")) return read_ivecs(path, truth);
  std::unique_ptr<Source> source;
  if (Outcome opened = Source::open(path, -1, source); !opened.ok()) return opened;
  std::uint32_t header[2] = {0, 0};
  std::size_t got = 0;
  if (Outcome read = source->read(header, sizeof(header), got); !read.ok()) return read;
  if (got < sizeof(header)) {
    return Outcome::data(
        fmt::format("{}: truncated: a header of 8 bytes promised, {} found", source->name(), got));
  }
  const std::uint64_t cells = std::uint64_t{header[0]} * header[1];
  const std::uint64_t expected = 8 + cells * 8;
  if (cells > (std::uint64_t{1} << 40) || source->size().value_or(expected) != expected) {
    return Outcome::data(fmt::format("{}: {} queries of {} answers take {} bytes, {} found",
                                     source->name(), header[0], header[1], expected,
                                     source->size().value_or(0)));
  }
  truth.queries = header[0];
  truth.k = header[1];
  truth.rows.resize(cells);
  truth.distances.resize(cells);
  std::size_t got_rows = 0;
  std::size_t got_distances = 0;
  if (Outcome read = source->read(truth.rows.data(), cells * 4, got_rows); !read.ok()) return read;
  Outcome read = source->read(truth.distances.data(), cells * 4, got_distances);
  if (read.ok() && got_rows + got_distances != cells * 8) {
    return Outcome::data(fmt::format("{}: truncated: {} bytes promised, {} found", source->name(),
                                     expected, 8 + got_rows + got_distances));
  }
  return read;
}

Outcome write_truth(const std::string& path, const Truth& truth) {
  std::unique_ptr<Sink> sink;
  if (Outcome opened = Sink::open(path, sink); !opened.ok()) return opened;
  const std::uint32_t header[2] = {truth.queries, truth.k};
  Outcome written = sink->write(header, sizeof(header));
  if (written.ok()) written = sink->write(truth.rows.data(), truth.rows.size() * 4);
  if (written.ok()) written = sink->write(truth.distances.data(), truth.distances.size() * 4);
  return written.ok() ? sink->finish() : written;
}

}  // namespace skerry::formats
