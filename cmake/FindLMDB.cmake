# FindLMDB.cmake - where is LMDB? Makes the target LMDB::LMDB.
#
# LMDB ships no CMake package. This file is installed beside skerryConfig.cmake, because a program
# that links the static library needs the answer too. Hint: LMDB_ROOT.
#
# Sets LMDB_FOUND, LMDB_VERSION, LMDB_INCLUDE_DIR, LMDB_LIBRARY.

find_path(LMDB_INCLUDE_DIR lmdb.h)
find_library(LMDB_LIBRARY lmdb)
mark_as_advanced(LMDB_INCLUDE_DIR LMDB_LIBRARY)

if(LMDB_INCLUDE_DIR)
  file(STRINGS "${LMDB_INCLUDE_DIR}/lmdb.h" _lmdb_lines
       REGEX "^#define[ \t]+MDB_VERSION_(MAJOR|MINOR|PATCH)[ \t]+[0-9]+")
  string(REGEX MATCHALL "[0-9]+" _lmdb_numbers "${_lmdb_lines}")
  list(JOIN _lmdb_numbers "." LMDB_VERSION)
  unset(_lmdb_lines)
  unset(_lmdb_numbers)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LMDB REQUIRED_VARS LMDB_LIBRARY LMDB_INCLUDE_DIR
                                  VERSION_VAR LMDB_VERSION HANDLE_VERSION_RANGE)

if(LMDB_FOUND AND NOT TARGET LMDB::LMDB)
  add_library(LMDB::LMDB UNKNOWN IMPORTED)
  set_target_properties(LMDB::LMDB PROPERTIES IMPORTED_LOCATION "${LMDB_LIBRARY}"
                                              INTERFACE_INCLUDE_DIRECTORIES "${LMDB_INCLUDE_DIR}")
endif()
