#!/usr/bin/env bash
# contended_builds.sh - is every vector found by itself, however many threads built the graph? Small
# indexes that eight threads fill together.
#
#   tests/long/contended_builds.sh [--short] [--rounds N] [--seed N]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture contended release 100 3000 "$@"
