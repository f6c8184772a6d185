"""skerry.compat: the Python interfaces of hnswlib and usearch, over Skerry.

    from skerry.compat import hnswlib
    from skerry.compat import usearch

With this folder first on the path, ``import hnswlib`` and ``import usearch`` find these instead.
docs/python.md says what is different.
"""
