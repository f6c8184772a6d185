// index.cc - skerry::Index for Python.
#include "skerry/index.h"

#include <filesystem>

#include "python/bind.h"
#include "python/options.h"

namespace skerry::python {
namespace {

using Self = Subject<Index>;

Self make(Index index, std::shared_ptr<PythonDistance> distance) {
  const IndexOptions& options = index.options();
  if (distance) distance->set_scalar(options.scalar);
  const auto [dimension, scalar] = std::pair(options.dimension, options.scalar);
  return Self(std::move(index), dimension, scalar, KeyKind::number, std::move(distance));
}

CustomDistance custom(const std::shared_ptr<PythonDistance>& distance) {
  return distance ? distance->get() : CustomDistance();
}

Self create(const py::dict& words, handle folder, handle function) {
  IndexOptions options = index_options(words);
  auto distance = PythonDistance::make(function, options.scalar);
  options.custom = custom(distance);
  const std::filesystem::path place = path_in(folder);
  return make(value_of(without_gil([&] { return Index::create(options, place); })),
              std::move(distance));
}

// Reading a file asks no distance: the scalar is known before the first one.
Self load(handle path, handle folder, handle function) {
  auto distance = PythonDistance::make(function, Scalar::f32);
  const std::filesystem::path file = path_in(path);
  const std::filesystem::path place = path_in(folder);
  return make(value_of(without_gil([&] { return Index::load(file, custom(distance), place); })),
              std::move(distance));
}

Self view(handle path, handle function) {
  auto distance = PythonDistance::make(function, Scalar::f32);
  const std::filesystem::path file = path_in(path);
  return make(value_of(without_gil([&] { return Index::view(file, custom(distance)); })),
              std::move(distance));
}

void save(const Self& self, handle path, handle timeout, handle progress) {
  const auto index = self.handle();
  const std::filesystem::path file = path_in(path);
  LongCall call(progress, timeout);
  call.finish(without_gil([&] { return index->save(file, call.control()); }));
}

void reserve(const Self& self, handle count) {
  const auto index = self.handle();
  const auto rows = whole<std::size_t>("count", count);
  check(without_gil([&] { return index->reserve(rows); }));
}

py::dict check_index(const Self& self, handle timeout, handle progress) {
  const auto index = self.handle();
  LongCall call(progress, timeout, self.raised());
  return out(call.finish(without_gil([&] { return index->check(call.control()); })));
}

}  // namespace

void bind_index(py::module_& module) {
  py::class_<Self> type(module, "Index");
  bind_reading(type);
  bind_writing(type);
  type.def_static("create", &create);
  type.def_static("load", &load);
  type.def_static("view", &view);
  type.def("save", &save);
  type.def("reserve", &reserve);
  type.def("check", &check_index);
  type.def("stats", [](const Self& self) {
    const auto index = self.handle();
    return out(without_gil([&] { return index->stats(); }));
  });
  type.def("options", [](const Self& self) { return out(self.handle()->options()); });
}

}  // namespace skerry::python
