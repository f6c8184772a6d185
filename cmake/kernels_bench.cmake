# kernels_bench.cmake - the kernels' micro-benchmark, when Google Benchmark is there.
find_package(benchmark QUIET)
if(benchmark_FOUND)
  add_executable(skerry_kernels_bench bench/kernels_bench.cc)
  target_link_libraries(skerry_kernels_bench PRIVATE skerry_objects benchmark::benchmark)
  skerry_warnings(skerry_kernels_bench)
endif()
