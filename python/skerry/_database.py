"""_database.py - a folder that holds collections and does not lose them."""
from __future__ import annotations

import atexit
import os
import weakref
from types import TracebackType
from typing import Any, Callable, Iterator, List, Optional, Sequence, Type, Union

from . import _skerry
from ._collection import Collection
from ._errors import Error
from ._progress import as_function
from ._reports import CollectionInfo, DatabaseStats, RepairReport, repair_report
from ._skerry import Matches
from ._subject import Filter, Progress, Vectors

Path = Union[str, bytes, "os.PathLike[Any]"]
Name = Union[str, bytes]

_open: weakref.WeakSet[Database] = weakref.WeakSet()


class Database:
    """Durable collections in a folder; made by ``skerry.open``.

        with skerry.open("vectors.skerry") as db:
            docs = db.open_or_create("docs", 384)
            docs.upsert(7, vector, b"payload")

    ``db[name]`` opens a collection, ``del db[name]`` drops it, ``name in db``, ``len(db)`` and
    iteration ask for names. What is open when the program ends is closed then. Any number of
    processes may have a database open; a second open in one process is Busy.
    """

    def __init__(self, core: Any, path: str) -> None:
        self._core = core
        self._path = path
        _open.add(self)

    @property
    def path(self) -> str:
        """The folder."""
        return self._path

    def create(self, name: Name, dimension: int, metric: str = "cosine", *, scalar: str = "f32",
               codes: str = "exact", vectors: str = "memory", M: int = 16,
               ef_construction: int = 200, ef: int = 64, flat_below: int = 1024,
               seed: int = 0x5EED, keys: str = "int") -> Collection:
        """Makes a collection.

        keys is "int" for whole numbers, "str" or "bytes" for names of 1 to 480 bytes; the others
        are those of Index. Errors: AlreadyExists; InvalidArgument names the option and its range.
        """
        return Collection(self._core.create(name, _options(locals()), keys), self)

    def create_many(self, names: Sequence[Name], dimension: int, metric: str = "cosine", *,
                    scalar: str = "f32", codes: str = "exact", vectors: str = "memory",
                    M: int = 16, ef_construction: int = 200, ef: int = 64, flat_below: int = 1024,
                    seed: int = 0x5EED, keys: str = "int") -> None:
        """Makes a collection for each name, all or none, in one commit."""
        self._core.create_many(names, _options(locals()), keys)

    def open(self, name: Name, *, keys: Optional[str] = None, timeout: Optional[float] = None,
             progress: Progress = None) -> Collection:
        """Opens a collection that is there; ``db[name]`` is the same.

        keys may be "bytes" to have names handed out as bytes; else they are str. It takes long when
        the index must be rebuilt: ``progress`` counts vectors. Errors: NotFound, Cancelled.
        """
        return Collection(self._core.open_collection(name, keys, timeout, as_function(progress)),
                          self)

    def open_or_create(self, name: Name, dimension: int, metric: str = "cosine", *,
                       scalar: str = "f32", codes: str = "exact", vectors: str = "memory",
                       M: int = 16, ef_construction: int = 200, ef: int = 64,
                       flat_below: int = 1024, seed: int = 0x5EED, keys: str = "int",
                       timeout: Optional[float] = None, progress: Progress = None) -> Collection:
        """Opens the collection, or makes it when it is not there.

        Errors: Incompatible names the first option in which it differs from those given.
        """
        return Collection(self._core.open_or_create(name, _options(locals()), keys, timeout,
                                                    as_function(progress)), self)

    def clone(self, source: Name, target: Name, *, keys: Optional[str] = None,
              timeout: Optional[float] = None, progress: Progress = None) -> Collection:
        """Makes another collection with what ``source`` has now. Errors: NotFound, AlreadyExists."""
        return Collection(self._core.clone(source, target, keys, timeout, as_function(progress)),
                          self)

    def drop(self, name: Name) -> None:
        """Removes a collection with all that is in it. Errors: NotFound."""
        self._core.drop(name)

    def rename(self, source: Name, target: Name) -> None:
        """Gives a collection another name; open handles go on working.

        Errors: NotFound, AlreadyExists.
        """
        self._core.rename(source, target)

    def list(self) -> List[str]:
        """The names of the collections, in order."""
        return self._core.list()

    def collections(self) -> List[CollectionInfo]:
        """Names, sizes and options of the collections; none is opened for it."""
        return [CollectionInfo(**info) for info in self._core.collections()]

    def search(self, collections: Sequence[Collection], vector: Vectors, k: int = 10, *,
               ef: Optional[int] = None, recall_target: Optional[float] = None,
               filter: Filter = None, max_distance: Optional[float] = None, exact: bool = False,
               budget: Optional[int] = None, timeout: Optional[float] = None,
               progress: Progress = None) -> Matches:
        """The k nearest of several collections together, merged by distance.

        vector is of shape (dimension,); ``matches.collections`` says which collection each hit is
        of, by its place in the list. Errors: Incompatible when they differ in dimension, metric,
        scalar or kind of key.
        """
        cores = [collection._core for collection in collections]
        return self._core.search(cores, vector, k, ef, recall_target, filter, max_distance, exact,
                                 budget, timeout, as_function(progress))

    def sync(self) -> None:
        """Makes everything that has returned survive power loss, whatever the durability."""
        self._core.sync()

    def checkpoint(self, *, timeout: Optional[float] = None, progress: Progress = None) -> None:
        """Saves an image of every open collection that changed. Counts collections."""
        self._core.checkpoint(timeout, as_function(progress))

    def backup(self, folder: Path, *, timeout: Optional[float] = None,
               progress: Progress = None) -> None:
        """Writes a consistent copy into a new folder, while writers go on. Counts bytes.

        Errors: AlreadyExists when the folder is not empty; StorageFull, IoError, Cancelled.
        """
        self._core.backup(folder, timeout, as_function(progress))

    def compact(self, *, timeout: Optional[float] = None, progress: Progress = None) -> None:
        """Gives free pages back to the file system. Counts bytes.

        Errors: Busy while another process has the database open, or a snapshot is held.
        """
        self._core.compact(timeout, as_function(progress))

    def stats(self) -> DatabaseStats:
        """How large the store is, and who reads it. Errors: Closed."""
        return DatabaseStats(**self._core.stats())

    def close(self) -> None:
        """Saves images of what changed, syncs and lets go. A second close is nothing.

        Every handle of it raises Closed from then on.
        """
        self._core.close()

    def __getitem__(self, name: Name) -> Collection:
        return self.open(name)

    def __delitem__(self, name: Name) -> None:
        self._core.drop(name)

    def __contains__(self, name: Name) -> bool:
        return (os.fsdecode(name) if isinstance(name, bytes) else name) in self._core.list()

    def __iter__(self) -> Iterator[str]:
        return iter(self._core.list())

    def __len__(self) -> int:
        return len(self._core.list())

    def __bool__(self) -> bool:
        return True  # an empty one is there all the same

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "" if self._core.is_open else ", closed"
        return f"<skerry.Database {self._path!r}{closed}>"


_OPTIONS = ("dimension", "metric", "scalar", "codes", "vectors", "M", "ef_construction", "ef",
            "flat_below", "seed")


def _options(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: arguments[name] for name in _OPTIONS}


def open(path: Path, *, create: bool = True, read_only: bool = False, durability: str = "commit",
         sync_interval_ms: int = 100, map_bytes: int = 1 << 30, max_readers: int = 1024,
         threads: int = 0, use_images: bool = True, warm_collections: int = 256,
         distance: Optional[Callable[[Any, Any], float]] = None) -> Database:
    """Opens the database in a folder, and makes it when it is not there.

    create            False: a missing folder is NotFound
    read_only         nothing is written; a folder that cannot be written may be read so
    durability        "commit": a returned write survives power loss; "interval": that may take the
                      last sync_interval_ms; "none": everything since sync(). All survive kill -9
    map_bytes         address space that the store starts with; it grows by itself
    max_readers       transactions that may read at once
    threads           for rebuilding; 0: one a core
    use_images        False: indexes are rebuilt at every open
    warm_collections  small collections whose index stays in memory
    distance          of collections with metric "custom", as of Index; a Python function needs
                      scalar "f32"

    Errors: NotFound, Busy (it is open in this process), Corruption, Incompatible (no Skerry
    database), IoError, StorageFull.
    """
    words = dict(create_if_missing=create, read_only=read_only, durability=durability,
                 sync_interval_ms=sync_interval_ms, map_bytes=map_bytes, max_readers=max_readers,
                 threads=threads, use_images=use_images, warm_collections=warm_collections)
    return Database(_skerry.Database.open(path, words, distance), os.fsdecode(path))


def repair(path: Path, destination: Optional[Path] = None, *, timeout: Optional[float] = None,
           progress: Progress = None) -> RepairReport:
    """Makes a database anew of what can still be read of a damaged one, and tells what was lost.

    destination is a new folder; without one the repaired store takes the place of the damaged one,
    which is kept beside it. Counts pages. Errors: NotFound, Busy, Corruption, AlreadyExists.
    """
    return repair_report(_skerry.repair(path, destination, timeout, as_function(progress)))


@atexit.register
def _close_all() -> None:
    # Its threads must have ended before the interpreter does: they may ask a distance of Python's.
    for database in list(_open):
        try:
            database.close()
        except Error:
            pass  # after a fork it is the parent's; and what is durable is durable
