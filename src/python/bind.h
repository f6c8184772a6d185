// bind.h - what an index, a collection and a snapshot have in common, bound once.
//
// Threads: at import.
#pragma once

#include <type_traits>

#include "python/long_call.h"
#include "python/options.h"
#include "python/search.h"
#include "python/subject.h"
#include "python/write.h"

namespace skerry::python {

using py::handle;

// Searching and reading.
template <class T>
void bind_reading(py::class_<Subject<T>>& type) {
  using Self = Subject<T>;
  type.def("search", [](const Self& self, handle vectors, handle k, handle ef, handle recall_target,
                        handle filter, handle max_distance, handle exact, handle threads,
                        handle budget, handle timeout, handle progress) {
    return search(
        self, vectors,
        {k, ef, recall_target, filter, max_distance, exact, threads, budget, timeout, progress});
  });
  type.def("contains", [](const Self& self, handle keys) { return contains(self, keys); });
  type.def("get", [](const Self& self, handle keys) { return get(self, keys); });
  type.def("keys", [](const Self& self) { return all_keys(self); });
  type.def("size", [](const Self& self) { return size_of(self); });
  type.def("close", [](Self& self) { self.let_go(); });
  type.def_property_readonly("is_open", [](const Self& self) { return self.is_open(); });
  type.def_property_readonly("dimension", [](const Self& self) { return self.dimension(); });
}

// What changes, and what only an index or a collection can tell.
template <class T>
void bind_writing(py::class_<Subject<T>>& type) {
  using Self = Subject<T>;
  type.def("insert", [](const Self& self, handle keys, handle vectors, handle payloads,
                        handle threads, handle timeout, handle progress) {
    write(self, Verb::insert, keys, vectors, payloads, threads, timeout, progress);
  });
  type.def("upsert", [](const Self& self, handle keys, handle vectors, handle payloads,
                        handle threads, handle timeout, handle progress) {
    write(self, Verb::upsert, keys, vectors, payloads, threads, timeout, progress);
  });
  type.def("remove", [](const Self& self, handle keys) { return remove(self, keys); });
  type.def("explain", [](const Self& self, handle vector, handle key, handle hops, handle k,
                         handle ef, handle recall_target, handle filter, handle max_distance,
                         handle exact, handle budget, handle timeout) {
    return explain(self, vector, key, hops,
                   {k, ef, recall_target, filter, max_distance, exact, py::none(), budget, timeout,
                    py::none()});
  });
  type.def("shape", [](const Self& self, handle timeout, handle progress) {
    const auto subject = self.handle();
    LongCall call(progress, timeout, self.raised());
    return out(call.finish(without_gil([&] { return subject->shape(call.control()); })));
  });
}

void bind_index(py::module_& module);
void bind_collection(py::module_& module);
void bind_snapshot(py::module_& module);
void bind_database(py::module_& module);

// A collection of the library as Python has it. `keys` is None, "str" or "bytes"; InvalidArgument
// when the collection has keys of another kind.
Subject<Collection> make_subject(Collection collection, py::handle keys,
                                 std::shared_ptr<PythonDistance> distance);

}  // namespace skerry::python
