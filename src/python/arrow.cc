// arrow.cc - which numbers are in an Arrow array?
#include "python/arrow.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "python/errors.h"

namespace skerry::python {
namespace {

// The two structures as their specification lays them out.
struct ArrowSchema {
  const char* format;
  const char* name;
  const char* metadata;
  std::int64_t flags;
  std::int64_t n_children;
  ArrowSchema** children;
  ArrowSchema* dictionary;
  void (*release)(ArrowSchema*);
  void* private_data;
};
struct ArrowArray {
  std::int64_t length;
  std::int64_t null_count;  // -1: not counted
  std::int64_t offset;
  std::int64_t n_buffers;
  std::int64_t n_children;
  const void** buffers;
  ArrowArray** children;
  ArrowArray* dictionary;
  void (*release)(ArrowArray*);
  void* private_data;
};

template <class T>
const T& in_capsule(py::handle capsule, const char* name) {
  void* pointer = PyCapsule_GetPointer(capsule.ptr(), name);
  if (pointer == nullptr) throw py::error_already_set();
  const T& value = *static_cast<const T*>(pointer);
  if (value.release == nullptr) {
    raise_invalid(std::string("the Arrow capsule \"") + name + "\" was released already");
  }
  return value;
}

// The numpy type of a primitive format, or null.
const char* dtype_of(std::string_view format) {
  if (format.size() != 1) return nullptr;
  switch (format[0]) {
    case 'c':
      return "int8";
    case 'C':
      return "uint8";
    case 's':
      return "int16";
    case 'S':
      return "uint16";
    case 'i':
      return "int32";
    case 'I':
      return "uint32";
    case 'l':
      return "int64";
    case 'L':
      return "uint64";
    case 'e':
      return "float16";
    case 'f':
      return "float32";
    case 'g':
      return "float64";
    default:
      return nullptr;
  }
}

// Bit i of the first buffer says that value i is there; a missing buffer says it of all.
void refuse_nulls(const ArrowArray& array, std::int64_t first, std::int64_t count) {
  if (array.null_count == 0 || array.n_buffers == 0 || array.buffers[0] == nullptr) return;
  const auto* bits = static_cast<const std::uint8_t*>(array.buffers[0]);
  for (std::int64_t i = first; i < first + count; ++i) {
    if (((bits[i / 8] >> (i % 8)) & 1) == 0) {
      raise_invalid("the Arrow array has no value at " + std::to_string(i - first));
    }
  }
}

py::array view(const char* dtype, const ArrowArray& array, std::int64_t first,
               std::vector<py::ssize_t> shape, py::handle owner) {
  const py::dtype type(dtype);
  const auto* bytes = static_cast<const std::byte*>(array.buffers[1]);
  if (bytes == nullptr) return py::array(type, std::move(shape));  // of length 0
  py::array result(type, std::move(shape), {}, bytes + first * type.itemsize(), owner);
  result.attr("setflags")(py::arg("write") = false);
  return result;
}

template <class Offset>
py::list texts(const ArrowArray& array) {
  py::list result;
  const auto* offsets = static_cast<const Offset*>(array.buffers[1]);
  const auto* bytes = static_cast<const char*>(array.buffers[2]);
  for (std::int64_t i = array.offset; i < array.offset + array.length; ++i) {
    result.append(
        py::bytes(bytes + offsets[i], static_cast<std::size_t>(offsets[i + 1] - offsets[i])));
  }
  return result;
}

}  // namespace

bool is_arrow(py::handle object) {
  return py::hasattr(object, "__arrow_c_array__");
}

py::object array_of_arrow(py::handle object) {
  const py::object pair = object.attr("__arrow_c_array__")();
  if (!py::isinstance<py::tuple>(pair) || py::len(pair) != 2) {
    raise_invalid("__arrow_c_array__: expected two capsules, given " + given(pair));
  }
  const py::object schema_capsule = pair[py::int_(0)];
  const py::object array_capsule = pair[py::int_(1)];
  const auto& schema = in_capsule<ArrowSchema>(schema_capsule, "arrow_schema");
  const auto& array = in_capsule<ArrowArray>(array_capsule, "arrow_array");
  const std::string_view format = schema.format;
  refuse_nulls(array, array.offset, array.length);

  if (schema.dictionary == nullptr) {
    if (const char* dtype = dtype_of(format)) {
      return view(dtype, array, array.offset, {array.length}, array_capsule);
    }
    if (format == "u" || format == "z") return texts<std::int32_t>(array);
    if (format == "U" || format == "Z") return texts<std::int64_t>(array);
    if (format.starts_with("+w:") && schema.n_children == 1) {
      const std::int64_t size = std::strtoll(schema.format + 3, nullptr, 10);
      const ArrowArray& values = *array.children[0];
      const std::int64_t first = values.offset + array.offset * size;
      if (const char* dtype = dtype_of(schema.children[0]->format)) {
        refuse_nulls(values, first, array.length * size);
        return view(dtype, values, first, {array.length, size}, array_capsule);
      }
    }
  }
  raise_invalid(
      "expected an Arrow array of numbers, of FixedSizeList of numbers or of texts, "
      "given the format \"" +
      std::string(format) + "\"");
}

}  // namespace skerry::python
