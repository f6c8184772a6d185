# check_prefetch.cmake - a test that looks whether the compiler kept the prefetches, in builds that are
# worth looking at: optimised, nothing else compiled in, on x86-64. (arm64: scripts/test-arm64.sh)
if(NOT CMAKE_BUILD_TYPE MATCHES "^(Release|RelWithDebInfo)$" OR SKERRY_SANITIZE OR SKERRY_COVERAGE OR
   NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" OR NOT CMAKE_OBJDUMP)
  return()
endif()
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# skerry_check_prefetch(TARGET PATTERN): of the target's objects that match.
function(skerry_check_prefetch target pattern)
  add_test(NAME ${target}_prefetches
           COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/tools/check_prefetch.py
                   "$<FILTER:$<TARGET_OBJECTS:${target}>,INCLUDE,${pattern}>"
           COMMAND_EXPAND_LISTS)
  set_tests_properties(${target}_prefetches PROPERTIES ENVIRONMENT OBJDUMP=${CMAKE_OBJDUMP})
endfunction()

skerry_check_prefetch(skerry_objects "/(simd/(scalar|avx2|avx512)|index/(connect|hold|insert|search_walk))[.]cc[.]")
if(TARGET skerry_bench)
  skerry_check_prefetch(skerry_bench "/machine[.]cc[.]")
endif()
