"""test_database.py - databases and collections: names, payloads, files, closed handles."""
import os
import subprocess
import sys
import unittest

import numpy as np

import skerry
from support import Case


class Databases(Case):
    def test_what_was_written_is_there_tomorrow(self):
        vectors = self.vectors(50)
        with self.open() as db:
            docs = db.create("docs", 8, "l2", M=8)
            docs.add(np.arange(50), vectors, [b"payload %d" % i for i in range(50)])
        with self.open() as db:
            docs = db["docs"]
            np.testing.assert_array_equal(docs.get(np.arange(50)), vectors)
            self.assertEqual(docs.payload(7), b"payload 7")
            self.assertEqual(docs.search(vectors[3], 1).keys.tolist(), [3])
            self.assertEqual((docs.name, docs.options["M"], docs.stats().opened),
                             ("docs", 8, "image"))

    def test_a_collection_keeps_its_database_open(self):
        docs = skerry.open(self.path("db")).create("docs", 8)
        docs.add(1, self.vectors(1)[0])
        then = docs.snapshot()
        self.assertEqual((len(docs), len(then)), (1, 1))
        del docs
        self.assertEqual(then.get(1).shape, (8,))
        del then
        with self.open() as db:  # nobody has it open any more
            self.assertEqual(len(db["docs"]), 1)

    def test_collections_by_name(self):
        with self.open() as db:
            self.assertEqual((len(db), list(db), bool(db)), (0, [], True))
            db.create("a", 8)
            db.create(b"b", 4, "l2", keys="str")
            db.create_many(["d", "c"], 3, "ip")
            self.assertEqual(db.list(), ["a", "b", "c", "d"])
            self.assertTrue("a" in db and b"b" in db and "x" not in db)
            with self.assertRaises(skerry.AlreadyExists):
                db.create("a", 8)
            with self.assertRaises(skerry.NotFound):
                db["x"]
            with self.assertRaises(KeyError):
                del db["x"]
            self.assertEqual(db.open_or_create("a", 8).dimension, 8)
            with self.assertRaisesRegex(skerry.Incompatible, "dimension"):
                db.open_or_create("a", 9)
            db["d"].add(1, [1, 2, 3])
            db.rename("d", "e")
            clone = db.clone("e", "f")
            self.assertEqual(clone[1].tolist(), [1, 2, 3])
            del db["a"]
            db.drop("c")
            self.assertEqual(db.list(), ["b", "e", "f"])
            info = db.collections()[1]
            self.assertEqual((info.name, info.size, info.options["metric"]), ("e", 1, "ip"))

    def test_a_name_that_is_no_utf8_comes_back_as_it_went(self):
        with self.open() as db:
            db.create(b"\xff\xfe", 8, keys="bytes").add(b"\x80key", self.vectors(1)[0])
            name = db.list()[0]
            self.assertEqual(os.fsencode(name), b"\xff\xfe")
            self.assertEqual(list(db.open(name, keys="bytes")), [b"\x80key"])
            text = list(db[name])[0]
            self.assertEqual(text, os.fsdecode(b"\x80key"))
            self.assertIn(text, db[name])

    def test_names_as_keys(self):
        with self.open() as db:
            docs = db.create("docs", 8, "l2", keys="str")
            vectors = self.vectors(3)
            docs.add(["è", "b", b"c"], vectors)
            self.assertEqual(sorted(docs), ["b", "c", "è"])
            self.assertEqual(docs.search(vectors[0], 1).to_list(), [("è", 0.0)])
            matches = docs.search(vectors[:2], 5)
            self.assertEqual((matches.keys.dtype, matches.keys[0, 3], matches.counts.tolist()),
                             (object, None, [3, 3]))
            np.testing.assert_array_equal(docs.get(["b", "è"]), vectors[[1, 0]])
            raw = db.open("docs", keys="bytes")
            self.assertEqual(raw.search(vectors[1], 1).keys.tolist(), [b"b"])
            self.assertEqual((docs.remove(["b", "x"]), len(docs)), (1, 2))
            for bad, words in ((5, "given int"), ([5], "given int"), ("", ""), ("x" * 481, ""),
                               (np.arange(3), "")):
                with self.assertRaisesRegex(skerry.InvalidArgument, words, msg=bad):
                    docs.add(bad, vectors[0])
            with self.assertRaisesRegex(skerry.NotFound, "no such key: 'nobody'"):
                docs["nobody"]
            numbers = db.create("numbers", 8)
            with self.assertRaisesRegex(skerry.InvalidArgument, 'keys="str"'):
                numbers.add("a", vectors[0])
            with self.assertRaisesRegex(skerry.InvalidArgument, "'int'"):
                db.open("numbers", keys="str")

    def test_payloads(self):
        with self.open() as db:
            docs = db.create("docs", 8)
            vectors = self.vectors(4)
            docs.add(1, vectors[0], b"one")
            docs.add([2, 3, 4], vectors[1:], [bytearray(b"two"), None, memoryview(b"x" * 5000)])
            self.assertEqual(docs.payloads([1, 2, 3, 4]), [b"one", b"two", None, b"x" * 5000])
            docs.upsert(1, vectors[0])
            self.assertIsNone(docs.payload(1))
            with self.assertRaisesRegex(skerry.NotFound, "no such key: 9"):
                docs.payload(9)
            for bad, words in (("text", "given str"), ([b"a"] * 3, "expected bytes")):
                with self.assertRaisesRegex(skerry.InvalidArgument, words):
                    docs.upsert(1, vectors[0], bad)
            for bad, words in ((b"ab", "one a key"), ([b"a"], "a sequence of 2"),
                               ([b"a", "b"], "None at 1")):
                with self.assertRaisesRegex(skerry.InvalidArgument, words):
                    docs.upsert([1, 2], vectors[:2], bad)
            self.assertEqual(docs.stats().payload_count, 2)

    def test_a_snapshot_stays_as_it_was(self):
        with self.open() as db:
            docs = db.create("docs", 8, "l2")
            vectors = self.vectors(20)
            docs.add(np.arange(20), vectors, [b"old"] * 20)
            with docs.snapshot() as then:
                docs.remove(np.arange(10))
                docs.upsert(15, vectors[0], b"new")
                self.assertEqual((len(then), 3 in then, 3 in docs), (20, True, False))
                self.assertEqual(then.payload(15), b"old")
                np.testing.assert_array_equal(then.get(np.arange(20)), vectors)
                self.assertEqual(then.search(vectors[:3], 1).keys.ravel().tolist(), [0, 1, 2])
                self.assertEqual(then.search(vectors[3], 1, filter=[4, 5]).counts, 1)
                self.assertEqual(sorted(then), list(range(20)))
                self.assertGreaterEqual(then.age, 0)
                self.assertEqual(db.stats().snapshots, 1)
            self.assertEqual(db.stats().snapshots, 0)
            with self.assertRaises(skerry.Closed):
                then.search(vectors[0])

    def test_a_search_of_several(self):
        with self.open() as db:
            a, b = db.create("a", 8, "l2"), db.create("b", 8, "l2")
            vectors = self.vectors(20)
            a.add(np.arange(0, 20, 2), vectors[::2])
            b.add(np.arange(1, 20, 2), vectors[1::2])
            both = db.search([a, b], vectors[3], 20)
            self.assertEqual(both.counts, 20)
            self.assertTrue((both.keys % 2 == both.collections).all())
            self.assertEqual(both.keys[0], 3)
            with self.assertRaises(skerry.Incompatible):
                db.search([a, db.create("c", 8, "ip")], vectors[0])
            with self.assertRaises(skerry.InvalidArgument):
                db.search([], vectors[0])

    def test_upkeep(self):
        with self.open() as db:
            docs = db.create("docs", 8)
            docs.add(np.arange(100), self.vectors(100))
            db.sync()
            docs.save_image()
            db.checkpoint()
            self.assertEqual(docs.verify("recall").recall_at_10, 1)
            self.assertEqual(docs.verify().vectors_compared, 100)
            db.backup(self.path("copy"))
            with self.assertRaises(skerry.AlreadyExists):
                db.backup(self.path("copy"))
            db.compact()
            self.assertEqual(db.stats().collections, 1)
            self.assertEqual(docs.stats().to_dict()["index"]["live"], 100)
        with skerry.open(self.path("copy")) as copy:
            self.assertEqual(len(copy["docs"]), 100)
        self.assertTrue(skerry.repair(self.path("copy")).is_whole)

    def test_missing_busy_foreign_and_read_only(self):
        with self.assertRaises(skerry.NotFound):
            skerry.open(self.path("nowhere"), create=False)
        with self.open() as db:
            db.create("docs", 8).add(1, self.vectors(1)[0])
            with self.assertRaises(skerry.Busy):
                skerry.open(self.path("db"))
        with self.open(read_only=True) as db:
            with self.assertRaises(skerry.ReadOnly):
                db["docs"].upsert(1, self.vectors(1)[0])
        os.makedirs(self.path("other/store"))
        with open(self.path("other/store/data.mdb"), "wb") as file:
            file.write(b"something else " * 1000)
        with self.assertRaises((skerry.Incompatible, skerry.Corruption)):
            skerry.open(self.path("other"))
        with self.assertRaisesRegex(skerry.InvalidArgument, "'commit', 'interval', 'none'"):
            skerry.open(self.path("db"), durability="never")

    def test_an_image_of_an_index(self):
        index = skerry.Index(8, "l2")
        vectors = self.vectors(3000)
        index.add(np.arange(3000), vectors)
        index.save(self.path("index"))
        for other in (skerry.Index.load(self.path("index")), skerry.Index.view(self.path("index"))):
            with other:
                self.assertEqual(other.search(vectors[9], 5).to_list(),
                                 index.search(vectors[9], 5).to_list())
                self.assertEqual(other.options, index.options)
        with skerry.Index.view(self.path("index")) as view:
            with self.assertRaises(skerry.ReadOnly):
                view.upsert(1, vectors[0])
        with self.assertRaises(skerry.NotFound):
            skerry.Index.load(self.path("nothing"))
        with open(self.path("index"), "r+b") as file:
            file.seek(30)
            file.write(b"\xff" * 8)
        with self.assertRaises((skerry.Corruption, skerry.Incompatible)):
            skerry.Index.load(self.path("index"))

    def test_vectors_on_a_disk(self):
        index = skerry.Index(8, "l2", codes="sq8", vectors="disk", folder=self.folder)
        vectors = self.vectors(2000)
        index.add(np.arange(2000), vectors)
        self.assertEqual(index.search(vectors[5], 1).keys.tolist(), [5])
        with self.assertRaises(skerry.InvalidArgument):
            skerry.Index(8, codes="sq8", vectors="disk")

    def test_what_is_closed_raises_closed(self):
        db = self.open()
        docs, gone = db.create("docs", 8), db.create("gone", 8)
        index = skerry.Index(8)
        vector = self.vectors(1)[0]
        db.drop("gone")
        docs.close()
        index.close()
        for subject in (docs, gone, index):
            for call in (lambda: subject.search(vector), lambda: subject.add(1, vector),
                         lambda: subject.upsert([1], [vector]), lambda: subject.get(1),
                         lambda: len(subject), lambda: 1 in subject, lambda: list(subject),
                         lambda: subject.remove(1), lambda: subject.stats(),
                         lambda: subject.options, lambda: subject.explain(vector, 1)):
                self.assertRaises(skerry.Closed, call)
        self.assertEqual(repr(index), "<skerry.Index, closed>")
        still = db.create("still", 8)
        db.close()
        db.close()
        for call in (lambda: still.search(vector), lambda: len(still), lambda: 1 in still,
                     lambda: db.list(), lambda: db.create("more", 8), lambda: db.stats(),
                     lambda: db.sync()):
            self.assertRaises(skerry.Closed, call)
        self.assertIn("closed", repr(db))

    def test_what_is_open_at_the_end_of_the_program_is_closed(self):
        program = """
import sys, numpy as np, skerry
db = skerry.open(sys.argv[1], durability="none", distance=lambda a, b: abs(float(a[0] - b[0])))
docs = db.create("docs", 8, "custom")
docs.add(np.arange(2000), np.random.default_rng(1).random((2000, 8), np.float32))
"""
        subprocess.run([sys.executable, "-c", program, self.path("db")], check=True, timeout=300)
        with self.open(distance=lambda a, b: abs(float(a[0] - b[0]))) as db:
            self.assertEqual((len(db["docs"]), db["docs"].stats().opened), (2000, "image"))


if __name__ == "__main__":
    unittest.main()
