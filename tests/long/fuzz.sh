#!/usr/bin/env bash
# fuzz.sh - can bytes from outside make us crash? libFuzzer, with ASan and UBSan: each target goes on
# from its corpus in tests/fuzz/corpus for an hour.
#
#   tests/long/fuzz.sh [--short] [--seconds N] [TARGET...]    --short: half a minute each
#
# What it finds is kept in build/asan-ubsan/found: TARGET_fuzz FILE repeats it.
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"

seconds=3600
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --short) seconds=30 && shift ;;
    --seconds) seconds=${2:?--seconds needs a number} && shift 2 ;;
    -*) fail "usage: tests/long/fuzz.sh [--short] [--seconds N] [TARGET...]" ;;
    *) targets+=("$1") && shift ;;
  esac
done
if [ ${#targets[@]} = 0 ]; then targets=(image store formats text); fi

need_for build
need_for clang
need_for doors
build_preset asan-ubsan "${targets[@]/%/_fuzz}"

began=$SECONDS
seed=$((RANDOM * 32768 + RANDOM + 1))
inputs=0
failures=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
  if [ -t 2 ]; then say "fuzzing $target for $seconds s"; fi
  fresh=$root/build/asan-ubsan/corpus/$target
  found=$root/build/asan-ubsan/found/
  mkdir -p "$fresh" "$found"
  if ! "$root/build/asan-ubsan/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -seed="$seed" \
    -timeout=20 -rss_limit_mb=4096 -max_len=65536 -print_final_stats=1 \
    -artifact_prefix="$found$target-" "$fresh" "$root/tests/fuzz/corpus/$target" >"$log" 2>&1; then
    failures=$((failures + 1))
    tail -n 60 "$log" >&2
  fi
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  inputs=$((inputs + ${count:-0}))
done
printf '{"torture": "fuzz", "rounds": %d, "failures": %d, "seed": %d, "seconds": %d}\n' \
  "$inputs" "$failures" "$seed" $((SECONDS - began))
[ "$failures" = 0 ]
