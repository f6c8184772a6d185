"""cli_case.py - runs the command `skerry` in a folder of its own; the files it eats are made here.

The command's path is the environment variable SKERRY. Standard library only.
"""
import json
import math
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

SKERRY = os.environ["SKERRY"]

OK, NOT_FOUND, USAGE, DATA, STORAGE, DAMAGED, BUSY, PROMISE, LOST, INTERRUPTED = (
    0, 1, 2, 3, 4, 5, 6, 7, 8, 130)


def row(i, dimension=8):
    """Row i of every set: whole numbers, all rows different, any format holds them."""
    return [float((i * 7 + c * c * 3 + i // 100 * (c + 1)) % 101) for c in range(dimension)]


def rows(count, dimension=8):
    return [row(i, dimension) for i in range(count)]


def pack_bin(vectors, code="f"):
    head = struct.pack("<II", len(vectors), len(vectors[0]))
    cast = float if code in "fe" else int
    return head + b"".join(
        struct.pack("<%d%s" % (len(v), code), *map(cast, v)) for v in vectors)


def pack_vecs(vectors, code="f"):
    cast = float if code == "f" else int
    return b"".join(
        struct.pack("<i%d%s" % (len(v), code), len(v), *map(cast, v)) for v in vectors)


def pack_npy(vectors, descr="<f4", code="f", version=1):
    cast = float if code in "fed" else int
    text = "{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }" % (
        descr, len(vectors), len(vectors[0]))
    text += " " * (20 - len(text) % 16) + "\n"
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    body = b"".join(struct.pack("<%d%s" % (len(v), code), *map(cast, v)) for v in vectors)
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + body


def pack_jsonl(vectors, first=0, payloads=False):
    lines = []
    for i, v in enumerate(vectors):
        entry = {"key": first + i, "vector": v}
        if payloads:
            entry["payload"] = "payload %d" % i
        lines.append(json.dumps(entry))
    return ("\n".join(lines) + "\n").encode()


def pack_csv(vectors, first=0):
    return "".join(
        ",".join([str(first + i)] + [repr(x) for x in v]) + "\n"
        for i, v in enumerate(vectors)).encode()


def pack_truth(answers):
    body = b"".join(struct.pack("<%di" % len(a), *(i for i, _ in a)) for a in answers)
    body += b"".join(struct.pack("<%df" % len(a), *(d for _, d in a)) for a in answers)
    return struct.pack("<II", len(answers), len(answers[0])) + body


def l2(a, b):
    return math.fsum((x - y) ** 2 for x, y in zip(a, b))


def has_open(process, name):
    """Whether the process has a file of this name open."""
    folder = "/proc/%d/fd" % process.pid
    for fd in os.listdir(folder):
        try:
            if name in os.readlink(os.path.join(folder, fd)):
                return True
        except FileNotFoundError:  # closed meanwhile
            pass
    return False


class CliCase(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="skerry-cli-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.db = self.path("db")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_skerry(self, *arguments, expect=OK, stdin=b""):
        """Runs the command; its exit code must be the expected one."""
        done = subprocess.run([SKERRY, *map(str, arguments)], input=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        self.assertEqual(done.returncode, expect,
                         "%s\nout: %s\nerr: %s" % (arguments, done.stdout[-2000:],
                                                   done.stderr[-2000:]))
        self.err = done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace")

    def run_json(self, *arguments, expect=OK, stdin=b""):
        """The same with --json: every line of standard output must be one object."""
        out = self.run_skerry(*arguments, "--json", expect=expect, stdin=stdin)
        objects = [json.loads(line) for line in out.splitlines()]
        for each in objects:
            self.assertIsInstance(each, dict)
        return objects

    def import_rows(self, count=50, collection="docs", dimension=8, metric="l2"):
        file = self.write("some.fbin", pack_bin(rows(count, dimension)))
        self.run_skerry("import", self.db, collection, file, "--metric", metric)

    def size(self, collection="docs"):
        return self.run_json("stats", self.db, collection)[0]["collections"][0]["live"]

    def vector(self, key, collection="docs"):
        return self.run_json("get", self.db, collection, key)[0]["vector"]
