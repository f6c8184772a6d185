// version.cc - the version of the library that was linked, spelled from version.h.
#include "skerry/version.h"

#define SKERRY_SPELL(text) #text
#define SKERRY_DOTTED(a, b, c) SKERRY_SPELL(a) "." SKERRY_SPELL(b) "." SKERRY_SPELL(c)

namespace skerry {

const char* version() noexcept {
  return SKERRY_DOTTED(SKERRY_VERSION_MAJOR, SKERRY_VERSION_MINOR, SKERRY_VERSION_PATCH);
}

}  // namespace skerry
