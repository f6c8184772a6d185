#!/usr/bin/env bash
# package.sh - do the packages for Debian build, and are they as they should be? Builds the source
# package and the packages of the last commit in a folder of its own, asks lintian, unpacks the packages
# and builds a program with them. Installs what a build needs and none of the packages.
#
#   scripts/package.sh            looks at them and throws them away
#   scripts/package.sh FOLDER     leaves them in FOLDER
#
# A release build of the library, the command and the bench, and the demo: some minutes on two cores.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
[ $# -le 1 ] || fail "usage: scripts/package.sh [FOLDER]"

need_for build
need_for doors
need_for packaging
need_for python
need git git
need pkg-config pkg-config
need python3 python3
cd "$root"
[ -z "$(git status --porcelain)" ] || say "what is not committed is not in the packages"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(dpkg-parsechangelog -S Version)
upstream=${version%-*}
header=$(sed -n 's/^#define SKERRY_VERSION_[A-Z]* //p' include/skerry/version.h | paste -sd.)
[ "$upstream" = "$header" ] || fail "debian/changelog says $upstream, include/skerry/version.h $header"

say "packages: building $version"
git archive --prefix="skerry-$upstream/" HEAD | tar -x -C "$work"
tar -C "$work" --exclude="skerry-$upstream/debian" --sort=name --owner=0 --group=0 --numeric-owner \
  -czf "$work/skerry_$upstream.orig.tar.gz" "skerry-$upstream"
if command -v ccache >/dev/null; then
  # debhelper gives the build a home of its own.
  CCACHE_DIR=$(ccache --get-config cache_dir)
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_DIR CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1
fi
(cd "$work/skerry-$upstream" && quietly dpkg-buildpackage -us -uc -j"$(nproc)")

say "packages: lintian"
# Errors fail; warnings are shown.
lintian --allow-root --fail-on error "$work/skerry_${version}_$(dpkg --print-architecture).changes" >&2

say "packages: recipes"
(cd tests/packaging && SKERRY_RECIPES=$work/recipes quietly python3 -B -m unittest test_recipes)

say "packages: a program"
tree=$work/tree
for package in "$work"/*.deb; do
  case $package in *-dbgsym_*) ;; *) dpkg -x "$package" "$tree" ;; esac
done
libdir=$(dirname "$(find "$tree" -name 'libskerry.so' -print -quit)")
export LD_LIBRARY_PATH=$libdir PKG_CONFIG_PATH=$libdir/pkgconfig
quietly cmake -S tests/consumers/find_package -B "$work/consumer" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_PREFIX_PATH="$tree/usr"
quietly cmake --build "$work/consumer"
"$work/consumer/consumer" >&2
# shellcheck disable=SC2046  # the flags are words
"${CXX:-c++}" -std=c++20 tests/consumers/pkg_config/main.cc -o "$work/pkg_config" \
  $(pkg-config --cflags --libs skerry)
"$work/pkg_config" >&2
"$tree/usr/bin/skerry" --version >&2
PYTHONPATH=$tree/usr/lib/python3/dist-packages /usr/bin/python3 -B -c 'import skerry; print(skerry.__file__)' >&2

for package in "$work"/*.deb; do
  printf '%s  %s  %s kB\n' "$(dpkg-deb -f "$package" Package)" "$(dpkg-deb -f "$package" Version)" \
    "$(($(stat -c %s "$package") / 1024))"
done
if [ $# = 1 ]; then
  mkdir -p "$1"
  find "$work" -maxdepth 1 -type f -exec cp -t "$1" {} +
fi
