// samples.cc - see samples.h.
#include "samples.h"

#include <fmt/format.h>

#include "curve.h"

namespace skerry::bench {

void Samples::add(const Speed& speed) {
  qps.push_back(speed.qps);
  qps_cpu.push_back(speed.qps_cpu);
  p50_us.push_back(speed.p50_us);
  p99_us.push_back(speed.p99_us);
}

void put_samples(Line& line, const Samples& samples, std::uint32_t k) {
  line[fmt::format("recall_at_{}", k)] = rounded(samples.recall, 5);
  line["qps"] = rounded(median(samples.qps), 1);
  line["qps_cpu"] = rounded(median(samples.qps_cpu), 1);
  line["p50_us"] = rounded(median(samples.p50_us), 2);
  line["p99_us"] = rounded(median(samples.p99_us), 2);
}

}  // namespace skerry::bench
