// payloads.h - which payloads did Python hand in?
//
// Bytes of any object that lends its memory (bytes, bytearray, memoryview, numpy arrays); None is
// no payload. They are borrowed until the call has returned.
//
// Threads: made and ended with the GIL.
#pragma once

#include <span>
#include <vector>

#include "python/errors.h"
#include "python/python.h"
#include "skerry/collection.h"

namespace skerry::python {

class Payloads {
 public:
  // One object, or a sequence of `count`; None: no row has one.
  Payloads(py::handle payloads, std::size_t count, bool is_one) {
    if (payloads.is_none()) return;
    if (is_one) {
      spans_.reserve(1);
      add(payloads, 0);
      return;
    }
    const auto list = py::reinterpret_steal<py::object>(PySequence_List(payloads.ptr()));
    const bool is_bytes = PyObject_CheckBuffer(payloads.ptr()) != 0;
    if (!list) PyErr_Clear();
    if (!list || is_bytes || static_cast<std::size_t>(PyList_GET_SIZE(list.ptr())) != count) {
      raise_invalid("payloads: expected a sequence of " + std::to_string(count) +
                    ", one a key, given " + given(payloads) +
                    (list && !is_bytes ? " of " + std::to_string(py::len(list)) : ""));
    }
    spans_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      add(PyList_GET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i)), i);
    }
  }
  ~Payloads() {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
  }
  Payloads(const Payloads&) = delete;
  Payloads& operator=(const Payloads&) = delete;

  Payload front() const noexcept { return spans_.empty() ? Payload() : spans_.front(); }
  std::span<const Payload> all() const noexcept { return spans_; }

 private:
  void add(py::handle payload, std::size_t i) {
    if (payload.is_none()) {
      spans_.emplace_back();
      return;
    }
    Py_buffer buffer;
    if (PyObject_GetBuffer(payload.ptr(), &buffer, PyBUF_SIMPLE) != 0) {
      PyErr_Clear();
      release();
      raise_invalid("payloads: expected bytes or None at " + std::to_string(i) + ", given " +
                    given(payload));
    }
    buffers_.push_back(buffer);
    spans_.emplace_back(static_cast<const std::byte*>(buffer.buf),
                        static_cast<std::size_t>(buffer.len));
  }
  // A constructor that raises has no destructor.
  void release() {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
    buffers_.clear();
  }

  std::vector<Py_buffer> buffers_;
  std::vector<Payload> spans_;
};

}  // namespace skerry::python
