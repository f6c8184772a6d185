// peer.cc - who can take part, and under which names?
#include "peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace skerry::bench {
namespace {

// The libraries that the build has found; the others with what would bring them here.
std::vector<PeerKind> kinds_of(const std::string& impl,
                               [[maybe_unused]] const std::string& folder) {
#ifdef SKERRY_HAVE_HNSWLIB
  if (impl == "hnswlib") return hnswlib_kinds();
#endif
#ifdef SKERRY_HAVE_FAISS
  if (impl == "faiss") return faiss_kinds();
#endif
#ifdef SKERRY_HAVE_USEARCH
  if (impl == "usearch") return usearch_kinds();
#endif
#ifdef SKERRY_HAVE_SQLITE_VEC
  if (impl == "sqlite-vec") return sqlite_vec_kinds(folder);
#endif
#ifdef SKERRY_HAVE_LANCEDB
  if (impl == "lancedb") return lancedb_kinds(folder);
#endif
  PeerKind missing;
  missing.impl = impl;
  missing.missing = "not found when this was built: run scripts/peers.sh and configure again";
  return {missing};
}

template <class Enum>
Enum parse(const std::string& option, const std::string& text, std::initializer_list<Enum> known) {
  std::string names;
  for (const Enum value : known) {
    if (name_of(value) == text) return value;
    names += (names.empty() ? "" : ", ") + std::string(name_of(value));
  }
  throw std::runtime_error(fmt::format("{} {}: expected one of {}", option, text, names));
}

}  // namespace

std::string PeerKind::label() const {
  return fmt::format(
      "{} {}{}{}{}{}", impl, scalar, codes == "exact" ? "" : " ", codes == "exact" ? "" : codes,
      vectors.empty() ? "" : ", vectors on disk",
      ef_construction == 0 ? "" : fmt::format(", ef_construction {}", ef_construction));
}

std::vector<PeerKind> choose_peers(const PeerChoice& choice) {
  std::vector<PeerKind> chosen;
  for (const std::string& scalar : choice.scalars) {
    for (const std::string& codes : choice.codes) {
      for (const std::string& vectors : choice.vectors) {
        for (const std::uint32_t ef_construction : choice.ef_constructions) {
          chosen.push_back(skerry_kind(
              parse("--scalar", scalar,
                    {Scalar::f32, Scalar::f16, Scalar::bf16, Scalar::i8, Scalar::u8}),
              parse("--codes", codes, {Codes::exact, Codes::sq8, Codes::rot4, Codes::automatic}),
              parse("--vectors", vectors, {Vectors::memory, Vectors::disk}), ef_construction,
              choice));
        }
      }
    }
  }
  for (const std::string& peer : choice.peers) {
    const std::string impl = peer.substr(0, peer.find(':'));
    const std::string mode = peer.size() > impl.size() ? peer.substr(impl.size() + 1) : "";
    if (std::ranges::find(kPeerNames, impl) == std::end(kPeerNames)) {
      throw std::runtime_error(fmt::format(
          "--peers {}: expected {}, or one with a mode such as usearch:bf16 or faiss:sq8", peer,
          fmt::join(kPeerNames, ", ")));
    }
    bool any = false;
    for (PeerKind& kind : kinds_of(impl, choice.folder)) {
      const bool is_meant =
          mode.empty() || !kind.missing.empty() || kind.scalar == mode || kind.codes == mode;
      if (is_meant) chosen.push_back(std::move(kind));
      any |= is_meant;
    }
    if (!any) throw std::runtime_error(fmt::format("--peers {}: no such mode", peer));
  }
  return chosen;
}

}  // namespace skerry::bench
