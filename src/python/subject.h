// subject.h - a handle of the library's, as long as Python holds it.
//
// Calls take a share of it, so close() and the end of the Python object wait for nobody and pull
// nothing from under a call in another thread: what the handle held is let go by the last.
//
// Threads: the pointer is read and written with the GIL. The handle is let go without it: to close
// a database is to wait for threads that may be inside a callback.
#pragma once

#include <memory>
#include <utility>

#include "python/distance.h"
#include "python/errors.h"
#include "python/keys.h"
#include "python/long_call.h"
#include "python/python.h"

namespace skerry::python {

template <class T>
class Held {
 public:
  explicit Held(T handle) : handle_(std::make_shared<T>(std::move(handle))) {}
  Held(Held&&) noexcept = default;
  ~Held() { let_go(); }

  // Raises Closed when there is none any more.
  std::shared_ptr<T> handle() const {
    if (handle_ == nullptr) raise(Status(Code::closed, "it was closed"));
    return handle_;
  }

  bool is_open() const noexcept { return handle_ != nullptr; }

  void let_go() {
    if (handle_ == nullptr) return;
    without_gil([&] { handle_.reset(); });
  }

 private:
  std::shared_ptr<T> handle_;
};

// What is searched: an index, a collection, a snapshot.
template <class T>
class Subject : public Held<T> {
 public:
  Subject(T handle, std::uint32_t dimension, Scalar scalar, KeyKind keys,
          std::shared_ptr<PythonDistance> distance)
      : Held<T>(std::move(handle)),
        dimension_(dimension),
        scalar_(scalar),
        keys_(keys),
        distance_(std::move(distance)) {}
  Subject(Subject&&) noexcept = default;
  ~Subject() { this->let_go(); }  // before its distance is

  std::uint32_t dimension() const noexcept { return dimension_; }
  Scalar scalar() const noexcept { return scalar_; }
  KeyKind keys() const noexcept { return keys_; }
  const std::shared_ptr<PythonDistance>& distance() const noexcept { return distance_; }

  // What its distance has raised; null without one.
  Raised* raised() const noexcept { return distance_ ? &distance_->raised() : nullptr; }

 private:
  std::uint32_t dimension_;
  Scalar scalar_;
  KeyKind keys_;
  std::shared_ptr<PythonDistance> distance_;
};

}  // namespace skerry::python
