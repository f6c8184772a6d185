"""skerry_filter.py - Skerry in the filter track: the nearest among those that have all the words.

A query has one word or several; who has them all is an intersection of sorted lists, and the
search is told these keys. Skerry decides whether it walks or scans.
"""
import os
from functools import reduce
from multiprocessing.pool import ThreadPool

import numpy as np

import skerry
from benchmark.datasets import DATASETS
from neurips23.filter.base import BaseFilterANN
from neurips23.filter.skerry.common import metric_of, scalar_of, search_words, table


class Skerry(BaseFilterANN):
    """index_params: words of skerry.Index, and threads, for queries that are made at once."""

    def __init__(self, metric, index_params):
        self._metric = metric_of(metric)
        self._build = dict(index_params)
        self._threads = self._build.pop("threads", os.cpu_count())
        self._search = {}
        self.name = "skerry"

    def fit(self, dataset):
        data = DATASETS[dataset]()
        rows = data.get_dataset()
        self._index = skerry.Index(data.d, self._metric, scalar=scalar_of(data.dtype),
                                   **self._build)
        self._index.add(np.arange(len(rows), dtype=np.uint64), rows)
        self._index.save(self._file(dataset))
        self._learn_words(data)

    def load_index(self, dataset):
        if not os.path.exists(self._file(dataset)):
            return False
        self._index = skerry.Index.load(self._file(dataset))
        self._learn_words(DATASETS[dataset]())
        return True

    def _file(self, dataset):
        words = "-".join(f"{name}-{value}" for name, value in sorted(self._build.items()))
        return os.path.join("data", f"{dataset}.{words}.skerry")

    def _learn_words(self, data):
        if data.search_type() != "knn_filtered":
            return
        words = data.get_dataset_metadata().T.tocsr()
        words.sort_indices()
        self._starts = words.indptr
        self._holders = words.indices.astype(np.uint64)

    def _holders_of(self, words):
        """Who has all of the words, ascending."""
        lists = [self._holders[self._starts[word]:self._starts[word + 1]] for word in words]
        lists.sort(key=len)
        return reduce(lambda a, b: np.intersect1d(a, b, assume_unique=True), lists)

    def set_query_arguments(self, query_args):
        self._search = search_words(query_args)

    def query(self, X, k):
        self.res = table(self._index.search(X, k, **self._search), k)

    def filtered_query(self, X, filter, k):
        self.res = np.full((len(X), k), -1, dtype=np.int64)

        def answer(i):
            words = filter.indices[filter.indptr[i]:filter.indptr[i + 1]]
            keys = self._holders_of(words) if len(words) else None
            found = self._index.search(X[i], k, filter=keys, **self._search).keys
            self.res[i, :len(found)] = found

        with ThreadPool(self._threads) as pool:
            pool.map(answer, range(len(X)))

    def done(self):
        self._index.close()

    def __str__(self):
        return f"skerry({self._build}, {self._search})"
