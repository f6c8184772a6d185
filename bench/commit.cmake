# commit.cmake - writes OUTPUT, a header that says which commit is built; touches it only when that
# has changed. Run at every build: cmake -DSOURCE=... -DOUTPUT=... -P commit.cmake
set(commit "")
find_program(git git)
if(git)
  execute_process(COMMAND ${git} -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT commit)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"// Made by the build.
#pragma once
namespace skerry::bench {
inline constexpr const char* kCommit = \"${commit}\";
}
")
