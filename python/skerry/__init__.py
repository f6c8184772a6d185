"""Skerry: an embeddable, durable, updatable vector index.

    index = skerry.Index(384)                       in memory
    db = skerry.open("vectors.skerry")              in a folder
    docs = db.open_or_create("docs", 384)

Vectors are numpy arrays, or whatever numpy makes arrays of, and Arrow arrays of FixedSizeList. What
each call promises is the same as in C++: docs/python.md.
"""
from ._collection import Collection, Snapshot
from ._database import Database, open, repair
from ._errors import (AlreadyExists, Busy, Cancelled, Closed, Corruption, Error, Incompatible,
                      InvalidArgument, IoError, NotFound, OutOfMemory, ReadOnly, StorageFull)
from ._filters import Except
from ._index import Index
from ._reports import (CheckReport, CollectionInfo, CollectionRepair, CollectionStats,
                       DatabaseStats, Explanation, GraphShape, Hop, IndexStats, RepairReport,
                       VerifyReport)
from ._skerry import Matches, target, version

__version__ = version()

__all__ = [
    "AlreadyExists", "Busy", "Cancelled", "CheckReport", "Closed", "Collection", "CollectionInfo",
    "CollectionRepair", "CollectionStats", "Corruption", "Database", "DatabaseStats", "Error",
    "Except", "Explanation", "GraphShape", "Hop", "Incompatible", "Index", "IndexStats",
    "InvalidArgument", "IoError", "Matches", "NotFound", "OutOfMemory", "ReadOnly", "RepairReport",
    "Snapshot", "StorageFull", "VerifyReport", "__version__", "open", "repair", "target", "version",
]
