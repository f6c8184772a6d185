// filter.cc - which keys may be returned, as Python says it?
#include "python/filter.h"

#include <utility>

#include "python/arrow.h"
#include "python/errors.h"
#include "python/numbers.h"

namespace skerry::python {

bool PythonFilter::Callable::ask(const py::object& key) const {
  return truth(function(key));
}

bool PythonFilter::Callable::operator()(Key key) const {
  if (raised->any()) return false;
  const py::gil_scoped_acquire gil;
  try {
    return ask(key_out(key));
  } catch (py::error_already_set& error) {
    raised->keep(error);
    return false;
  }
}

bool PythonFilter::Callable::operator()(std::string_view name) const {
  if (raised->any()) return false;
  const py::gil_scoped_acquire gil;
  try {
    return ask(name_out(name, kind));
  } catch (py::error_already_set& error) {
    raised->keep(error);
    return false;
  }
}

PythonFilter::PythonFilter(py::handle filter, KeyKind kind, Raised& raised) {
  if (filter.is_none()) return;
  const bool is_array = py::isinstance<py::array>(filter);
  if (is_array && py::reinterpret_borrow<py::array>(filter).dtype().kind() == 'b') {
    if (kind != KeyKind::number) raise_invalid("filter: a mask cannot be asked for names");
    take_mask(py::reinterpret_borrow<py::array>(filter));
  } else if (PyRange_Check(filter.ptr()) != 0) {
    if (kind != KeyKind::number) raise_invalid("filter: a range cannot be asked for names");
    take_range(filter);
  } else if (PyCallable_Check(filter.ptr()) != 0) {
    callable_ = {filter, kind, &raised};
    filter_ = kind == KeyKind::number ? Filter::where(std::as_const(callable_))
                                      : Filter::where_name(std::as_const(callable_));
  } else if (!is_array &&
             py::isinstance(filter, py::module_::import("skerry._filters").attr("Except"))) {
    take_keys(filter.attr("keys"), kind, true);
  } else {
    take_keys(filter, kind, false);
  }
}

void PythonFilter::take_mask(py::array mask) {
  if (mask.ndim() != 1) {
    raise_invalid("filter: expected a mask of one axis, given " + given(mask));
  }
  mask = py::module_::import("numpy").attr("ascontiguousarray")(mask);
  mask_ = {static_cast<const std::uint8_t*>(mask.data()), static_cast<std::uint64_t>(mask.size())};
  filter_ = Filter::where(std::as_const(mask_));
  owner_ = std::move(mask);
}

void PythonFilter::take_range(py::handle range) {
  const py::object size = py::module_::import("builtins").attr("len")(range);
  const auto count = whole<std::uint64_t>("filter: length of the range", size);
  if (count != 0) {
    const Key first = whole<Key>("filter: first of the range", range[py::int_(0)]);
    const Key last = whole<Key>("filter: last of the range", range[py::int_(-1)]);
    const Key low = std::min(first, last);
    range_ = {low, count == 1 ? 1 : (std::max(first, last) - low) / (count - 1), count};
  }
  filter_ = Filter::where(std::as_const(range_));
}

void PythonFilter::take_keys(py::handle keys, KeyKind kind, bool is_except) {
  keys_ = keys_of("filter", keys, kind);
  if (kind == KeyKind::number) {
    filter_ = is_except ? Filter::except(keys_.numbers) : Filter::only(keys_.numbers);
  } else {
    filter_ = is_except ? Filter::except_names(keys_.names) : Filter::only_names(keys_.names);
  }
}

}  // namespace skerry::python
