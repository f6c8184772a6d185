# simd.cmake - which kernel files are built, and with which flags?
#
# Each target file is compiled for its own instruction set and no other file is; dispatch.cc looks
# at the CPU before it calls into one. Optimised in every configuration but Debug: the loops are
# written to be inlined, and RelWithDebInfo's -O2 does less of it.
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" processor)
set(kernel_options "$<$<NOT:$<CONFIG:Debug>>:-O3>")
set(avx2_options -mavx2 -mfma -mf16c -mpopcnt)
set(avx512_options ${avx2_options} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni)
set(neon_options -march=armv8.2-a+dotprod)

# GCC 12 warns of its own intrinsics' "undefined" registers (its bug 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND avx512_options -Wno-uninitialized -Wno-maybe-uninitialized)
endif()

set_source_files_properties(src/simd/scalar.cc PROPERTIES COMPILE_OPTIONS "${kernel_options}")
if(processor MATCHES "^(x86_64|amd64)$")
  set_source_files_properties(src/simd/avx2.cc PROPERTIES COMPILE_OPTIONS
                                                          "${avx2_options};${kernel_options}")
  set_source_files_properties(src/simd/avx512.cc PROPERTIES COMPILE_OPTIONS
                                                            "${avx512_options};${kernel_options}")
else()
  set_source_files_properties(src/simd/avx2.cc src/simd/avx512.cc PROPERTIES HEADER_FILE_ONLY ON)
endif()
if(processor MATCHES "^(aarch64|arm64)$")
  set_source_files_properties(src/simd/neon.cc PROPERTIES COMPILE_OPTIONS
                                                          "${neon_options};${kernel_options}")
else()
  set_source_files_properties(src/simd/neon.cc PROPERTIES HEADER_FILE_ONLY ON)
endif()
