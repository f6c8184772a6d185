#!/usr/bin/env python3
"""c_abi.py - does a program that was compiled against an older c.h still run?

  c_abi.py                  compares c.h with src/capi/SKERRY_0.abi; exit 1 when something broke
  c_abi.py --library SO     also the names that the shared library exports, with their versions
  c_abi.py --update         writes what is new into the file; what broke is refused
  c_abi.py --break          writes the file anew: before 1.0, when everybody is told
  c_abi.py --self-test      breaks copies of c.h in many ways and expects each to be found

The file holds what a compiled program relies on, a line each: every function with the types of its
arguments, every typedef and constant, and the place and size of every field of every public struct,
printed by a program that is generated from c.h and compiled. A struct that is led by struct_size may
grow at its end; whatever else changes or goes is a break. The first compiler of CC, or cc, is used.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = "skerry/c.h"
VERSION = "SKERRY_0"
FILE = ROOT / "src/capi" / (VERSION + ".abi")


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def squeezed(text):
    return re.sub(r"\s*([(),*])\s*", r"\1", " ".join(text.split())).replace(",", ", ")


def field_names(body):
    names = []
    for statement in body.split(";"):
        pointer = re.search(r"\(\*(\w+)\)\(", statement)
        words = re.sub(r"\[.*\]", "", statement).split()
        if pointer:
            names.append((pointer[1], squeezed(statement)))
        elif words:
            names.append((words[-1].lstrip("*"), squeezed(statement)))
    return names


def described(include):
    """The lines of the interface that stands in this include folder."""
    text = without_comments((include / HEADER).read_text(encoding="utf-8"))
    lines, program = [], []
    for match in re.finditer(r"SKERRY_API\s+([^;]*?)SKERRY_NOEXCEPT;", text):
        lines.append("function " + squeezed(match[1]))
    for match in re.finditer(r"\ntypedef ([^;{}]*);", text):
        lines.append("type " + squeezed(match[1]))
    for body in re.findall(r"\nenum \{(.*?)\};", text, flags=re.S):
        for name in re.findall(r"(\w+)\s*=", body):
            program.append(f'printf("constant {name} %lld\\n", (long long){name});')
    for name in re.findall(r"\n#define (SKERRY_(?:MAX|NO)_\w+)", text):
        program.append(f'printf("constant {name} %lld\\n", (long long){name});')
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\n\} \w+;", text, flags=re.S):
        fields = field_names(body)
        grows = fields[0][0] == "struct_size"
        if grows:  # a hole would be filled by a later field, and an older program's noise read there
            sizes = " + ".join(f"sizeof(((struct {name}*)0)->{field})" for field, _ in fields)
            program.append(f'if ({sizes} != sizeof(struct {name})) printf("hole {name}\\n");')
        program.append(f'printf("struct {name} {"grows from" if grows else "has"} %zu bytes, aligned '
                       f'to %zu\\n", sizeof(struct {name}), _Alignof(struct {name}));')
        for field, declaration in fields:
            place = f"struct {name}, {field}"
            size = f"sizeof(((struct {name}*)0)->{field})"
            program.append(f'printf("field {name}.{field} at %zu, %zu bytes: {declaration}\\n", '
                           f"offsetof({place}), {size});")
    source = f'#include <stdio.h>\n#include "{HEADER}"\nint main(void) {{\n' + \
        "\n".join(program) + "\nreturn 0;\n}\n"
    compiler = os.environ.get("CC", "cc").split()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "layout.c"
        path.write_text(source, encoding="utf-8")
        subprocess.run([compiler, "-std=c11", "-I", str(include), str(path), "-o",
                        str(path.with_suffix(""))], check=True)
        printed = subprocess.run([str(path.with_suffix(""))], check=True, capture_output=True,
                                 text=True).stdout
    return lines + printed.splitlines()


def exported(library):
    """Names of the dynamic table with their versions."""
    table = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", str(library)],
                           check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in table.splitlines() if "skerry_" in line.split()[-1]
            and not line.split()[-1].startswith("_Z")}


def compare(old, new):
    """(what broke, what is new)"""
    breaks, additions = [], []
    kept = set(new)
    grown = {}
    for line in new:
        match = re.match(r"struct (\w+) grows from (\d+) bytes, (.*)", line)
        if match:
            grown[match[1]] = (int(match[2]), match[3])
        if line.startswith("hole "):
            breaks.append(f"{line.split()[1]} has a hole between its fields: fill it with `reserved`")
    for line in old:
        if line in kept:
            continue
        match = re.match(r"struct (\w+) grows from (\d+) bytes, (.*)", line)
        if match and match[1] in grown and grown[match[1]][0] > int(match[2]) and \
                grown[match[1]][1] == match[3]:
            continue  # a struct that may grow, grown
        breaks.append(f"gone or changed: {line}")
    before = set(old)
    size_before = {match[1]: int(match[2]) for match in
                   (re.match(r"struct (\w+) (?:grows from|has) (\d+)", line) for line in old) if match}
    for line in new:
        if line in before or line.startswith("hole "):
            continue
        field = re.match(r"field (\w+)\.\w+ at (\d+)", line)
        if field and field[1] in size_before and int(field[2]) < size_before[field[1]]:
            breaks.append(f"new, and in the place of something: {line}")
        else:
            additions.append(line)
    return breaks, additions


def self_test():
    changes = [  # (what is replaced, by what, a break?)
        ("skerry_code skerry_index_size(", "skerry_code skerry_index_count(", True),
        ("skerry_index_reserve(skerry_index* index, size_t count",
         "skerry_index_reserve(skerry_index* index, uint32_t count", True),
        ("  uint32_t ef_construction;", "  uint64_t ef_construction;", True),
        ("  uint32_t max_readers;", "", True),
        ("  float distance;\n} skerry_hit;", "  float distance;\n  uint32_t rank;\n} skerry_hit;", True),
        ("  uint32_t count;         // hits", "  uint32_t hits;          // hits", True),
        ("SKERRY_COSINE = 2", "SKERRY_COSINE = 12", True),
        ("SKERRY_BUSY = 4,", "", True),
        ("typedef uint32_t skerry_metric;", "typedef uint64_t skerry_metric;", True),
        ("(*visit)(void* context, const char* name)", "(*visit)(const char* name)", True),
        ("  const skerry_control* control;  // may be null; counts rows",
         "  const skerry_control* control;\n  uint32_t later;", True),  # a hole behind it
        ("  const skerry_control* control;  // may be null; counts rows",
         "  const skerry_control* control;\n  uint64_t later;", False),
        ("SKERRY_API int64_t skerry_now_ns(void) SKERRY_NOEXCEPT;",
         "SKERRY_API int64_t skerry_now_ns(void) SKERRY_NOEXCEPT;\n"
         "SKERRY_API int64_t skerry_then_ns(void) SKERRY_NOEXCEPT;", False),
        ("SKERRY_CUSTOM = 6", "SKERRY_CUSTOM = 6,\n  SKERRY_CHEBYSHEV = 7", False),
    ]
    include = ROOT / "include"
    text = (include / HEADER).read_text(encoding="utf-8")
    old = described(include)
    missed = []
    if compare(old, old) != ([], []):
        missed.append(f"an unchanged header differs: {compare(old, old)}")
    for before, after, is_break in changes:
        if before not in text:
            missed.append(f"c.h has no '{before}' to change")
            continue
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder) / "skerry"
            copy.mkdir()
            for path in (include / "skerry").glob("*.h"):
                (copy / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
            (copy / "c.h").write_text(text.replace(before, after, 1), encoding="utf-8")
            breaks, additions = compare(old, described(pathlib.Path(folder)))
            if bool(breaks) != is_break or not (breaks or additions):
                missed.append(f"'{before}' -> '{after}': breaks {breaks}, additions {additions}")
    for line in missed:
        print(f"self-test failed: {line}", file=sys.stderr)
    if missed:
        return 1
    print(f"self-test: {len(changes)} changes of c.h judged rightly")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Does an older program of C still run?")
    parser.add_argument("--library", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--break", dest="break_it", action="store_true")
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    new = described(ROOT / "include")
    old = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    breaks, additions = compare(old, new)
    problems = [] if arguments.break_it else breaks
    if arguments.update or arguments.break_it:
        if not problems:
            FILE.write_text("\n".join(sorted(new)) + "\n", encoding="utf-8")
    else:
        problems = problems + [f"new: {line} (c_abi.py --update notes it)" for line in additions]
    if arguments.library:
        functions = {match[1] for match in (re.match(r"function .*?\b(skerry_\w+)\(", line)
                                            for line in new) if match}
        there = exported(arguments.library)
        wanted = {f"{name}@@{VERSION}" for name in functions}
        problems += [f"{arguments.library.name} does not export {name}" for name in sorted(wanted - there)]
        problems += [f"{arguments.library.name} exports {name}, which c.h does not tell of"
                     for name in sorted(there - wanted)]
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    print(f"{VERSION}: {len(new)} facts about c.h are as they were")
    return 0


if __name__ == "__main__":
    sys.exit(main())
