#!/usr/bin/env bash
# peers.sh - the libraries that `skerry bench --peers` compares with. None is needed to build or to
# use Skerry. hnswlib, faiss and SQLite are Debian's; usearch's headers, sqlite-vec and LanceDB are npm
# packages, in build/peers. Configure again when it is done.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

usearch_version=2.25.3
sqlite_vec_version=0.1.9
lancedb_version=0.39.0

need_for peers
peers=$root/build/peers

# unpack NAME PACKAGE VERSION: an npm package as it is, into build/peers/NAME.
unpack() {
  local name=$1 package=$2 version=$3
  if [ -e "$peers/$name/package.json" ]; then return; fi
  say "fetching $package $version"
  mkdir -p "$peers/$name"
  (cd "$peers" && quietly npm pack --silent "$package@$version")
  tar -xzf "$peers/$package-$version.tgz" -C "$peers/$name" --strip-components=1
}

case $(uname -m) in
  x86_64) node_arch=x64 ;;
  aarch64) node_arch=arm64 ;;
  *) fail "there are no packages of the peers for $(uname -m)" ;;
esac
unpack usearch usearch "$usearch_version"
unpack sqlite-vec "sqlite-vec-linux-$node_arch" "$sqlite_vec_version"
if [ ! -e "$peers/lancedb/node_modules/@lancedb/lancedb" ]; then
  # Its optional packages are for making embeddings, all but the library itself.
  say "fetching LanceDB $lancedb_version"
  mkdir -p "$peers/lancedb"
  quietly npm install --prefix "$peers/lancedb" --no-audit --no-fund --omit=optional \
    "@lancedb/lancedb@$lancedb_version" "@lancedb/lancedb-linux-$node_arch-gnu@$lancedb_version" \
    apache-arrow@18.1.0
fi
say "hnswlib: /usr/include/hnswlib, faiss: /usr/include/faiss, the others: $peers"
