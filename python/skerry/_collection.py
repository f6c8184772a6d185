"""_collection.py - a durable collection of vectors, and how it was at one moment."""
from __future__ import annotations

from typing import Any, Optional, Sequence, Union

from ._progress import as_function
from ._reports import CollectionStats, VerifyReport, collection_stats, verify_report
from ._subject import Key, Keys, Progress, Reading, Vectors, Writing

#: Bytes, or anything that lends its memory; None: no payload.
Payload = Optional[Union[bytes, bytearray, memoryview]]


class _Payloads:
    """Reading payloads."""

    _core: Any

    def payload(self, key: Key) -> Optional[bytes]:
        """The payload of a key; None when it has none. Errors: NotFound names the key; Closed."""
        return self._core.payload(key)

    def payloads(self, keys: Sequence[Key]) -> list[Optional[bytes]]:
        """The payloads of many keys, such as ``matches.keys`` of one query."""
        return [self._core.payload(key) for key in keys]


class Collection(_Payloads, Writing):
    """A collection of a Database: what Index does, and it is still there tomorrow.

    A write that has returned survives as the database's durability says; one that failed left
    nothing behind. Searches never wait for writers. Errors beside those of Index: StorageFull,
    IoError, ReadOnly, Closed (also when it was dropped), Corruption.

    Keys are whole numbers, or names: with keys="str" they are handed out as text (UTF-8; other
    bytes become surrogates, as in os.fsdecode), with keys="bytes" as bytes; str and bytes may come
    in either way.
    """

    def __init__(self, core: Any, database: Any) -> None:
        self._core = core
        self._database = database  # open as long as somebody has a collection of it

    @property
    def name(self) -> str:
        """The name that it was opened by."""
        return self._core.name

    def add(self, keys: Keys, vectors: Vectors,
            payloads: Union[Payload, Sequence[Payload]] = None, *, threads: int = 0,
            timeout: Optional[float] = None, progress: Progress = None) -> None:
        """Adds one key with its vector and payload, or n keys with n rows, in one commit.

        keys      one key or n of them, of the collection's kind
        vectors   shape (dimension,) or (n, dimension); what is copied is said in ``search``
        payloads  bytes for one key, n of them or None for many; at most 2**32 - 5 bytes each
        threads   to link a batch with; 0: one a core
        timeout   seconds after which the batch is Cancelled, unless it is committed by then
        progress  called with (rows done, rows in all); False stops

        All or nothing. Errors: AlreadyExists when a key is present; InvalidArgument names the row.
        """
        self._core.insert(keys, vectors, payloads, threads, timeout, as_function(progress))

    def upsert(self, keys: Keys, vectors: Vectors,
               payloads: Union[Payload, Sequence[Payload]] = None, *, threads: int = 0,
               timeout: Optional[float] = None, progress: Progress = None) -> None:
        """As ``add``, and replaces vector and payload of keys that are present, in one step.

        A key that is given no payload has none afterwards.
        """
        self._core.upsert(keys, vectors, payloads, threads, timeout, as_function(progress))

    def snapshot(self) -> Snapshot:
        """The collection as it is now, for as long as the snapshot is held.

        Errors: Busy when as many as max_readers read the store already.
        """
        return Snapshot(self._core.snapshot(), self._database)

    def save_image(self, *, timeout: Optional[float] = None, progress: Progress = None) -> None:
        """Saves an image of the index now, so that the next open is quick. Counts bytes."""
        self._core.save_image(timeout, as_function(progress))

    def verify(self, level: str = "full", *, samples: int = 200, seed: int = 0,
               timeout: Optional[float] = None, progress: Progress = None) -> VerifyReport:
        """Do store and index say the same? level is "quick", "full" or "recall".

        "recall" asks for ``samples`` stored vectors, by a search and by brute force. Errors:
        Corruption names what disagrees.
        """
        return verify_report(self._core.verify(level, samples, seed, timeout,
                                               as_function(progress)))

    def stats(self) -> CollectionStats:
        """How full, how large, how it was opened. Errors: Closed."""
        return collection_stats(self._core.stats())

    def __repr__(self) -> str:
        if not self._core.is_open:
            return "<skerry.Collection, closed>"
        return f"<skerry.Collection {self.name!r}>"


class Snapshot(_Payloads, Reading):
    """A collection as it was at one moment: ``with docs.snapshot() as then: ...``

    It reads the store and not the index: a search scans, and is exact. What is replaced while it is
    held makes the store grow, so hold it for an export, not for a day.
    """

    def __init__(self, core: Any, database: Any) -> None:
        self._core = core
        self._database = database

    @property
    def sequence(self) -> int:
        """Of the collection's last change in it."""
        return self._core.sequence

    @property
    def age(self) -> float:
        """Seconds since it was taken."""
        return self._core.age

    def __repr__(self) -> str:
        if not self._core.is_open:
            return "<skerry.Snapshot, closed>"
        return f"<skerry.Snapshot of {len(self)} vectors>"
