#!/usr/bin/env python3
"""Did the compiler keep the prefetches of the batch kernels?

    tools/check_prefetch.py build/CMakeFiles/skerry_objects.dir/src/simd/avx512.cc.o ...

GCC can drop a loop that does nothing but prefetch, silently; a search over memory that is not in
the cache is then a quarter slower, and no test fails. Every batch kernel has two such loops, for
the first rows and for those ahead of the current one, so each of its functions must hold at least
two prefetch instructions. Exits with 1 when one does not, or when an object has no batch kernel.

OBJDUMP in the environment names another objdump (aarch64-linux-gnu-objdump, say).
"""
import os
import re
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
BATCH = re.compile(r"skerry::simd::\(anonymous namespace\)::batch<.*>\(")
COLD = re.compile(r"\.cold|\[clone [^]]*cold")
PREFETCH = re.compile(r"\t(prefetch\w*|prfu?m)\s")
LOOPS = 2


def prefetches(path):
    """Prefetch instructions of each batch kernel in an object file, by its name."""
    objdump = os.environ.get("OBJDUMP", "objdump")
    text = subprocess.run([objdump, "-dC", "--no-show-raw-insn", path], check=True,
                          capture_output=True, text=True).stdout
    counts = {}
    name = None
    for line in text.splitlines():
        function = FUNCTION.match(line)
        if function:
            name = function.group(1)
            if not BATCH.search(name) or COLD.search(name):
                name = None
            else:
                counts.setdefault(name, 0)
        elif name and PREFETCH.search(line):
            counts[name] += 1
    return counts


def main(paths):
    if not paths:
        sys.exit(__doc__)
    failed = False
    for path in paths:
        counts = prefetches(path)
        lost = [name for name, count in counts.items() if count < LOOPS]
        for name in lost:
            print(f"{path}: prefetches lost in {name}")
        if not counts:
            print(f"{path}: no batch kernel found")
        failed = failed or bool(lost) or not counts
        print(f"{path}: {len(counts)} batch kernels, {len(lost)} without their prefetches")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
