"""test_compat.py - the facades: what programs written for hnswlib and usearch find.

The peers' own tests are run by scripts/peer-tests.sh, from a folder that the user gives.
"""
import os
import pickle
import subprocess
import sys
import unittest

import numpy as np

import skerry
from skerry.compat import hnswlib
from skerry.compat.usearch.eval import random_vectors, self_recall
from skerry.compat.usearch.index import (BatchMatches, Index, Indexes, Match, Matches, MetricKind,
                                         ScalarKind, search)
from skerry.compat.usearch.io import load_matrix, save_matrix
from support import Case, brute


class Hnswlib(Case):
    def index(self, count=500, space="l2", **options):
        vectors = self.vectors(count)
        index = hnswlib.Index(space=space, dim=8)
        index.init_index(max_elements=options.pop("max_elements", count), **options)
        index.set_ef(50)
        index.add_items(vectors)
        return index, vectors

    def test_a_query_gives_labels_and_distances(self):
        index, vectors = self.index()
        labels, distances = index.knn_query(vectors[:20], k=5)
        self.assertEqual((labels.dtype, labels.shape, distances.dtype), (np.uint64, (20, 5),
                                                                         np.float32))
        for row in range(20):
            rows, expected = brute(vectors, vectors[row], 5)
            self.assertEqual(labels[row].tolist(), rows.tolist())
            np.testing.assert_allclose(distances[row], expected, rtol=1e-5, atol=1e-6)
        self.assertEqual(index.knn_query(vectors[3])[0].tolist(), [[3]])

    def test_filters(self):
        index, vectors = self.index()
        for queries in (vectors[:1], vectors):
            labels, _ = index.knn_query(queries, k=3, filter=lambda label: label % 2 == 1)
            self.assertTrue((labels % 2 == 1).all())
        with self.assertRaises(RuntimeError):
            index.knn_query(vectors[0], k=3, filter=lambda label: label < 2)
        with self.assertRaises(ZeroDivisionError):
            index.knn_query(vectors[0], filter=lambda label: 1 / 0)

    def test_cosine_keeps_vectors_of_length_1(self):
        index, vectors = self.index(space="cosine")
        np.testing.assert_allclose(np.linalg.norm(index.get_items([3, 4]), axis=1), 1, rtol=1e-5)

    def test_deleting_and_bringing_back(self):
        index, vectors = self.index()
        index.mark_deleted(7)
        self.assertNotEqual(index.knn_query(vectors[7])[0][0, 0], 7)
        self.assertEqual((index.get_current_count(), 7 in index.get_ids_list()), (500, True))
        for wrong in (lambda: index.mark_deleted(7), lambda: index.mark_deleted(9999),
                      lambda: index.unmark_deleted(8), lambda: index.get_items([7])):
            self.assertRaises(RuntimeError, wrong)
        index.unmark_deleted(7)
        self.assertEqual(index.knn_query(vectors[7])[0][0, 0], 7)

    def test_room_and_replacing(self):
        index, vectors = self.index(allow_replace_deleted=True)
        more = self.vectors(3)
        with self.assertRaises(RuntimeError):
            index.add_items(more, [1000, 1001, 1002])
        for label in (1, 2, 3):
            index.mark_deleted(label)
        with self.assertRaises(RuntimeError):
            index.add_items(more[0], 1)
        index.add_items(more, [1000, 1001, 1002], replace_deleted=True)
        self.assertEqual(index.get_current_count(), 500)
        self.assertEqual(set(index.get_ids_list()) & {1, 2, 3}, set())
        np.testing.assert_array_equal(index.get_items([1001]), more[1:2])
        index.add_items(more[:1], [1001])  # of a label that is there
        np.testing.assert_array_equal(index.get_items([1001]), more[:1])
        with self.assertRaises(RuntimeError):
            index.resize_index(10)
        index.resize_index(501)
        index.add_items(more[:1])
        self.assertEqual((index.get_max_elements(), index.element_count), (501, 501))
        plain, _ = self.index()
        with self.assertRaises(RuntimeError):
            plain.add_items(more, replace_deleted=True)

    def test_files_and_pickles_keep_everything(self):
        index, vectors = self.index(max_elements=600, M=12, ef_construction=80)
        index.mark_deleted(5)
        index.save_index(self.path("file"))
        loaded = hnswlib.Index("l2", 8)
        loaded.load_index(self.path("file"))
        for other in (loaded, pickle.loads(pickle.dumps(index)), hnswlib.Index(index=index)):
            self.assertEqual((other.M, other.ef_construction, other.max_elements), (12, 80, 600))
            other.set_ef(50)
            np.testing.assert_array_equal(other.knn_query(vectors, 3)[0],
                                          index.knn_query(vectors, 3)[0])
            other.unmark_deleted(5)
            other.add_items(vectors[:2])
            self.assertEqual(other.get_current_count(), 502)
        self.assertGreater(index.index_file_size(), vectors.nbytes)
        empty = pickle.loads(pickle.dumps(hnswlib.Index("ip", 3)))
        self.assertEqual((empty.space, empty.dim, empty.element_count), ("ip", 3, 0))
        with open(self.path("other"), "wb") as file:
            file.write(b"\0" * 1000)
        for path in ("other", "none"):
            with self.assertRaisesRegex(RuntimeError, path):
                loaded.load_index(self.path(path))
        with self.assertRaises(RuntimeError):
            hnswlib.Index("l2", 9).load_index(self.path("file"))

    def test_what_is_wrong_is_a_runtime_error(self):
        index, vectors = self.index()
        raw = hnswlib.Index("l2", 8)
        for wrong in (lambda: hnswlib.Index("manhattan", 8), lambda: raw.add_items(vectors),
                      lambda: raw.knn_query(vectors), lambda: raw.get_items([1]),
                      lambda: index.init_index(5), lambda: index.add_items(np.zeros((2, 9))),
                      lambda: index.add_items(vectors[:2], [1]),
                      lambda: index.knn_query(vectors, k=501),
                      lambda: index.add_items(np.full((1, 8), np.nan), [1]),
                      lambda: index.get_items([501])):
            self.assertRaises(RuntimeError, wrong)
        with self.assertRaises(ValueError):
            index.get_items(3)
        with self.assertRaises(ValueError):
            index.get_items([3], return_type="tuple")

    def test_the_exact_index(self):
        vectors = self.vectors(3000)
        index = hnswlib.BFIndex("l2", 8)
        index.init_index(3000)
        index.add_items(vectors)
        labels, distances = index.knn_query(vectors[:10], k=7)
        for row in range(10):
            self.assertEqual(labels[row].tolist(), brute(vectors, vectors[row], 7)[0].tolist())
        index.delete_vector(3)
        self.assertNotEqual(index.knn_query(vectors[3])[0][0, 0], 3)
        index.save_index(self.path("bf"))
        other = hnswlib.BFIndex("l2", 8)
        other.load_index(self.path("bf"))
        self.assertEqual((other.get_current_count(), other.get_max_elements()), (2999, 3000))
        with self.assertRaises(RuntimeError):
            other.add_items(vectors[:2], [4000, 4001])
        self.assertEqual(other.knn_query(vectors[5], filter=lambda label: label > 5)[0].size, 1)


class Usearch(Case):
    def index(self, count=300, **options):
        vectors = self.vectors(count)
        index = Index(ndim=8, **{"metric": "l2sq", **options})
        index.add(np.arange(count), vectors)
        return index, vectors

    def test_one_query_and_many(self):
        index, vectors = self.index()
        one, many = index.search(vectors[3], 5), index.search(vectors[:4], 5)
        self.assertIsInstance(one, Matches)
        self.assertIsInstance(many, BatchMatches)
        rows, distances = brute(vectors, vectors[3], 5)
        self.assertEqual(one.keys.tolist(), rows.tolist())
        np.testing.assert_allclose(one.distances, distances, rtol=1e-5, atol=1e-6)
        self.assertEqual(many[3].to_list(), one.to_list())
        self.assertEqual(one[0], Match(3, 0.0))
        self.assertEqual(len(many.to_list()), 20)
        self.assertEqual(many.mean_recall(np.arange(4)), 1)
        self.assertEqual(index.search(vectors[3], 500).keys.size, 300)
        near = index.search(vectors[3], 100, radius=float(distances[2]) * 1.0001)
        self.assertEqual(near.keys.tolist(), rows[:3].tolist())

    def test_keys_and_vectors(self):
        index, vectors = self.index()
        with self.assertRaises(RuntimeError):
            index.add(3, vectors[0])
        self.assertEqual(index.add(None, vectors[:2]).tolist(), [300, 301])
        self.assertTrue(3 in index and 999 not in index)
        self.assertEqual(index.contains([3, 999]).tolist(), [True, False])
        self.assertEqual((index.count(3), index.count([3, 999]).tolist()), (1, [1, 0]))
        np.testing.assert_array_equal(index[[3, 4]], vectors[3:5])
        self.assertIsNone(index.get(999))
        self.assertIsNone(index.get([3, 999])[1])
        self.assertEqual(index.get(3, np.float16).dtype, np.float16)
        self.assertEqual(index.remove([3, 999]).tolist(), [1, 0])
        self.assertEqual(index.rename(4, 999), 1)
        np.testing.assert_array_equal(index[999], vectors[4])
        with self.assertRaises(RuntimeError):
            index.rename(5, 6)
        self.assertEqual(sorted(index.keys), sorted(np.array(index.keys).tolist()))
        self.assertEqual(index.keys[:3].shape, (3,))
        self.assertEqual(index.vectors.shape, (301, 8))

    def test_several_vectors_of_a_key(self):
        index, vectors = self.index(multi=True)
        index.add(np.arange(300), self.vectors(300))
        self.assertEqual((len(index), index.count(5), index[5].shape), (600, 2, (2, 8)))
        self.assertEqual(index.search(vectors[5], 1).keys.tolist(), [5])
        copy = index.copy()
        self.assertEqual(copy.search(vectors[5], 1).keys.tolist(), [5])
        self.assertEqual((index.rename(5, 6), index.count(6)), (2, 4))
        self.assertEqual((index.remove(6), len(index), len(copy)), (4, 596, 600))

    def test_metrics_and_scalars(self):
        a, b = self.vectors(2)
        cosine = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        for metric, distance in (("cos", cosine), ("ip", 1 - a @ b), ("l2sq", ((a - b)**2).sum())):
            for dtype, far in (("f32", 1e-5), ("f64", 1e-5), ("f16", 1e-2), ("bf16", 5e-2),
                               ("i8", 5e-2)):
                index = Index(ndim=8, metric=metric, dtype=dtype)
                index.add(1, a)
                found = index.search(b, 1)
                self.assertAlmostEqual(float(found.distances[0]), float(distance), delta=far)
                np.testing.assert_allclose(index.get(1, "f32"), a, atol=1e-2)
        left, right = np.packbits([[1, 1, 1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 1]], axis=1)
        for metric, distance in (("hamming", 2), ("tanimoto", 0.5), ("sorensen", 1 - 4 / 6)):
            index = Index(ndim=8, metric=metric)
            index.add(1, left)
            self.assertEqual(index.dtype, ScalarKind.B1)
            self.assertAlmostEqual(float(index.search(right, 1).distances[0]), distance, 6)
        index = Index(metric=MetricKind.Haversine)
        index.add(1, np.zeros(2))
        quarter = index.search(np.array([0.0, 90.0]), 1).distances[0]
        self.assertAlmostEqual(float(quarter), np.pi / 2, 5)

    def test_files_and_buffers(self):
        index, vectors = self.index(metric="cos", dtype="f16")
        index.save(self.path("file"))
        buffer = index.save()
        for source in (self.path("file"), buffer, bytes(buffer), memoryview(buffer)):
            for view in (False, True):
                other = Index.restore(source, view=view)
                self.assertEqual((other.metric, other.dtype, len(other)),
                                 (MetricKind.Cos, ScalarKind.F16, 300))
                self.assertEqual(other.search(vectors[3], 5).to_list(),
                                 index.search(vectors[3], 5).to_list())
        self.assertEqual(Index.metadata(buffer)["dimensions"], 8)
        self.assertIsNone(Index.metadata(self.path("none")))
        self.assertIsNone(Index.restore(self.path("none")))
        with self.assertRaises(FileNotFoundError):
            index.load(self.path("none"))
        with self.assertRaises(TypeError):
            index.load(3)
        with self.assertRaises(ValueError):
            index.load(b"something else")
        self.assertEqual(len(index), 300)
        index.clear()
        self.assertEqual(len(index), 0)

    def test_what_is_not_offered_says_so(self):
        index, vectors = self.index()
        for call in (lambda: index.cluster(vectors=vectors), lambda: index.join(index)):
            self.assertRaises(NotImplementedError, call)
        for metric in (MetricKind.Pearson, MetricKind.Divergence):
            with self.assertRaisesRegex(ValueError, "not offered"):
                Index(ndim=8, metric=metric)
        with self.assertRaises(ValueError):
            index.add(np.arange(300, 303), np.zeros((8, 3), np.float32).T)

    def test_the_rest_of_the_module(self):
        index, vectors = self.index()
        both = Indexes([index, Index(ndim=8, metric="l2sq")])
        self.assertEqual(both.search(vectors[3], 2)[0].key, 3)
        self.assertEqual(both.search(vectors[:3], 2).keys[:, 0].tolist(), [0, 1, 2])
        self.assertEqual(search(vectors, vectors[7], 1, "l2sq", exact=True).keys.tolist(), [7])
        self.assertGreaterEqual(self_recall(index).mean_recall, 0.99)
        self.assertEqual(random_vectors(3, "hamming", ndim=16).shape, (3, 2))
        self.assertEqual((index.stats.nodes, index.levels_stats[0].nodes), (300, 300))
        self.assertAlmostEqual(index.pairwise_distance(1, 2),
                               float(((vectors[1] - vectors[2])**2).sum()), 5)
        self.assertEqual(index.specs["ndim"], 8)
        for name in ("a.fbin", "a.dbin", "a.ibin"):
            whole = np.arange(12).reshape(3, 4)
            save_matrix(whole, self.path(name))
            np.testing.assert_array_equal(load_matrix(self.path(name)), whole)
            np.testing.assert_array_equal(load_matrix(self.path(name), 1, 1, view=True), whole[1:2])
        with self.assertRaisesRegex(ValueError, ".fbin"):
            load_matrix(self.path("a.bin"))


class OnThePath(unittest.TestCase):
    def test_the_facades_are_found_under_the_peers_names(self):
        package = os.path.dirname(skerry.__file__)
        program = ("import hnswlib, usearch.index, usearch.eval; "
                   "print(hnswlib.__file__, usearch.index.Index(ndim=3))")
        done = subprocess.run([sys.executable, "-B", "-c", program], check=True,
                              capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": os.path.join(package, "compat") + ":" +
                                   os.path.dirname(package)})
        self.assertIn("skerry/compat/hnswlib.py", done.stdout)
        self.assertIn("over skerry", done.stdout)


if __name__ == "__main__":
    unittest.main()
