"""skerry_client.py - Skerry as a client of VectorDBBench: backend/clients/skerry/skerry_client.py.

The database is a folder that any number of processes open, so what the bench copies into its
processes is only the path. A write that has returned is on the disk.
"""
from contextlib import contextmanager

import numpy as np

import skerry
from vectordb_bench.backend.clients.api import VectorDB

EVERYBODY = 2**63  # no id of the bench is as large


class Skerry(VectorDB):
    """One collection of one database."""

    def __init__(self, dim, db_config, db_case_config, collection_name="vdbbench", drop_old=False,
                 **kwargs):
        self.name = "Skerry"
        self._path = db_config["path"]
        self._collection_name = collection_name
        self._build = db_case_config.index_param()
        self._search = db_case_config.search_param()
        self._dim = dim
        self._collection = None
        with skerry.open(self._path) as database:
            if drop_old and collection_name in database:
                database.drop(collection_name)
            database.open_or_create(collection_name, dim, **self._build)

    @contextmanager
    def init(self):
        with skerry.open(self._path) as database:
            self._database = database
            self._collection = database[self._collection_name]
            try:
                yield
            finally:
                self._collection = self._database = None

    def need_normalize_cosine(self):
        return False

    def insert_embeddings(self, embeddings, metadata, **kwargs):
        try:
            self._collection.upsert(np.asarray(metadata, dtype=np.uint64),
                                    np.asarray(embeddings, dtype=np.float32))
        except skerry.Error as error:
            return 0, error
        return len(metadata), None

    def search_embedding(self, query, k=100, filters=None, timeout=None, **kwargs):
        filter = range(filters["id"], EVERYBODY) if filters else None
        return self._collection.search(query, k, filter=filter, **self._search).keys.tolist()

    def optimize(self, data_size=None):
        self._database.checkpoint()
