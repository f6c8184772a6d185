"""index.py - usearch's Index over skerry.Index.

Keys are the caller's where each has one vector. With multi=True every vector has a number of its
own, and two tables say which key it is of.
"""
from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np

import skerry
from skerry.compat import _container

from .kinds import (BITWISE, METRICS, NUMPY, SCALARS, CompiledMetric, MetricKind, MetricSignature,
                    ScalarKind, as_metric, as_scalar)
from .matches import BatchMatches, Match, Matches

__all__ = ["BatchMatches", "Clustering", "CompiledMetric", "DEFAULT_CONNECTIVITY",
           "DEFAULT_EXPANSION_ADD", "DEFAULT_EXPANSION_SEARCH", "Index", "IndexStats",
           "IndexedKeys", "Indexes", "Key", "Match", "Matches", "MetricKind", "MetricSignature",
           "ScalarKind", "kmeans", "search"]

Key = np.uint64

DEFAULT_CONNECTIVITY = 16
DEFAULT_EXPANSION_ADD = 128
DEFAULT_EXPANSION_SEARCH = 64

#: What a component of 1 is in an index of I8, as in usearch.
_UNIT = 127
_EARTH_RADIUS = 6371008.8


class Clustering:
    """A name that programs import. Clustering is not offered."""


@dataclass(frozen=True)
class IndexStats:
    """Of a graph, or of a level of it. Above level 0 the nodes are those that are expected."""

    nodes: int
    edges: int
    max_edges: int
    allocated_bytes: int


class IndexedKeys(Sequence):
    """The keys of an index as a sequence; with multi=True one for each vector."""

    def __init__(self, index: Index) -> None:
        self._owner = index

    def __len__(self) -> int:
        return len(self._owner)

    def __getitem__(self, place: Any) -> Any:
        keys = self._owner._all_keys()
        return keys[list(place) if isinstance(place, Iterable) else place]

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        return self._owner._all_keys().astype(dtype or Key)


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _file(path_or_buffer: Any) -> Any:
    """What the container reads: a path as it is, a buffer as a file of its bytes."""
    if _is_buffer(path_or_buffer):
        return io.BytesIO(memoryview(path_or_buffer).tobytes())
    return os.fspath(path_or_buffer)


def _bar(log: Union[str, bool], total: int, progress: Optional[Callable[[int, int], bool]]) -> Any:
    """What is told how far a call is: the caller's function, or a bar of tqdm's when log says so."""
    if not log:
        return progress
    from tqdm import tqdm  # type: ignore[import]

    return tqdm(desc=log if isinstance(log, str) else None, total=total, unit="vector")


class Index:
    """An index of vectors by whole-number keys; see usearch's own documentation for the arguments."""

    def __init__(self, *, ndim: int = 0, metric: Any = MetricKind.Cos, dtype: Any = None,
                 connectivity: Optional[int] = None, expansion_add: Optional[int] = None,
                 expansion_search: Optional[int] = None, multi: bool = False,
                 path: Optional[Any] = None, view: bool = False,
                 enable_key_lookups: bool = True) -> None:
        self._metric = as_metric(metric)
        if self._metric not in METRICS:
            raise ValueError(f"metric: {self._metric} is not offered")
        self._dtype = as_scalar(dtype, self._metric)
        if (self._metric in BITWISE) != (self._dtype == ScalarKind.B1):
            raise ValueError(f"dtype: {self._dtype} does not go with {self._metric}")
        self._ndim = 2 if self._metric == MetricKind.Haversine else int(ndim)
        self._connectivity = connectivity or DEFAULT_CONNECTIVITY
        self._expansion_add = expansion_add or DEFAULT_EXPANSION_ADD
        self._expansion_search = expansion_search or DEFAULT_EXPANSION_SEARCH
        self._multi = multi
        self.path = path
        self.clear()
        if path is not None and os.path.exists(path):
            (self.view if view else self.load)(path)

    def clear(self) -> None:
        """Removes every vector."""
        # Bits are packed by the caller, eight a byte: whole bytes are kept.
        dimension = -(-self._ndim // 8) * 8 if self._dtype == ScalarKind.B1 else self._ndim
        self._index = skerry.Index(dimension, METRICS[self._metric], scalar=SCALARS[self._dtype],
                                   M=max(self._connectivity, 2),
                                   ef_construction=self._expansion_add)
        self._ids: Dict[int, List[int]] = {}  # of multi: the numbers of each key's vectors
        self._key_of: Dict[int, int] = {}     # and back
        self._next_id = 0

    def reset(self) -> None:
        """Removes every vector."""
        self.clear()

    # -- vectors in and out

    def _rows_in(self, vectors: Any) -> Any:
        if not isinstance(vectors, np.ndarray) or vectors.ndim not in (1, 2):
            raise ValueError("vectors: expected a numpy array of one or two axes")
        rows = vectors if vectors.ndim == 2 else vectors[None, :]
        if rows.shape[1] > 1 and rows.strides[1] != rows.itemsize:
            raise ValueError("vectors: expected rows whose components touch")
        if self._dtype == ScalarKind.I8 and rows.dtype != np.int8:
            rows = np.asarray(rows, np.float32)
            if self._metric == MetricKind.Cos:  # lengths do not matter: what is too long is cut
                rows = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1)
            rows = np.rint(np.clip(rows, -1, 1) * _UNIT).astype(np.int8)
        return rows

    def _rows_out(self, rows: Any, dtype: ScalarKind) -> Any:
        if self._dtype == ScalarKind.I8 and dtype != ScalarKind.I8:
            rows = rows.astype(np.float32) / _UNIT
        return rows.astype(NUMPY[dtype] or np.float32, copy=False)

    def _distances_out(self, distances: Any) -> Any:
        if self._metric == MetricKind.Haversine:
            return distances / np.float32(_EARTH_RADIUS)
        if self._metric == MetricKind.Sorensen:  # of Jaccard's: both count what is common
            return distances / (2 - distances)
        if self._dtype == ScalarKind.I8 and self._metric == MetricKind.L2sq:
            return distances / np.float32(_UNIT**2)
        if self._dtype == ScalarKind.I8 and self._metric == MetricKind.IP:
            return 1 - (1 - distances) / np.float32(_UNIT**2)
        return distances

    def _keys_in(self, keys: Any) -> Any:
        return np.atleast_1d(np.asarray(keys)).astype(Key)

    def _all_keys(self) -> Any:
        ids = self._index.keys()
        if not self._multi:
            return ids
        return np.array([self._key_of[number] for number in ids.tolist()], Key)

    def add(self, keys: Any, vectors: Any, *, copy: bool = True, threads: int = 0,
            log: Union[str, bool] = False,
            progress: Optional[Callable[[int, int], bool]] = None) -> Any:
        """Adds vectors; keys may be None, and go on from the size then. Returns the keys.

        RuntimeError when a key is there and the index is not multi. copy=False is taken for a wish:
        the index has vectors of its own.
        """
        rows = self._rows_in(vectors)
        numbers = self._keys_in(np.arange(len(self), len(self) + len(rows)) if keys is None
                                else keys)
        if len(numbers) != len(rows):
            raise ValueError(f"keys: expected {len(rows)}, given {len(numbers)}")
        ids = numbers
        if self._multi:
            ids = np.arange(self._next_id, self._next_id + len(rows), dtype=Key)
        elif len(np.unique(numbers)) != len(numbers):
            raise RuntimeError("keys: a key comes twice")
        try:
            self._index.add(ids, rows, threads=threads, progress=_bar(log, len(rows), progress))
        except skerry.AlreadyExists as error:
            raise RuntimeError(str(error)) from error
        if self._multi:
            self._next_id += len(rows)
            for key, number in zip(numbers.tolist(), ids.tolist()):
                self._ids.setdefault(key, []).append(number)
                self._key_of[number] = key
        return numbers

    def get(self, keys: Any, dtype: Any = None) -> Any:
        """The vector of a key (of multi its vectors), or None; of many keys a row or an item each."""
        kind = as_scalar(dtype) if dtype else self._dtype
        if dtype and NUMPY[kind] is None:
            raise NotImplementedError("numpy has no bfloat16")
        is_one = not isinstance(keys, Iterable)
        numbers = self._keys_in(keys)
        if not self._multi and self._index.contains(numbers).all():
            rows = self._rows_out(self._index.get(numbers), kind)
            return rows[0] if is_one else rows
        found = [self._get_one(int(key), kind) for key in numbers.tolist()]
        return found[0] if is_one else found

    def _get_one(self, key: int, kind: ScalarKind) -> Any:
        if self._multi:
            ids = self._ids.get(key)
            return None if not ids else self._rows_out(self._index.get(ids), kind)
        if key not in self._index:
            return None
        return self._rows_out(self._index.get(key), kind)

    def __getitem__(self, keys: Any) -> Any:
        return self.get(keys)

    def count(self, keys: Any) -> Any:
        """How many vectors a key has; of many keys an array."""
        numbers = self._keys_in(keys)
        if self._multi:
            counts = np.array([len(self._ids.get(key, ())) for key in numbers.tolist()], np.uint64)
        else:
            counts = self._index.contains(numbers).astype(np.uint64)
        return counts if isinstance(keys, Iterable) else int(counts[0])

    def contains(self, keys: Any) -> Any:
        """Is the key there? Of many keys an array."""
        answer = self.count(keys)
        return answer > 0

    def __contains__(self, keys: Any) -> bool:
        return bool(np.all(self.contains(keys)))

    def remove(self, keys: Any, *, compact: bool = False, threads: int = 0) -> Any:
        """Removes keys; how many vectors each had. The graph is repaired at once, always."""
        counts = self.count(keys)
        numbers = self._keys_in(keys)
        if self._multi:
            ids = [number for key in numbers.tolist() for number in self._ids.pop(key, ())]
            for number in ids:
                del self._key_of[number]
            self._index.remove(ids)
        else:
            self._index.remove(numbers)
        return counts

    def __delitem__(self, keys: Any) -> None:
        self.remove(keys)

    def rename(self, from_: Any, to: Any) -> Any:
        """Gives vectors other keys; how many were found of each.

        A name that is taken, of an index that is not multi, is RuntimeError.
        """
        sources = self._keys_in(from_)
        targets = np.broadcast_to(self._keys_in(to), sources.shape)
        counts = [self._rename_one(int(a), int(b)) for a, b in zip(sources, targets)]
        return np.array(counts, np.uint64) if isinstance(from_, Iterable) else counts[0]

    def _rename_one(self, source: int, target: int) -> int:
        if self._multi:
            ids = self._ids.pop(source, [])
            for number in ids:
                self._key_of[number] = target
            if ids:
                self._ids.setdefault(target, []).extend(ids)
            return len(ids)
        if source not in self._index:
            return 0
        if source != target:
            if target in self._index:
                raise RuntimeError(f"to: key {target} is there already")
            self._index.add(target, self._index.get(source))
            self._index.remove(source)
        return 1

    # -- searching

    def search(self, vectors: Any, count: int = 10, radius: float = math.inf, *, threads: int = 0,
               exact: bool = False, log: Union[str, bool] = False,
               progress: Optional[Callable[[int, int], bool]] = None
               ) -> Union[Matches, BatchMatches]:
        """The nearest of one vector, as Matches, or of each row of a matrix, as BatchMatches.

        radius is a distance beyond which nothing is returned.
        """
        rows = self._rows_in(vectors)
        found = self._index.search(rows, count, ef=self._expansion_search, exact=exact,
                                   threads=min(threads, os.cpu_count() or 1),
                                   progress=_bar(log, len(rows), progress))
        keys, distances, counts = found.keys, self._distances_out(found.distances), found.counts
        if radius < math.inf:
            counts = np.minimum(counts, (distances <= radius).sum(axis=1)).astype(np.uint64)
        if self._multi:
            for row, number in zip(keys, counts.tolist()):
                row[:number] = [self._key_of[item] for item in row[:number].tolist()]
        batch = BatchMatches(keys, distances, counts, found.visited, found.visited)
        return batch[0] if len(rows) == 1 else batch

    def pairwise_distance(self, left: Any, right: Any) -> Any:
        """The distance of two keys, or of the keys of two arrays, one by one."""
        if isinstance(left, Iterable) != isinstance(right, Iterable):
            raise ValueError("expected two keys or two arrays of keys")
        pairs = zip(self._keys_in(left).tolist(), self._keys_in(right).tolist())
        distances = np.array([self._distance(a, b) for a, b in pairs], np.float32)
        return distances if isinstance(left, Iterable) else float(distances[0])

    def _distance(self, left: int, right: int) -> float:
        # Of a key that has several vectors, the nearest pair.
        of = (lambda key: self._ids[key]) if self._multi else (lambda key: [key])
        best = math.inf
        for number in of(left):
            row = self._index.get(number)
            found = self._index.search(row, 1, filter=of(right))
            best = min(best, float(self._distances_out(found.distances)[0]))
        return best

    def join(self, *_: Any, **__: Any) -> Any:
        """Not offered."""
        raise NotImplementedError("joins are not offered by skerry.compat")

    def cluster(self, *_: Any, **__: Any) -> Any:
        """Not offered."""
        raise NotImplementedError("clustering is not offered by skerry.compat")

    # -- files

    def save(self, path_or_buffer: Optional[Any] = None, progress: Any = None) -> Optional[bytearray]:
        """Writes the index to a path (or self.path); without one it is returned as bytes."""
        target = self.path if path_or_buffer is None else path_or_buffer
        settings = dict(ndim=self._ndim, metric=self._metric.value, dtype=self._dtype.value,
                        connectivity=self._connectivity, expansion_add=self._expansion_add,
                        expansion_search=self._expansion_search, multi=self._multi,
                        size=len(self))
        arrays = {}
        if self._multi:
            arrays = dict(ids=np.array(list(self._key_of), np.uint64),
                          keys=np.array(list(self._key_of.values()), np.uint64))
        if target is not None:
            _container.write(os.fspath(target), self._index, settings, arrays)
            return None
        buffer = io.BytesIO()
        _container.write(buffer, self._index, settings, arrays)
        return bytearray(buffer.getbuffer())

    def load(self, path_or_buffer: Optional[Any] = None, progress: Any = None) -> None:
        """Reads what save wrote into memory. FileNotFoundError, ValueError, TypeError."""
        self._read(path_or_buffer, view=False)

    def view(self, path_or_buffer: Optional[Any] = None, progress: Any = None) -> None:
        """Maps what save wrote, read-only."""
        self._read(path_or_buffer, view=True)

    def _read(self, path_or_buffer: Optional[Any], view: bool) -> None:
        source = self.path if path_or_buffer is None else path_or_buffer
        if source is None:
            raise ValueError("path_or_buffer: expected a path or bytes, given None")
        index, settings, arrays = _container.read(_file(source), view=view)
        if index is None:
            raise ValueError("there is no index in it")
        self._metric = MetricKind(settings["metric"])
        self._dtype = ScalarKind(settings["dtype"])
        self._ndim = settings["ndim"]
        self._connectivity = settings["connectivity"]
        self._expansion_add = settings["expansion_add"]
        self._expansion_search = settings["expansion_search"]
        self._multi = settings["multi"]
        self._index = index
        self._ids, self._key_of = {}, {}
        if self._multi:
            for number, key in zip(arrays["ids"].tolist(), arrays["keys"].tolist()):
                self._ids.setdefault(key, []).append(number)
                self._key_of[number] = key
        self._next_id = max(self._key_of, default=-1) + 1

    @staticmethod
    def metadata(path_or_buffer: Any) -> Optional[Dict[str, Any]]:
        """What is known of a saved index without reading it; None when there is no file."""
        if not _is_buffer(path_or_buffer) and not os.path.exists(path_or_buffer):
            return None
        settings = _container.settings_of(_file(path_or_buffer))
        return dict(dimensions=settings["ndim"], multi=settings["multi"],
                    kind_metric=MetricKind(settings["metric"]),
                    kind_scalar=ScalarKind(settings["dtype"]), count_present=settings["size"])

    @staticmethod
    def restore(path_or_buffer: Any, view: bool = False, **options: Any) -> Optional[Index]:
        """An index of what save wrote; None when there is no file."""
        known = Index.metadata(path_or_buffer)
        if known is None:
            return None
        index = Index(ndim=known["dimensions"], dtype=known["kind_scalar"],
                      metric=known["kind_metric"], **options)
        (index.view if view else index.load)(path_or_buffer)
        return index

    def copy(self) -> Index:
        """Another index with the same vectors."""
        path, self.path = self.path, None
        try:
            index = Index.restore(self.save())
        finally:
            self.path = path
        assert index is not None
        index.path = path
        return index

    # -- what it is

    @property
    def size(self) -> int:
        """How many vectors there are."""
        return len(self._index)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def ndim(self) -> int:
        """Components of a vector."""
        return self._ndim

    @property
    def dtype(self) -> ScalarKind:
        """How vectors are kept."""
        return self._dtype

    @property
    def metric(self) -> MetricKind:
        """The distance."""
        return self._metric

    @property
    def metric_kind(self) -> MetricKind:
        """The distance."""
        return self._metric

    @property
    def multi(self) -> bool:
        """May a key have several vectors?"""
        return self._multi

    @property
    def jit(self) -> bool:
        """False: compiled metrics are not offered."""
        return False

    @property
    def hardware_acceleration(self) -> str:
        """The kernels in use."""
        return skerry.target()

    @property
    def connectivity(self) -> int:
        """Links a node keeps."""
        return self._connectivity

    @property
    def expansion_add(self) -> int:
        """The breadth of the search that adding makes; another counts from the next clear()."""
        return self._expansion_add

    @expansion_add.setter
    def expansion_add(self, breadth: int) -> None:
        self._expansion_add = breadth

    @property
    def expansion_search(self) -> int:
        """The breadth of searches."""
        return self._expansion_search

    @expansion_search.setter
    def expansion_search(self, breadth: int) -> None:
        self._expansion_search = breadth

    @property
    def capacity(self) -> int:
        """How many vectors there are: there is room for more at any time."""
        return len(self)

    @property
    def memory_usage(self) -> int:
        """Bytes of memory."""
        return self.stats.allocated_bytes

    @property
    def serialized_length(self) -> int:
        """Bytes that save would write."""
        buffer = io.BytesIO()
        _container.write(buffer, self._index, {}, {})
        return buffer.tell()

    @property
    def keys(self) -> IndexedKeys:
        """All keys."""
        return IndexedKeys(self)

    @property
    def vectors(self) -> Any:
        """All vectors, in the order of keys."""
        rows = self._index.get(self._index.keys())
        return self._rows_out(rows, self._dtype)

    @property
    def max_level(self) -> int:
        """The highest level of the graph; 0 where a small index has none."""
        return max(self._index.stats().levels - 1, 0)

    @property
    def nlevels(self) -> int:
        """Levels of the graph."""
        return self.max_level + 1

    @property
    def stats(self) -> IndexStats:
        """Of the whole graph."""
        known = self._index.stats()
        links = self._index.check().links
        allocated = known.vector_bytes + known.code_bytes + known.link_bytes + known.other_bytes
        return IndexStats(known.live, links, known.live * 2 * self._connectivity, allocated)

    def level_stats(self, level: int) -> IndexStats:
        """Of a level; above 0 as many nodes as are expected there."""
        whole = self.stats
        if level == 0:
            return whole
        if level > self.max_level:
            raise IndexError(f"level: there are {self.nlevels}")
        nodes = max(round(whole.nodes / self._connectivity**level), 1)
        return IndexStats(nodes, 0, nodes * self._connectivity, 0)

    @property
    def levels_stats(self) -> List[IndexStats]:
        """Of each level."""
        return [self.level_stats(level) for level in range(self.nlevels)]

    @property
    def specs(self) -> Dict[str, Any]:
        """What the index was made with."""
        return dict(type="usearch.Index", ndim=self.ndim, multi=self.multi,
                    connectivity=self.connectivity, expansion_add=self.expansion_add,
                    expansion_search=self.expansion_search, size=self.size, jit=self.jit,
                    hardware_acceleration=self.hardware_acceleration,
                    metric_kind=self.metric_kind, dtype=self.dtype, path=self.path)

    def __repr__(self) -> str:
        return (f"usearch.Index({self.dtype} x {self.ndim}, {self.metric}, multi: {self.multi}, "
                f"{len(self):,} vectors, over skerry)")


class Indexes:
    """Several indexes that are searched together."""

    def __init__(self, indexes: Iterable = (), paths: Iterable = (), view: bool = False,
                 threads: int = 0) -> None:
        self._indexes = list(indexes)
        for path in paths:
            self.merge_path(path, view)

    def merge(self, index: Index) -> None:
        """Takes one in."""
        self._indexes.append(index)

    def merge_path(self, path: Any, view: bool = False) -> None:
        """Takes in one that was saved."""
        index = Index.restore(path, view=view)
        if index is None:
            raise FileNotFoundError(path)
        self._indexes.append(index)

    def __len__(self) -> int:
        return sum(len(index) for index in self._indexes)

    def search(self, vectors: Any, count: int = 10, *, threads: int = 0, exact: bool = False,
               progress: Any = None) -> Union[Matches, BatchMatches]:
        """The nearest of all."""
        rows = np.atleast_2d(vectors)
        merged = []
        for row in rows:
            found = [index.search(row, count, exact=exact) for index in self._indexes]
            hits = sorted((hit.distance, hit.key) for matches in found for hit in matches)[:count]
            merged.append(Matches(np.array([key for _, key in hits], Key),
                                  np.array([distance for distance, _ in hits], np.float32)))
        if len(rows) == 1:
            return merged[0]
        keys = np.zeros((len(rows), count), Key)
        distances = np.full((len(rows), count), np.inf, np.float32)
        for i, matches in enumerate(merged):
            keys[i, :len(matches)] = matches.keys
            distances[i, :len(matches)] = matches.distances
        return BatchMatches(keys, distances, np.array([len(matches) for matches in merged]))


def search(dataset: Any, query: Any, count: int = 10, metric: Any = MetricKind.Cos, *,
           exact: bool = False, threads: int = 0, log: Union[str, bool] = False,
           progress: Any = None) -> Union[Matches, BatchMatches]:
    """The nearest rows of a matrix, whose keys are their numbers."""
    dataset = np.ascontiguousarray(dataset)
    index = Index(ndim=dataset.shape[1], metric=metric, dtype=dataset.dtype)
    index.add(None, dataset, threads=threads)
    query = np.ascontiguousarray(query, dataset.dtype)
    return index.search(query, count, threads=threads, exact=exact, log=log, progress=progress)


def kmeans(*_: Any, **__: Any) -> Any:
    """Not offered."""
    raise NotImplementedError("clustering is not offered by skerry.compat")
