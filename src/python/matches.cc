// matches.cc - what a search found, as numpy arrays.
#include "python/matches.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "python/errors.h"

namespace skerry::python {
namespace {

constexpr float kNoDistance = std::numeric_limits<float>::infinity();
constexpr Key kNoKey = std::numeric_limits<Key>::max();

using Shape = std::vector<py::ssize_t>;

// The keys of hits are written into a numpy array of uint64, names into one of objects.
class KeyColumn {
 public:
  KeyColumn(const Shape& shape, KeyKind kind)
      : kind_(kind),
        array_(kind == KeyKind::number ? py::dtype::of<Key>() : py::dtype("object"), shape) {}

  void put(std::size_t i, Key key) { static_cast<Key*>(array_.mutable_data())[i] = key; }
  void put(std::size_t i, const Name& name) { put(i, name_out(name.view(), kind_)); }
  void put_none(std::size_t i) {
    if (kind_ == KeyKind::number) {
      put(i, kNoKey);
    } else {
      put(i, py::none());
    }
  }
  py::array take() { return std::move(array_); }

 private:
  // numpy fills a new array of objects with null or None; either is let go.
  void put(std::size_t i, py::object object) {
    PyObject*& place = static_cast<PyObject**>(array_.mutable_data())[i];
    Py_XDECREF(place);
    place = object.release().ptr();
  }

  KeyKind kind_;
  py::array array_;
};

const Key& key_of_hit(const Hit& hit) {
  return hit.key;
}
const Key& key_of_hit(const UnionHit& hit) {
  return hit.key;
}
const Name& key_of_hit(const NamedHit& hit) {
  return hit.name;
}
const Name& key_of_hit(const NamedUnionHit& hit) {
  return hit.name;
}

template <class H>
Matches one(std::span<const H> hits, KeyKind kind, const SearchResult& cost) {
  const Shape shape{static_cast<py::ssize_t>(hits.size())};
  KeyColumn keys(shape, kind);
  py::array_t<float> distances(shape);
  float* distance = distances.mutable_data();
  for (std::size_t i = 0; i < hits.size(); ++i) {
    keys.put(i, key_of_hit(hits[i]));
    distance[i] = hits[i].distance;
  }
  Matches matches{keys.take(), std::move(distances), py::int_(hits.size()), py::none(), cost};
  if constexpr (std::is_same_v<H, UnionHit> || std::is_same_v<H, NamedUnionHit>) {
    py::array_t<std::uint32_t> collections(shape);
    for (std::size_t i = 0; i < hits.size(); ++i) {
      collections.mutable_data()[i] = hits[i].collection;
    }
    matches.collections = std::move(collections);
  }
  return matches;
}

template <class H>
Matches many(std::span<const H> hits, std::span<const std::uint32_t> counts, std::size_t room,
             std::size_t k, KeyKind kind, const SearchResult& cost) {
  const Shape shape{static_cast<py::ssize_t>(counts.size()), static_cast<py::ssize_t>(k)};
  KeyColumn keys(shape, kind);
  py::array_t<float> distances(shape);
  py::array_t<std::uint32_t> count_column(static_cast<py::ssize_t>(counts.size()));
  std::copy(counts.begin(), counts.end(), count_column.mutable_data());
  float* distance = distances.mutable_data();
  for (std::size_t row = 0; row < counts.size(); ++row) {
    for (std::size_t i = 0; i < k; ++i) {
      const std::size_t place = row * k + i;
      if (i < counts[row]) {
        keys.put(place, key_of_hit(hits[row * room + i]));
        distance[place] = hits[row * room + i].distance;
      } else {
        keys.put_none(place);
        distance[place] = kNoDistance;
      }
    }
  }
  return {keys.take(), std::move(distances), std::move(count_column), py::none(), cost};
}

// [(key, distance), ...] of one query, or a list of these.
py::list to_list(const Matches& matches) {
  const py::module_ builtins = py::module_::import("builtins");
  const auto pairs = [&](const py::object& keys, const py::object& distances) {
    return py::list(builtins.attr("zip")(keys.attr("tolist")(), distances.attr("tolist")()));
  };
  if (py::isinstance<py::int_>(matches.counts)) return pairs(matches.keys, matches.distances);
  py::list rows;
  const auto counts = py::reinterpret_borrow<py::array_t<std::uint32_t>>(matches.counts);
  for (py::ssize_t row = 0; row < counts.size(); ++row) {
    const py::slice hits(py::int_(0), py::int_(counts.at(row)), py::none());
    const py::tuple place = py::make_tuple(row, hits);
    rows.append(pairs(matches.keys[place], matches.distances[place]));
  }
  return rows;
}

}  // namespace

Matches matches_of(std::span<const Hit> hits, KeyKind kind, const SearchResult& cost) {
  return one(hits, kind, cost);
}
Matches matches_of(std::span<const NamedHit> hits, KeyKind kind, const SearchResult& cost) {
  return one(hits, kind, cost);
}
Matches matches_of(std::span<const UnionHit> hits, KeyKind kind, const SearchResult& cost) {
  return one(hits, kind, cost);
}
Matches matches_of(std::span<const NamedUnionHit> hits, KeyKind kind, const SearchResult& cost) {
  return one(hits, kind, cost);
}
Matches matches_of(std::span<const Hit> hits, std::span<const std::uint32_t> counts,
                   std::size_t room, std::size_t k, KeyKind kind, const SearchResult& cost) {
  return many(hits, counts, room, k, kind, cost);
}
Matches matches_of(std::span<const NamedHit> hits, std::span<const std::uint32_t> counts,
                   std::size_t room, std::size_t k, KeyKind kind, const SearchResult& cost) {
  return many(hits, counts, room, k, kind, cost);
}

void bind_matches(py::module_& module) {
  py::class_<Matches> type(module, "Matches", R"(What a search found: nearest first, ties by key.

Unpacks into keys and distances: ``keys, distances = index.search(query)``. One query gives arrays of
one axis, as long as there are hits; a matrix of n queries gives arrays of shape (n, k), where a row
that has fewer hits is filled up with the key 2**64 - 1 (None for names) at an infinite distance, and
``counts`` says how many there are.)");
  type.attr("__module__") = "skerry";
  type.def_readonly("keys", &Matches::keys,
                    "Keys: uint64, or str or bytes as objects; shape (count,) or (n, k).");
  type.def_readonly("distances", &Matches::distances, "Distances: float32, of the shape of keys.");
  type.def_readonly("counts", &Matches::counts,
                    "How many hits there are: an int, or an array of shape (n,).");
  type.def_readonly("collections", &Matches::collections,
                    "Of Database.search: the place in the list of the collection of each hit; "
                    "else None.");
  type.def_property_readonly(
      "exact", [](const Matches& matches) { return matches.cost.exact; },
      "True when every live key was considered.");
  type.def_property_readonly(
      "exhausted", [](const Matches& matches) { return matches.cost.exhausted; },
      "True when the budget or the timeout ended the search early.");
  type.def_property_readonly(
      "visited", [](const Matches& matches) { return matches.cost.visited; },
      "Distances that were computed, of all queries.");
  type.def_property_readonly(
      "hops", [](const Matches& matches) { return matches.cost.hops; },
      "Nodes whose neighbours were looked at.");
  type.def_property_readonly(
      "reranked", [](const Matches& matches) { return matches.cost.reranked; },
      "Of visited: exact distances of vectors that codes had chosen.");
  type.def_property_readonly(
      "bytes", [](const Matches& matches) { return matches.cost.bytes; },
      "Bytes of links, codes and vectors that were read.");
  type.def("to_list", &to_list,
           "[(key, distance), ...] of one query, or a list of these, without what fills up rows.");
  type.def("__iter__", [](const Matches& matches) {
    return py::iter(py::make_tuple(matches.keys, matches.distances));
  });
  type.def("__repr__", [](const Matches& matches) {
    const bool is_one = py::isinstance<py::int_>(matches.counts);
    const auto hits = is_one ? matches.counts : matches.counts.attr("sum")();
    const std::string rows =
        is_one ? "" : " of " + std::to_string(py::len(matches.counts)) + " queries";
    return "<skerry.Matches: " + py::str(hits).cast<std::string>() + " hits" + rows + ">";
  });
}

}  // namespace skerry::python
