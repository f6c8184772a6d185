#!/usr/bin/env bash
# demo.sh - what does Skerry do? From a fresh clone: installs what a build needs, builds, and runs
# `skerry demo` on the real vectors in data/. Options go through: `scripts/demo.sh --json` prints
# one JSON line on stdout and everything else on stderr.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need_for build
need_for doors
need_for tests  # the preset configures them; the demo does not build them
build_preset release skerry_cli
cd "$root"
exec build/release/bin/skerry demo "$@"
