"""test_import.py - files and pipes in: every format, every way to be wrong, stopped and resumed."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from cli_case import *


class EveryFormat(CliCase):
    def check_import(self, name, content, *options):
        file = self.write(name, content)
        for source in ("file", "pipe"):
            collection = name.replace(".", "-") + "-" + source
            if source == "file":
                place, extra, stdin = file, [], b""
            else:
                place, extra, stdin = "-", ["--format", name.split(".")[1]], content
            with self.subTest(name=name, source=source):
                answer = self.run_json("import", self.db, collection, place, "--metric", "l2",
                                       "--batch", 7, *extra, *options, stdin=stdin)[0]
                self.assertEqual(answer["rows"], 40)
                self.assertEqual(answer["next_row"], 40)
                self.assertEqual(self.size(collection), 40)
                for key in (0, 7, 39):
                    self.assertEqual(self.vector(key, collection), row(key))

    def test_every_format_from_a_file_and_from_a_pipe(self):
        v = rows(40)
        self.check_import("a.fbin", pack_bin(v))
        self.check_import("a.u8bin", pack_bin(v, "B"), "--scalar", "u8")
        self.check_import("a.i8bin", pack_bin(v, "b"))
        self.check_import("a.f16bin", pack_bin(v, "e"), "--scalar", "f16")
        self.check_import("a.fvecs", pack_vecs(v))
        self.check_import("a.bvecs", pack_vecs(v, "B"))
        self.check_import("a.ivecs", pack_vecs(v, "i"))
        self.check_import("a.npy", pack_npy(v))
        self.check_import("b.npy", pack_npy(v, "<f8", "d", 2))
        self.check_import("c.npy", pack_npy(v, "|u1", "B", 3))
        self.check_import("a.jsonl", pack_jsonl(v))
        self.check_import("a.csv", pack_csv(v))

    def test_what_is_exported_is_what_was_imported(self):
        file = self.write("p.jsonl", pack_jsonl(rows(30), payloads=True))
        self.run_skerry("import", self.db, "docs", file, "--metric", "cosine")
        for extension in ("fbin", "u8bin", "i8bin", "f16bin", "fvecs", "bvecs", "ivecs", "npy",
                          "jsonl", "csv"):
            with self.subTest(extension=extension):
                out = self.path("out." + extension)
                options = [] if extension in ("jsonl", "csv") else ["--keys-to", self.path("k")]
                answer = self.run_json("export", self.db, "docs", out, *options)[0]
                self.assertEqual(answer["rows"], 30)
                back = [] if extension in ("jsonl", "csv") else ["--keys", self.path("k")]
                self.run_skerry("import", self.db, "back-" + extension, out, "--metric", "l2",
                                *back)
                got = self.run_json("get", self.db, "back-" + extension, 0, 29)
                self.assertEqual([g["vector"] for g in got], [row(0), row(29)])
                if extension in ("jsonl", "csv"):
                    self.assertEqual(got[1]["payload"], "payload 29")
        piped = self.run_skerry("export", self.db, "docs", "-", "--format", "csv")
        self.assertEqual(piped.encode(), self.read("out.csv"))

    def test_names_are_keys_of_a_byte_key_collection(self):
        lines = b'{"key":"one","vector":[1,2]}\n{"key":"two words","vector":[3,4],"payload":[1, 2]}\n'
        self.run_skerry("import", self.db, "names", "-", "--format", "jsonl", "--byte-keys",
                        stdin=lines)
        got = self.run_json("get", self.db, "names", "two words")[0]
        self.assertEqual((got["vector"], got["payload"]), ([3, 4], "[1, 2]"))
        self.run_skerry("export", self.db, "names", self.path("names.jsonl"))
        self.run_skerry("import", self.db, "again", self.path("names.jsonl"), "--byte-keys")
        self.assertEqual(self.vector("one", "again"), [1, 2])
        found = self.run_json("search", self.db, "names", "--vector", "[1,2]", "--deny", "one")[0]
        self.assertEqual([h["key"] for h in found["hits"]], ["two words"])
        self.assertEqual(self.run_json("remove", self.db, "names", "one", "three")[0]["removed"], 1)
        self.run_skerry("get", self.db, "names", "one", expect=NOT_FOUND)

    def test_bits_come_as_components_or_packed(self):
        bits = [[float((i >> c) & 1) for c in range(16)] for i in range(20)]
        self.run_skerry("import", self.db, "bits", self.write("b.fbin", pack_bin(bits)),
                        "--metric", "hamming", "--scalar", "b1")
        self.assertEqual(self.vector(5, "bits"), bits[5])
        packed = [[i & 255, i >> 8] for i in range(20, 30)]
        self.run_skerry("import", self.db, "bits", self.write("b.u8bin", pack_bin(packed, "B")),
                        "--first-key", 20)
        self.assertEqual(self.vector(21, "bits"), [float((21 >> c) & 1) for c in range(16)])
        half = self.write("half.fbin", pack_bin([[0.5] * 16]))
        self.run_skerry("import", self.db, "bits", half, expect=DATA)
        self.assertIn("row 0: component 0 is 0.5, expected a bit", self.err)


class Wrong(CliCase):
    def test_nan_in_row_7_and_nothing_of_its_batch_is_stored(self):
        good = rows(20)
        bad = [list(v) for v in good]
        bad[7][3] = float("nan")
        for name, content in (("n.fbin", pack_bin(bad)), ("n.npy", pack_npy(bad)),
                              ("n.fvecs", pack_vecs(bad)), ("n.jsonl", pack_jsonl(bad)),
                              ("n.csv", pack_csv(bad)), ("n.f16bin", pack_bin(bad, "e"))):
            with self.subTest(name=name):
                file = self.write(name, content)
                collection = name.replace(".", "-")
                out = self.run_json("import", self.db, collection, file, "--metric", "l2",
                                    "--batch", 5, expect=DATA)[0]
                self.assertIn(name + ": row 7: component 3 is NaN", self.err)
                self.assertIn("--from-row 5", self.err)
                self.assertEqual((out["rows"], out["next_row"]), (5, 5))
                self.assertEqual(self.size(collection), 5)
                self.run_skerry("get", self.db, collection, 5, expect=NOT_FOUND)
                # Mended, it goes on from there.
                mended = {"n.fbin": pack_bin, "n.npy": pack_npy, "n.fvecs": pack_vecs,
                          "n.jsonl": pack_jsonl, "n.csv": pack_csv,
                          "n.f16bin": lambda v: pack_bin(v, "e")}[name](good)
                self.run_skerry("import", self.db, collection, self.write(name, mended),
                                "--from-row", 5)
                self.assertEqual(self.size(collection), 20)
                self.assertEqual(self.vector(7, collection), row(7))

    def test_a_truncated_file_is_said_before_anything_is_stored(self):
        whole = pack_bin(rows(10))
        file = self.write("t.fbin", whole[:8 + 7 * 32 + 5])
        self.run_skerry("import", self.db, "docs", file, "--metric", "l2", expect=DATA)
        self.assertIn("truncated: 10 rows promised, 7 and a part of the next found", self.err)
        self.assertFalse(os.path.exists(self.db))

    def test_a_truncated_pipe_keeps_the_batches_before(self):
        whole = pack_bin(rows(10))
        self.run_skerry("import", self.db, "docs", "-", "--format", "fbin", "--metric", "l2",
                        "--batch", 3, expect=DATA, stdin=whole[:8 + 7 * 32 + 5])
        self.assertIn("truncated: 10 rows promised, 7 and a part of the next found", self.err)
        self.assertEqual(self.size(), 6)

    def test_every_binary_format_cut_anywhere(self):
        v = rows(2, 3)
        for name, content in (("c.fbin", pack_bin(v)), ("c.npy", pack_npy(v)),
                              ("c.u8bin", pack_bin(v, "B")), ("c.i8bin", pack_bin(v, "b")),
                              ("c.f16bin", pack_bin(v, "e"))):
            for cut in sorted({0, 1, 4, 7, 8, 9, len(content) // 2, len(content) - 1}):
                with self.subTest(name=name, cut=cut):
                    file = self.write(name, content[:cut])
                    self.run_skerry("import", self.db, "docs", file, "--metric", "l2", expect=DATA)
                    self.assertIn(name, self.err)

    def test_another_dimension_names_expected_and_given(self):
        self.import_rows(10, dimension=8)
        file = self.write("d.fbin", pack_bin(rows(3, 7)))
        self.run_skerry("import", self.db, "docs", file, expect=DATA)
        self.assertIn("dimension 7, expected 8", self.err)
        lines = pack_jsonl(rows(3)) + pack_jsonl(rows(1, 5), first=3)
        self.run_skerry("import", self.db, "docs", self.write("d.jsonl", lines), expect=DATA)
        self.assertIn("row 3 (line 4): dimension 5, expected 8", self.err)
        mixed = pack_vecs(rows(3)) + pack_vecs(rows(1, 5))
        self.run_skerry("import", self.db, "docs", self.write("d.fvecs", mixed), expect=DATA)
        self.assertIn("row 3: dimension 5, expected 8", self.err)

    def test_a_bad_key_is_named_by_its_row(self):
        self.import_rows(10)
        lines = pack_jsonl(rows(1), first=100) + b'{"key":"seven","vector":[1,2,3,4,5,6,7,8]}\n'
        self.run_skerry("import", self.db, "docs", self.write("k.jsonl", lines), expect=DATA)
        self.assertIn('row 1: key "seven" is not a whole number', self.err)
        self.assertEqual(self.size(), 10)

    def test_insert_refuses_a_present_key_and_changes_nothing(self):
        self.import_rows(10)
        file = self.write("i.jsonl", pack_jsonl(rows(5), first=8))
        self.run_skerry("import", self.db, "docs", file, "--insert", expect=DATA)
        self.assertIn("already_exists", self.err)
        self.assertEqual(self.size(), 10)

    def test_a_fraction_does_not_become_a_byte(self):
        self.run_skerry("create", self.db, "bytes", "-d", 2, "--scalar", "u8")
        lines = b'{"key":1,"vector":[1,2]}\n{"key":2,"vector":[1,2.5]}\n'
        self.run_skerry("import", self.db, "bytes", "-", "--format", "jsonl", expect=DATA,
                        stdin=lines)
        self.assertIn("row 1", self.err)
        self.assertEqual(self.size("bytes"), 0)

    def test_missing_and_unknown(self):
        self.run_skerry("import", self.db, "docs", self.path("nobody.fbin"), "--metric", "l2",
                        expect=NOT_FOUND)
        self.run_skerry("import", self.db, "docs", self.write("x.xyz", b"?"), "--metric", "l2",
                        expect=USAGE)
        self.assertFalse(os.path.exists(self.db))
        file = self.write("ok.fbin", pack_bin(rows(2)))
        self.run_skerry("import", self.db, "docs", file, expect=NOT_FOUND)
        self.run_skerry("create", self.db)
        self.run_skerry("import", self.db, "docs", file, expect=NOT_FOUND)
        self.assertIn("say --metric to make it", self.err)

    def test_options_that_differ_are_refused(self):
        self.import_rows(10)
        self.run_skerry("import", self.db, "docs", self.path("some.fbin"), "--metric", "cosine",
                        expect=USAGE)
        self.assertIn("--metric l2, not cosine", self.err)


def pack_hnswlib(vectors, M=4, removed=(), code="f"):
    """An index of hnswlib, all of whose elements are on level 0 and linked to the one before."""
    body = b"".join(struct.pack("<%d%s" % (len(v), code), *map(float if code == "f" else int, v))
                    for v in vectors)
    size = len(body) // len(vectors)
    links = 4 + 4 * 2 * M
    out = struct.pack("<QQQQQQiIQQQdQ", 0, len(vectors), len(vectors), links + size + 8, links + size,
                      links, 0, 0, M, 2 * M, M, 0.7, 77)
    for i in range(len(vectors)):
        out += struct.pack("<HBBI%dx" % (4 * (2 * M - 1)), 1, i in removed, 0, max(i - 1, 0))
        out += body[i * size:(i + 1) * size] + struct.pack("<Q", 100 + i)
    return out + b"\0" * 4 * len(vectors)


def pack_usearch(vectors, metric=b"c", M=4, removed=()):
    """The same of usearch."""
    body = b"".join(struct.pack("<%df" % len(v), *v) for v in vectors)
    out = struct.pack("<II", len(vectors), 4 * len(vectors[0])) + body
    head = b"usearch" + struct.pack("<HHHcBBBQQQB", 2, 21, 0, metric, 11, 14, 15,
                                    len(vectors) - len(removed), len(removed), len(vectors[0]), 0)
    out += head.ljust(64, b"\0") + struct.pack("<QQQQQ", len(vectors), M, 2 * M, 0, 0)
    out += b"\0\0" * len(vectors)
    for i in range(len(vectors)):
        key = 2 ** 64 - 1 if i in removed else 100 + i
        out += struct.pack("<QhII%dx" % (4 * (2 * M - 1)), key, 0, 1, max(i - 1, 0))
    return out


class OfAnotherLibrary(CliCase):
    def options(self, collection):
        return self.run_json("stats", self.db, collection)[0]["collections"][0]

    def test_an_index_of_hnswlib(self):
        file = self.write("index.bin", pack_hnswlib(rows(40), removed={3, 7}))
        self.run_skerry("import", self.db, "docs", file, "--from", "hnswlib", "-M", 8,
                        expect=NOT_FOUND)  # by which metric?
        self.assertFalse(os.path.exists(self.db))
        answer = self.run_json("import", self.db, "docs", file, "--from", "hnswlib", "--metric", "l2",
                               "--batch", 7)[0]
        self.assertEqual((answer["rows"], answer["removed"]), (38, 2))
        self.assertEqual(self.vector(100), row(0))
        self.assertEqual(self.vector(139), row(39))
        self.run_skerry("get", self.db, "docs", 103, expect=NOT_FOUND)
        options = self.options("docs")
        self.assertEqual([options[name] for name in ("M", "ef_construction", "scalar", "metric")],
                         [4, 77, "f32", "l2"])
        found = self.run_json("search", self.db, "docs", "--like", 110, "-k", 3)[0]["hits"]
        nearest = sorted((l2(row(10), row(i)), 100 + i) for i in range(40) if i not in (3, 7, 10))
        self.assertEqual([hit["key"] for hit in found], [key for _, key in nearest[:3]])
        text = self.run_skerry("import", self.db, "docs", file, "--from", "hnswlib")
        self.assertIn("2 that were marked as removed are left out", text)

    def test_an_index_of_hnswlib_of_bytes(self):
        file = self.write("index.bin", pack_hnswlib(rows(20), code="B"))
        self.run_skerry("import", self.db, "bytes", file, "--from", "hnswlib", "--components", "u8",
                        "--metric", "l2", "-M", 12)
        options = self.options("bytes")
        self.assertEqual([options[name] for name in ("M", "scalar", "dimension")], [12, "u8", 8])
        self.assertEqual(self.vector(119, "bytes"), row(19))
        self.run_skerry("import", self.db, "bytes", file, "--from", "hnswlib", expect=DATA)
        self.assertIn("dimension 2, expected 8", self.err)

    def test_an_index_of_usearch_brings_its_metric(self):
        file = self.write("index.usearch", pack_usearch(rows(40), removed={0}))
        answer = self.run_json("import", self.db, "docs", file, "--from", "usearch")[0]
        self.assertEqual((answer["rows"], answer["removed"]), (39, 1))
        options = self.options("docs")
        self.assertEqual([options[name] for name in ("M", "metric", "scalar")], [4, "cosine", "f32"])
        self.assertEqual(self.vector(139), row(39))
        self.run_skerry("import", self.db, "half", file, "--from", "usearch", "--scalar", "f16",
                        "--metric", "l2", "--byte-keys")
        options = self.options("half")
        self.assertEqual([options[name] for name in ("metric", "scalar")], ["l2", "f16"])
        self.assertEqual(self.vector("139", "half"), row(39))
        self.import_rows(10, "other")
        self.run_skerry("import", self.db, "other", file, "--from", "usearch", expect=USAGE)
        self.assertIn("an index by cosine, and collection other is by l2", self.err)
        self.run_skerry("import", self.db, "other", file, "--from", "usearch", "--metric", "l2")
        self.assertEqual(self.size("other"), 49)
        strange = self.write("strange.usearch", pack_usearch(rows(5), metric=b"p"))
        self.run_skerry("import", self.db, "new", strange, "--from", "usearch", expect=NOT_FOUND)
        self.run_skerry("import", self.db, "new", strange, "--from", "usearch", "--metric", "ip")

    def test_it_goes_on_where_it_stopped(self):
        file = self.write("index.usearch", pack_usearch(rows(40), removed={1, 2}))
        answer = self.run_json("import", self.db, "docs", file, "--from", "usearch", "--rows", 10)[0]
        self.assertEqual((answer["rows"], answer["next_row"]), (10, 10))
        self.run_skerry("import", self.db, "docs", file, "--from", "usearch", "--from-row", 10,
                        "--insert")
        self.assertEqual(self.size(), 38)

    def test_what_is_damaged_or_foreign_is_refused_before_anything_is_made(self):
        good = {"hnswlib": pack_hnswlib(rows(40)), "usearch": pack_usearch(rows(40))}
        for name, content in good.items():
            for broken in (b"", content[:-1], content + b"?", content[:100], b"x" * 5000,
                           pack_bin(rows(40))):
                with self.subTest(library=name, bytes=len(broken)):
                    self.run_skerry("import", self.db, "docs", self.write("broken", broken), "--from",
                                    name, "--metric", "l2", expect=DATA)
                    self.assertIn("broken: ", self.err)
        self.assertFalse(os.path.exists(self.db))
        file = self.write("good", good["hnswlib"])
        self.run_skerry("import", self.db, "docs", "-", "--from", "hnswlib", "--metric", "l2",
                        stdin=good["hnswlib"], expect=USAGE)
        self.assertIn("read twice, expected a file", self.err)
        self.run_skerry("import", self.db, "docs", file, "--from", "faiss", expect=USAGE)
        self.run_skerry("import", self.db, "docs", file, "--from", "hnswlib", "--format", "fbin",
                        "--metric", "l2", expect=USAGE)
        self.run_skerry("import", self.db, "docs", file, "--from", "hnswlib", "--keys", file,
                        "--metric", "l2", expect=USAGE)


class Stopped(CliCase):
    def start(self, *arguments):
        return subprocess.Popen([SKERRY, *map(str, arguments)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for(self, condition):
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.05)
        self.fail("it never came to pass")

    def catches_ctrl_c(self, process):
        with open("/proc/%d/status" % process.pid) as file:
            caught = [line.split()[1] for line in file if line.startswith("SigCgt")][0]
        return int(caught, 16) >> (signal.SIGINT - 1) & 1 == 1

    def has_read_it_all(self, process):
        unread = fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, b"\0" * 4)
        return struct.unpack("i", unread)[0] == 0 and has_open(process, "data.mdb")

    def test_ctrl_c_commits_what_was_read_and_says_where_to_resume(self):
        lines = pack_jsonl(rows(100)).splitlines(keepends=True)
        process = self.start("import", self.db, "docs", "-", "--format", "jsonl", "--metric", "l2",
                             "--batch", 10)
        process.stdin.write(b"".join(lines[:34]) + lines[34][:20])
        process.stdin.flush()
        self.wait_for(lambda: self.has_read_it_all(process))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, INTERRUPTED, err)
        self.assertIn(b"34 rows are stored; resume with --from-row 34", err)
        self.assertEqual(self.size(), 34)
        self.run_skerry("import", self.db, "docs", "-", "--format", "jsonl", "--from-row", 34,
                        stdin=b"".join(lines))
        self.assertEqual(self.size(), 100)
        self.assertEqual(self.vector(99), row(99))
        self.assertIn("verify: clean", self.run_skerry("verify", self.db))

    def test_ctrl_c_before_the_first_row(self):
        process = self.start("import", self.db, "docs", "-", "--format", "jsonl", "--metric", "l2")
        self.wait_for(lambda: self.catches_ctrl_c(process))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, INTERRUPTED, err)
        self.assertIn(b"resume with --from-row 0", err)

    def test_a_part_of_a_file(self):
        file = self.write("p.fbin", pack_bin(rows(50)))
        answer = self.run_json("import", self.db, "docs", file, "--metric", "l2", "--from-row", 10,
                               "--rows", 15, "--first-key", 1000)[0]
        self.assertEqual((answer["rows"], answer["next_row"]), (15, 25))
        self.assertEqual(self.vector(1010), row(10))
        self.run_skerry("import", self.db, "docs", file, "--from-row", 51, expect=DATA)
        self.assertIn("only 50 rows", self.err)

    def test_a_terminal_sees_rate_and_time_left(self):
        terminal, other_end = pty.openpty()
        process = subprocess.Popen([SKERRY, "import", self.db, "docs", "-", "--format", "fbin",
                                    "--metric", "l2", "--batch", "10"], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=other_end)
        os.close(other_end)
        whole = pack_bin(rows(2000))
        fed = 8 + 10 * 32
        process.stdin.write(whole[:fed])
        process.stdin.flush()
        seen = b""
        while b"left" not in seen and fed + 320 < len(whole):  # a batch at a time, until it is drawn
            process.stdin.write(whole[fed:fed + 320])
            process.stdin.flush()
            fed += 320
            if select.select([terminal], [], [], 0.05)[0]:
                seen += os.read(terminal, 4096)
        process.communicate(whole[fed:], timeout=60)
        self.assertEqual(process.returncode, OK)
        self.assertRegex(seen.decode(), r"import .*%.* of 2,000 .*/s .*left")
        os.close(terminal)

    def test_nothing_is_drawn_in_a_pipe(self):
        self.import_rows(50)
        self.assertEqual(self.err, "")


if __name__ == "__main__":
    unittest.main()
