# peers.cmake - which foreign libraries are here to be compared with?
#
# Each peer's file is compiled by itself: what a library wants of the compiler stays with it. A
# sanitizer's build has none of them: what it would find in them (hnswlib 0.6.2 reads past the end of
# a node's links) is not ours to mend.
if(SKERRY_SANITIZE)
  return()
endif()

function(skerry_bench_peer name options libraries)
  set(peer skerry_bench_${name})
  string(TOUPPER ${name} upper)
  add_library(${peer} OBJECT peers/${name}.cc)
  target_include_directories(${peer} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${peer} PRIVATE skerry_formats fmt::fmt ${libraries})
  skerry_warnings(${peer})
  target_compile_options(${peer} PRIVATE ${options})
  target_sources(skerry_bench PRIVATE $<TARGET_OBJECTS:${peer}>)
  target_compile_definitions(skerry_bench PRIVATE SKERRY_HAVE_${upper})
  foreach(library ${libraries})
    target_link_libraries(skerry_bench PRIVATE $<LINK_ONLY:${library}>)
  endforeach()
endfunction()

find_path(HNSWLIB_INCLUDE hnswlib/hnswlib.h)
if(HNSWLIB_INCLUDE)
  skerry_bench_peer(hnswlib "-O3;-march=native" "")
endif()

find_package(OpenMP QUIET COMPONENTS CXX)
find_package(faiss CONFIG QUIET)
if(faiss_FOUND AND OpenMP_CXX_FOUND)
  # Its heaps count from 1 by a pointer to one before the first, which g++ rightly finds odd.
  skerry_bench_peer(faiss "-O3;-Wno-array-bounds" "faiss;OpenMP::OpenMP_CXX")
  target_compile_definitions(skerry_bench_faiss PRIVATE
    "SKERRY_FAISS_NOTE=\"faiss ${faiss_VERSION} as the system packages it: built without AVX\"")
endif()

# usearch is headers; its kernels (NumKong) are C files, compiled as its own package compiles them. Its
# probe finds out which instruction sets this compiler knows and writes a header of them.
set(usearch_dir ${SKERRY_PEERS_DIR}/usearch)
find_program(NODE node)
if(EXISTS ${usearch_dir}/include/usearch/index_dense.hpp AND NODE)
  enable_language(C)
  set(numkong_dir ${usearch_dir}/numkong)
  set(numkong_probes ${numkong_dir}/nk_probes.h)
  if(NOT EXISTS ${numkong_probes})
    execute_process(COMMAND ${CMAKE_COMMAND} -E env CC=${CMAKE_C_COMPILER} ${NODE} probes/probe.js
                    WORKING_DIRECTORY ${numkong_dir} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  endif()
  file(GLOB numkong_files ${numkong_dir}/c/*.c)
  add_library(skerry_bench_numkong STATIC EXCLUDE_FROM_ALL ${numkong_files})
  set_target_properties(skerry_bench_numkong PROPERTIES C_STANDARD 11)
  target_include_directories(skerry_bench_numkong SYSTEM PUBLIC ${numkong_dir}/include)
  target_compile_definitions(skerry_bench_numkong PUBLIC NK_NATIVE_F16=0 NK_NATIVE_BF16=0
                                                         NK_DYNAMIC_DISPATCH=1)
  target_compile_options(skerry_bench_numkong PRIVATE -O3 -w -include ${numkong_probes})

  skerry_bench_peer(usearch "-O3" "skerry_bench_numkong")
  target_include_directories(skerry_bench_usearch SYSTEM PRIVATE ${usearch_dir}/include)
  target_compile_definitions(skerry_bench_usearch PRIVATE USEARCH_USE_NUMKONG=1)
endif()

# sqlite-vec is an extension that SQLite loads.
find_package(SQLite3 QUIET)
set(sqlite_vec ${SKERRY_PEERS_DIR}/sqlite-vec/vec0.so)
if(SQLite3_FOUND AND EXISTS ${sqlite_vec})
  skerry_bench_peer(sqlite_vec "-O3" SQLite::SQLite3)
  target_compile_definitions(skerry_bench_sqlite_vec PRIVATE SKERRY_SQLITE_VEC="${sqlite_vec}")
endif()

# LanceDB runs in a process of its own, under Node.js.
set(lancedb_dir ${SKERRY_PEERS_DIR}/lancedb)
if(EXISTS ${lancedb_dir}/node_modules/@lancedb/lancedb AND NODE)
  skerry_bench_peer(lancedb "-O3" "")
  target_compile_definitions(skerry_bench_lancedb PRIVATE
    SKERRY_NODE="${NODE}" SKERRY_LANCEDB_DIR="${lancedb_dir}"
    SKERRY_LANCEDB_SCRIPT="${CMAKE_CURRENT_SOURCE_DIR}/peers/lancedb.mjs")
endif()
