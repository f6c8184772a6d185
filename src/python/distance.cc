// distance.cc - a distance of the user's: Metric::custom.
#include "python/distance.h"

#include <cmath>
#include <limits>

#include "python/errors.h"
#include "python/numbers.h"
#include "python/rows.h"

namespace skerry::python {
namespace {

// A copy that the function may keep; bf16 as float32, since numpy has no type for it.
py::array copy_of(const void* vector, Scalar scalar, std::size_t dimension) {
  const py::dtype type = dtype_out(scalar);
  if (scalar != Scalar::bf16) {
    const auto bytes = static_cast<py::ssize_t>(vector_bytes(scalar, dimension));
    return py::array(type, {bytes / type.itemsize()}, {}, vector);
  }
  py::array_t<float> floats(static_cast<py::ssize_t>(dimension));
  const auto* from = static_cast<const bf16*>(vector);
  for (std::size_t i = 0; i < dimension; ++i) floats.mutable_data()[i] = to_float(from[i]);
  return floats;
}

}  // namespace

std::shared_ptr<PythonDistance> PythonDistance::make(py::handle function, Scalar scalar) {
  if (function.is_none()) return nullptr;
  auto distance =
      std::make_shared<PythonDistance>(py::reinterpret_borrow<py::object>(function), scalar);
  if (py::hasattr(function, "address")) {
    const auto address = whole<std::uintptr_t>("distance: its address", function.attr("address"));
    if (address == 0) raise_invalid("distance: its address is 0");
    distance->address_ = reinterpret_cast<decltype(address_)>(address);
  } else if (PyCallable_Check(function.ptr()) == 0) {
    raise_invalid("distance: expected a callable or an object with an address, given " +
                  given(function));
  }
  return distance;
}

CustomDistance PythonDistance::get() noexcept {
  if (address_ != nullptr) return {address_, nullptr};
  return {call, this};
}

float PythonDistance::call(void* context, const void* a, const void* b, std::size_t dimension) {
  constexpr float kFar = std::numeric_limits<float>::infinity();
  auto& distance = *static_cast<PythonDistance*>(context);
  if (distance.raised_.any()) return kFar;
  const py::gil_scoped_acquire gil;
  try {
    const py::array left = copy_of(a, distance.scalar_, dimension);
    const py::array right = copy_of(b, distance.scalar_, dimension);
    const auto value = static_cast<float>(real("distance", distance.function_(left, right), 0));
    if (std::isnan(value)) raise_invalid("distance: expected a number, given NaN");
    return value;
  } catch (py::error_already_set& error) {
    distance.raised_.keep(error);
    return kFar;
  }
}

}  // namespace skerry::python
