#!/usr/bin/env bash
# peer-tests.sh - do a peer's own Python tests pass with Skerry in its place? The folder is yours, a
# clone of hnswlib (tests/python) or usearch (python/scripts); nothing of it is changed or kept.
#
#   scripts/peer-tests.sh DIR [FILE...]    all tests of the folder, or these files of it
#
# `import hnswlib` and `import usearch` find skerry.compat. Prints a line a file and one for all:
# passed, failed; exit code 1 when something failed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ $# = 0 ] || [ ! -d "$1" ]; then fail "usage: scripts/peer-tests.sh DIR [FILE...]"; fi
tests=$(cd "$1" && pwd)
shift
need_for build
need_for python
need python3-pytest /usr/bin/pytest-3
build_preset release skerry_python skerry_python_files

if [ $# -eq 0 ]; then
  mapfile -t files < <(cd "$tests" && find . -maxdepth 1 \( -name 'bindings_test*.py' -o -name 'test_*.py' \) \
    -printf '%f\n' | sort)
else
  files=("$@")
fi
[ ${#files[@]} -gt 0 ] || fail "$tests has no bindings_test*.py and no test_*.py"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=$root/build/release/python/skerry/compat:$root/build/release/python:$tests

# count WORD LOG: the number before the word in pytest's last line.
count() { tail -n 1 "$2" | grep -oE "[0-9]+ $1" | grep -oE '^[0-9]+' || echo 0; }

passed=0 failed=0
for file in "${files[@]}"; do
  log=$work/log
  case $file in
    # unittest's own: what is named test_* beside its cases is no test.
    bindings_test*)
      (cd "$work" && "$python" -m unittest "${file%.py}") >"$log" 2>&1 || true
      ran=$(sed -n 's/^Ran \([0-9]*\) test.*/\1/p' "$log")
      bad=$(awk '/^FAILED \(/ { gsub(/[^0-9]+/, " "); for (i = 1; i <= NF; ++i) n += $i } END { print n + 0 }' "$log")
      if [ -z "$ran" ]; then bad=1; fi
      ok=$((${ran:-1} - bad))
      ;;
    *)
      (cd "$work" && "$python" -m pytest -q -rf -p no:cacheprovider "$tests/$file") >"$log" 2>&1 || true
      ok=$(count passed "$log")
      bad=$(($(count failed "$log") + $(count error "$log")))
      if [ "$ok" = 0 ] && [ "$bad" = 0 ]; then bad=1; fi
      ;;
  esac
  printf '%-40s %5d passed %5d failed\n' "$file" "$ok" "$bad"
  # Which ones, and what was raised, each with how often.
  if [ "$bad" != 0 ]; then
    sed -n 's/^FAILED .*::\([A-Za-z_0-9]*\).*/\1/p; s/^\(FAIL\|ERROR\): /\1 /p; s/^E   *\([A-Za-z]*Error: .*\)/\1/p' \
      "$log" | cut -c1-120 | sort | uniq -c | sort -rn | head -20 >&2
  fi
  passed=$((passed + ok))
  failed=$((failed + bad))
done
printf '%-40s %5d passed %5d failed\n' "all ${#files[@]} files" "$passed" "$failed"
[ "$failed" = 0 ]
