// samples.h - what was measured of one contestant that was asked for one thing: its recall, and the
// speed of each run.
#pragma once

#include <cstdint>
#include <vector>

#include "lines.h"
#include "run_queries.h"

namespace skerry::bench {

struct Samples {
  double recall = 0;
  std::vector<double> qps, qps_cpu, p50_us, p99_us;  // by run

  void add(const Speed& speed);
  void forget_speeds() { *this = Samples{recall, {}, {}, {}, {}}; }
};

// The fields of a line: the recall at k, and the medians.
void put_samples(Line& line, const Samples& samples, std::uint32_t k);

}  // namespace skerry::bench
