#!/usr/bin/env bash
# power.sh - is everything there that was promised, whenever the power goes? 200,000 rounds; docs/testing.md.
#
#   tests/long/power.sh [--short] [--rounds N] [--seed N]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture power release 250 200000 "$@"
