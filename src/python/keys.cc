// keys.cc - which keys did Python hand in, and how are they handed back?
#include "python/keys.h"

#include <limits>
#include <string>
#include <utility>

#include "python/arrow.h"
#include "python/errors.h"
#include "python/numbers.h"

namespace skerry::python {
namespace {

bool is_name(py::handle object) {
  return PyUnicode_Check(object.ptr()) != 0 || PyBytes_Check(object.ptr()) != 0;
}

void add_name(const char* name, py::handle object, Keys& keys) {
  if (!is_name(object)) {
    raise_invalid(std::string(name) + ": expected str or bytes at " +
                  std::to_string(keys.names.size()) + ", given " + given(object));
  }
  auto text = py::reinterpret_borrow<py::object>(object);
  if (PyUnicode_Check(object.ptr()) != 0) {
    Py_ssize_t size = 0;
    if (const char* utf8 = PyUnicode_AsUTF8AndSize(object.ptr(), &size)) {
      keys.names.emplace_back(utf8, static_cast<std::size_t>(size));
      keys.texts.push_back(std::move(text));
      return;
    }
    PyErr_Clear();  // it has surrogates: those of ours go back to the bytes they stand for
    text = py::reinterpret_steal<py::object>(
        PyUnicode_AsEncodedString(object.ptr(), "utf-8", "surrogateescape"));
    if (!text) throw py::error_already_set();
  }
  keys.names.emplace_back(PyBytes_AS_STRING(text.ptr()),
                          static_cast<std::size_t>(PyBytes_GET_SIZE(text.ptr())));
  keys.texts.push_back(std::move(text));
}

py::object list_of(const char* name, py::handle object, const char* expected) {
  auto list = py::reinterpret_steal<py::object>(PySequence_List(object.ptr()));
  if (!list) {
    PyErr_Clear();
    raise_invalid(std::string(name) + ": expected " + expected + ", given " + given(object));
  }
  return list;
}

void add_names(const char* name, py::handle object, Keys& keys) {
  const py::object list = list_of(name, object, "str or bytes, or a sequence of them");
  const auto count = static_cast<std::size_t>(PyList_GET_SIZE(list.ptr()));
  keys.names.reserve(count);
  keys.texts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    add_name(name, PyList_GET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i)), keys);
  }
}

void refuse_negative(const char* name, std::span<const std::int64_t> numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] < 0) {
      raise_invalid(std::string(name) + ": expected keys from 0 to 2^64 - 1, given " +
                    std::to_string(numbers[i]) + " at " + std::to_string(i));
    }
  }
}

void add_array(const char* name, py::array array, Keys& keys) {
  const char kind = array.dtype().kind();
  const bool is_empty = array.size() == 0;
  if (array.ndim() != 1 || (kind != 'u' && kind != 'i' && !is_empty)) {
    raise_invalid(std::string(name) + ": expected one axis of whole numbers, given " +
                  given(array));
  }
  if (is_empty) return;
  const char* wanted = kind == 'u' ? "uint64" : "int64";
  array = py::module_::import("numpy").attr("ascontiguousarray")(array, wanted);
  const auto count = static_cast<std::size_t>(array.shape(0));
  // Numbers that are not negative have the same bits with and without a sign.
  if (kind == 'i') refuse_negative(name, {static_cast<const std::int64_t*>(array.data()), count});
  keys.numbers = {static_cast<const Key*>(array.data()), count};
  keys.owner = std::move(array);
}

void add_sequence(const char* name, py::handle object, Keys& keys) {
  const py::object list = list_of(name, object, "a whole number or a sequence of them");
  const auto count = static_cast<std::size_t>(PyList_GET_SIZE(list.ptr()));
  keys.converted.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const py::handle item = PyList_GET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i));
    if (item.is_none()) raise_invalid(std::string(name) + ": expected a whole number, given None");
    keys.converted.push_back(whole<Key>(name, item));
  }
  keys.numbers = keys.converted;
}

}  // namespace

Keys keys_of(const char* name, py::handle object, KeyKind kind) {
  Keys keys;
  if (kind != KeyKind::number) {
    keys.is_one = is_name(object);
    if (keys.is_one) {
      add_name(name, object, keys);
    } else if (is_arrow(object)) {
      add_names(name, array_of_arrow(object), keys);
    } else {
      add_names(name, object, keys);
    }
    return keys;
  }
  if (is_name(object)) {
    raise_invalid(std::string(name) + ": expected whole numbers, given " + given(object) +
                  " (a collection with names is created with keys=\"str\")");
  }
  if (py::isinstance<py::array>(object) && py::reinterpret_borrow<py::array>(object).ndim() != 0) {
    add_array(name, py::reinterpret_borrow<py::array>(object), keys);
  } else if (PyIndex_Check(object.ptr()) != 0) {
    keys.is_one = true;
    keys.converted.push_back(whole<Key>(name, object));
    keys.numbers = keys.converted;
  } else if (is_arrow(object)) {
    const py::object array = array_of_arrow(object);
    if (!py::isinstance<py::array>(array)) raise_invalid(std::string(name) + ": expected numbers");
    add_array(name, array, keys);
  } else {
    add_sequence(name, object, keys);
  }
  return keys;
}

Keys key_of(const char* name, py::handle object, KeyKind kind) {
  Keys keys = keys_of(name, object, kind);
  if (!keys.is_one) {
    raise_invalid(std::string(name) + ": expected one key, given " + given(object));
  }
  return keys;
}

py::object key_out(Key key) {
  return py::int_(key);
}

py::object name_out(std::string_view name, KeyKind kind) {
  if (kind == KeyKind::bytes) return py::bytes(name.data(), name.size());
  auto text = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(name.data(), static_cast<Py_ssize_t>(name.size()), "surrogateescape"));
  if (!text) throw py::error_already_set();
  return text;
}

std::string name_in(const char* name, py::handle object) {
  const Keys keys = key_of(name, object, KeyKind::text);
  return std::string(keys.names.front());
}

std::filesystem::path path_in(py::handle object) {
  if (object.is_none()) return {};
  return py::module_::import("os").attr("fsencode")(object).cast<std::string>();
}

}  // namespace skerry::python
