#!/usr/bin/env bash
# crash.sh - is everything that had returned there after kill -9? 1,000 rounds, a quarter of an hour.
#
#   tests/long/crash.sh [--short] [--rounds N] [--seed N]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture crash release 50 1000 "$@"
