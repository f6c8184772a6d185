#!/usr/bin/env python3
"""make_subset.py - how were the fashion-mnist files here cut, and where does their truth come from?

  make_subset.py BASE.u8bin QUERY.fbin OUT ROWS QUERIES K

Takes the first ROWS rows and the first QUERIES queries of a larger set and writes OUT.base.u8bin,
OUT.query.fbin and OUT.gt.ibin. The truth is exact: components are whole numbers below 256, so
squared distances are whole numbers that a 64-bit integer holds. Ties go to the smaller row.
"""
import sys

import numpy as np


def read(path, dtype, limit):
    count, dimension = (int(x) for x in np.fromfile(path, "<u4", 2))
    if limit > count:
        sys.exit(f"{path}: {limit} rows asked for, {count} there")
    return np.fromfile(path, dtype, limit * dimension, offset=8).reshape(limit, dimension)


def write(path, *arrays):
    with open(path, "wb") as out:
        np.array(arrays[0].shape, "<u4").tofile(out)
        for array in arrays:
            array.tofile(out)


def main():
    base_path, query_path, out, rows, queries, k = sys.argv[1:]
    rows, queries, k = int(rows), int(queries), int(k)
    base = read(base_path, "u1", rows)
    query = read(query_path, "<f4", queries)
    if not np.array_equal(query, np.rint(query)):
        sys.exit(f"{query_path}: a component is not a whole number")
    b, q = base.astype(np.int64), query.astype(np.int64)
    distance = (q * q).sum(1)[:, None] + (b * b).sum(1)[None, :] - 2 * (q @ b.T)
    ids = np.argsort(distance, axis=1, kind="stable")[:, :k]
    write(f"{out}.base.u8bin", base)
    write(f"{out}.query.fbin", query)
    write(f"{out}.gt.ibin", ids.astype("<i4"),
          np.take_along_axis(distance, ids, axis=1).astype("<f4"))


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    main()
