"""skerry.compat.hnswlib: hnswlib's Python interface over Skerry.

    from skerry.compat import hnswlib

    index = hnswlib.Index(space="cosine", dim=384)
    index.init_index(max_elements=100_000, M=16, ef_construction=200)
    index.add_items(vectors, ids)
    labels, distances = index.knn_query(queries, k=10)

Errors are RuntimeError, as hnswlib's are. What is different: a file of hnswlib's is not read by
``load_index``; a filter finds k whenever k labels pass; searches and writes may run at once.
"""
from __future__ import annotations

import io
import os
import tempfile
from typing import Any, Callable, List, Optional, Tuple, Union

import numpy as np

import skerry
from skerry.compat import _container

__all__ = ["BFIndex", "Index"]

Array = "np.ndarray[Any, Any]"
Filter = Optional[Callable[[int], bool]]

_SPACES = {"l2": "l2", "ip": "ip", "cosine": "cosine"}


def _read(path: str, dim: int) -> Tuple[skerry.Index, dict[str, Any], dict[str, Array]]:
    """Index, settings and arrays of a file of save_index; else RuntimeError."""
    try:
        index, settings, arrays = _container.read(path)
    except (OSError, ValueError, skerry.Error) as error:
        raise RuntimeError(f"{path}: {error}") from error
    if index is None or settings["dim"] != dim:
        raise RuntimeError(f"{path}: expected an index of {dim} dimensions, "
                           f"given {settings['dim']}")
    return index, settings, arrays


class _Base:
    """What both kinds of index have: items by label, a declared size, and files."""

    def __init__(self, space: str, dim: int) -> None:
        if space not in _SPACES:
            raise RuntimeError(f"space: expected 'l2', 'ip' or 'cosine', given {space!r}")
        self._space = space
        self._dim = int(dim)
        self._index: Optional[skerry.Index] = None
        self._max_elements = 0
        self._next_label = 0
        self.num_threads = os.cpu_count() or 1

    @property
    def space(self) -> str:
        """The name of the distance: l2, ip or cosine."""
        return self._space

    @property
    def dim(self) -> int:
        """Components of a vector."""
        return self._dim

    def set_num_threads(self, num_threads: int) -> None:
        """Threads of the calls that name none; 0: one a core."""
        self.num_threads = int(num_threads)

    def get_max_elements(self) -> int:
        """How many items were declared."""
        self._need()
        return self._max_elements

    def get_current_count(self) -> int:
        """How many items there are, deleted ones among them."""
        return len(self._need())

    def _need(self) -> skerry.Index:
        if self._index is None:
            raise RuntimeError("the index is not initiated: call init_index or load_index first")
        return self._index

    def _threads(self, num_threads: int) -> int:
        wanted = num_threads if num_threads > 0 else self.num_threads
        return min(max(wanted, 0), os.cpu_count() or 1)

    def _rows(self, data: Any) -> Any:
        rows = np.asarray(data, dtype=np.float32)
        if rows.ndim not in (1, 2):
            raise RuntimeError(f"data: expected one or two axes, given {rows.ndim}")
        rows = np.atleast_2d(rows)
        if rows.shape[1] != self._dim:
            raise RuntimeError(f"data: expected {self._dim} dimensions, given {rows.shape[1]}")
        if self._space != "cosine":
            return rows
        # hnswlib keeps vectors of length 1, and get_items gives them out so.
        return rows / (np.linalg.norm(rows, axis=1, keepdims=True) + np.float32(1e-30))

    def _labels(self, ids: Any, count: int) -> Any:
        if ids is None:
            return np.arange(self._next_label, self._next_label + count, dtype=np.uint64)
        labels = np.asarray(ids)
        if labels.size != count or labels.ndim > 1:
            raise RuntimeError(f"ids: expected {count} labels, given an array of {labels.shape}")
        return labels.reshape(-1).astype(np.uint64)

    def _query(self, data: Any, k: int, num_threads: int, filter: Filter,
               **options: Any) -> Tuple[Any, Any]:
        index = self._need()
        rows = self._rows(data)
        allowed: Any = filter
        if filter is not None and len(rows) * 100 > len(index):
            # To ask once of each label is less than to ask on the way of each query.
            labels = index.keys()
            passing = np.array([bool(filter(label)) for label in labels.tolist()], bool)
            allowed = labels[passing]
        try:
            matches = index.search(rows, k, filter=allowed, threads=self._threads(num_threads),
                                   **options)
        except skerry.Error as error:
            raise RuntimeError(str(error)) from error
        if len(rows) != 0 and matches.counts.min() < k:
            raise RuntimeError(f"k: {k} asked for, and only {matches.counts.min()} items pass")
        return matches.keys, matches.distances

    def __repr__(self) -> str:
        return f"<hnswlib.{type(self).__name__}(space='{self._space}', dim={self._dim})>"


class Index(_Base):
    """The approximate index: ``Index(space, dim)``, or a copy of another, ``Index(index=other)``."""

    def __init__(self, space: Optional[str] = None, dim: Optional[int] = None, *,
                 params: Optional[dict[str, Any]] = None, index: Optional[Index] = None) -> None:
        if index is not None:
            params = index.__getstate__()
        if params is not None:
            self.__setstate__(params)
            return
        if space is None or dim is None:
            raise TypeError("expected space and dim, or params, or index")
        super().__init__(space, dim)
        self._ef = 10
        self._allow_replace_deleted = False
        #: What mark_deleted has taken out, by label: it counts, and may come back.
        self._deleted: dict[int, Any] = {}

    # -- making it

    def init_index(self, max_elements: int, M: int = 16, ef_construction: int = 200,
                   random_seed: int = 100, allow_replace_deleted: bool = False) -> None:
        """Makes an empty index for so many items. RuntimeError when there is one already."""
        if self._index is not None:
            raise RuntimeError("the index is initiated already")
        try:
            self._index = skerry.Index(self._dim, _SPACES[self._space], M=M,
                                       ef_construction=ef_construction, seed=random_seed)
        except skerry.Error as error:
            raise RuntimeError(str(error)) from error
        self._max_elements = int(max_elements)
        self._next_label = 0
        self._allow_replace_deleted = allow_replace_deleted
        self._deleted = {}

    def resize_index(self, new_size: int) -> None:
        """Declares another size. RuntimeError when there are more items than that."""
        if new_size < self.get_current_count():
            raise RuntimeError(f"new_size: there are {self.get_current_count()} items")
        self._max_elements = int(new_size)

    # -- items

    def add_items(self, data: Any, ids: Any = None, num_threads: int = -1,
                  replace_deleted: bool = False) -> None:
        """Adds vectors, or replaces those of labels that are there.

        data  shape (dim,) or (n, dim)
        ids   n labels; without them they go on from the last
        With replace_deleted an item takes the place of a deleted one, which is gone then.
        RuntimeError when there is no room, or the shapes are wrong; nothing is added.
        """
        index = self._need()
        rows = self._rows(data)
        labels = self._labels(ids, len(rows))
        if replace_deleted and not self._allow_replace_deleted:
            raise RuntimeError("replace_deleted: the index was initiated without it")
        given = np.unique(labels)
        back = self._deleted.keys() & given.tolist() if self._deleted else set()
        if back and self._allow_replace_deleted and not replace_deleted:
            raise RuntimeError(f"label {min(back)} is deleted: add it with replace_deleted")
        new = len(given) - int(np.count_nonzero(index.contains(given))) - len(back)
        gone: List[int] = []
        if replace_deleted:
            gone = [label for label in self._deleted if label not in back][:new]
        if self.get_current_count() + new - len(gone) > self._max_elements:
            raise RuntimeError(f"there is room for {self._max_elements} items; resize_index first")
        try:
            index.upsert(labels, rows, threads=self._threads(num_threads))
        except skerry.Error as error:
            raise RuntimeError(str(error)) from error
        for label in (*gone, *back):
            del self._deleted[label]
        self._next_label += len(rows)

    def get_items(self, ids: Any = None, return_type: str = "numpy") -> Any:
        """The vectors of labels, as an array or a list. RuntimeError names one that is not there."""
        if return_type not in ("numpy", "list"):
            raise ValueError(f"return_type: expected 'numpy' or 'list', given {return_type!r}")
        labels = np.empty(0, np.uint64) if ids is None else np.asarray(ids)
        if labels.ndim == 0:
            raise ValueError("ids: expected a list of labels, given one")
        labels = labels.reshape(-1)[:len(labels)].astype(np.uint64)
        try:
            items = self._need().get(labels)
        except skerry.NotFound as error:
            raise RuntimeError(str(error)) from error
        return items.tolist() if return_type == "list" else items

    def get_ids_list(self) -> List[int]:
        """The labels of all items, deleted ones among them."""
        return self._need().keys().tolist() + list(self._deleted)

    def mark_deleted(self, label: int) -> None:
        """Takes an item out of searches. RuntimeError when it is not there, or deleted already."""
        index = self._need()
        if label in self._deleted:
            raise RuntimeError(f"label {label} is deleted already")
        try:
            vector = index.get(label)
        except skerry.NotFound as error:
            raise RuntimeError(str(error)) from error
        index.remove(label)
        self._deleted[int(label)] = vector

    def unmark_deleted(self, label: int) -> None:
        """Brings a deleted item back. RuntimeError when it is not deleted."""
        index = self._need()
        if label not in self._deleted:
            raise RuntimeError(f"label {label} is not deleted")
        index.upsert(label, self._deleted[int(label)])
        del self._deleted[int(label)]

    def get_current_count(self) -> int:
        """How many items there are, deleted ones among them."""
        return len(self._need()) + len(self._deleted)

    # -- searching

    def knn_query(self, data: Any, k: int = 1, num_threads: int = -1,
                  filter: Filter = None) -> Tuple[Any, Any]:
        """Labels (uint64) and distances of the k nearest, each of shape (n, k).

        filter is a function of a label. RuntimeError when fewer than k items pass.
        """
        return self._query(data, k, num_threads, filter, ef=max(self._ef, 1))

    def set_ef(self, ef: int) -> None:
        """The breadth of searches."""
        self._ef = int(ef)

    @property
    def ef(self) -> int:
        """The breadth of searches."""
        return self._ef

    @ef.setter
    def ef(self, ef: int) -> None:
        self.set_ef(ef)

    # -- what it is

    @property
    def M(self) -> int:
        """Links an item keeps; 0 before it is initiated."""
        return 0 if self._index is None else self._index.options["M"]

    @property
    def ef_construction(self) -> int:
        """The breadth of the search that adding makes; 0 before it is initiated."""
        return 0 if self._index is None else self._index.options["ef_construction"]

    @property
    def max_elements(self) -> int:
        """How many items were declared; 0 before it is initiated."""
        return self._max_elements

    @property
    def element_count(self) -> int:
        """How many items there are; 0 before it is initiated."""
        return 0 if self._index is None else self.get_current_count()

    # -- files

    def save_index(self, path_to_index: str) -> None:
        """Writes everything into a file, which load_index reads."""
        self._need()
        self._write(path_to_index)

    def load_index(self, path_to_index: str, max_elements: int = 0,
                   allow_replace_deleted: bool = False) -> None:
        """Reads a file of save_index. RuntimeError when there is none, or it is something else."""
        index, settings, arrays = _read(path_to_index, self._dim)
        self._take(index, settings, arrays)
        if max_elements >= self.get_current_count():
            self._max_elements = int(max_elements)
        self._next_label = self.get_current_count()
        self._allow_replace_deleted = allow_replace_deleted

    def index_file_size(self) -> int:
        """Bytes of the file that save_index would write."""
        with tempfile.TemporaryFile() as file:
            self._need()
            self._write(file)
            return file.tell()

    def _write(self, file: Any) -> None:
        settings = dict(space=self._space, dim=self._dim, ef=self._ef,
                        num_threads=self.num_threads, max_elements=self._max_elements,
                        next_label=self._next_label,
                        allow_replace_deleted=self._allow_replace_deleted)
        labels = np.fromiter(self._deleted, np.uint64, len(self._deleted))
        vectors = np.array(list(self._deleted.values()), np.float32).reshape(-1, self._dim)
        _container.write(file, self._index, settings, dict(deleted=labels, vectors=vectors))

    def _take(self, index: Optional[skerry.Index], settings: dict[str, Any],
              arrays: dict[str, Any]) -> None:
        self._index = index
        self._max_elements = settings["max_elements"]
        self._next_label = settings["next_label"]
        self._allow_replace_deleted = settings["allow_replace_deleted"]
        self._deleted = dict(zip(arrays["deleted"].tolist(), arrays["vectors"]))

    def __getstate__(self) -> dict[str, Any]:
        buffer = io.BytesIO()
        self._write(buffer)
        return {"skerry.compat.hnswlib": buffer.getvalue()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "skerry.compat.hnswlib" not in state:
            raise RuntimeError("not the state of an index of skerry.compat.hnswlib")
        index, settings, arrays = _container.read(io.BytesIO(state["skerry.compat.hnswlib"]))
        _Base.__init__(self, settings["space"], settings["dim"])
        self._ef = settings["ef"]
        self.num_threads = settings["num_threads"]
        self._take(index, settings, arrays)


class BFIndex(_Base):
    """The exact index: every search looks at every item."""

    def init_index(self, max_elements: int) -> None:
        """Makes an empty index for so many items. RuntimeError when there is one already."""
        if self._index is not None:
            raise RuntimeError("the index is initiated already")
        self._index = skerry.Index(self._dim, _SPACES[self._space], flat_below=2**32 - 1)
        self._max_elements = int(max_elements)
        self._next_label = 0

    def add_items(self, data: Any, ids: Any = None) -> None:
        """Adds vectors, or replaces those of labels that are there. RuntimeError: no room."""
        index = self._need()
        rows = self._rows(data)
        labels = self._labels(ids, len(rows))
        new = len(np.unique(labels)) - int(np.count_nonzero(index.contains(np.unique(labels))))
        if len(index) + new > self._max_elements:
            raise RuntimeError(f"there is room for {self._max_elements} items")
        try:
            index.upsert(labels, rows)
        except skerry.Error as error:
            raise RuntimeError(str(error)) from error
        self._next_label += len(rows)

    def delete_vector(self, label: int) -> None:
        """Removes an item; one that is not there is no error."""
        self._need().remove(label)

    def knn_query(self, data: Any, k: int = 1, num_threads: int = -1,
                  filter: Filter = None) -> Tuple[Any, Any]:
        """Labels (uint64) and distances of the k nearest, each of shape (n, k)."""
        return self._query(data, k, num_threads, filter, exact=True)

    def save_index(self, path_to_index: str) -> None:
        """Writes everything into a file, which load_index reads."""
        settings = dict(space=self._space, dim=self._dim, max_elements=self._max_elements,
                        next_label=self._next_label)
        _container.write(path_to_index, self._need(), settings, {})

    def load_index(self, path_to_index: str, max_elements: int = 0) -> None:
        """Reads a file of save_index. RuntimeError when there is none, or it is something else."""
        index, settings, _ = _read(path_to_index, self._dim)
        self._index = index
        self._max_elements = max(int(max_elements), settings["max_elements"])
        self._next_label = settings["next_label"]
