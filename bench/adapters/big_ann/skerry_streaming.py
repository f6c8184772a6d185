"""skerry_streaming.py - Skerry in the streaming track: vectors come, go and are searched in turn."""
import numpy as np

import skerry
from neurips23.streaming.base import BaseStreamingANN
from neurips23.streaming.skerry.common import metric_of, scalar_of, search_words, table


class Skerry(BaseStreamingANN):
    """index_params: words of skerry.Index, such as M, ef_construction, codes."""

    def __init__(self, metric, index_params):
        self._metric = metric_of(metric)
        self._build = dict(index_params)
        self._search = {}
        self.name = "skerry"

    def setup(self, dtype, max_pts, ndims):
        self._index = skerry.Index(ndims, self._metric, scalar=scalar_of(dtype), **self._build)
        self._index.reserve(max_pts)

    def insert(self, X, ids):
        self._index.upsert(np.asarray(ids, dtype=np.uint64), X)

    def delete(self, ids):
        self._index.remove(np.asarray(ids, dtype=np.uint64))

    def set_query_arguments(self, query_args):
        self._search = search_words(query_args)

    def query(self, X, k):
        self.res = table(self._index.search(X, k, **self._search), k)

    def done(self):
        self._index.close()

    def __str__(self):
        return f"skerry({self._build}, {self._search})"
