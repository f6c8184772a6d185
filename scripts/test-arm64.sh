#!/usr/bin/env bash
# test-arm64.sh - does what needs no LMDB hold on arm64? Cross-builds memory, kernels, codes, graph and
# index with their unit tests and runs those under qemu-user. Installs what it needs; nothing of this
# machine's build is touched.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

need cmake cmake
need ninja-build ninja
need g++-aarch64-linux-gnu aarch64-linux-gnu-g++
need qemu-user qemu-aarch64
need googletest /usr/src/googletest/CMakeLists.txt
need python3 python3

build_preset arm64 skerry_index_tests
cd "$root"
say "prefetches"
OBJDUMP=aarch64-linux-gnu-objdump python3 tools/check_prefetch.py \
  build/arm64/CMakeFiles/skerry_objects.dir/src/simd/neon.cc.o >&2
say "testing arm64"
tests=(qemu-aarch64 -L /usr/aarch64-linux-gnu build/arm64/skerry_index_tests)
# A build that forgot the NEON kernels, or a qemu that lacks the dot product, must not pass.
"${tests[@]}" --gtest_list_tests | grep '/neon' >/dev/null || fail "there is no NEON test to run"
# Of the index's own what is quick: qemu runs a tenth as fast.
slow='*IndexTest.AR*:*IndexTest.Su*:*IndexTest.R*:*IndexTest.T*:*IndexTest.FilterF*'
"${tests[@]}" --gtest_brief=1 --gtest_filter="-$slow"
