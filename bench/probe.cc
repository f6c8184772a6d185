// probe.cc - what can this machine do at best, whoever searches?
//
// First how many records of a size it fetches, drawn at random from more memory than it caches, in
// three ways; then how long a row takes that is at hand, of each of the codes that a collection can
// have. roofline.h makes the least time of a search of such figures.
#include <optional>
#include <vector>

#include "machine.h"
#include "measure.h"
#include "meter.h"
#include "skerry/version.h"

namespace skerry::bench {
namespace {

constexpr std::size_t kRecords[] = {64, 128, 256, 512, 1024, 2048, 4096};
constexpr Way kWays[] = {Way::dependent, Way::independent, Way::prefetched};

struct Kind {
  Scalar scalar;
  Codes codes;
};
constexpr Kind kKinds[] = {{Scalar::f32, Codes::exact},  {Scalar::f16, Codes::exact},
                           {Scalar::bf16, Codes::exact}, {Scalar::i8, Codes::exact},
                           {Scalar::u8, Codes::exact},   {Scalar::b1, Codes::exact},
                           {Scalar::f32, Codes::sq8},    {Scalar::f32, Codes::rot4}};

Line begin(const char* what, const Settings& settings) {
  Line line;
  line["bench"] = "probe";
  line["what"] = what;
  line["commit"] = build_commit();
  line["target"] = target();
  line["runs"] = settings.runs;
  line["seed"] = settings.seed;
  return line;
}

void put_ns(Line& line, const Timing& ns) {
  line["ns"] = rounded(ns.median, 2);
  line["ns_least"] = rounded(ns.least, 2);
}

void probe_records(const Settings& settings, const Effort& effort, Lines& lines) {
  const std::size_t bytes = settings.arena_mb << 20;
  const Arena arena(bytes);
  Meter meter("fetching", std::size(kRecords) * std::size(kWays));
  std::size_t done = 0;
  for (const std::size_t record : kRecords) {
    for (const Way way : kWays) {
      const Timing ns = arena.record_ns(record, bytes, way, effort);
      Line line = begin("record", settings);
      line["arena_mb"] = settings.arena_mb;
      line["bytes"] = record;
      line["way"] = name_of(way);
      put_ns(line, ns);
      line["bytes_per_s"] =
          static_cast<std::uint64_t>(static_cast<double>(record) * 1e9 / ns.median);
      lines.write(std::move(line));
      meter.show(++done);
    }
  }
}

void probe_rows(const Settings& settings, const Effort& effort, Lines& lines) {
  Meter meter("scoring", settings.dimensions.size() * std::size(kKinds));
  std::size_t done = 0;
  for (const std::uint32_t dimension : settings.dimensions) {
    for (const Kind& kind : kKinds) {
      IndexOptions options;
      options.dimension = dimension;
      options.metric = kind.scalar == Scalar::b1 ? Metric::hamming : settings.data.metric;
      options.scalar = kind.scalar;
      options.codes = kind.codes;
      const std::optional<RowCost> codes = code_row(options, effort);
      const RowCost row = codes ? *codes : vector_row(options, effort);
      Line line = begin("row", settings);
      line["scalar"] = name_of(kind.scalar);
      line["codes"] = name_of(kind.codes);
      line["metric"] = name_of(options.metric);
      line["d"] = dimension;
      line["bytes"] = row.bytes;
      put_ns(line, row.ns);
      lines.write(std::move(line));
      meter.show(++done);
    }
  }
}

}  // namespace

void measure_probe(const Settings& settings, Lines& lines) {
  const Effort effort{settings.runs, settings.seconds, settings.seed};
  probe_records(settings, effort, lines);
  probe_rows(settings, effort, lines);
}

}  // namespace skerry::bench
