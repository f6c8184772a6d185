"""test_filters.py - fewer than k only if fewer pass: every kind of filter against brute force."""
import unittest

import numpy as np

import skerry
from support import Case, brute


class Filters(Case):
    COUNT = 4000

    def index(self):
        vectors = self.vectors(self.COUNT)
        index = skerry.Index(8, "l2")
        index.add(np.arange(self.COUNT), vectors)
        return index, vectors

    def test_every_kind_admits_the_same_keys(self):
        index, vectors = self.index()
        third = np.arange(0, self.COUNT, 3)
        mask = np.zeros(self.COUNT, bool)
        mask[third] = True
        others = np.setdiff1d(np.arange(self.COUNT), third)
        kinds = {
            "array": third, "unsigned": third.astype(np.uint64), "list": third.tolist(),
            "set": set(third.tolist()), "mask": mask, "strided mask": np.repeat(mask, 2)[::2],
            "range": range(0, self.COUNT, 3), "backwards": range(self.COUNT - 1, -1, -3),
            "function": lambda key: key % 3 == 0, "except": skerry.Except(others),
            "except a set": skerry.Except(set(others.tolist())),
        }
        self.assertEqual((self.COUNT - 1) % 3, 0)  # so that the range backwards is the same
        queries = self.vectors(5)
        for query in queries:
            rows, _ = brute(vectors[third], query, 20)
            expected = (rows * 3).tolist()
            for name, filter in kinds.items():
                with self.subTest(name):
                    found = index.search(query, 20, filter=filter, exact=True)
                    self.assertEqual(found.keys.tolist(), expected)
                    walked = index.search(query, 20, filter=filter, ef=400)
                    self.assertEqual(walked.counts, 20)
                    self.assertTrue((walked.keys % 3 == 0).all())
        for name, filter in kinds.items():
            with self.subTest(name):
                keys = index.search(queries, 20, filter=filter, exact=True).keys
                self.assertTrue((keys % 3 == 0).all())

    def test_fewer_pass_than_asked_for(self):
        index, _ = self.index()
        for filter, count in (([7, 9, 99999], 2), ([], 0), (range(0), 0), (range(5, 6), 1),
                              (np.zeros(10, bool), 0), (np.ones(10, bool), 10),
                              (lambda key: key == 3, 1), (skerry.Except(range(4, 4000)), 4),
                              (range(10, 2**64, 10**18), 1)):
            self.assertEqual(index.search(self.vectors(1)[0], 50, filter=filter).counts, count)

    def test_keys_that_a_mask_does_not_reach_do_not_pass(self):
        index = skerry.Index(8, "l2")
        index.add([3, 2**64 - 1], self.vectors(2))
        self.assertEqual(index.search(np.zeros(8), filter=np.ones(4, bool)).keys.tolist(), [3])

    def test_a_function_that_raises_ends_the_search_with_its_exception(self):
        index, _ = self.index()

        def bad(key):
            raise ZeroDivisionError(f"at {key}")

        for queries in (self.vectors(1)[0], self.vectors(50)):
            with self.assertRaisesRegex(ZeroDivisionError, "at"):
                index.search(queries, filter=bad)
        self.assertEqual(index.search(self.vectors(1)[0]).counts, 10)

    def test_a_function_may_search_and_must_not_write(self):
        index, vectors = self.index()
        nested = index.search(vectors[5], 3,
                              filter=lambda key: key in index.search(vectors[5], 4).keys)
        self.assertEqual(nested.counts, 3)

        def writes(key):
            index.remove(key)
            return True

        with self.assertRaises(skerry.InvalidArgument):
            index.search(vectors[5], 3, filter=writes)
        self.assertEqual(len(index), self.COUNT)

    def test_what_is_no_filter_is_refused(self):
        index, _ = self.index()
        for filter, words in ((3.5, "filter: expected"), (np.zeros((2, 2), bool), "one axis"),
                              (np.zeros(3), "whole numbers"), ("abc", "filter: expected"),
                              (range(-3, 3), "filter: first"), ([-1], "given -1")):
            with self.assertRaisesRegex(skerry.InvalidArgument, words):
                index.search(self.vectors(1)[0], filter=filter)

    def test_names(self):
        with self.open() as db:
            docs = db.create("docs", 8, "l2", keys="str")
            names = [f"name-{i}" for i in range(200)]
            docs.add(names, self.vectors(200))
            chosen = names[::10]
            query = self.vectors(1)[0]
            expected = docs.search(query, 20, filter=lambda name: name in chosen).keys.tolist()
            self.assertEqual(sorted(expected), sorted(chosen))
            for filter in (chosen, set(chosen), [name.encode() for name in chosen],
                           skerry.Except([name for name in names if name not in chosen])):
                self.assertEqual(docs.search(query, 30, filter=filter).keys.tolist(), expected)
            for filter in (np.ones(4, bool), range(4)):
                with self.assertRaisesRegex(skerry.InvalidArgument, "cannot be asked for names"):
                    docs.search(query, filter=filter)


if __name__ == "__main__":
    unittest.main()
