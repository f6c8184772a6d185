"""io.py - matrices in files: two int32, rows and columns, and then the numbers.

The type is in the name: ``.fbin`` float32, ``.dbin`` float64, ``.hbin`` float16, ``.ibin`` int32,
``.bbin`` uint8.
"""
from __future__ import annotations

import os
from typing import Any

import numpy as np

_TYPES = {".fbin": np.float32, ".dbin": np.float64, ".hbin": np.float16, ".ibin": np.int32,
          ".bbin": np.uint8}


def _type_of(path: str) -> Any:
    ending = os.path.splitext(path)[1]
    if ending not in _TYPES:
        raise ValueError(f"{path}: expected a name that ends with one of {', '.join(_TYPES)}")
    return _TYPES[ending]


def load_matrix(path: str, start_row: int = 0, count_rows: Any = None, view: bool = False) -> Any:
    """Rows of a file; with view they are mapped and not read."""
    dtype = _type_of(path)
    rows, columns = np.fromfile(path, np.int32, 2).tolist()
    matrix = np.memmap(path, dtype, "r", offset=8, shape=(rows, columns))
    chosen = matrix[start_row:None if count_rows is None else start_row + count_rows]
    return chosen if view else np.array(chosen)


def save_matrix(vectors: Any, path: str) -> None:
    """Writes a matrix in the type that the name says."""
    dtype = _type_of(path)
    with open(path, "wb") as file:
        np.array(vectors.shape, np.int32).tofile(file)
        np.ascontiguousarray(vectors, dtype).tofile(file)
