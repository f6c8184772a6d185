"""support.py - what the tests of the Python package share."""
import os
import tempfile
import unittest

import numpy as np

import skerry

SEED = int(os.environ.get("SKERRY_SEED", "1"))


class Case(unittest.TestCase):
    """A test with random vectors of a seed that is told when it fails, and a folder of its own."""

    def setUp(self):
        self.random = np.random.default_rng(SEED)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run(self, result=None):
        with self.subTest(seed=SEED):
            return super().run(result)

    def vectors(self, count, dimension=8, dtype=np.float32):
        return self.random.random((count, dimension)).astype(dtype)

    def path(self, name):
        return os.path.join(self.folder, name)

    def open(self, **options):
        database = skerry.open(self.path("db"), **options)
        self.addCleanup(database.close)
        return database

    def subjects(self, dimension=8, metric="l2", **options):
        """An index and a collection with the same options: what both promise is asked of both."""
        yield skerry.Index(dimension, metric, **options)
        database = skerry.open(os.path.join(self.folder, f"db-{np.random.randint(1 << 30)}"))
        with database:
            yield database.create("docs", dimension, metric, **options)


def brute(vectors, query, k):
    """Rows and squared distances of the k nearest, nearest first, ties by row."""
    distances = ((vectors.astype(np.float64) - query) ** 2).sum(axis=1)
    order = np.lexsort((np.arange(len(vectors)), distances))[:k]
    return order, distances[order]
