// collection.cc - skerry::Collection and skerry::Snapshot for Python.
#include "skerry/collection.h"

#include "python/bind.h"
#include "python/options.h"
#include "skerry/snapshot.h"

namespace skerry::python {
namespace {

KeyKind kind_of(handle word, bool is_named) {
  if (word.is_none()) return is_named ? KeyKind::text : KeyKind::number;
  const auto kind = py::str(word).cast<std::string>();
  if (kind == "int" && !is_named) return KeyKind::number;
  if (kind == "str" && is_named) return KeyKind::text;
  if (kind == "bytes" && is_named) return KeyKind::bytes;
  raise_invalid(std::string("keys: expected ") + (is_named ? "'str' or 'bytes'" : "'int'") +
                ", as the collection was created, given " + py::repr(word).cast<std::string>());
}

template <class T>
void bind_payload(py::class_<Subject<T>>& type) {
  type.def("payload", [](const Subject<T>& self, handle key) { return payload(self, key); });
}

Subject<Snapshot> snapshot(const Subject<Collection>& self) {
  const auto collection = self.handle();
  return Subject<Snapshot>(value_of(without_gil([&] { return collection->snapshot(); })),
                           self.dimension(), self.scalar(), self.keys(), self.distance());
}

py::dict verify(const Subject<Collection>& self, handle level, handle samples, handle seed,
                handle timeout, handle progress) {
  const auto collection = self.handle();
  LongCall call(progress, timeout, self.raised());
  const VerifyOptions options{verify_level(level), whole<std::uint32_t>("samples", samples),
                              whole<std::uint64_t>("seed", seed), call.control()};
  return out(call.finish(without_gil([&] { return collection->verify(options); })));
}

void save_image(const Subject<Collection>& self, handle timeout, handle progress) {
  const auto collection = self.handle();
  LongCall call(progress, timeout);
  call.finish(without_gil([&] { return collection->save_image(call.control()); }));
}

}  // namespace

Subject<Collection> make_subject(Collection collection, handle keys,
                                 std::shared_ptr<PythonDistance> distance) {
  const CollectionOptions options = value_of(without_gil([&] { return collection.options(); }));
  return Subject<Collection>(std::move(collection), options.index.dimension, options.index.scalar,
                             kind_of(keys, options.byte_keys), std::move(distance));
}

void bind_collection(py::module_& module) {
  using Self = Subject<Collection>;
  py::class_<Self> type(module, "Collection");
  bind_reading(type);
  bind_writing(type);
  bind_payload(type);
  type.def("snapshot", &snapshot);
  type.def("verify", &verify);
  type.def("save_image", &save_image);
  type.def("stats", [](const Self& self) {
    const auto collection = self.handle();
    return out(value_of(without_gil([&] { return collection->stats(); })));
  });
  type.def("options", [](const Self& self) {
    const auto collection = self.handle();
    const CollectionOptions options = value_of(without_gil([&] { return collection->options(); }));
    py::dict words = out(options.index);
    words["byte_keys"] = options.byte_keys;
    return words;
  });
  type.def_property_readonly(
      "name", [](const Self& self) { return name_out(self.handle()->name(), KeyKind::text); });
}

void bind_snapshot(py::module_& module) {
  using Self = Subject<Snapshot>;
  py::class_<Self> type(module, "Snapshot");
  bind_reading(type);
  bind_payload(type);
  type.def_property_readonly("sequence",
                             [](const Self& self) { return self.handle()->sequence(); });
  type.def_property_readonly("age", [](const Self& self) { return self.handle()->age(); });
}

}  // namespace skerry::python
