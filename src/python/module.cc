// module.cc - the extension skerry._skerry: what is in it?
#include "python/bind.h"
#include "python/matches.h"
#include "skerry/version.h"

PYBIND11_MODULE(_skerry, module) {
  using namespace skerry::python;
  module.doc() = "The library as the package skerry uses it; use the package.";
  bind_matches(module);
  bind_index(module);
  bind_collection(module);
  bind_snapshot(module);
  bind_database(module);
  module.def("version", &skerry::version, "The version of the library that is linked.");
  module.def("target", &skerry::target, "The kernels in use: scalar, avx2, avx512, neon.");
}
