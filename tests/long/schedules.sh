#!/usr/bin/env bash
# schedules.sh - do the protocols hold in every order of steps that chance can think of? Small scenes
# of two to four threads, one interleaving a round; half an hour.
#
#   tests/long/schedules.sh [--short] [--rounds N] [--seed N]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture schedules release 1000 1000000 "$@"
