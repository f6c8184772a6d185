#!/usr/bin/env bash
# test-consumers.sh - can another program use Skerry? Installs it, static and shared, into a folder
# that is then moved, and builds and runs tests/consumers/* against it: find_package, pkg-config, in C++
# and in C.
# The shared one is built by a program that has Skerry in its own tree (add_subdirectory).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need_for build
need_for doors
need_for tests
need pkg-config pkg-config

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
consumers=$root/tests/consumers

# build SOURCE FOLDER [cmake options]. Without optimisation: what is tested is whether it links.
build() {
  local source=$1 folder=$2
  shift 2
  quietly cmake -S "$source" -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=Debug "$@"
  quietly cmake --build "$folder"
}

for kind in static shared; do
  say "consumers: $kind"
  if [ "$kind" = static ]; then
    build_preset release
    built=$root/build/release
  else
    built=$work/shared
    build "$consumers/add_subdirectory" "$built" -DSKERRY_SOURCE="$root" -DSKERRY_INSTALL=ON \
      -DBUILD_SHARED_LIBS=ON -DSKERRY_UNITY=ON
    "$built/consumer"
  fi
  quietly cmake --install "$built" --prefix "$work/first"
  prefix=$work/moved-$kind
  mv "$work/first" "$prefix"
  libdir=$(dirname "$(find "$prefix" -name 'libskerry.*' -print -quit)")

  build "$consumers/find_package" "$work/find_package-$kind" -DCMAKE_PREFIX_PATH="$prefix"
  "$work/find_package-$kind/consumer"

  build "$consumers/c" "$work/c-$kind" -DCMAKE_PREFIX_PATH="$prefix"
  "$work/c-$kind/consumer"

  export PKG_CONFIG_PATH=$libdir/pkgconfig
  # shellcheck disable=SC2046  # the flags are words
  "${CXX:-c++}" -std=c++20 "$consumers/pkg_config/main.cc" -o "$work/pkg_config-$kind" \
    $(pkg-config --cflags --libs $([ "$kind" = static ] && echo --static) skerry)
  LD_LIBRARY_PATH=$libdir "$work/pkg_config-$kind"
  # shellcheck disable=SC2046
  "${CC:-cc}" -std=c99 -Wall -Wextra -Wpedantic -Werror "$consumers/c/main.c" -o "$work/c_pkg-$kind" \
    $(pkg-config --cflags --libs $([ "$kind" = static ] && echo --static) skerry)
  LD_LIBRARY_PATH=$libdir "$work/c_pkg-$kind"

  if [ "$kind" = shared ]; then
    soname=$(readelf -d "$libdir/libskerry.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    [ "$soname" = libskerry.so.0 ] || fail "soname is '$soname', not libskerry.so.0"
    # Nothing but the front door leaves the library: every symbol of ours is in namespace skerry
    # and not in an inner room.
    leaks=$(nm -DC --defined-only "$libdir/libskerry.so" | grep -E ' skerry::(simd|capi|Engine)' || true)
    [ -z "$leaks" ] || fail "hidden symbols are exported: $leaks"
    # The C functions are there, all of them and no others, with their version.
    python3 "$root/tools/c_abi.py" --library "$libdir/libskerry.so"
    # No thread-local of ours is made at its first use, when there may be no memory.
    ! nm -D --undefined-only "$libdir/libskerry.so" | grep __tls_get_addr ||
      fail "thread-locals are made at their first use"
  fi
done

say "consumers: all passed"
