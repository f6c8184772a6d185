#!/usr/bin/env python3
"""floorplan.py - does every include point down?

  floorplan.py              checks the tree and prints the plan; exit 1 when an include points up
  floorplan.py --root DIR   the same for another tree
  floorplan.py --self-test  plants bad includes in a small tree and expects each to be found

The rooms and what each may see are in ROOMS below and nowhere else (docs/design.md draws them). An
include of one's own room is always lawful, and so is a public header; a public header may include
public headers alone, because nothing else is installed. A test beside the code it tests follows
the rules of its room. Names in <> are other people's headers, except <skerry/...>.
"""
import argparse
import pathlib
import re
import sys
import tempfile

# room -> (folder, rooms it may see beside its own and the public headers)
ROOMS = {
    "public": ("include/skerry", ()),
    "base": ("src/base", ()),
    "simd": ("src/simd", ("base",)),
    "quant": ("src/quant", ("simd", "base")),
    "graph": ("src/graph", ("quant", "simd", "base")),
    "index": ("src/index", ("graph", "quant", "simd", "base")),
    "store": ("src/store", ("base",)),
    "db": ("src/db", ("store", "index", "graph", "quant", "simd", "base")),
    "capi": ("src/capi", ("base",)),
    "formats": ("src/formats", ("base",)),
    "page": ("src/page", ()),
    "bench": ("bench", ("formats", "page")),
    "cli": ("src/cli", ("formats", "page", "bench")),
    "python": ("src/python", ()),
    # What a stranger copies: the front door alone.
    "examples": ("examples", ()),
    # Tests look into every room; no room looks at them.
    "consumers": ("tests/consumers", ()),
    "tests": ("tests", ("cli", "bench", "page", "formats", "db", "store", "index", "graph", "quant",
                        "simd", "base", "consumers")),
}
# Files that measure one room from the bench and so see what that room sees.
EXCEPTIONS = {"bench/kernels_bench.cc": "simd", "bench/machine.cc": "quant"}
SUFFIXES = {".h", ".c", ".cc", ".cpp", ".inc"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')

DRAWING = """\
  front door    {public}

  doors         {capi}
                {python}
                {cli}
                {bench}
                {formats}
                {page}

  hall          {db}
                  |
  view            +--- {index}
                  |    {graph}
                  |    {quant}
                  |    {simd}
                  |
  truth           +--- {store}

  ground        {base}

  tests         {tests}
                {consumers}
                {examples}
"""


def room_of(path):
    """The room of a path relative to the root; None for a file outside all rooms."""
    inside = [(len(folder), room) for room, (folder, _) in ROOMS.items()
              if path.as_posix().startswith(folder + "/")]
    return max(inside)[1] if inside else None


def resolve(root, source, name):
    """The file of ours that `name` means in `source`, relative to the root, or None."""
    for folder in (source.parent, pathlib.Path("src"), pathlib.Path("include"), pathlib.Path("."),
                   pathlib.Path("tests")):
        candidate = root / folder / name
        if candidate.is_file():
            return candidate.resolve().relative_to(root)
    return None


def verdict(source, source_room, target_room):
    """Why this include is unlawful, or None."""
    if target_room in (source_room, "public"):
        return None
    if source_room == "public":
        return f"a public header includes '{target_room}': only include/skerry is installed"
    if target_room is None:
        return "it is in no room: name the folder in ROOMS"
    sees = set(ROOMS[source_room][1])
    if source.as_posix() in EXCEPTIONS:
        room = EXCEPTIONS[source.as_posix()]
        sees |= {room, *ROOMS[room][1]}
    if target_room in sees:
        return None
    allowed = ", ".join(sorted(sees)) or "nothing but the public headers"
    return f"'{source_room}' may not see '{target_room}' (it sees {allowed})"


def survey(root):
    """Files and lines of each room, how often each pair of rooms is used, and what is unlawful."""
    root = root.resolve()
    size = {room: [0, 0] for room in ROOMS}
    arrows = {}
    problems = []
    for top in ("include", "src", "bench", "tests", "examples"):
        for path in sorted((root / top).rglob("*")):
            if path.suffix not in SUFFIXES or not path.is_file():
                continue
            source = path.relative_to(root)
            room = room_of(source)
            if room is None:
                problems.append(f"{source}:1: it is in no room: name the folder in ROOMS")
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            size[room][0] += 1
            size[room][1] += len(lines)
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                if not match or (match[1] == "<" and not match[2].startswith("skerry/")):
                    continue
                target = resolve(root, source, match[2])
                if target is None:
                    first = match[2].split("/")[0]
                    if first in ROOMS or first == "skerry":
                        problems.append(f"{source}:{number}: there is no {match[2]}")
                    continue
                target_room = room_of(target)
                if target_room != room:
                    arrows[room, target_room] = arrows.get((room, target_room), 0) + 1
                why = verdict(source, room, target_room)
                if why:
                    problems.append(f"{source}:{number}: #include \"{match[2]}\": {why}")
    return size, arrows, problems


def plan(size, arrows):
    """The house as it stands, with the includes that are really there."""
    text = {}
    for room, (files, lines) in size.items():
        used = [f"{target} {count}" for (source, target), count in sorted(arrows.items())
                if source == room and target != "public"]
        text[room] = f"{room:<10}{files:>4} files {lines:>6,} lines"
        text[room] += "   -> " + ", ".join(used) if used else ""
    total = [sum(numbers) for numbers in zip(*size.values())]
    return (DRAWING.format(**text) + f"\n  in all        {total[0]} files, {total[1]:,} lines"
            "   (-> room n: n includes of it; the public headers are seen by all)")


def self_test():
    tree = {
        "include/skerry/types.h": "",
        "include/skerry/bad.h": '#include "base/epoch.h"\n',
        "src/base/epoch.h": '#include "skerry/types.h"\n#include <vector>\n',
        "src/base/up.cc": '// a comment first\n#include "graph/links.h"\n',
        "src/graph/links.h": '#include "base/epoch.h"\n',
        "src/index/engine.h": '#include "graph/links.h"\n#  include "base/epoch.h"\n',
        "src/store/env.h": '#include "index/engine.h"\n',
        "src/cli/main.cc": '#include <skerry/types.h>\n#include "db/database.h"\n',
        "src/db/database.h": '#include "store/env.h"\n#include "index/engine.h"\n',
        "src/graph/links_test.cc": '#include "gtest/gtest.h"\n#include "index/engine.h"\n',
        "src/base/gone.cc": '#include "base/gone.h"\n',
        "tests/all_test.cc": '#include "index/engine.h"\n',
    }
    expected = {"include/skerry/bad.h:1", "src/base/up.cc:2", "src/store/env.h:1",
                "src/cli/main.cc:2", "src/graph/links_test.cc:2", "src/base/gone.cc:1"}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in tree.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        size, arrows, problems = survey(root)
    found = {problem.split(": ")[0] for problem in problems}
    drawn = plan(size, arrows)
    if found != expected or size["index"] != [1, 2] or arrows["index", "graph"] != 1 \
            or "index        1 files      2 lines   -> base 1, graph 1" not in drawn:
        print(f"self-test failed: missed {sorted(expected - found)}, "
              f"wrongly found {sorted(found - expected)}\n{drawn}", file=sys.stderr)
        return 1
    print(f"self-test: {len(expected)} planted includes found, nothing else")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Does every include point down?")
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    size, arrows, problems = survey(arguments.root)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    print(plan(size, arrows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
