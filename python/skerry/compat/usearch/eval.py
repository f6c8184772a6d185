"""eval.py - random vectors, and how well an index finds its own."""
from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Optional, Union

import numpy as np

from .index import Index
from .kinds import BITWISE, NUMPY, MetricKind, ScalarKind, as_metric, as_scalar
from .matches import BatchMatches


def random_vectors(count: int, metric: Any = MetricKind.IP, dtype: Any = ScalarKind.F32,
                   ndim: Optional[int] = None, index: Optional[Index] = None) -> Any:
    """``count`` random vectors for a metric and a type, or for an index; bits are packed."""
    if index is not None:
        ndim, metric, dtype = index.ndim, index.metric, index.dtype
    if ndim is None:
        raise ValueError("expected ndim or index")
    metric = as_metric(metric)
    scalar = as_scalar(dtype, metric)
    if metric in BITWISE or scalar == ScalarKind.B1:
        return np.packbits(np.random.randint(2, size=(count, ndim)), axis=1)
    values = np.random.rand(count, ndim)
    if scalar == ScalarKind.I8:
        return (values * 100).astype(np.int8)
    values = values.astype(NUMPY[scalar] or np.float32)
    if metric == MetricKind.IP:
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    return values


@dataclass
class SearchStats:
    """What searches of known answers found and cost."""

    index_size: int
    count_queries: int
    count_matches: int
    visited_members: int
    computed_distances: int

    @property
    def mean_recall(self) -> float:
        """The share of queries that found themselves."""
        return self.count_matches / self.count_queries

    @property
    def mean_efficiency(self) -> float:
        """1 less the share of the index that a query computed distances to."""
        return 1 - self.computed_distances / (self.count_queries * self.index_size)


def self_recall(index: Index, sample: Union[float, int] = 1.0, **options: Any) -> SearchStats:
    """Searches an index for its own vectors: all, a share or a number of them."""
    keys = np.asarray(options.pop("keys", index.keys))
    if sample != 1.0:
        number = math.ceil(len(keys) * sample) if isinstance(sample, float) else sample
        keys = np.random.choice(keys, number)
    vectors = options.pop("vectors", None)
    if vectors is None:
        vectors = index.get(keys)
    options.setdefault("count", 1)
    matches = index.search(vectors, **options)
    found = matches.count_matches(keys) if isinstance(matches, BatchMatches) else \
        int(matches.keys[0] == keys[0])
    return SearchStats(len(index), len(keys), found, matches.visited_members,
                       matches.computed_distances)
