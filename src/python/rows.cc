// rows.cc - which vectors did Python hand in?
#include "python/rows.h"

#include <optional>
#include <string>

#include "python/arrow.h"
#include "python/errors.h"

namespace skerry::python {
namespace {

// numpy's numbers of its types (ndarraytypes.h); they are part of its ABI.
enum : int { kBool = 0, kInt8 = 1, kUint8 = 2, kFloat32 = 11, kFloat16 = 23 };

std::optional<Scalar> scalar_of(const py::dtype& type) {
  const char order = type.byteorder();
  if (order != '=' && order != '|') return std::nullopt;
  switch (type.num()) {
    case kFloat32:
      return Scalar::f32;
    case kFloat16:
      return Scalar::f16;
    case kInt8:
      return Scalar::i8;
    case kUint8:
      return Scalar::u8;
    default:
      return std::nullopt;
  }
}

[[noreturn]] void refuse(const char* name, py::handle object, const std::string& why = {}) {
  raise_invalid(std::string(name) + ": expected one vector or a matrix of numbers, given " +
                given(object) + why);
}

// numpy.asarray(), whose own errors say little of who was asked.
py::array as_array(const char* name, py::handle object) {
  if (py::isinstance<py::array>(object)) return py::reinterpret_borrow<py::array>(object);
  py::object source = py::reinterpret_borrow<py::object>(object);
  if (is_arrow(object)) source = array_of_arrow(object);
  try {
    return py::module_::import("numpy").attr("asarray")(source);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ValueError) && !error.matches(PyExc_TypeError)) throw;
    refuse(name, object, std::string(": ") + py::str(error.value()).cast<std::string>());
  }
}

// Can the library read the rows where they lie?
bool is_borrowable(const py::array& array) {
  const py::ssize_t item = array.itemsize();
  const int axes = static_cast<int>(array.ndim());
  if ((array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) == 0) return false;
  if (array.shape(axes - 1) > 1 && array.strides(axes - 1) != item) return false;
  if (axes == 1 || array.shape(0) <= 1) return true;
  return array.strides(0) > 0 && array.strides(0) % item == 0;
}

Rows rows_of_bits(const char* name, py::array array, py::handle object, std::size_t dimension) {
  const py::module_ numpy = py::module_::import("numpy");
  const auto width = static_cast<std::size_t>(array.shape(array.ndim() - 1));
  const std::size_t bytes = vector_bytes(Scalar::b1, dimension);
  const int type = array.dtype().num();
  if (type == kBool && width == dimension) {
    array = numpy.attr("packbits")(array, py::arg("axis") = -1, py::arg("bitorder") = "little");
  } else if (type != kUint8 || (width != bytes && array.size() != 0)) {
    raise_invalid(std::string(name) + ": expected " + std::to_string(dimension) +
                  " bits as bool, or packed as " + std::to_string(bytes) + " uint8, given " +
                  given(object));
  }
  if (!is_borrowable(array)) array = numpy.attr("ascontiguousarray")(array);
  Rows rows;
  rows.is_one = array.ndim() == 1;
  const std::size_t count = rows.is_one ? 1 : static_cast<std::size_t>(array.shape(0));
  const std::size_t stride =
      rows.is_one || count < 2 ? 0 : static_cast<std::size_t>(array.strides(0));
  rows.view = MatrixView(array.data(), Scalar::b1, count, dimension, stride);
  rows.owner = std::move(array);
  return rows;
}

}  // namespace

Rows rows_of(const char* name, py::handle object, Scalar scalar, std::size_t dimension) {
  py::array array = as_array(name, object);
  const auto axes = array.ndim();
  if (axes != 1 && axes != 2) refuse(name, object);
  if (scalar == Scalar::b1) return rows_of_bits(name, std::move(array), object, dimension);

  std::optional<Scalar> kept = scalar_of(array.dtype());
  if (!kept.has_value() || !is_borrowable(array)) {
    const char kind = array.dtype().kind();
    if (kind != 'f' && kind != 'i' && kind != 'u' && kind != 'b') refuse(name, object);
    // As it is where the library knows the type, else as float32.
    const py::object type = kept.has_value() ? py::object(array.dtype()) : py::str("float32");
    array = py::module_::import("numpy").attr("ascontiguousarray")(array, type);
    if (!kept.has_value()) kept = Scalar::f32;
  }
  Rows rows;
  rows.is_one = axes == 1;
  const std::size_t count = rows.is_one ? 1 : static_cast<std::size_t>(array.shape(0));
  const auto width = static_cast<std::size_t>(array.shape(axes - 1));
  const std::size_t stride =
      rows.is_one || count < 2 ? 0 : static_cast<std::size_t>(array.strides(0));
  rows.view = MatrixView(array.data(), *kept, count, width, stride);
  rows.owner = std::move(array);
  return rows;
}

Rows row_of(const char* name, py::handle object, Scalar scalar, std::size_t dimension) {
  Rows rows = rows_of(name, object, scalar, dimension);
  if (!rows.is_one) {
    raise_invalid(std::string(name) + ": expected one vector, given " + given(object));
  }
  return rows;
}

py::dtype dtype_out(Scalar scalar) {
  switch (scalar) {
    case Scalar::f16:
      return py::dtype("float16");
    case Scalar::i8:
      return py::dtype("int8");
    case Scalar::u8:
    case Scalar::b1:
      return py::dtype("uint8");
    default:
      return py::dtype("float32");
  }
}

}  // namespace skerry::python
