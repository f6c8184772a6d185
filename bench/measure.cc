// measure.cc - what all measurements have in common: how a line begins, and who takes part.
#include "measure.h"

#include "bench_commit.h"
#include "skerry/version.h"

namespace skerry::bench {

const char* build_commit() noexcept {
  return kCommit;
}

Line begin_line(const std::string& bench, const PeerKind& kind, const Dataset& set,
                const Settings& settings) {
  Line line;
  line["bench"] = bench;
  line["impl"] = kind.impl;
  line["scalar"] = kind.scalar;
  line["codes"] = kind.codes;
  if (!kind.vectors.empty()) line["vectors"] = kind.vectors;
  line["data"] = set.name;
  line["n"] = set.base.rows;
  line["d"] = set.base.dimension;
  line["metric"] = name_of(set.metric);
  line["M"] = settings.graph.M;
  line["ef_construction"] = settings.graph.ef_construction;
  if (kind.ef_construction != 0) {
    line["ef_construction_of_others"] = settings.graph.ef_construction;
    line["ef_construction"] = kind.ef_construction;
  }
  line["commit"] = build_commit();
  line["target"] = target();
  if (!kind.note.empty()) line["note"] = kind.note;
  return line;
}

std::vector<PeerKind> present_peers(const std::string& bench, const Settings& settings,
                                    Lines& lines) {
  std::vector<PeerKind> present;
  PeerChoice choice = settings.choice;
  choice.folder = settings.folder;
  for (const PeerKind& kind : choose_peers(choice)) {
    if (!kind.missing.empty()) {
      lines.write({{"bench", bench}, {"impl", kind.impl}, {"missing", kind.missing}});
      continue;
    }
    present.push_back(kind);
    if (!kind.index_options) continue;  // not Skerry
    for (const Durability durability : settings.collections) {
      present.push_back(collection_kind(kind, durability, settings.folder));
    }
  }
  return present;
}

}  // namespace skerry::bench
