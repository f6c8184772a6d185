#!/usr/bin/env python3
"""c_door.py - does c.h do everything that the C++ headers do?

  c_door.py              checks the tree; exit 1 with a line for whatever is missing
  c_door.py --root DIR   the same for another tree
  c_door.py --self-test  changes a copy of the headers in many ways and expects each to be found

What must agree: every public method of Index, Database, Collection and Snapshot, overload by overload,
and every free function, has the C function that METHODS names; every field of the structs and every
enumerator that a program sees is there under its name; every C function is called by a test; and every
sentence of an error fits into skerry_error. Whoever adds to a C++ header and forgets C hears of it here.
"""
import argparse
import pathlib
import re
import shutil
import sys
import tempfile

HEADERS = "include/skerry"
EVERY_CALL = "tests/capi/every_call.h"
OTHER_TESTS = ("tests/capi/c_story.c", "tests/capi/c_executor.c", "tests/capi/c_allocator.c")
ROOM = 248 - 1  # of skerry_error::message

# C++ -> C. Of arguments the types alone, without defaults. "": C needs none, for the reason behind it.
KEYED = {  # the calls that Collection has twice
    "insert({}, VectorView, Payload)": "insert{}",
    "upsert({}, VectorView, Payload)": "upsert{}",
    "insert(span<const {}>, MatrixView, span<const Payload>, const BatchOptions&)": "insert_batch{}",
    "upsert(span<const {}>, MatrixView, span<const Payload>, const BatchOptions&)": "upsert_batch{}",
    "remove({})": "remove{}",
    "remove(span<const {}>)": "remove_batch{}",
    "contains({})": "contains{}",
    "get({}, span<float>)": "get{}",
    "get_bytes({}, span<byte>)": "get_bytes{}",
    "get_payload({}, span<byte>)": "get_payload{}",
}
METHODS = {
    "Index": {
        "create(const IndexOptions&, const path&)": "skerry_index_create",
        "load(const path&, CustomDistance, const path&)": "skerry_index_load",
        "view(const path&, CustomDistance)": "skerry_index_view",
        "save(const path&, const Control&)": "skerry_index_save",
        "reserve(size_t)": "skerry_index_reserve",
        "insert(Key, VectorView)": "skerry_index_insert",
        "upsert(Key, VectorView)": "skerry_index_upsert",
        "insert(span<const Key>, MatrixView, const BatchOptions&)": "skerry_index_insert_batch",
        "upsert(span<const Key>, MatrixView, const BatchOptions&)": "skerry_index_upsert_batch",
        "remove(Key)": "skerry_index_remove",
        "remove(span<const Key>)": "skerry_index_remove_batch",
        "contains(Key)": "skerry_index_contains",
        "size()": "skerry_index_size",
        "get(Key, span<float>)": "skerry_index_get",
        "get_bytes(Key, span<byte>)": "skerry_index_get_bytes",
        "for_each(FunctionRef<bool(Key)>)": "skerry_index_for_each",
        "search(VectorView, span<Hit>, const SearchOptions&)": "skerry_index_search",
        "search_batch(MatrixView, span<Hit>, span<uint32_t>, const SearchOptions&)":
            "skerry_index_search_batch",
        "explain(VectorView, Key, span<Hit>, span<Hop>, const SearchOptions&)":
            "skerry_index_explain",
        "check(const Control&)": "skerry_index_check",
        "shape(const Control&)": "skerry_index_shape",
        "stats()": "skerry_index_get_stats",
        "options()": "skerry_index_get_options",
        "~Index()": "skerry_index_free",
    },
    "Database": {
        "open(const path&, const DatabaseOptions&)": "skerry_database_open",
        "repair(const path&, const RepairOptions&)": "skerry_database_repair",
        "create(string_view, const CollectionOptions&)": "skerry_database_create",
        "open_collection(string_view, const Control&)": "skerry_database_open_collection",
        "open_or_create(string_view, const CollectionOptions&, const Control&)":
            "skerry_database_open_or_create",
        "create(span<const string_view>, const CollectionOptions&)": "skerry_database_create_many",
        "drop(string_view)": "skerry_database_drop",
        "rename(string_view, string_view)": "skerry_database_rename",
        "clone(string_view, string_view, const Control&)": "skerry_database_clone",
        "list()": "skerry_database_list",
        "collections()": "skerry_database_collections",
        "search_union(span<const Collection>, VectorView, span<UnionHit>, const SearchOptions&)":
            "skerry_database_search_union",
        "search_union(span<const Collection>, VectorView, span<NamedUnionHit>, const SearchOptions&)":
            "skerry_database_search_union_named",
        "sync()": "skerry_database_sync",
        "checkpoint(const Control&)": "skerry_database_checkpoint",
        "backup(const path&, const Control&)": "skerry_database_backup",
        "compact(const Control&)": "skerry_database_compact",
        "close()": "skerry_database_close",
        "stats()": "skerry_database_get_stats",
        "~Database()": "skerry_database_free",
    },
    "Collection": {
        **{cpp.format(word): "skerry_collection_" + c.format(suffix)
           for cpp, c in KEYED.items() for word, suffix in (("Key", ""), ("string_view", "_named"))},
        "size()": "skerry_collection_size",
        "for_each(FunctionRef<bool(Key)>)": "skerry_collection_for_each",
        "for_each_name(FunctionRef<bool(string_view)>)": "skerry_collection_for_each_named",
        "search(VectorView, span<Hit>, const SearchOptions&)": "skerry_collection_search",
        "search(VectorView, span<NamedHit>, const SearchOptions&)": "skerry_collection_search_named",
        "search_batch(MatrixView, span<Hit>, span<uint32_t>, const SearchOptions&)":
            "skerry_collection_search_batch",
        "search_batch(MatrixView, span<NamedHit>, span<uint32_t>, const SearchOptions&)":
            "skerry_collection_search_batch_named",
        "explain(VectorView, Key, span<Hit>, span<Hop>, const SearchOptions&)":
            "skerry_collection_explain",
        "explain(VectorView, string_view, span<NamedHit>, span<NamedHop>, const SearchOptions&)":
            "skerry_collection_explain_named",
        "snapshot()": "skerry_collection_snapshot",
        "save_image(const Control&)": "skerry_collection_save_image",
        "verify(const VerifyOptions&)": "skerry_collection_verify",
        "stats()": "skerry_collection_get_stats",
        "shape(const Control&)": "skerry_collection_shape",
        "options()": "skerry_collection_get_options",
        "name()": "skerry_collection_get_name",
    },
    "Snapshot": {
        "size()": "skerry_snapshot_size",
        "sequence()": "skerry_snapshot_sequence",
        "age()": "skerry_snapshot_age",
        **{cpp.format(word): "skerry_snapshot_" + c.format(suffix)
           for cpp, c in KEYED.items() if c in ("contains{}", "get{}", "get_bytes{}", "get_payload{}")
           for word, suffix in (("Key", ""), ("string_view", "_named"))},
        "for_each(FunctionRef<bool(Key)>)": "skerry_snapshot_for_each",
        "for_each_name(FunctionRef<bool(string_view)>)": "skerry_snapshot_for_each_named",
        "search(VectorView, span<Hit>, const SearchOptions&)": "skerry_snapshot_search",
        "search(VectorView, span<NamedHit>, const SearchOptions&)": "skerry_snapshot_search_named",
        "~Snapshot()": "skerry_snapshot_free",
    },
    "": {  # free functions
        "name_of(Code)": "skerry_code_name",
        "name_of(Metric)": "skerry_metric_name",
        "name_of(Scalar)": "skerry_scalar_name",
        "name_of(Codes)": "skerry_codes_name",
        "name_of(Vectors)": "skerry_vectors_name",
        "name_of(Opened)": "skerry_opened_name",
        "name_of(SearchWay)": "skerry_search_way_name",
        "name_of(Fallback)": "skerry_fallback_name",
        "name_of(Fate)": "skerry_fate_name",
        "to_f16(float)": "skerry_float_to_f16",
        "to_bf16(float)": "skerry_float_to_bf16",
        "to_float(f16)": "skerry_f16_to_float",
        "to_float(bf16)": "skerry_bf16_to_float",
        "version()": "skerry_version",
        "target()": "skerry_target",
        "set_allocator(const Allocator&)": "skerry_set_allocator",
        "set_executor(const Executor&)": "skerry_set_executor",
    },
}
# Functions of C for what C++ has in its language.
OF_C_ALONE = {"skerry_collection_free", "skerry_now_ns", "skerry_vector_bytes",
              "skerry_repair_report_summary", "skerry_repair_report_collection",
              "skerry_repair_report_free"}
# Functions that can fail and are no calls of every_call.h: once in a process, or only after damage.
TESTED_APART = {"skerry_set_executor", "skerry_set_allocator", "skerry_repair_report_collection"}

# Structs of C++ -> those of C that hold their fields, and fields of another name there ("": none).
FIELDS = {
    "CustomDistance": (("skerry_custom_distance",), {}),
    "Control": (("skerry_control",), {"deadline": "deadline_ns"}),
    "IndexOptions": (("skerry_options",), {}),
    "CollectionOptions": (("skerry_options",), {"index": ""}),
    "DatabaseOptions": (("skerry_database_options",), {}),
    "SearchOptions": (("skerry_search_options",), {}),
    "VerifyOptions": (("skerry_verify_options",), {}),
    "BatchOptions": (("skerry_batch_options",), {}),
    "RepairOptions": (("skerry_repair_options",), {}),
    "Hit": (("skerry_hit",), {}),
    "NamedHit": (("skerry_named_hit",), {}),
    "UnionHit": (("skerry_union_hit",), {}),
    "NamedUnionHit": (("skerry_named_union_hit",), {}),
    "Hop": (("skerry_hop",), {}),
    "NamedHop": (("skerry_named_hop",), {}),
    "SearchResult": (("skerry_search_result",), {}),
    "Explanation": (("skerry_explanation",), {"result": ""}),
    "IndexStats": (("skerry_index_stats",), {}),
    "CheckReport": (("skerry_check_report", "skerry_verify_report"), {}),
    "GraphShape": (("skerry_graph_shape",), {}),
    "CollectionStats": (("skerry_collection_stats",), {"index": ""}),
    "VerifyReport": (("skerry_verify_report",), {"index": ""}),
    "DatabaseStats": (("skerry_database_stats",), {}),
    "CollectionInfo": (("skerry_collection_info",), {}),
    "KeyRange": (("skerry_key_range",), {}),
    "CollectionRepair": (("skerry_collection_repair",), {}),
    "RepairReport": (("skerry_repair_summary",), {}),
    "Allocator": (("skerry_allocator",), {}),
    "Executor": (("skerry_executor",), {}),
}
# Structs of C++ that C has in another shape.
SHAPED_OTHERWISE = {"f16", "bf16", "Name"}

# Enums of C++ -> the beginning of their names in C.
ENUMS = {"Code": "SKERRY_", "Metric": "SKERRY_", "Scalar": "SKERRY_", "Codes": "SKERRY_",
         "Vectors": "SKERRY_", "Durability": "SKERRY_", "VerifyLevel": "SKERRY_VERIFY_",
         "Opened": "SKERRY_OPENED_", "SearchWay": "SKERRY_WAY_", "Fallback": "SKERRY_FALLBACK_",
         "Fate": "SKERRY_FATE_", "Kind": "SKERRY_FILTER_"}
RENAMED = {"Kind": {"predicate": "WHERE", "name_predicate": "WHERE_NAME"}}


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def split(text):
    """The arguments of a call, at commas outside of brackets."""
    parts, depth, part = [], 0, ""
    for character in text:
        depth += (character in "(<{") - (character in ")>}")
        if character == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += character
    return [one.strip() for one in parts + [part] if one.strip()]


def type_of(argument):
    """`const Control& control = {}` -> `const Control&`."""
    argument = argument.split("=")[0].strip()
    argument = re.sub(r"std::(filesystem::)?", "", argument)
    return re.sub(r"(?<=[\w>&*])\s+\w+$", "", argument) if " " in argument.replace("const ", "") \
        or argument.endswith(">") else argument


def body_of(text, opening):
    """What stands between the brace at text[opening] and its own."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[opening + 1:at]
    raise SystemExit("a brace is never closed")


def signatures(text, inside_class):
    """name(type, ...) of every function that is declared in the text."""
    found = []
    for statement in re.split(r";|(?<=[:{}])\s*\n", without_comments(text)):
        statement = " ".join(statement.split())
        match = re.search(r"(~?\b\w+)\((.*)\)( const)?( noexcept)?$", statement)
        if not match or (not inside_class and "SKERRY_API" not in statement) or "=" in \
                statement[:match.start()]:
            continue
        name, arguments = match[1], ", ".join(type_of(one) for one in split(match[2]))
        found.append(f"{name}({arguments})")
    return found


def cpp_functions(headers):
    """Class -> its public methods; "" -> free functions. Copies and moves are the language's."""
    functions = {name: [] for name in METHODS}
    for text in headers.values():
        outside = text
        for match in re.finditer(r"class (?:\[\[nodiscard\]\] )?(?:SKERRY_API )?(\w+) \{", text):
            body = body_of(text, match.end() - 1)
            outside = outside.replace(body, "")
            if "SKERRY_API " + match[1] not in match[0]:
                continue
            name = match[1]
            public = body.split("private:")[0]
            functions.setdefault(name, []).extend(
                one for one in signatures(public, True)
                if not re.fullmatch(rf"{name}\({name}&&\)|operator=\(.*\)|=\(.*\)", one))
        functions[""].extend(signatures(outside, False))
    return functions


def fields_of(body):
    """Names of the data members of a struct's body."""
    body = without_comments(body)
    while True:  # bodies of functions, and initial values
        shorter = re.sub(r"\{[^{}]*\}", "", body)
        if shorter == body:
            break
        body = shorter
    names = []
    for statement in body.split(";"):
        statement = re.sub(r" =[^=].*", "", " ".join(statement.split()))
        pointer = re.search(r"\(\*(\w+)\)\(", statement)
        if pointer:
            names.append(pointer[1])
        elif re.fullmatch(r"[\w\s:<>,*&\[\]]+", statement) and \
                not statement.startswith(("friend", "template")):
            names.append(re.sub(r"\[.*\]", "", statement).split()[-1])
    return names


def structs_of(text, pattern):
    return {match[1]: fields_of(body_of(text, match.end() - 1))
            for match in re.finditer(pattern, text)}


def survey(root):
    """What is missing, a line each."""
    root = pathlib.Path(root)
    c = without_comments((root / HEADERS / "c.h").read_text(encoding="utf-8"))
    headers = {path.name: path.read_text(encoding="utf-8")
               for path in sorted((root / HEADERS).glob("*.h")) if path.name != "c.h"}
    problems = []

    c_functions = set(re.findall(r"SKERRY_API[^;]*?\b(skerry_\w+)\(", c))
    promised = set(OF_C_ALONE)
    for owner, methods in cpp_functions(headers).items():
        table = METHODS.get(owner, {})
        label = owner + "::" if owner else ""
        for method in methods:
            if method not in table:
                problems.append(f"{label}{method} has no C function: add it to c.h and to METHODS")
        for method, function in table.items():
            promised.add(function)
            if method == "~Collection()" or method in methods:
                continue
            problems.append(f"{label}{method} is not in the C++ headers any more ({function})")
    for function in sorted(promised - c_functions):
        problems.append(f"c.h has no {function}")
    for function in sorted(c_functions - promised):
        problems.append(f"{function} stands for nothing: name it in METHODS or OF_C_ALONE")

    every_call = (root / EVERY_CALL).read_text(encoding="utf-8")
    others = "".join((root / name).read_text(encoding="utf-8") for name in OTHER_TESTS)
    for function in sorted(c_functions):
        can_fail = re.search(rf"skerry_code {function}\([^;]*skerry_error\*", c)
        tests = every_call if can_fail and function not in TESTED_APART else others
        if not re.search(rf"\b{function}\(", tests):
            problems.append(f"{function} is called by no test: add it to "
                            f"{EVERY_CALL if can_fail else OTHER_TESTS[0]}")

    c_structs = structs_of(c, r"typedef struct (\w+) \{")
    for name, text in headers.items():
        text = without_comments(text)
        for struct, fields in structs_of(text, r"\nstruct (?:SKERRY_API )?(\w+) \{").items():
            if struct not in FIELDS:
                if struct not in SHAPED_OTHERWISE and struct != "ScalarOf":
                    problems.append(f"{struct} ({name}) is not known: name it in FIELDS")
                continue
            theirs, renamed = FIELDS[struct]
            for field in fields:
                other = renamed.get(field, field)
                for one in theirs:
                    there = c_structs.get(one, ())
                    if other and other not in there and other + "_size" not in there:
                        problems.append(f"{struct}::{field} has no field {other} in {one}")
        for enum, body in re.findall(r"enum class (\w+)(?: : [\w:]+)? \{(.*?)\}", text, flags=re.S):
            if enum not in ENUMS:
                problems.append(f"enum {enum} ({name}) is not known: name it in ENUMS")
                continue
            for word in re.findall(r"(\w+)\s*(?:=\s*[^,]+)?(?:,|$)", body.strip()):
                word = ENUMS[enum] + RENAMED.get(enum, {}).get(word, word).upper()
                if not re.search(rf"\b{word} = ", c):
                    problems.append(f"c.h has no {word}")

    for path in sorted((root / "src").rglob("*.cc")) + sorted((root / "src").rglob("*.h")):
        if path.name.endswith("_test.cc") or "cli" in path.parts:
            continue
        for literal in re.findall(r'"((?:[^"\\\n]|\\.)*)"(?:\s*"(?:[^"\\\n]|\\.)*")*',
                                  path.read_text(encoding="utf-8")):
            worst = len("invalid_argument: ") + len(literal) + 7 * literal.count("{a}") + \
                7 * literal.count("{b}") + 60 * literal.count("{e}")
            if worst > ROOM:
                problems.append(f"{path.relative_to(root)}: a sentence of {worst} characters: "
                                f"skerry_error has room for {ROOM}: {literal[:50]}...")
    return problems


def self_test():
    """(file, what is replaced, by what, what must be said)"""
    header = HEADERS + "/"
    changes = [
        (header + "index.h", "Status reserve(std::size_t count);",
         "Status reserve(std::size_t count);\n  Status shrink(std::size_t count = 0);",
         "Index::shrink(size_t) has no C function"),
        (header + "collection.h", "bool contains(Key key) const;",
         "bool contains(Key key) const;\n  bool contains(std::span<const Key> keys) const;",
         "Collection::contains(span<const Key>) has no C function"),
        (header + "database.h", "Status sync();", "",
         "Database::sync() is not in the C++ headers any more"),
        (header + "snapshot.h", "double age() const noexcept;", "double age(int unit) const noexcept;",
         "Snapshot::age(int) has no C function"),
        (header + "status.h", "SKERRY_API const char* name_of(Code code) noexcept;",
         "SKERRY_API const char* name_of(Code code) noexcept;\n"
         "SKERRY_API const char* story_of(Code code) noexcept;",
         "story_of(Code) has no C function"),
        (header + "options.h", "std::uint32_t flat_below = 1024;",
         "std::uint32_t flat_below = 1024;\n  std::uint32_t flat_above = 9;",
         "IndexOptions::flat_above has no field flat_above in skerry_options"),
        (header + "types.h", "custom = 6,", "custom = 6,\n  chebyshev = 7,", "c.h has no SKERRY_CHEBYSHEV"),
        (header + "types.h", "struct Hit {", "struct Miss {\n  Key key = 0;\n};\nstruct Hit {",
         "Miss (types.h) is not known"),
        (header + "c.h", "skerry_index_reserve(", "skerry_index_make_room(",
         "c.h has no skerry_index_reserve"),
        (header + "c.h", "skerry_index_reserve(", "skerry_index_make_room(",
         "skerry_index_make_room stands for nothing"),
        ("tests/capi/every_call.h", "skerry_database_compact(", "skerry_database_sync(",
         "skerry_database_compact is called by no test"),
        ("src/base/status.cc", "namespace skerry {",
         'const char* kLong = "' + "word " * 50 + '";\nnamespace skerry {', "a sentence of"),
    ]
    root = pathlib.Path(__file__).resolve().parent.parent
    missed = []
    for file, old, new, expected in changes:
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder)
            for part in (HEADERS, "src", "tests/capi"):
                shutil.copytree(root / part, copy / part)
            text = (copy / file).read_text(encoding="utf-8")
            if old not in text:
                missed.append(f"{file} has no '{old}' to change")
                continue
            (copy / file).write_text(text.replace(old, new, 1), encoding="utf-8")
            problems = survey(copy)
            if not any(expected in problem for problem in problems):
                missed.append(f"'{expected}' was not said, but: {problems}")
    for line in missed:
        print(f"self-test failed: {line}", file=sys.stderr)
    if missed:
        return 1
    print(f"self-test: {len(changes)} changes found")
    return 0


def main():
    parser = argparse.ArgumentParser(description="Does c.h do everything that the C++ headers do?")
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    problems = survey(arguments.root)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        return 1
    print(f"c.h: {sum(map(len, METHODS.values()))} functions of C++ have theirs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
