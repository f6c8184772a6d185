# vcpkg_port.cmake - does the port build and install what vcpkg would accept?
#
#   cmake -DPORT_FOLDER=... -DWORK=... -DBUILD=... -P vcpkg_port.cmake
#
# What portfile.cmake calls of vcpkg is stood in for here, by what vcpkg's manual says of each function:
# the library is really configured, built and installed, in one configuration (VCPKG_BUILD_TYPE release),
# in the folder BUILD and without optimisation. Then what vcpkg's own checks after a build ask for is
# looked at, and a program finds the library in WORK/packages. test_recipes.py runs it.
cmake_minimum_required(VERSION 3.25)

file(READ ${PORT_FOLDER}/vcpkg.json manifest)
string(JSON PORT GET "${manifest}" name)
string(JSON VERSION GET "${manifest}" version)
set(VCPKG_LIBRARY_LINKAGE static)
set(VCPKG_BUILD_TYPE release)
set(CURRENT_PACKAGES_DIR ${WORK}/packages)
file(REMOVE_RECURSE ${WORK})

function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " words)
    message(FATAL_ERROR "this failed: ${words}\n${said}")
  endif()
endfunction()

# Every word that a port gives must be one that the function knows.
macro(known options one_value many_values)
  cmake_parse_arguments(PARSE_ARGV 0 arg "${options}" "${one_value}" "${many_values}")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "${CMAKE_CURRENT_FUNCTION}: ${arg_UNPARSED_ARGUMENTS} is not known")
  endif()
endmacro()

function(vcpkg_cmake_configure)
  known("" "SOURCE_PATH" "OPTIONS")
  run(${CMAKE_COMMAND} -S ${arg_SOURCE_PATH} -B ${BUILD} -G Ninja ${arg_OPTIONS}
      -DCMAKE_INSTALL_PREFIX=${CURRENT_PACKAGES_DIR} -DCMAKE_INSTALL_LIBDIR=lib
      -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0 -DCMAKE_UNITY_BUILD=ON
      -DCMAKE_UNITY_BUILD_BATCH_SIZE=24)
endfunction()

function(vcpkg_cmake_install)
  known("" "" "")
  run(${CMAKE_COMMAND} --build ${BUILD} --target install)
endfunction()

# Moves the files for CMake and corrects, in each, how far the prefix is from where it lies.
function(vcpkg_cmake_config_fixup)
  known("" "PACKAGE_NAME;CONFIG_PATH" "")
  set(share ${CURRENT_PACKAGES_DIR}/share/${arg_PACKAGE_NAME})
  file(MAKE_DIRECTORY ${CURRENT_PACKAGES_DIR}/share)
  file(RENAME ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH} ${share})
  get_filename_component(parent ${CURRENT_PACKAGES_DIR}/${arg_CONFIG_PATH} DIRECTORY)
  file(REMOVE_RECURSE ${parent})
  file(GLOB configs ${share}/*.cmake)
  foreach(config IN LISTS configs)
    file(READ ${config} text)
    set(up "get_filename_component(_IMPORT_PREFIX \"\${_IMPORT_PREFIX}\" PATH)\n")
    string(REPLACE "${up}${up}${up}" "${up}${up}" text "${text}")
    string(REPLACE "/../../../\" ABSOLUTE" "/../../\" ABSOLUTE" text "${text}")
    file(WRITE ${config} "${text}")
  endforeach()
endfunction()

function(vcpkg_fixup_pkgconfig)
  known("" "" "")
endfunction()

function(vcpkg_install_copyright)
  known("" "" "FILE_LIST")
  file(COPY_FILE ${arg_FILE_LIST} ${CURRENT_PACKAGES_DIR}/share/${PORT}/copyright)
endfunction()

include(${PORT_FOLDER}/portfile.cmake)

# -- what vcpkg looks at after a build ---------------------------------------------------------------
file(STRINGS ${SOURCE_PATH}/include/skerry/version.h lines REGEX "^#define SKERRY_VERSION_[A-Z]+ [0-9]+$")
string(REGEX MATCHALL "[0-9]+" numbers "${lines}")
list(JOIN numbers "." version)
if(NOT VERSION STREQUAL version OR NOT PORT STREQUAL "skerry")
  message(FATAL_ERROR "vcpkg.json: expected skerry ${version}, it says ${PORT} ${VERSION}")
endif()
foreach(wanted include/skerry/index.h lib/libskerry.a lib/pkgconfig/skerry.pc share/skerry/copyright
               share/skerry/skerryConfig.cmake)
  if(NOT EXISTS ${CURRENT_PACKAGES_DIR}/${wanted})
    message(FATAL_ERROR "the port installs no ${wanted}")
  endif()
endforeach()
foreach(unwanted bin debug lib/cmake share/doc share/man)
  if(EXISTS ${CURRENT_PACKAGES_DIR}/${unwanted})
    message(FATAL_ERROR "the port installs ${unwanted}, which vcpkg refuses")
  endif()
endforeach()
file(GLOB_RECURSE installed ${CURRENT_PACKAGES_DIR}/*)
foreach(file IN LISTS installed)
  if(file MATCHES "\\.(cmake|pc)$")
    file(STRINGS ${file} lines REGEX "${WORK}")
    if(lines)
      message(FATAL_ERROR "${file} names the folder that it was made in: ${lines}")
    endif()
  endif()
endforeach()

# -- a program ------------------------------------------------------------------------------------------
run(${CMAKE_COMMAND} -S ${SOURCE_PATH}/tests/consumers/find_package -B ${WORK}/consumer -G Ninja
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_PREFIX_PATH=${CURRENT_PACKAGES_DIR})
run(${CMAKE_COMMAND} --build ${WORK}/consumer)
run(${WORK}/consumer/consumer)
