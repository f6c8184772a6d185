# skerry_tests.cmake - how an executable of tests becomes tests of ctest.
#
# In an ordinary build each case is one: it can be chosen, timed and repeated alone. Under a
# sanitizer, and where lines are counted, a process costs more to start and to end than most cases
# take, so there an executable is one test.
include(GoogleTest)

# skerry_add_tests(TARGET [label...])
function(skerry_add_tests target)
  skerry_is_not_hot(${target})
  if(SKERRY_SANITIZE OR SKERRY_COVERAGE)
    add_test(NAME ${target} COMMAND ${target} --gtest_brief=1)
    # Tests that kill a child fork beside the resting worker threads of earlier ones, and the child
    # starts threads of its own: ThreadSanitizer refuses that unless it is told not to.
    set_tests_properties(${target} PROPERTIES TIMEOUT 1200 LABELS "${ARGN}"
                                              ENVIRONMENT TSAN_OPTIONS=die_after_fork=0)
  else()
    gtest_discover_tests(${target} TEST_LIST ${target}_cases DISCOVERY_TIMEOUT 120
                         PROPERTIES TIMEOUT 600)
    # Of a list of labels it would keep the first.
    set(labels ${CMAKE_CURRENT_BINARY_DIR}/${target}_labels.cmake)
    file(CONFIGURE OUTPUT ${labels} @ONLY CONTENT [=[
foreach(case IN LISTS @target@_cases)
  set_tests_properties("${case}" PROPERTIES LABELS "@ARGN@")
endforeach()
]=])
    set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels})
  endif()
endfunction()
