#!/usr/bin/env bash
# damage.sh - is a damaged file a right answer or an error? 10,000 rounds under AddressSanitizer and
# UndefinedBehaviorSanitizer, and files cut at every page.
#
#   tests/long/damage.sh [--short] [--rounds N] [--seed N]    --short: in the release build
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
preset=asan-ubsan
case " $* " in *" --short "*) preset=release ;; esac
torture damage "$preset" 70 10000 "$@"
