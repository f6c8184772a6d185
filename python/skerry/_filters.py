"""_filters.py - which keys may be returned?"""
from __future__ import annotations

from typing import Any


class Except:
    """A filter that lets every key pass but those in ``keys``: ``filter=skerry.Except([3, 5])``.

    ``keys`` is whatever a filter of keys may be: an array, a list, a set.
    """

    def __init__(self, keys: Any) -> None:
        self.keys = keys

    def __repr__(self) -> str:
        return f"skerry.Except({self.keys!r})"
