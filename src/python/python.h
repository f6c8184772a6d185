// python.h - what does every file of this door see of Python?
//
// The door translates and nothing else: numpy arrays, lists and Arrow arrays into views, callables
// into callbacks, a Status into an exception of skerry's. What users see, with its documentation,
// is Python's own: python/skerry/*.py. Here every argument is positional and every object is taken
// as it comes, so that what is wrong with it is said by us, naming expected and given.
//
// Threads: the GIL is held by whoever reads or makes a Python object, and by nobody who is inside a
// call of the library, however short: such a call may wait for a thread that waits for the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>

namespace skerry::python {

namespace py = pybind11;

}  // namespace skerry::python
