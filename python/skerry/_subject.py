"""_subject.py - what an index, a collection and a snapshot have in common."""
from __future__ import annotations

from types import TracebackType
from typing import Any, Iterator, Optional, Sequence, Type, TypeVar, Union

import numpy as np

from ._errors import NotFound
from ._progress import as_function
from ._reports import Explanation, GraphShape, explanation
from ._skerry import Matches

Key = Union[int, str, bytes]
Keys = Union[Key, Sequence[Key], "np.ndarray[Any, Any]"]
#: Anything that numpy makes an array of numbers of, and Arrow arrays of FixedSizeList.
Vectors = Any
#: None, keys, an array of bool, a range, skerry.Except(keys), or a function of a key.
Filter = Any
#: A function of what is done and the total, or an object with update(n), such as a tqdm bar.
Progress = Any

Self = TypeVar("Self", bound="Reading")


class Reading:
    """Searching and reading."""

    _core: Any

    def search(self, vectors: Vectors, k: int = 10, *, ef: Optional[int] = None,
               recall_target: Optional[float] = None, filter: Filter = None,
               max_distance: Optional[float] = None, exact: bool = False, threads: int = 0,
               budget: Optional[int] = None, timeout: Optional[float] = None,
               progress: Progress = None) -> Matches:
        """The k nearest of one vector or of each row of a matrix.

        vectors        shape (dimension,) or (n, dimension). float32, float16, int8 and uint8 whose
                       components touch are read where they lie; other numbers are converted
        k              fewer hits are a count, never an exception
        ef             breadth of the walk; more is slower and finds more
        recall_target  instead of ef: how much of the true k nearest is to be found, such as 0.95
        filter         keys (array, list, set), an array of bool (mask[key]), a range,
                       ``skerry.Except(keys)``, or a function of a key, which is slow
        max_distance   none farther
        exact          scan everything
        threads        for a matrix; 0: one a core
        budget         distances to compute at most
        timeout        seconds; the best that was found until then is returned
        progress       called with (done, total) now and then; False stops the call

        Returns Matches: ``keys, distances = index.search(query)``, of shape (count,), or (n, k) for
        a matrix, where ``counts`` says how many of a row there are.
        Errors: InvalidArgument for another dimension, NaN or infinity; Cancelled; Closed.
        """
        if progress is not None:
            progress = as_function(progress)
        return self._core.search(vectors, k, ef, recall_target, filter, max_distance, exact,
                                 threads, budget, timeout, progress)

    def get(self, keys: Keys) -> "np.ndarray[Any, Any]":
        """The vector of a key, shape (dimension,), or the vectors of n keys, shape (n, dimension).

        They are the caller's own, as stored: float32 (also for bf16), float16, int8, uint8, and
        bits as packed uint8. Errors: NotFound names the key; Closed.
        """
        return self._core.get(keys)

    def contains(self, keys: Keys) -> Any:
        """Is the key there? Of n keys an array of n bools. Errors: Closed."""
        return self._core.contains(keys)

    def keys(self) -> Any:
        """Every key once, in no particular order: an array of uint64, or a list of names."""
        return self._core.keys()

    def close(self) -> None:
        """Lets go; every later call raises Closed. A second close is nothing."""
        self._core.close()

    @property
    def dimension(self) -> int:
        """Components of a vector (bits, of scalar "b1")."""
        return self._core.dimension

    def __len__(self) -> int:
        return self._core.size()

    def __contains__(self, key: Key) -> bool:
        return bool(self._core.contains(key))

    def __getitem__(self, keys: Keys) -> "np.ndarray[Any, Any]":
        return self._core.get(keys)

    def __iter__(self) -> Iterator[Key]:
        keys = self._core.keys()
        return iter(keys.tolist() if isinstance(keys, np.ndarray) else keys)

    def __bool__(self) -> bool:
        return True  # an empty one is there all the same

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()


class Writing(Reading):
    """Changing, and what only an index or a collection can tell."""

    def remove(self, keys: Keys) -> int:
        """Removes a key or many; how many of them there were. An absent key is no error."""
        return self._core.remove(keys)

    def explain(self, vector: Vectors, key: Key, k: int = 10, *, hops: int = 256,
                ef: Optional[int] = None, recall_target: Optional[float] = None,
                filter: Filter = None, max_distance: Optional[float] = None, exact: bool = False,
                budget: Optional[int] = None, timeout: Optional[float] = None) -> Explanation:
        """Makes a search and says why it returned the key, or why not.

        vector   shape (dimension,)
        hops     how many steps of the walk to tell
        others   as of search

        Errors: those of search; InvalidArgument for k = 0.
        """
        return explanation(self._core.explain(vector, key, hops, k, ef, recall_target, filter,
                                              max_distance, exact, budget, timeout))

    def shape(self, *, timeout: Optional[float] = None, progress: Progress = None) -> GraphShape:
        """How many levels, links and in-links have the nodes of the graph? Waits for nobody.

        Errors: OutOfMemory, Cancelled, Closed.
        """
        return GraphShape(**self._core.shape(timeout, as_function(progress)))

    @property
    def options(self) -> dict[str, Any]:
        """What it was made with: dimension, metric, scalar, ...; of a collection also byte_keys."""
        return self._core.options()

    def __setitem__(self, key: Key, vector: Vectors) -> None:
        self._core.upsert(key, vector, None, 0, None, None)

    def __delitem__(self, key: Key) -> None:
        if self._core.remove(key) == 0:
            raise NotFound(f"not_found: no such key: {key!r}")
