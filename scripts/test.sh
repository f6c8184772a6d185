#!/usr/bin/env bash
# test.sh - is everything as it should be? From a fresh clone: installs what it needs, builds, and
# runs every check there is. The last line says how many tests ran and how many failed.
#
#   scripts/test.sh            everything
#   scripts/test.sh --quick    the release build's tests only
set -euo pipefail
. "$(dirname "$0")/lib.sh"

quick=
case ${1:-} in
  "") ;;
  --quick) quick=yes ;;
  *) fail "usage: scripts/test.sh [--quick]" ;;
esac

need_for build
need_for doors
need_for tests
need_for browser
need_for python
cd "$root"

passed=0
ran=""
arm64_log=$(mktemp)
trap 'rm -f "$arm64_log"' EXIT
# count_tests PRESET [ctest's options]: runs ctest and adds its count to the last line.
count_tests() {
  local preset=$1 log count
  log=$(mktemp)
  if ! test_preset "$@" >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    exit 1
  fi
  count=$(sed -n 's/^100% tests passed, 0 tests failed out of \([0-9]*\)$/\1/p' "$log")
  grep -E 'tests passed|Total Test time' "$log"
  rm -f "$log"
  [ -n "$count" ] || fail "ctest did not say how many tests it ran"
  passed=$((passed + count))
  ran+="${ran:+, }$preset $count"
}

# Runs the short forms of tests/long side by side; each is told by its line of JSON.
tortures() {
  local name pids=() logs failed=
  logs=$(mktemp -d)
  for name in "$@"; do
    "tests/long/$name.sh" --short >"$logs/$name" 2>"$logs/$name.said" &
    pids+=($!)
  done
  for name in "$@"; do
    if ! wait "${pids[0]}"; then
      failed=yes
      cat "$logs/$name.said"
    fi
    pids=("${pids[@]:1}")
    cat "$logs/$name"
  done
  rm -rf "$logs"
  [ -z "$failed" ] || fail "a torture failed"
}

build_preset release
count_tests release

if [ -z "$quick" ]; then
  say "floor plan"
  python3 tools/floorplan.py --self-test
  python3 tools/floorplan.py

  say "format"
  need_for format
  find include src bench tests examples \( -name '*.h' -o -name '*.c' -o -name '*.cc' \) -print0 |
    xargs -0 clang-format --dry-run -Werror

  say "tortures, short"
  tortures crash model damage power fault contended_builds schedules

  scripts/test-consumers.sh

  scripts/test-arm64.sh | tee "$arm64_log"
  count=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests.*/\1/p' "$arm64_log")
  [ -n "$count" ] || fail "the arm64 tests did not say how many they are"
  passed=$((passed + count))
  ran+=", arm64 $count"

  # The library and whatever is fed to it, fuzz targets included. Not again what is about threads (see
  # below), about how much is found, or the same calls with other numbers: scripts/sanitize.sh asan-ubsan
  # runs all of that, and the command and the bench, under clang.
  memory=(skerry_unit_tests {image,store,formats,text}_fuzz)
  for test in tests/*_test.cc; do
    case $test in
      */allocation_* | */no_memory_* | */upgrade_* | */lost_root_* | */killed_repair_*) ;;
      */recall_* | */large_store_* | */contract_metrics_* | */contract_repeatable_*) ;;
      */writers_* | */concurrency_* | */linearizability_* | */processes_* | */tenants_*) ;;
      */duplicates_* | */history_* | */golden_*) ;;
      *) memory+=("$(basename "$test" .cc)") ;;
    esac
  done
  memory+=(every_call_test c_{header,threads}_test c_{story,sizes,executor,allocator} example_c)
  need_for clang
  use_sanitizer asan-ubsan
  build_preset asan-ubsan "${memory[@]}"
  # Left out: what takes long and is the same code in another form, or what threads do beside each
  # other, which is ThreadSanitizer's.
  twice='*ExplainTest*/exact:*IndexTest*/sq8:*IndexTest.ARare*/exact:*ExplainTest*/sq8:Explain.*'
  twice+=':DiskVectors.AnO*:RowScanTest.Finds*/2:RepairTest.EveryPageW*'
  twice+=':*ImageOfCodes*/exact:*ImageOfCodes*/sq8:*ImageOfCodes*/auto'
  twice+=':*OfAStoppedBatch*/collection_*'
  twice+=':*IndexTest.ThreadsBuild*:Database.WhatWasAck*:Here/*.*LargestDimension/scalar'
  twice+=':*Contract*_auto_*:*Contract*_sq8_*:*Contract*_rot4_flat'
  GTEST_FILTER="-$twice" count_tests asan-ubsan -R "^($(IFS='|' && echo "${memory[*]}"))\$"

  # Where threads meet. What one thread does alone is half of the time and none of what
  # ThreadSanitizer can find; scripts/sanitize.sh tsan runs that too.
  threads=(skerry_unit_tests {writers,concurrency,contract_batch,contract_update,linearizability}_test
    {persistence,snapshot,tenants}_test c_threads_test c_executor)
  alone='SurveyTest.*:RemainsTest.*:VerifyTest.*:Heap*:Here/*:RowScanTest.*:KeyBook*'
  alone+=':*IndexTest.F*:*IndexTest.Survives*:Image.L*:Image.N*:Image.E*:Image.*Damaged*'
  alone+=':*Explain*:DiskVectors.A*:*IndexTest*/exact:*IndexTest*/sq8'
  alone+=':*Contract*_auto_*:*Contract*_exact_*:*Contract*_sq8_*'
  alone+=':AutomaticCodes.A*:AutomaticCodes.O*:AutomaticCodes.St*:CodeChoice*'
  alone+=':*ImageOfCodes*/exact:*ImageOfCodes*/sq8:*ImageOfCodes*/auto:*IndexTest.ARare*'
  alone+=':Database.AFlipped*:Database.ManySmall*:Store.WhatIsNever*'
  use_sanitizer tsan
  build_preset tsan "${threads[@]}"
  GTEST_FILTER="-$alone" count_tests tsan -R "^($(IFS='|' && echo "${threads[*]}"))\$"
  under=()
  say "all calls in all threads, short"
  tortures concurrency
fi

echo "100% tests passed, 0 tests failed out of $passed ($ran)"
