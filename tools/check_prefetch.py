#!/usr/bin/env python3
"""Did the compiler keep the prefetches?

    tools/check_prefetch.py build/release/CMakeFiles/skerry_objects.dir/src/index/search_walk.cc.o ...

GCC can drop what does nothing but prefetch, a loop or a call, silently; a search over memory that is
not in the cache is then a quarter slower, and no test fails. What is looked for in each object:

  batch kernels  each has two such loops, for the first rows and for those ahead of the current one
  the probe      has the same two (bench/machine.cc)
  walks          each fetches lists of two lines at three places: of the two nodes that it asks
                 (ask_two), and of those that the pool takes in (src/graph/beam_search.h). Either may
                 be a function of its own, or part of the one that calls it.
  links back     a list of two lines, its owner, and those who are in it (src/index/connect.cc)

Exits with 1 when a prefetch is missing, or when an object has nothing that should prefetch.

OBJDUMP in the environment names another objdump (aarch64-linux-gnu-objdump, say).
"""
import os
import re
import subprocess
import sys

FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
COLD = re.compile(r"\.cold|\[clone [^]]*cold")
PREFETCH = re.compile(r"\t(prefetch\w*|prfu?m)\s")

LOOPS = re.compile(r"\(anonymous namespace\)::(batch<.*>|read_prefetched)\(")
LOOPS_LEAST = 2
ASK = re.compile(r"^skerry::ask_two\(")
ASK_LEAST = 4
WALK = re.compile(r"\bskerry::(filtered_)?beam_search<")
WALK_LEAST = 2  # beside what it asks
# Who walks, and how many walks each has when they are part of it or of its lambdas.
WALKERS = {"skerry::Engine::Search::Walk::walk_from(": 2,
           "skerry::Engine::plan_links(": 1, "skerry::Engine::walk_to(": 1}
# Who asks ahead without a walk, and how often.
OTHERS = {"skerry::Engine::connect_together(": 4}


def prefetches(path):
    """Prefetch instructions of each function in an object file, by its name."""
    objdump = os.environ.get("OBJDUMP", "objdump")
    text = subprocess.run([objdump, "-dC", "--no-show-raw-insn", path], check=True,
                          capture_output=True, text=True).stdout
    counts = {}
    name = None
    for line in text.splitlines():
        function = FUNCTION.match(line)
        if function:
            name = None if COLD.search(function.group(1)) else function.group(1)
            if name:
                counts.setdefault(name, 0)
        elif name and PREFETCH.search(line):
            counts[name] += 1
    return counts


def look(counts):
    """What an object has that should prefetch, by name: (prefetches, how many are expected)."""
    found = {name: (count, LOOPS_LEAST) for name, count in counts.items() if LOOPS.search(name)}
    ask = {name: (count, ASK_LEAST) for name, count in counts.items() if ASK.search(name)}
    least = WALK_LEAST if ask else WALK_LEAST + ASK_LEAST
    walks = {name: (count, least) for name, count in counts.items() if WALK.search(name)}
    found.update(ask)
    found.update(walks)
    for walker, number in WALKERS.items():
        own = [count for name, count in counts.items() if name.startswith(walker)]
        if own:
            found[walker + "...)"] = (sum(own) + sum(count for count, _ in walks.values()),
                                      number * least)
    for other, least in OTHERS.items():
        found.update({name: (count, least) for name, count in counts.items()
                      if name.startswith(other)})
    return found


def main(paths):
    if not paths:
        sys.exit(__doc__)
    failed = False
    for path in paths:
        found = look(prefetches(path))
        lost = {name: counts for name, counts in found.items() if counts[0] < counts[1]}
        for name, (count, least) in lost.items():
            print(f"{path}: {count} prefetches, expected at least {least}: {name}")
        if not found:
            print(f"{path}: nothing in it should prefetch: is it the right file?")
        failed = failed or bool(lost) or not found
        print(f"{path}: {len(found)} that prefetch, {len(lost)} of them not enough")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
