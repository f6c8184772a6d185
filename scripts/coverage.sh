#!/usr/bin/env bash
# coverage.sh - which lines of src/ do the tests run? Writes build/coverage/html/index.html, prints
# a summary, and fails under 90 % of lines. Tests themselves are not counted.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_for build
need_for doors
need_for tests
need_for coverage
build_preset coverage
find "$root/build/coverage" -name '*.gcda' -delete
# Counting allocations over 100,000 calls runs no line that others do not, and takes minutes here.
test_preset coverage --label-exclude allocation >&2

mkdir -p "$root/build/coverage/html"
gcovr --root "$root" --object-directory "$root/build/coverage" -j "$(nproc)" \
  --filter "$root/src/" --exclude '.*_test\.cc$' --exclude-throw-branches \
  --html-details "$root/build/coverage/html/index.html" \
  --json-summary "$root/build/coverage/summary.json" \
  --print-summary --fail-under-line 90 "$root/build/coverage"
