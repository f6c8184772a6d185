#!/usr/bin/env bash
# peers.sh - the libraries that `skerry bench --peers` compares with. None is needed to build or to
# use Skerry. hnswlib and faiss are Debian's; usearch is the npm package's headers, in build/peers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

usearch_version=2.25.3

need_for peers
peers=$root/build/peers
if [ ! -e "$peers/usearch/package.json" ]; then
  say "fetching usearch $usearch_version"
  mkdir -p "$peers/usearch"
  (cd "$peers" && quietly npm pack --silent "usearch@$usearch_version")
  tar -xzf "$peers/usearch-$usearch_version.tgz" -C "$peers/usearch" --strip-components=1
fi
say "hnswlib: /usr/include/hnswlib, faiss: /usr/include/faiss, usearch: $peers/usearch"
