#!/usr/bin/env bash
# fault.sh - what happens when the world says no? 100,000 rounds; docs/testing.md.
#
#   tests/long/fault.sh [--short] [--rounds N] [--seed N]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture fault release 350 100000 "$@"
