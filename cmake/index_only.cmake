# index_only.cmake - the rooms that need no LMDB, with their unit tests: the view without the truth.
#
# For cross builds (SKERRY_INDEX_ONLY): no LMDB for the target is needed, and GoogleTest is built from
# the sources that Debian ships beside its library. What is tested is the code, not its speed: all but
# the kernels is optimised a little and compiled some files at a time. Of the index's tests one file is
# there: under qemu the others take minutes, with the same kernels. See scripts/test-arm64.sh.
enable_language(C)  # GoogleTest's project asks for it
enable_testing()
include(GoogleTest)
include(skerry_tests)
find_package(Threads REQUIRED)

file(GLOB index_files CONFIGURE_DEPENDS src/base/*.cc src/simd/*.cc src/quant/*.cc src/graph/*.cc
                                        src/index/*.cc)
set(index_tests ${index_files})
list(FILTER index_files EXCLUDE REGEX "_test\\.cc$")
list(FILTER index_tests INCLUDE REGEX "/(base|simd|quant|graph)/[a-z0-9_]+_test\\.cc$|/index_test\\.cc$")

add_library(skerry_objects OBJECT ${index_files})
set_target_properties(skerry_objects PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
target_include_directories(skerry_objects PUBLIC include src)
target_link_libraries(skerry_objects PUBLIC Threads::Threads)
skerry_warnings(skerry_objects)
skerry_is_not_hot(skerry_objects)
include(simd)  # the flags of each kernel file

find_package(GTest QUIET)
if(NOT TARGET GTest::gtest_main)
  add_subdirectory(/usr/src/googletest googletest EXCLUDE_FROM_ALL SYSTEM)
endif()
add_executable(skerry_index_tests ${index_tests})
target_link_libraries(skerry_index_tests PRIVATE skerry_objects GTest::gtest_main)
skerry_warnings(skerry_index_tests)
skerry_is_not_hot(skerry_index_tests)
gtest_discover_tests(skerry_index_tests DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
