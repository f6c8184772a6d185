# lib.sh - what the scripts share: where is the project, what is installed, what is said.
#
# Sourced, not run. Everything that is said goes to stderr, so a script's output stays its own.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export DEBIAN_FRONTEND=noninteractive

say() { printf -- '-- %s\n' "$*" >&2; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

# Runs a command; its output is shown only when it fails.
quietly() {
  local log
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    fail "this failed: $*"
  fi
  rm -f "$log"
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# need PACKAGE WITNESS: installs a Debian package unless WITNESS (a command, or a file by its full
# path) is there. The package list is fetched once, and only when something is missing.
apt_is_fresh=
need() {
  case $2 in
    /*) if [ -e "$2" ]; then return; fi ;;
    *) if command -v "$2" >/dev/null; then return; fi ;;
  esac
  command -v apt-get >/dev/null || fail "$2 is missing (Debian package $1), and there is no apt-get"
  if [ -z "$apt_is_fresh" ]; then
    quietly as_root apt-get -q update
    apt_is_fresh=yes
  fi
  say "installing $1"
  quietly as_root apt-get -q install -y --no-install-recommends "$1"
}

# The interpreter that the Python package is built for and tested with: Debian's, whatever else is
# first on the path. The release build makes the package once somebody asked for it.
python=/usr/bin/python3
release_options=()

# need_for WORK: what that work needs.
need_for() {
  case $1 in
    build)
      need g++ g++
      need cmake cmake
      need ninja-build ninja
      need liblmdb-dev /usr/include/lmdb.h
      ;;
    doors)
      need libcli11-dev /usr/include/CLI/CLI.hpp
      need libfmt-dev /usr/include/fmt/core.h
      need nlohmann-json3-dev /usr/include/nlohmann/json.hpp
      need libyaml-cpp-dev /usr/include/yaml-cpp/yaml.h # the bench's runbooks
      ;;
    tests)
      need libgtest-dev /usr/include/gtest/gtest.h
      need python3 python3
      ;;
    python)
      need python3 "$python"
      need python3-dev /usr/bin/python3-config
      need python3-numpy /usr/lib/python3/dist-packages/numpy/__init__.py
      need pybind11-dev /usr/include/pybind11/pybind11.h
      release_options=(-DSKERRY_BUILD_PYTHON=ON -DPython3_EXECUTABLE="$python" -DPython3_ROOT_DIR=/usr)
      ;;
    bench) need libbenchmark-dev /usr/include/benchmark/benchmark.h ;;
    browser) need chromium chromium ;; # looks at pages that the command makes
    format) need clang-format clang-format ;;
    clang)
      need clang clang++
      # The sanitizers' own library. clang names the file without its folder when it is not there.
      need "libclang-rt-$(clang++ -dumpversion | cut -d. -f1)-dev" \
        "$(clang++ -print-file-name="libclang_rt.asan-$(uname -m).a")"
      ;;
    coverage) need gcovr gcovr ;;
    packaging)
      need dpkg-dev dpkg-buildpackage
      need debhelper dh
      need dh-python dh_python3
      need lintian lintian
      ;;
    peers)
      need libhnswlib-dev /usr/include/hnswlib/hnswlib.h
      need libfaiss-dev /usr/include/faiss/Index.h
      need libsqlite3-dev /usr/include/sqlite3.h
      need python3-hnswlib /usr/share/doc/python3-hnswlib # for bench/calls
      need npm npm
      ;;
    *) fail "need_for: $1 is not known" ;;
  esac
}

# build_preset PRESET [target...]: configures and builds build/PRESET, one at a time. What `under`
# holds is put before the build's command: tests are listed by running them as they are built.
under=()
build_preset() {
  local preset=$1 targets=() options=() lock
  if [ $# -gt 1 ]; then targets=(--target "${@:2}"); fi
  if command -v ccache >/dev/null; then
    # One cache for all clones: paths are taken from the root.
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
  fi
  mkdir -p "$root/build"
  exec {lock}>"$root/build/$preset.lock"
  flock "$lock"
  say "building $preset"
  if [ "$preset" = release ]; then options=("${release_options[@]}"); fi
  quietly cmake -S "$root" --preset "$preset" "${options[@]}"
  quietly "${under[@]}" cmake --build "$root/build/$preset" "${targets[@]}"
  exec {lock}>&-
}

# torture NAME PRESET SHORT LONG [--short] [--rounds N] [--seed N]: builds torture_NAME and runs it for
# LONG rounds, after --short for SHORT. Its last line, the only one on stdout, is JSON.
torture() {
  local name=$1 preset=$2 short=$3 rounds=$4 words=()
  shift 4
  while [ $# -gt 0 ]; do
    case $1 in
      --short) rounds=$short && shift ;;
      --rounds | --seed) words+=("$1" "${2:?$1 needs a number}") && shift 2 ;;
      *) fail "usage: tests/long/$name.sh [--short] [--rounds N] [--seed N]" ;;
    esac
  done
  need_for build
  need_for tests
  use_sanitizer "$preset"
  build_preset "$preset" "torture_$name"
  "${under[@]}" "$root/build/$preset/tests/torture/torture_$name" --rounds "$rounds" "${words[@]}"
}

# test_preset PRESET [ctest's options]: runs the tests of build/PRESET. ctest's last lines say how
# many.
test_preset() {
  say "testing $1"
  (cd "$root" && "${under[@]}" ctest --preset "$1" -j "$(nproc)" "${@:2}")
}

# use_sanitizer PRESET: prepares `under` for a sanitizer. ThreadSanitizer of gcc 12 dies at start
# where the kernel scatters mappings more widely than it knows, so that is switched off for it.
use_sanitizer() {
  under=()
  if [ "$1" = tsan ] && setarch -R true 2>/dev/null; then under=(setarch -R); fi
}
