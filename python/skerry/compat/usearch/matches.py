"""matches.py - usearch's results."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import numpy as np


@dataclass
class Match:
    """One hit."""

    key: int
    distance: float

    def to_tuple(self) -> Tuple[int, float]:
        """(key, distance)."""
        return self.key, self.distance


@dataclass
class Matches:
    """The hits of one query, nearest first."""

    keys: "np.ndarray[Any, Any]"
    distances: "np.ndarray[Any, Any]"
    visited_members: int = 0
    computed_distances: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Match:
        if not isinstance(index, int) or index >= len(self):
            raise IndexError(f"expected a whole number under {len(self)}, given {index!r}")
        return Match(key=self.keys[index], distance=self.distances[index])

    def to_list(self) -> List[Tuple[int, float]]:
        """[(key, distance), ...]."""
        return list(zip(self.keys.tolist(), self.distances.tolist()))

    def __repr__(self) -> str:
        return f"usearch.Matches({len(self)})"


@dataclass
class BatchMatches(Sequence):
    """The hits of many queries: row i of the arrays has counts[i] of them."""

    keys: "np.ndarray[Any, Any]"
    distances: "np.ndarray[Any, Any]"
    counts: "np.ndarray[Any, Any]"
    visited_members: int = 0
    computed_distances: int = 0

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> Matches:  # type: ignore[override]
        if not isinstance(index, int) or index >= len(self):
            raise IndexError(f"expected a whole number under {len(self)}, given {index!r}")
        count = self.counts[index]
        return Matches(keys=self.keys[index, :count], distances=self.distances[index, :count],
                       visited_members=self.visited_members // len(self),
                       computed_distances=self.computed_distances // len(self))

    def to_list(self) -> List[Tuple[int, float]]:
        """[(key, distance), ...] of all queries, one after the other."""
        return [hit for row in range(len(self)) for hit in self[row].to_list()]

    def count_matches(self, expected: Any, count: Optional[int] = None) -> int:
        """How many queries have their expected key among their first hits."""
        if len(expected) != len(self):
            raise ValueError(f"expected: {len(self)} keys, given {len(expected)}")
        hits = self.keys[:, :count] == np.asarray(expected).reshape(-1, 1)
        return int(np.count_nonzero(hits.any(axis=1)))

    def mean_recall(self, expected: Any, count: Optional[int] = None) -> float:
        """The share of queries that have their expected key among their first hits."""
        return self.count_matches(expected, count) / len(expected)

    def __repr__(self) -> str:
        return f"usearch.BatchMatches({self.counts.sum()} across {len(self)} queries)"
