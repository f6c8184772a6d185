#!/usr/bin/env python3
"""amalgamate.py - the whole library as two files, skerry.h and skerry.cc.

  amalgamate.py OUT_DIR      writes both; OUT_DIR is made when it is not there
  amalgamate.py --check      writes nothing: can all files be one unit? exit 1 and why when not
  amalgamate.py --self-test  plants names that collide in a small tree and expects each to be found

skerry.h is include/skerry/*.h, skerry.cc every .cc of the library's rooms in the order of CMakeLists.txt,
headers before whoever includes them, each once. A text (*-inl.h) is no header: it stands wherever
it is included. The same tree gives the same bytes.

A kernel file is compiled for its own instruction set. Its flags, which cmake/simd.cmake holds, become a
target that the compiler gives to the functions of that part and to no others; what the file
includes stands before it, so that nothing shared is compiled for a CPU that may not be there.

In one unit all unnamed namespaces of a namespace are one. A name that a file keeps to itself must
therefore be nobody else's in that namespace: another variable or class would not compile, but
another function could be an overload that is called instead, and nobody would be told.
"""
import argparse
import pathlib
import re
import sys
import tempfile

# The kernel files that need flags: where they are compiled, and the name of the flags in simd.cmake.
TARGETS = {
    "src/simd/avx2.cc": ("__x86_64__", "avx2_options"),
    "src/simd/avx512.cc": ("__x86_64__", "avx512_options"),
    "src/simd/neon.cc": ("__aarch64__", "neon_options"),
}
INCLUDE = re.compile(r'#\s*include\s*(["<])([^">]+)[">]')
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


class Problem(Exception):
    pass


# -- the tree ----------------------------------------------------------------------------------------


def read(root, name):
    return (root / name).read_text(encoding="utf-8")


def version(root):
    numbers = re.findall(r"^#define SKERRY_VERSION_[A-Z]+ (\d+)$",
                         read(root, "include/skerry/version.h"), re.M)
    return ".".join(numbers)


def public_headers(root):
    return sorted(path.relative_to(root).as_posix() for path in (root / "include/skerry").glob("*.h"))


def in_rooms(root, pattern):
    """The files of the library's rooms that match, in the order of the rooms; no tests."""
    rooms = re.search(r"^set\(SKERRY_ROOMS ([^)]*)\)", read(root, "CMakeLists.txt"), re.M)
    if not rooms:
        raise Problem("CMakeLists.txt: there is no set(SKERRY_ROOMS ...)")
    return [path.relative_to(root).as_posix()
            for room in rooms[1].split()
            for path in sorted((root / "src" / room).glob(pattern))
            if not path.name.endswith("_test.cc")]


def resolve(root, source, name):
    """The file of ours that `name` means in `source`."""
    for folder in (pathlib.PurePosixPath(source).parent.as_posix(), "src", "include"):
        if (root / folder / name).is_file():
            return f"{folder}/{name}"
    raise Problem(f"{source}: there is no {name}")


def target_of(root, variable):
    """The flags of a kernel file as the text of a target: -mavx2 is avx2, -march=X is arch=X."""
    text = read(root, "cmake/simd.cmake")

    def flags(name):
        found = re.search(rf"^set\({name} ([^)]*)\)", text, re.M)
        if not found:
            raise Problem(f"cmake/simd.cmake: there is no set({name} ...)")
        for word in found[1].split():
            inner = re.fullmatch(r"\$\{(\w+)\}", word)
            yield from flags(inner[1]) if inner else [word]

    words = []
    for flag in flags(variable):
        if not flag.startswith("-m"):
            raise Problem(f"cmake/simd.cmake: {variable}: {flag} says no instruction set")
        words.append(flag[2:])
    return ",".join(words)


# -- the two files -----------------------------------------------------------------------------------


class Writer:
    """One of the two files: what stands in it, and which headers need not be written again."""

    def __init__(self, root, written):
        self.root = root
        self.written = written  # headers of ours
        self.system = set()     # <headers> that are wanted whatever the machine is
        self.parts = []

    def lines_of(self, name):
        """The lines of a file after what it includes is written; texts stand where they are included."""
        lines = []
        depth = 0
        for number, line in enumerate(read(self.root, name).splitlines(), 1):
            stripped = line.strip()
            include = INCLUDE.match(stripped)
            if stripped.startswith("#if"):
                depth += 1
            elif stripped.startswith("#endif"):
                depth -= 1
            if stripped == "#pragma once":
                continue
            if not include:
                lines.append(line)
            elif include[1] == "<" and not include[2].startswith("skerry/"):
                if depth:
                    lines.append(line)
                else:
                    self.system.add(include[2])
            else:
                inner = resolve(self.root, name, include[2])
                if inner.endswith("-inl.h"):
                    lines.extend(self.lines_of(inner))
                elif depth:
                    raise Problem(f"{name}:{number}: {include[2]} is included on a condition: "
                                  "in one unit it would be there for all or for none")
                else:
                    self.add(inner)
        return lines

    def add(self, name):
        if name in self.written:
            return
        self.written.add(name)
        outside = set(self.system)
        lines = self.lines_of(name)
        if name in TARGETS:
            wanted, self.system = self.system - outside, outside
            lines = for_target(self.root, name, lines, sorted(wanted))
        text = "\n".join(lines).strip("\n")
        self.parts.append(f"// -- {name} {'-' * (93 - len(name))}\n\n{text}\n")

    def text(self, head, first):
        system = "".join(f"#include <{name}>\n" for name in sorted(self.system))
        whole = "\n".join([head + first + "\n" + system, *self.parts])
        return re.sub(r"\n{3,}", "\n\n", whole)


def for_target(root, name, lines, system):
    machine, variable = TARGETS[name]
    target = target_of(root, variable)
    head = [f"#if defined({machine})", *(f"#include <{header}>" for header in system)]
    if machine == "__aarch64__":
        # Clang knew the dot product's intrinsics by the flags of the whole unit alone until 16.
        head += ["#if defined(__clang__) && __clang_major__ < 16 && !defined(__ARM_FEATURE_DOTPROD)",
                 f'#error "skerry.cc: clang before 16 needs -m{target.replace("arch=", "arch=")} for arm64"',
                 "#endif"]
    head += ["#if defined(__clang__)",
             f'#pragma clang attribute push(__attribute__((target("{target}"))), apply_to = function)',
             "#else", "#pragma GCC push_options", f'#pragma GCC target("{target}")',
             # GCC 12 warns of its own intrinsics' "undefined" registers (its bug 105593).
             "#pragma GCC diagnostic push",
             '#pragma GCC diagnostic ignored "-Wuninitialized"',
             '#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"',
             "#endif"]
    tail = ["#if defined(__clang__)", "#pragma clang attribute pop", "#else",
            "#pragma GCC diagnostic pop", "#pragma GCC pop_options", "#endif",
            f"#endif  // {machine}"]
    return head + lines + tail


def amalgamate(root):
    """The texts of skerry.h and skerry.cc."""
    words = (f"Skerry {version(root)} in two files, made by tools/amalgamate.py: do not edit. "
             "Apache License 2.0.\n//\n")
    written = set()
    header = Writer(root, written)
    for name in public_headers(root):
        header.add(name)
    source = Writer(root, written)
    for name in in_rooms(root, "*.cc"):
        source.add(name)
    source.system -= header.system
    return {
        "skerry.h": header.text(
            "// skerry.h - what can a program ask?\n// " + words +
            "// Compile skerry.cc once, as C++20 and optimised, and link lmdb and threads:\n"
            "//     c++ -std=c++20 -O3 -c skerry.cc\n"
            "//     c++ -std=c++20 app.cc skerry.o -llmdb -pthread\n", "#pragma once\n"),
        "skerry.cc": source.text("// skerry.cc - the library.\n// " + words +
                                 "// Needs lmdb.h and skerry.h beside it, which says how to compile.\n",
                                 '#include "skerry.h"\n'),
    }


# -- names ---------------------------------------------------------------------------------------------


def without_words(text):
    """The text without comments, contents of strings, and lines for the preprocessor."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|R"\(.*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)
    text = token.sub(lambda match: '""' if match[0][0] in "\"R'" else " ", text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", "", text, flags=re.M)


def declared(head):
    """The name that a declaration at the level of a namespace makes, or None; `head` is what stands
    before its body or its end."""
    head = re.sub(r"\[\[.*?\]\]|\balignas\s*\([^)]*\)", " ", head, flags=re.S)
    while True:
        shorter = re.sub(r"<[^<>]*>", " ", head)
        if shorter == head:
            break
        head = shorter
    head = re.sub(r"\s+", " ", re.sub(r"\btemplate\b|\brequires [\w:]+", " ", head)).strip()
    if re.match(r"(namespace|static_assert|extern|friend)\b|using (?!\w+ ?=)", head) or not head:
        return None
    if "operator" in head:
        return None
    match = re.match(r"(?:struct|class|union|enum(?: class)?) (\w+)(?: final)?(?: ?:[^:(]*)?$", head)
    match = match or re.match(r"using (\w+) ?=", head)
    if match:
        return match[1]
    before = re.split(r"[=(\[]", head, maxsplit=1)[0].strip()
    name = re.search(r"([\w:~]+)$", before)
    return name[1] if name and IDENTIFIER.fullmatch(name[1]) else None


def names(text):
    """What the text declares in namespaces: (namespace, name, does it keep it to itself?); and
    (namespace, another) of each using-directive."""
    found, directives = set(), set()
    stack = []  # names of namespaces; "" for an unnamed one
    head = ""
    inner = 0   # braces that are not those of a namespace

    def declare():
        inside = "::".join(name for name in stack if name)
        directive = re.match(r"using namespace ([\w:]+)$", head.strip())
        if directive:
            directives.add((inside, directive[1]))
        name = declared(head)
        if name:
            found.add((inside, name, "" in stack or re.match(r"static\b", head.strip()) is not None))

    for character in without_words(text):
        if character == "{":
            namespace = re.search(r"(?:^|\s)(?:inline )?namespace\s*([\w:]*)\s*$", head)
            if inner == 0 and namespace:
                stack.append(namespace[1])
            else:
                if inner == 0:
                    declare()
                inner += 1
            head = ""
        elif character == "}":
            if inner:
                inner -= 1
            elif stack:
                stack.pop()
            head = ""
        elif inner == 0:
            if character == ";":
                declare()
                head = ""
            else:
                head += character
    return found, directives


def collisions(root):
    """Why the files of the library cannot be one unit, a sentence each."""
    own = {}     # (namespace, name) -> files that keep it to themselves
    shared = {}  # (namespace, name) -> files that declare it for others
    macros = {}  # name -> { text: file }
    directives = {}
    headers = [name for name in in_rooms(root, "*.h") if not name.endswith("-inl.h")]
    for name in sorted([*public_headers(root), *headers, *in_rooms(root, "*.cc")]):
        text = read(root, name)
        found, directed = names(text)
        for namespace, declared_name, is_own in found:
            (own if is_own else shared).setdefault((namespace, declared_name), set()).add(name)
        for pair in directed:
            directives.setdefault(pair, set()).add(name)
        for macro, meaning in re.findall(r"^#define (\w+)((?:[^\n]*\\\n)*[^\n]*)", text, re.M):
            macros.setdefault(macro, {}).setdefault(meaning.strip(), name)

    problems = []
    for (namespace, name), keepers in sorted(own.items()):
        others = keepers | shared.get((namespace, name), set())
        if len(others) > 1:
            problems.append(f"{', '.join(sorted(others))}: each has a '{name}' in {namespace or '::'}, "
                            f"and {' and '.join(sorted(keepers))} would keep it for itself: rename one")
    for (namespace, used), users in sorted(directives.items()):
        for (inside, name), owners in sorted(shared.items()):
            outer = own.get((namespace, name), set()) | shared.get((namespace, name), set())
            if inside in (used, f"{namespace}::{used}") and outer:
                problems.append(f"{', '.join(sorted(users))}: using namespace {used} brings '{name}' "
                                f"of {', '.join(sorted(owners))} beside that of {', '.join(sorted(outer))}")
    for macro, meanings in sorted(macros.items()):
        by_file = {}
        for meaning, file in meanings.items():
            by_file.setdefault(file, []).append(meaning)
        if len(by_file) > 1:
            problems.append(f"{', '.join(sorted(by_file))}: each defines {macro}, and otherwise")
    return problems


def self_test():
    tree = {
        "CMakeLists.txt": "set(SKERRY_ROOMS base graph db)\n",
        "cmake/simd.cmake": "",
        "include/skerry/version.h": "#pragma once\n#define SKERRY_VERSION_MAJOR 3\nnamespace skerry { int version(); }\n",
        "src/base/a.h": '#pragma once\n#include <vector>\nnamespace skerry { void shared(int); }\n',
        "src/graph/g.h": '#pragma once\nnamespace skerry { struct Taken {}; }\n',
        "src/base/a.cc": '#include "base/a.h"\n#define LENGTH 1\nnamespace skerry {\nnamespace {\n'
                         'constexpr int kSize = 3;\nvoid load(int v) { int kept = v; }\n'
                         'template <class T> struct Only {};\nint alone() { return "}{"[0]; }\n'
                         'namespace fs = std::filesystem;\n}\nvoid shared(int v) {}\n}\n',
        "src/base/a_test.cc": "namespace skerry { namespace { void load(int); } }\n",
        "src/db/b.cc": '#include "base/a.h"\n#include "graph/g.h"\n#include "skerry/version.h"\n#define LENGTH 2\n'
                       'namespace skerry {\nnamespace {\nalignas(8) constexpr int kSize[2] = {1, 2};\n'
                       '[[maybe_unused]] bool load(const char* text) noexcept { return text; }\n'
                       'enum class Taken { yes };\nnamespace fs = std::filesystem;\n}\n'
                       'static int alone() { return 0; }\nint b() { int kept = 1; return kept; }\n}\n'
                       'namespace skerry::other { namespace { void load(); } }\n',
    }
    expected = {"kSize", "load", "Taken", "alone", "LENGTH"}
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in tree.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        problems = collisions(root)
        made = amalgamate(root)
    found = {re.search(r"has a '(\w+)'|defines (\w+)", problem).group(1, 2) for problem in problems}
    found = {one or other for one, other in found}
    order = [made["skerry.cc"].find(text) for text in ("kSize = 3", "struct Taken", "kSize[2]")]
    if found != expected or -1 in order or order != sorted(order) \
            or made["skerry.cc"].count("struct Taken") != 1 or "version()" in made["skerry.cc"] \
            or made["skerry.cc"].count("#include") != 2 or "version()" not in made["skerry.h"]:
        print(f"self-test failed: missed {sorted(expected - found)}, wrongly found "
              f"{sorted(found - expected)}\n{made['skerry.h']}\n{made['skerry.cc']}", file=sys.stderr)
        return 1
    print(f"self-test: {len(expected)} planted collisions found, nothing else")
    return 0


def main():
    parser = argparse.ArgumentParser(description="The whole library as two files.")
    parser.add_argument("out", nargs="?", type=pathlib.Path, help="the folder to write into")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    if (arguments.out is None) != arguments.check:
        parser.error("expected a folder or --check")
    root = pathlib.Path(__file__).resolve().parent.parent
    try:
        problems = collisions(root)
        texts = amalgamate(root)
    except Problem as problem:
        problems = [str(problem)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    if not arguments.check:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (arguments.out / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
