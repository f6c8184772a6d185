// filter.h - which keys may be returned, as Python says it?
//
//   None                   all
//   array of bool          those with mask[key]; keys beyond its end are not
//   keys                   those in the array, list, set or Arrow array
//   skerry.Except(keys)    those not in it
//   range(a, b, c)         those in the range
//   callable               those for which it is true; called with the GIL, from several threads
//
// Threads: made and ended with the GIL; the library asks it without.
#pragma once

#include "python/keys.h"
#include "python/python.h"
#include "python/raised.h"
#include "skerry/types.h"

namespace skerry::python {

class PythonFilter {
 public:
  // What a callable raises is kept in `raised`.
  PythonFilter(py::handle filter, KeyKind kind, Raised& raised);
  PythonFilter(const PythonFilter&) = delete;
  PythonFilter& operator=(const PythonFilter&) = delete;

  // Borrows from this.
  Filter get() const noexcept { return filter_; }

 private:
  struct Callable {
    bool operator()(Key key) const;
    bool operator()(std::string_view name) const;
    bool ask(const py::object& key) const;

    py::handle function;
    KeyKind kind = KeyKind::number;
    Raised* raised = nullptr;
  };
  struct Mask {
    bool operator()(Key key) const noexcept { return key < count && bytes[key] != 0; }

    const std::uint8_t* bytes = nullptr;
    std::uint64_t count = 0;
  };
  struct Range {
    bool operator()(Key key) const noexcept {
      return count != 0 && key >= first && (key - first) / step < count &&
             (key - first) % step == 0;
    }

    Key first = 0;
    std::uint64_t step = 1;
    std::uint64_t count = 0;
  };

  void take_mask(py::array mask);
  void take_range(py::handle range);
  void take_keys(py::handle keys, KeyKind kind, bool is_except);

  py::object owner_;
  Keys keys_;
  Callable callable_;
  Mask mask_;
  Range range_;
  Filter filter_;
};

}  // namespace skerry::python
