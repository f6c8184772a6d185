# kernels_only.cmake - the kernels and their unit tests without the rest of the house.
#
# For cross builds (SKERRY_KERNELS_ONLY): no LMDB for the target is needed, and GoogleTest is built
# from the sources that Debian ships beside its library. See scripts/test-arm64.sh.
enable_language(C)  # GoogleTest's project asks for it
enable_testing()
include(GoogleTest)

file(GLOB kernel_files CONFIGURE_DEPENDS src/simd/*.cc)
list(APPEND kernel_files src/base/types.cc src/base/types_test.cc src/base/version.cc)
add_executable(skerry_simd_tests ${kernel_files})
target_include_directories(skerry_simd_tests PRIVATE include src)
skerry_warnings(skerry_simd_tests)
include(simd)  # the flags of each kernel file

find_package(GTest QUIET)
if(NOT TARGET GTest::gtest_main)
  add_subdirectory(/usr/src/googletest googletest EXCLUDE_FROM_ALL SYSTEM)
endif()
target_link_libraries(skerry_simd_tests PRIVATE GTest::gtest_main)
gtest_discover_tests(skerry_simd_tests DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600)
