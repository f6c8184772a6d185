# skerry_compile.cmake - which warnings, sanitizers and counters is everything compiled with?

# Sanitizers and coverage change the whole program, so they are set for every target.
if(SKERRY_SANITIZE)
  list(JOIN SKERRY_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${sanitizers})
endif()

if(SKERRY_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic -fno-inline)
  add_link_options(--coverage)
endif()

# skerry_fuzzed(target): libFuzzer sees which ways its inputs take through the target.
function(skerry_fuzzed target)
  if(SKERRY_BUILD_FUZZ)
    if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
      message(FATAL_ERROR "SKERRY_BUILD_FUZZ needs clang (libFuzzer); this is ${CMAKE_CXX_COMPILER_ID}")
    endif()
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

function(skerry_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic $<$<BOOL:${SKERRY_WERROR}>:-Werror>)
  # g++ 12 sees overlapping copies in std::string at -O3 that are not there (GCC bug 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
endfunction()

# skerry_unity(target): from nothing a few larger files are half of the work; after a change they are
# more. No name is twice in the library (tools/amalgamate.py). Kernels have flags of their own.
function(skerry_unity target)
  if(SKERRY_UNITY)
    file(GLOB kernels ${PROJECT_SOURCE_DIR}/src/simd/*.cc)
    set_source_files_properties(${kernels} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  endif()
endfunction()

# skerry_is_not_hot(target): the code of tests, or of arguments, compiles in half the time when it is optimised a little,
# and with a sanitizer in a third when it is not.
function(skerry_is_not_hot target)
  if(SKERRY_SANITIZE)
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release,RelWithDebInfo>:-O1>)
  endif()
endfunction()
