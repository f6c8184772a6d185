#!/usr/bin/env bash
# sanitize.sh - do the tests run clean under a sanitizer?
#
#   scripts/sanitize.sh asan-ubsan    addresses and undefined behaviour
#   scripts/sanitize.sh tsan          data races
set -euo pipefail
. "$(dirname "$0")/lib.sh"

preset=${1:-}
case $preset in
  asan-ubsan | tsan) ;;
  *) fail "usage: scripts/sanitize.sh asan-ubsan|tsan" ;;
esac
need_for build
need_for doors
need_for tests
if [ "$preset" = asan-ubsan ]; then need_for clang; fi
use_sanitizer "$preset"
build_preset "$preset"
test_preset "$preset"
