"""test_arrays.py - vectors in: which are borrowed, which are converted, which are refused."""
import subprocess
import sys
import unittest

import numpy as np

import skerry
from arrow import ArrowArray
from support import Case

# Queries 128 MB whose pages are all there before: what the process grows by is a copy.
MEASURE = """
import resource, sys
import numpy as np
import skerry
matrix = np.zeros((1 << 16, 512), np.float32)
matrix += 0
matrix = eval(sys.argv[1], dict(m=matrix, np=np))
index = skerry.Index(matrix.shape[1], "l2")
index.add(1, np.ones(matrix.shape[1], np.float32))
index.search(matrix[:10], 1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert index.search(matrix, 1).counts.sum() == len(matrix)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def growth_mb(view):
    done = subprocess.run([sys.executable, "-c", MEASURE, view], check=True, capture_output=True,
                          text=True)
    return int(done.stdout) / 1024


class Borrowed(Case):
    def test_rows_are_read_where_they_lie(self):
        self.assertLess(growth_mb("m"), 20)

    def test_strided_rows_are_read_where_they_lie(self):
        self.assertLess(growth_mb("m[:, 12:500]"), 20)
        self.assertLess(growth_mb("m[::2]"), 20)

    def test_what_has_to_be_converted_is_seen_by_the_same_measure(self):
        self.assertGreater(growth_mb("m[:, ::2]"), 50)

    def test_the_types_of_the_library_are_read_where_they_lie(self):
        self.assertLess(growth_mb("m.view(np.float16)"), 20)
        self.assertLess(growth_mb("m.view(np.uint8)[:, :500]"), 20)
        self.assertLess(growth_mb("m.view(np.int8)[:, :500]"), 20)


class Converted(Case):
    def test_every_layout_and_type_gives_the_same_vectors(self):
        whole = self.random.integers(0, 100, (6, 8))
        reference = whole.astype(np.float32)
        strided = np.zeros((6, 20), np.float32)
        strided[:, 3:11] = reference
        shifted = np.zeros(6 * 8 * 4 + 1, np.uint8)
        unaligned = shifted[1:].view(np.float32).reshape(6, 8)
        unaligned[:] = reference
        inputs = {
            "float32": reference, "float64": whole.astype(np.float64), "int64": whole,
            "float16": whole.astype(np.float16), "uint8": whole.astype(np.uint8),
            "int8": whole.astype(np.int8), "uint16": whole.astype(np.uint16),
            "list": whole.tolist(), "tuple of arrays": tuple(reference),
            "big-endian": whole.astype(">f4"), "transposed": np.ascontiguousarray(reference.T).T,
            "strided": strided[:, 3:11], "backwards": reference[::-1][::-1],
            "reversed rows": np.ascontiguousarray(reference[::-1])[::-1],
            "every other": np.repeat(reference, 2, axis=1)[:, ::2], "unaligned": unaligned,
            "repeated rows": np.ascontiguousarray(reference[::2].repeat(2, axis=0)),
            "read-only": np.frombuffer(reference.tobytes(), np.float32).reshape(6, 8),
        }
        for name, vectors in inputs.items():
            with self.subTest(name):
                index = skerry.Index(8, "l2")
                index.add(np.arange(6), vectors)
                expected = np.asarray(vectors, np.float32)
                np.testing.assert_array_equal(index.get(np.arange(6)), expected)
                self.assertEqual(index.search(vectors, 1).distances.max(), 0)
                one = vectors[2]
                self.assertEqual(index.search(one, 1).distances[0], 0)

    def test_a_row_given_to_many(self):
        index = skerry.Index(8, "l2")
        index.add(np.arange(4), np.broadcast_to(np.arange(8, dtype=np.float32), (4, 8)))
        self.assertEqual(index.get(3).tolist(), list(range(8)))

    def test_scalars_come_back_as_they_are(self):
        for scalar, dtype in (("f32", np.float32), ("f16", np.float16), ("i8", np.int8),
                              ("u8", np.uint8)):
            index = skerry.Index(8, "l2", scalar=scalar)
            vectors = self.random.integers(0, 100, (5, 8)).astype(dtype)
            index.add(np.arange(5), vectors)
            got = index.get(np.arange(5))
            self.assertEqual(got.dtype, dtype)
            np.testing.assert_array_equal(got, vectors)
        index = skerry.Index(8, "l2", scalar="bf16")
        index.add(1, np.full(8, 1.5, np.float32))
        self.assertEqual((index[1].dtype, index[1].tolist()), (np.float32, [1.5] * 8))

    def test_bits(self):
        bits = self.random.integers(0, 2, (5, 13)).astype(bool)
        packed = np.packbits(bits, axis=1, bitorder="little")
        for given in (bits, packed, bits[:, ::1], np.asfortranarray(packed)):
            index = skerry.Index(13, "hamming", scalar="b1")
            index.add(np.arange(5), given)
            np.testing.assert_array_equal(index.get(np.arange(5)), packed)
            self.assertEqual(index.search(given[3], 1).distances[0], 0)
        with self.assertRaisesRegex(skerry.InvalidArgument, "13 bits as bool, or packed as 2 uint8"):
            index.search(np.zeros(13, np.uint8))
        with self.assertRaisesRegex(skerry.InvalidArgument, "13 bits"):
            index.search([0] * 13)

    def test_what_is_no_vector_is_refused(self):
        index = skerry.Index(8)
        for bad in (None, "eight", b"eight", 3, [[1, 2], [3]], ["a"] * 8, np.zeros((1, 1, 8)),
                    np.zeros(8, complex), np.array([None] * 8), object()):
            for call in (index.search, lambda v: index.add(1, v)):
                with self.assertRaisesRegex(skerry.InvalidArgument, "vectors: expected", msg=bad):
                    call(bad)

    def test_what_is_no_whole_number_is_refused_by_integer_indexes(self):
        index = skerry.Index(4, "l2", scalar="u8")
        for bad in ([1.5, 0, 0, 0], [256, 0, 0, 0], [-1, 0, 0, 0]):
            with self.assertRaisesRegex(skerry.InvalidArgument, "component 0"):
                index.add(1, bad)


class KeysIn(Case):
    def test_every_kind_of_keys(self):
        vectors = self.vectors(3)
        for keys in (np.array([1, 2, 3], np.uint64), np.array([1, 2, 3]), [1, 2, 3], (1, 2, 3),
                     range(1, 4), np.array([1, 2, 3], np.uint8), np.arange(1, 7)[:3],
                     np.array([9, 1, 9, 2, 9, 3])[1::2], [np.int32(1), np.uint64(2), 3],
                     {1: 0, 2: 0, 3: 0}.keys()):
            index = skerry.Index(8)
            index.add(keys, vectors)
            self.assertEqual(sorted(index), [1, 2, 3])
            np.testing.assert_array_equal(index[np.uint16(2)], vectors[1])

    def test_what_is_no_key_is_refused(self):
        index = skerry.Index(8)
        vector = self.vectors(1)
        for keys, words in ((-1, "given -1"), (2**64, "given 18446744073709551616"),
                            ([-1], "given -1"), (np.array([-5]), "given -5 at 0"),
                            (1.0, "given float"), (np.array([1.0]), "given float64 array"),
                            ("a", "given str"), (None, "given None"), ([None], "given None"),
                            (np.array([[1]]), "one axis")):
            with self.assertRaisesRegex(skerry.InvalidArgument, words, msg=keys):
                index.add(keys, vector)


class Arrow(Case):
    def test_lists_of_floats_and_keys(self):
        vectors = self.vectors(6)
        for dtype in (np.float32, np.float16, np.float64, np.uint8, np.int8):
            rows = (vectors * 50).astype(dtype)
            index = skerry.Index(8, "l2")
            index.add(ArrowArray(np.arange(6, dtype=np.uint64)), ArrowArray(rows))
            np.testing.assert_array_equal(index.get(np.arange(6)), rows.astype(np.float32))
            self.assertEqual(index.search(ArrowArray(rows), 1).keys[:, 0].tolist(), list(range(6)))
        index = skerry.Index(8, "l2")
        index.add(ArrowArray(np.arange(6, dtype=np.int64)), ArrowArray(vectors))
        self.assertEqual(index.search(vectors[1], 1, filter=ArrowArray(np.array([3, 4]))).counts, 1)

    def test_slices(self):
        vectors = self.vectors(10)
        index = skerry.Index(8, "l2")
        index.add(ArrowArray(np.arange(10), offset=4, length=3),
                  ArrowArray(vectors, offset=4, length=3))
        np.testing.assert_array_equal(index.get([4, 5, 6]), vectors[4:7])

    def test_nothing_is_copied_and_all_is_released(self):
        vectors = self.vectors(4)
        array = ArrowArray(vectors)
        index = skerry.Index(8, "l2")
        index.add(np.arange(4), array)
        self.assertEqual((array.exported, array.released), (1, 2))  # schema and array

    def test_nulls_are_refused_and_named(self):
        index = skerry.Index(8, "l2")
        with self.assertRaisesRegex(skerry.InvalidArgument, "no value at 2"):
            index.add(np.arange(4), ArrowArray(self.vectors(4), nulls=[2]))
        with self.assertRaisesRegex(skerry.InvalidArgument, "no value at 1"):
            index.add(ArrowArray(np.arange(4), offset=1, length=3, nulls=[2]), self.vectors(3))
        self.assertEqual(len(index), 0)

    def test_other_types_are_refused_and_named(self):
        index = skerry.Index(8, "l2")
        with self.assertRaisesRegex(skerry.InvalidArgument, 'given the format "tdD"'):
            index.add(np.arange(4), ArrowArray(np.arange(4, dtype=np.int32), format="tdD"))

    def test_names(self):
        with self.open() as db:
            docs = db.create("docs", 8, keys="str")
            docs.add(ArrowArray.of_texts(["a", "è", ""][:2]), self.vectors(2))
            self.assertEqual(sorted(docs), ["a", "è"])
            docs.remove(ArrowArray.of_texts(["è"], large=True))
            self.assertEqual(list(docs), ["a"])

    def test_a_capsule_that_was_taken_is_refused(self):
        array = ArrowArray(self.vectors(4))
        schema, data = array.__arrow_c_array__()
        array.take(data)

        class Taken:
            def __arrow_c_array__(self):
                return schema, data

        with self.assertRaisesRegex(skerry.InvalidArgument, "released already"):
            skerry.Index(8).search(Taken())


if __name__ == "__main__":
    unittest.main()
