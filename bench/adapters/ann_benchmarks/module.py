"""module.py - Skerry in ann-benchmarks: ann_benchmarks/algorithms/skerry/module.py.

A set that is "angular" or "euclidean"; an argument of a query below 1 is a recall target, others
are an ef.
"""
import numpy as np

import skerry

from ..base.module import BaseANN

METRICS = {"angular": "cosine", "euclidean": "l2"}


class Skerry(BaseANN):
    """An index of the rows of X, each under its number."""

    def __init__(self, metric, build):
        if metric not in METRICS:
            raise ValueError(f"metric {metric!r}: expected one of {', '.join(METRICS)}")
        self._metric = METRICS[metric]
        self._build = dict(build)
        self._search = {}
        self.name = f"skerry ({self._described()})"

    def _described(self):
        words = {**self._build, **self._search}
        return ", ".join(f"{name} {value}" for name, value in words.items())

    def fit(self, X):
        X = np.ascontiguousarray(X, dtype=np.float32)
        self._index = skerry.Index(X.shape[1], self._metric, **self._build)
        self._index.add(np.arange(len(X), dtype=np.uint64), X)

    def set_query_arguments(self, effort):
        self._search = {"recall_target": effort} if effort < 1 else {"ef": int(effort)}
        self.name = f"skerry ({self._described()})"

    def query(self, v, n):
        return self._index.search(v, n, **self._search).keys

    def batch_query(self, X, n):
        found = self._index.search(X, n, **self._search)
        self.res = [keys[:count] for keys, count in zip(found.keys, found.counts)]

    def get_additional(self):
        return {"codes": str(self._index.stats().codes)}

    def done(self):
        self._index.close()
