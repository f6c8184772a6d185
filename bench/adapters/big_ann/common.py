"""common.py - what Skerry's entries in two tracks of big-ann-benchmarks have in common.

Beside skerry_streaming.py and skerry_filter.py, in neurips23/streaming/skerry/ and
neurips23/filter/skerry/.
"""
import numpy as np

METRICS = {"euclidean": "l2", "ip": "ip", "angular": "cosine"}
SCALARS = {"float32": "f32", "uint8": "u8", "int8": "i8"}


def metric_of(name):
    if name not in METRICS:
        raise ValueError(f"metric {name!r}: expected one of {', '.join(METRICS)}")
    return METRICS[name]


def scalar_of(dtype):
    name = np.dtype(dtype).name
    if name not in SCALARS:
        raise ValueError(f"dtype {name!r}: expected one of {', '.join(SCALARS)}")
    return SCALARS[name]


def search_words(query_args):
    """What set_query_arguments was given, as words of search()."""
    known = {"ef", "recall_target", "threads"}
    unknown = set(query_args) - known
    if unknown:
        raise ValueError(f"query argument {sorted(unknown)[0]!r}: expected one of "
                         f"{', '.join(sorted(known))}")
    return dict(query_args)


def table(found, k):
    """A row of k numbers for each query: those found, and -1 where there were fewer."""
    numbers = found.keys.astype(np.int64)
    numbers[np.arange(k) >= found.counts[:, None]] = -1
    return numbers
