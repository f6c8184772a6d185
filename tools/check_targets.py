#!/usr/bin/env python3
"""Is code for AVX only where the CPU was asked for it?

    tools/check_targets.py build/release/CMakeFiles/skerry_objects.dir/src/*/*.o ...

The kernels of AVX2 and AVX-512 are reached through a table that is chosen by the CPU. Any other
function that uses such an instruction stops a program on an older CPU: a function of a shared
header, say, that one part of a unit, or the linker, took from a part compiled for AVX. Exits with 1
when there is one, and when the kernels themselves use none: then they were compiled for nothing.

OBJDUMP in the environment names another objdump.
"""
import os
import re
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
# All instructions of AVX begin with v; those of x86-64 itself that do are none of a compiler's.
AVX = re.compile(r"^ *[0-9a-f]+:\tv\w+\s.*")
OWN = re.compile(r"\bskerry::simd::(avx2|avx512)::")
REGISTERS = {"avx2": "%ymm", "avx512": "%zmm"}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.split("\n\n")[1])
    objdump = os.environ.get("OBJDUMP", "objdump")
    strays, kernels = {}, {target: set() for target in REGISTERS}
    for path in sys.argv[1:]:
        text = subprocess.run([objdump, "-dC", "--no-show-raw-insn", path], check=True,
                              capture_output=True, text=True).stdout
        name = own = None
        for line in text.splitlines():
            function = FUNCTION.match(line)
            if function:
                name = function[1]
                own = OWN.search(name)
            elif AVX.match(line):
                if own is None:
                    strays.setdefault(f"{path}: {name}", line.strip())
                elif REGISTERS[own[1]] in line:
                    kernels[own[1]].add(name)
    for name, line in strays.items():
        print(f"{name}: {line}", file=sys.stderr)
    for target, names in kernels.items():
        print(f"{target}: {len(names)} functions use {REGISTERS[target]}")
        if not names:
            print(f"no kernel of {target} uses {REGISTERS[target]}", file=sys.stderr)
    return 1 if strays or not all(kernels.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
