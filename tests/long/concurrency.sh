#!/usr/bin/env bash
# concurrency.sh - do all calls hold what they promise when eight threads make all of them at once?
# Under ThreadSanitizer, whose first report is a failure too: half an hour on two cores.
#
#   tests/long/concurrency.sh [--short] [--rounds N] [--seed N]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture soak tsan 10 800 "$@"
