// errors.cc - how does a Status become an exception?
#include "python/errors.h"

#include <cstring>

namespace skerry::python {
namespace {

py::object class_of(Code code) {
  return py::module_::import("skerry._errors").attr("class_of")(name_of(code));
}

[[noreturn]] void raise_text(Code code, const std::string& text, int number) {
  const py::object type = class_of(code);
  const py::object error = type(py::str(text.data(), text.size()));
  if (number != 0) error.attr("errno") = number;
  PyErr_SetObject(type.ptr(), error.ptr());
  throw py::error_already_set();
}

}  // namespace

void raise(const Status& status, const std::string& more) {
  // {e} stands for the operating system's words for error number a.
  const bool has_number = std::strstr(status.text(), "{e}") != nullptr;
  raise_text(status.code(), status.message() + more, has_number ? static_cast<int>(status.a()) : 0);
}

void raise_invalid(const std::string& text) {
  raise_text(Code::invalid_argument, "invalid_argument: " + text, 0);
}

std::string given(py::handle object) {
  if (py::isinstance<py::array>(object)) {
    return py::str(object.attr("dtype")).cast<std::string>() + " array of shape " +
           py::str(object.attr("shape")).cast<std::string>();
  }
  return py::str(py::type::of(object).attr("__name__")).cast<std::string>();
}

}  // namespace skerry::python
