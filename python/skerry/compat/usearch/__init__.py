"""skerry.compat.usearch: usearch's Python interface over Skerry.

    from skerry.compat.usearch.index import Index, MetricKind

What is different stands in docs/python.md.
"""
import skerry

from .index import (DEFAULT_CONNECTIVITY, DEFAULT_EXPANSION_ADD, DEFAULT_EXPANSION_SEARCH,
                    BatchMatches, Index, Match, Matches, MetricKind, ScalarKind)

__version__ = skerry.__version__

__all__ = ["DEFAULT_CONNECTIVITY", "DEFAULT_EXPANSION_ADD", "DEFAULT_EXPANSION_SEARCH",
           "BatchMatches", "Index", "Match", "Matches", "MetricKind", "ScalarKind"]
