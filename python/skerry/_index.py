"""_index.py - a vector index in memory."""
from __future__ import annotations

import os
from typing import Any, Callable, Optional, Union

from . import _skerry
from ._progress import as_function
from ._reports import CheckReport, IndexStats
from ._subject import Keys, Progress, Vectors, Writing

Path = Union[str, bytes, "os.PathLike[Any]"]


class Index(Writing):
    """An updatable vector index in memory; nothing is written to disk unless asked.

        index = skerry.Index(384)
        index.add(7, vector)
        keys, distances = index.search(query, k=10)

    Every method may be called from any thread at once; the GIL is released while it works. Ctrl-C
    stops long calls, and what they would have changed is as before.

    dimension        1 to 65,535
    metric           "cosine", "l2" (squared), "ip" (1 - dot), "hamming", "jaccard" (bits),
                     "haversine" (latitude and longitude in degrees; metres), "custom" (distance)
    scalar           how vectors are kept: "f32", "f16", "bf16", "i8", "u8", "b1"
    codes            what searches walk over: "exact", "sq8", "rot4", "auto"; distances are exact
                     whatever it is
    vectors          "memory", or "disk": in files in ``folder``, with codes in memory
    M                2 to 256: links a node keeps
    ef_construction  breadth of the search that an insert makes
    ef               breadth of a search that names none
    flat_below       up to this many vectors searches scan and are exact
    seed             same order and seed: the same graph
    distance         of metric "custom": a function of two arrays, which is slow, or an object with
                     the ``address`` of a C function (numba's cfunc): float (void* null, const void*
                     a, const void* b, size_t dimension)

    Errors: InvalidArgument names the option and its range; OutOfMemory.
    """

    def __init__(self, dimension: int, metric: str = "cosine", *, scalar: str = "f32",
                 codes: str = "exact", vectors: str = "memory", M: int = 16,
                 ef_construction: int = 200, ef: int = 64, flat_below: int = 1024,
                 seed: int = 0x5EED, folder: Optional[Path] = None,
                 distance: Optional[Callable[[Any, Any], float]] = None) -> None:
        self._core = _skerry.Index.create(
            dict(dimension=dimension, metric=metric, scalar=scalar, codes=codes, vectors=vectors,
                 M=M, ef_construction=ef_construction, ef=ef, flat_below=flat_below, seed=seed),
            folder, distance)

    @classmethod
    def _of(cls, core: Any) -> Index:
        index = cls.__new__(cls)
        index._core = core
        return index

    @classmethod
    def load(cls, path: Path, *, folder: Optional[Path] = None,
             distance: Optional[Callable[[Any, Any], float]] = None) -> Index:
        """Reads a file that ``save`` wrote into memory; its options come with it.

        Errors: NotFound, Corruption, Incompatible, IoError, OutOfMemory.
        """
        return cls._of(_skerry.Index.load(path, folder, distance))

    @classmethod
    def view(cls, path: Path, *,
             distance: Optional[Callable[[Any, Any], float]] = None) -> Index:
        """Maps such a file: pages are shared between processes and read on demand.

        Writes raise ReadOnly. Errors: as of load.
        """
        return cls._of(_skerry.Index.view(path, distance))

    def save(self, path: Path, *, timeout: Optional[float] = None,
             progress: Progress = None) -> None:
        """Writes the index beside ``path``, syncs it and renames it into place.

        Searches and writes go on. ``progress`` counts bytes. Errors: StorageFull, IoError,
        Cancelled; the old file is there.
        """
        self._core.save(path, timeout, as_function(progress))

    def add(self, keys: Keys, vectors: Vectors, *, threads: int = 0,
            timeout: Optional[float] = None, progress: Progress = None) -> None:
        """Adds one key with its vector, or n keys with the n rows of a matrix.

        keys      a whole number from 0 to 2**64 - 1, or n of them
        vectors   shape (dimension,) or (n, dimension); what is copied is said in ``search``
        threads   to link a batch with; 0: one a core
        timeout   seconds after which the batch is Cancelled
        progress  called with (rows done, rows in all); False stops

        All or nothing. Of a key that comes twice the last row counts. Errors: AlreadyExists when a
        key is present; InvalidArgument names the row; OutOfMemory, Cancelled.
        """
        self._core.insert(keys, vectors, None, threads, timeout, as_function(progress))

    def upsert(self, keys: Keys, vectors: Vectors, *, threads: int = 0,
               timeout: Optional[float] = None, progress: Progress = None) -> None:
        """As ``add``, and replaces the vectors of keys that are present, in one visible step."""
        self._core.upsert(keys, vectors, None, threads, timeout, as_function(progress))

    def reserve(self, count: int) -> None:
        """A hint: makes room for ``count`` vectors in all. Never needed. Errors: OutOfMemory."""
        self._core.reserve(count)

    def check(self, *, timeout: Optional[float] = None, progress: Progress = None) -> CheckReport:
        """Walks every invariant of the graph. Errors: Corruption says what is broken."""
        return CheckReport(**self._core.check(timeout, as_function(progress)))

    def stats(self) -> IndexStats:
        """How full, how large, how deep. Errors: Closed."""
        return IndexStats(**self._core.stats())

    def __repr__(self) -> str:
        if not self._core.is_open:
            return "<skerry.Index, closed>"
        options = self.options
        return (f"<skerry.Index of {len(self)} x {options['dimension']}, {options['metric']}, "
                f"{options['scalar']}>")
