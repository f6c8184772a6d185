"""_reports.py - what the library tells of itself, as dataclasses.

Every number and its meaning are those of the C++ headers of the same names.
"""
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Union

Key = Union[int, str, bytes]


class _Report:
    """What all reports can do."""

    def to_dict(self) -> dict[str, Any]:
        """The same as a dict, also of what is inside."""
        return asdict(self)


@dataclass(frozen=True)
class IndexStats(_Report):
    """How full, how large, how deep. Bytes are of committed memory."""

    live: int  #: keys
    tombstones: int  #: slots of removed vectors that are not reusable yet
    free_slots: int
    vector_bytes: int
    vector_disk_bytes: int  #: of them, in files that the kernel keeps in memory while it has room
    code_bytes: int
    codes: str  #: that searches walk over
    link_bytes: int
    other_bytes: int
    levels: int  #: of the graph; 0: no graph
    has_graph: bool  #: False: searches scan and are exact
    backlog: int  #: slots whose links are still to be made or taken away
    sequence: int  #: of the last write that is visible


@dataclass(frozen=True)
class CheckReport(_Report):
    """What ``check`` walked."""

    live: int
    tombstones: int
    links: int  #: directed, all levels
    unreachable: int  #: live nodes that no walk from the entry point meets
    levels: int


@dataclass(frozen=True)
class GraphShape(_Report):
    """The graph in counts, of its live nodes. Without a graph nodes is 0 and the lists are empty."""

    nodes: int  #: live vectors whose links are made
    levels: list[int]  #: [l]: nodes of which l is the highest level
    out_degrees: list[int]  #: [d]: nodes with d links of their own on level 0
    in_degrees: list[int]  #: [d]: nodes that d live nodes link to on level 0


@dataclass(frozen=True)
class CollectionStats(_Report):
    """An index, and how it stands to its store."""

    index: IndexStats
    opened: str  #: created, image, rebuilt_absent, rebuilt_stale or rebuilt_damaged
    image: str  #: why no image was used at open; "ok": one was, or none was needed
    replayed: int  #: changes taken from the log at open
    mended_blocks: int
    log_entries: int  #: changes since the last image
    image_bytes: int
    payload_count: int


@dataclass(frozen=True)
class CollectionInfo(_Report):
    """What ``Database.collections`` says of a collection without opening it."""

    name: str
    size: int  #: keys
    payload_count: int
    options: dict[str, Any]


@dataclass(frozen=True)
class VerifyReport(_Report):
    """What ``verify`` compared. Disagreement is raised as Corruption instead."""

    index: CheckReport
    vectors_compared: int
    payloads: int
    samples: int
    samples_lost: int  #: that brute force found by themselves and a search did not
    recall_at_10: float


@dataclass(frozen=True)
class DatabaseStats(_Report):
    """How large the store is, and who reads it."""

    collections: int
    map_bytes: int
    store_used_bytes: int
    store_disk_bytes: int
    store_file_bytes: int
    image_disk_bytes: int
    commits: int
    grown: int
    sequence: int
    readers: int
    max_readers: int
    stale_readers: int
    oldest_reader: int
    snapshots: int
    oldest_snapshot: float


@dataclass(frozen=True)
class CollectionRepair(_Report):
    """What a repair kept, made again and lost of a collection."""

    name: str
    number: int
    is_kept: bool
    has_options_of_image: bool
    is_recounted: bool
    rows: int
    rows_mended: int
    rows_from_image: int
    places_rebuilt: int
    rows_lost: int
    is_rows_lost_exact: bool
    keys_lost: list[Key]
    ranges_lost: list[tuple[int, int]]
    payloads: int
    payloads_lost: int
    is_payloads_lost_exact: bool
    payload_keys_lost: list[Key]
    payload_ranges_lost: list[tuple[int, int]]
    is_image_discarded: bool


@dataclass(frozen=True)
class RepairReport(_Report):
    """What ``skerry.repair`` found."""

    is_whole: bool
    has_losses: bool
    may_lack_last_commit: bool
    may_mix_moments: bool
    may_lack_collections: bool
    has_new_identity: bool
    pages: int
    pages_damaged: int
    pages_found: int
    set_aside: str  #: where the damaged store is now
    collections: list[CollectionRepair] = field(default_factory=list)


class Hop(NamedTuple):
    """A node whose neighbours a walk looked at."""

    key: Key
    distance: float  #: to the query, on the codes
    level: int
    is_live: bool


@dataclass(frozen=True)
class Explanation:
    """Why a search returned a key, or why not. The numbers are those of ``skerry/explain.h``."""

    fate: str  #: absent, filtered, returned, beyond_max_distance, beyond_k, lost_in_rerank,
    #: dropped_from_pool, budget, deadline or never_met
    way: str  #: scan, look_up, walk, gated_walk or probe
    fallback: str
    matches: Any  #: what the search returned: Matches
    steps: list[Hop]  #: the first hops of its walk
    cost: dict[str, Any]
    share: float  #: of the live keys that pass the filter, as it was known or estimated
    walk_cost_ns: float
    scan_cost_ns: float
    ef: int
    stretch: float
    bar_at_end: float
    is_live: bool
    passes: bool
    distance: float  #: exact, of a live key
    rank: int  #: the true one, 1 the nearest; 0: none
    passing: int
    place: int  #: among the hits, 1 the nearest; 0: it was not returned
    was_met: bool
    was_reranked: bool
    met_at_hop: int
    code_distance: float
    bar_when_met: float
    in_links: int
    in_links_met: int
    in_links_asked: int


def explanation(words: dict[str, Any]) -> Explanation:
    """An Explanation of the library's dict."""
    words["steps"] = [Hop(*step) for step in words["steps"]]
    return Explanation(**words)


def collection_stats(words: dict[str, Any]) -> CollectionStats:
    """CollectionStats of the library's dict."""
    words["index"] = IndexStats(**words["index"])
    return CollectionStats(**words)


def verify_report(words: dict[str, Any]) -> VerifyReport:
    """A VerifyReport of the library's dict."""
    words["index"] = CheckReport(**words["index"])
    return VerifyReport(**words)


def repair_report(words: dict[str, Any]) -> RepairReport:
    """A RepairReport of the library's dict."""
    words["collections"] = [CollectionRepair(**item) for item in words["collections"]]
    return RepairReport(**words)
