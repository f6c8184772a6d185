"""test_contract.py - what every call promises, as Python sees it: index and collection alike."""
import unittest

import numpy as np

import skerry
from support import Case, brute


class Contract(Case):
    def test_any_64_bit_number_is_a_key(self):
        for subject in self.subjects():
            vectors = self.vectors(3)
            keys = [0, 2**63, 2**64 - 1]
            subject.add(keys, vectors)
            for key, vector in zip(keys, vectors):
                np.testing.assert_array_equal(subject[key], vector)
                self.assertIn(key, subject)
            self.assertEqual(sorted(subject), keys)
            self.assertEqual(subject.search(vectors[2], 1).keys.tolist(), [2**64 - 1])

    def test_another_dimension_names_expected_and_given(self):
        for subject in self.subjects():
            for call in (lambda v: subject.add(1, v), lambda v: subject.search(v)):
                with self.assertRaisesRegex(skerry.InvalidArgument, "expected dimension 8, given 9"):
                    call(np.zeros(9, np.float32))
            self.assertEqual(len(subject), 0)

    def test_nan_and_infinity_name_the_component_and_change_nothing(self):
        for subject in self.subjects():
            subject.add(1, self.vectors(1)[0])
            for bad in (np.nan, np.inf, -np.inf):
                vector = self.vectors(1)[0]
                vector[5] = bad
                for call in (lambda: subject.upsert(1, vector), lambda: subject.search(vector),
                             lambda: subject.search(vector[None, :])):
                    with self.assertRaisesRegex(skerry.InvalidArgument, "component 5"):
                        call()
            self.assertEqual(len(subject), 1)

    def test_a_zero_vector_is_at_cosine_distance_1_from_everything(self):
        for subject in self.subjects(metric="cosine"):
            subject.add([1, 2], [[0] * 8, [1] * 8])
            keys, distances = subject.search(np.ones(8, np.float32))
            self.assertEqual(keys.tolist(), [2, 1])
            np.testing.assert_allclose(distances, [0, 1], atol=1e-6)
            np.testing.assert_allclose(subject.search(np.zeros(8, np.float32)).distances, [1, 1])

    def test_get_returns_the_callers_own_bytes(self):
        for subject in self.subjects(metric="cosine"):
            vectors = self.vectors(5) * 17
            subject.add(np.arange(5), vectors)
            got = subject.get(np.arange(5))
            self.assertEqual((got.dtype, got.shape), (np.float32, (5, 8)))
            self.assertEqual(got.tobytes(), vectors.tobytes())

    def test_distances_are_exact_and_nearest_first_with_ties_by_key(self):
        for subject in self.subjects():
            vectors = np.repeat(self.vectors(50), 2, axis=0)
            subject.add(np.arange(100), vectors)
            for query in self.vectors(10):
                rows, distances = brute(vectors, query, 10)
                matches = subject.search(query)
                self.assertEqual(matches.keys.tolist(), rows.tolist())
                np.testing.assert_allclose(matches.distances, distances, rtol=1e-5)

    def test_metrics(self):
        a, b = np.array([3, 4], np.float32), np.array([1, 2], np.float32)
        for metric, expected in (("l2", 8), ("ip", 1 - 11), ("cosine", 1 - 11 / (5 * 5**0.5))):
            index = skerry.Index(2, metric)
            index.add(1, a)
            self.assertAlmostEqual(float(index.search(b).distances[0]), expected, 5, metric)
        earth = skerry.Index(2, "haversine")
        earth.add(1, [0, 0])
        quarter = np.pi / 2 * 6371008.8
        self.assertAlmostEqual(earth.search([0, 90]).distances[0] / quarter, 1, 5)
        bits = skerry.Index(12, "hamming", scalar="b1")
        sets = skerry.Index(12, "jaccard", scalar="b1")
        left = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], bool)
        right = np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], bool)
        for index, expected in ((bits, 2), (sets, 1 - 3 / 5)):
            index.add(1, left)
            self.assertAlmostEqual(float(index.search(right).distances[0]), expected, 6)

    def test_k_of_0_gives_nothing(self):
        for subject in self.subjects():
            subject.add([1], self.vectors(1))
            one, many = subject.search(self.vectors(1)[0], 0), subject.search(self.vectors(3), 0)
            self.assertEqual((one.keys.shape, one.counts), ((0,), 0))
            self.assertEqual((many.keys.shape, many.counts.tolist()), ((3, 0), [0, 0, 0]))

    def test_k_beyond_live_is_a_count_and_no_exception(self):
        for subject in self.subjects():
            vectors = self.vectors(3)
            subject.add([5, 6, 7], vectors)
            one = subject.search(vectors[0], 10**12)
            self.assertEqual((one.counts, one.keys.shape, one.distances.shape), (3, (3,), (3,)))
            many = subject.search(vectors[:2], 5)
            self.assertEqual(many.counts.tolist(), [3, 3])
            self.assertEqual(many.keys.shape, (2, 5))
            self.assertEqual(many.keys[:, 3:].tolist(), [[2**64 - 1] * 2] * 2)
            self.assertTrue(np.isinf(many.distances[:, 3:]).all())
            self.assertEqual([len(row) for row in many.to_list()], [3, 3])

    def test_more_than_1024_nearest(self):
        index = skerry.Index(4, "l2")
        vectors = self.vectors(3000, 4)
        index.add(np.arange(3000), vectors)
        for k in (1024, 1025, 2999, 3000, 5000):
            keys, _ = index.search(vectors[0], k, exact=True)
            self.assertEqual(len(set(keys.tolist())), min(k, 3000))

    def test_an_empty_one_gives_nothing(self):
        for subject in self.subjects():
            self.assertEqual(subject.search(self.vectors(1)[0]).counts, 0)
            self.assertEqual(subject.search(self.vectors(2)).counts.tolist(), [0, 0])
            self.assertEqual(subject.search(np.zeros((0, 8), np.float32)).keys.shape, (0, 10))
            self.assertEqual(len(subject), 0)
            self.assertTrue(subject)

    def test_ef_rises_to_k(self):
        index = skerry.Index(8, "l2", ef=1)
        index.add(np.arange(3000), self.vectors(3000))
        self.assertEqual(index.search(self.vectors(1)[0], 100, ef=1).counts, 100)

    def test_upsert_replaces_and_add_refuses(self):
        for subject in self.subjects():
            old, new = self.vectors(2)
            subject.add(1, old)
            with self.assertRaises(skerry.AlreadyExists):
                subject.add(1, new)
            np.testing.assert_array_equal(subject[1], old)
            subject.upsert(1, new)
            np.testing.assert_array_equal(subject[1], new)
            subject[1] = old
            np.testing.assert_array_equal(subject[1], old)
            self.assertEqual(len(subject), 1)

    def test_of_a_key_that_comes_twice_the_last_row_wins(self):
        for subject in self.subjects():
            vectors = self.vectors(3)
            subject.upsert([1, 2, 1], vectors)
            self.assertEqual(len(subject), 2)
            np.testing.assert_array_equal(subject[1], vectors[2])

    def test_a_batch_with_one_bad_row_changes_nothing_and_names_it(self):
        for subject in self.subjects():
            vectors = self.vectors(10)
            vectors[6, 2] = np.nan
            with self.assertRaisesRegex(skerry.InvalidArgument, "6"):
                subject.upsert(np.arange(10), vectors)
            self.assertEqual(len(subject), 0)
            subject.add(3, vectors[0])
            with self.assertRaisesRegex(skerry.AlreadyExists, "3"):
                subject.add(np.arange(5), self.vectors(5))
            self.assertEqual(len(subject), 1)

    def test_keys_and_vectors_must_be_as_many(self):
        for subject in self.subjects():
            with self.assertRaisesRegex(skerry.InvalidArgument, "as many as keys, 3, given 2"):
                subject.add([1, 2, 3], self.vectors(2))
            subject.add([], [])
            subject.add([], np.zeros((0, 8), np.float32))
            self.assertEqual(len(subject), 0)

    def test_remove_counts_who_existed_and_del_raises(self):
        for subject in self.subjects():
            subject.add(np.arange(5), self.vectors(5))
            self.assertEqual(subject.remove([0, 1, 77]), 2)
            self.assertEqual(subject.remove(77), 0)
            del subject[2]
            with self.assertRaises(KeyError) as caught:
                del subject[2]
            self.assertIsInstance(caught.exception, skerry.NotFound)
            self.assertEqual(len(subject), 2)

    def test_a_removed_key_is_never_found_and_may_come_again(self):
        for subject in self.subjects():
            vectors = self.vectors(200)
            subject.add(np.arange(200), vectors)
            subject.remove(np.arange(0, 200, 2))
            for query in vectors[:20]:
                self.assertTrue((subject.search(query, 50).keys % 2 == 1).all())
            subject.add(4, vectors[4])
            self.assertEqual(subject.search(vectors[4], 1).keys[0], 4)

    def test_get_and_contains(self):
        for subject in self.subjects():
            subject.add([3, 9], self.vectors(2))
            self.assertEqual(subject.contains([3, 4, 9]).tolist(), [True, False, True])
            self.assertIs(subject.contains(9), True)
            self.assertNotIn(4, subject)
            with self.assertRaisesRegex(skerry.NotFound, "no such key: 4"):
                subject.get(4)
            with self.assertRaisesRegex(skerry.NotFound, "no such key: 5"):
                subject.get([3, 5])
            self.assertEqual(subject.get([9, 3]).shape, (2, 8))
            self.assertEqual(sorted(subject.keys().tolist()), [3, 9])

    def test_range_search_budget_and_exact(self):
        index = skerry.Index(8, "l2")
        vectors = self.vectors(5000)
        index.add(np.arange(5000), vectors)
        query = self.vectors(1)[0]
        rows, distances = brute(vectors, query, 30)
        limit = float(distances[20])
        matches = index.search(query, 100, max_distance=limit * 1.00001, exact=True)
        self.assertEqual(matches.keys.tolist(), rows[:21].tolist())
        self.assertTrue(matches.exact)
        few = index.search(query, 10, budget=20)
        self.assertTrue(few.exhausted)
        self.assertLessEqual(few.visited, 60)
        self.assertFalse(index.search(query, 10, recall_target=0.9).exact)

    def test_options_that_cannot_be_honoured_are_errors(self):
        for words in (dict(dimension=0), dict(dimension=65536), dict(dimension=8, M=1),
                      dict(dimension=8, metric="euclid"), dict(dimension=8, scalar="f64"),
                      dict(dimension=8, codes="sq9"), dict(dimension=8, ef=0),
                      dict(dimension=-1), dict(dimension="8"), dict(dimension=8, seed=1.5)):
            with self.assertRaises(skerry.InvalidArgument, msg=words):
                skerry.Index(**words)
        with self.assertRaisesRegex(skerry.InvalidArgument, "'l2', 'ip', 'cosine'"):
            skerry.Index(8, "euclid")
        index = skerry.Index(8)
        for words in (dict(ef=-1), dict(k=-1), dict(k=1.5), dict(recall_target=2), dict(timeout=-1),
                      dict(threads="two"), dict(max_distance="far"), dict(max_distance=np.nan)):
            with self.assertRaises(skerry.InvalidArgument, msg=words):
                index.search(np.zeros(8, np.float32), **words)
        with self.assertRaises(TypeError):
            index.search(np.zeros(8, np.float32), nearest=3)

    def test_the_same_writes_make_the_same_graph(self):
        vectors = self.vectors(3000)
        files = []
        for name in ("a", "b"):
            index = skerry.Index(8, "l2")
            index.add(np.arange(3000), vectors, threads=1)
            index.save(self.path(name))
            with open(self.path(name), "rb") as file:
                files.append(file.read())
        self.assertEqual(files[0], files[1])

    def test_errors_bear_the_contracts_names(self):
        for error, bases in ((skerry.InvalidArgument, ValueError), (skerry.NotFound, KeyError),
                             (skerry.OutOfMemory, MemoryError), (skerry.StorageFull, OSError),
                             (skerry.IoError, OSError), (skerry.Closed, Exception),
                             (skerry.AlreadyExists, Exception), (skerry.Busy, Exception),
                             (skerry.ReadOnly, Exception), (skerry.Cancelled, Exception),
                             (skerry.Corruption, Exception), (skerry.Incompatible, Exception)):
            self.assertTrue(issubclass(error, skerry.Error) and issubclass(error, bases), error)
            self.assertEqual(str(error("two words")), "two words")
            self.assertEqual(error("x").code.replace("_", ""), error.__name__.lower())

    def test_shape_counts_the_graph(self):
        rows = self.vectors(300)
        for subject in self.subjects(flat_below=0, M=4):
            self.assertEqual(subject.shape().nodes, 0)
            subject.add(np.arange(300, dtype=np.uint64), rows)
            shape = subject.shape()
            self.assertEqual(shape.nodes, 300)
            for counts in (shape.levels, shape.out_degrees, shape.in_degrees):
                self.assertEqual(sum(counts), 300)
            self.assertLessEqual(len(shape.out_degrees), 9)
            out = sum(degree * count for degree, count in enumerate(shape.out_degrees))
            into = sum(degree * count for degree, count in enumerate(shape.in_degrees))
            self.assertEqual(out, into)

    def test_explain_says_why(self):
        for subject in self.subjects():
            vectors = self.vectors(3000)
            subject.add(np.arange(3000), vectors)
            query = self.vectors(1)[0]
            rows, _ = brute(vectors, query, 3000)
            near = subject.explain(query, int(rows[0]), 5, ef=20)
            self.assertEqual((near.fate, near.rank, near.place, near.way), ("returned", 1, 1, "walk"))
            self.assertEqual(near.matches.keys[0], rows[0])
            self.assertGreater(len(near.steps), 0)
            self.assertEqual(near.steps[-1].level, 0)
            self.assertEqual(len(subject.explain(query, 7, hops=3, ef=20).steps), 3)
            self.assertEqual(subject.explain(query, int(rows[-1]), 5).fate, "beyond_k")
            self.assertEqual(subject.explain(query, 9999).fate, "absent")
            self.assertEqual(subject.explain(query, 7, filter=[1]).fate, "filtered")


if __name__ == "__main__":
    unittest.main()
