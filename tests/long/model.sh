#!/usr/bin/env bash
# model.sh - after a million random calls, does Skerry hold and find what a std::map would?
#
#   tests/long/model.sh [--short] [--rounds N] [--seed N]     a round is a call
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"
torture model release 20000 1000000 "$@"
