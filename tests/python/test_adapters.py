"""Entries in public benchmarks, each against a small stand-in for the harness: it has the modules
that the entry imports, and asks what the harness asks, in its order."""
import enum
import importlib.util
import multiprocessing
import os
import sys
import types
import unittest

import numpy as np

from support import Case, brute

ADAPTERS = os.path.join(os.path.dirname(__file__), "..", "..", "bench", "adapters")


def module(name, **names):
    """A module of the harness with these names in it; the packages above it come with it."""
    parts = name.split(".")
    for i in range(1, len(parts)):
        package = ".".join(parts[:i])
        if package not in sys.modules:
            sys.modules[package] = types.ModuleType(package)
            sys.modules[package].__path__ = []
    made = sys.modules.setdefault(name, types.ModuleType(name))
    made.__dict__.update(names)
    return made


def adapter(name, path):
    """A file of ours under the name that it has in the harness."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(ADAPTERS, path))
    made = importlib.util.module_from_spec(spec)
    module(name)
    sys.modules[name] = made
    spec.loader.exec_module(made)
    return made


class AnnBenchmarks(Case):
    """fit, set_query_arguments, query one by one or batch_query, done."""

    class BaseANN:
        def done(self):
            pass

        def get_batch_results(self):
            return self.res

        def __str__(self):
            return self.name

    def make(self, metric, **build):
        module("ann_benchmarks.algorithms.base.module", BaseANN=self.BaseANN)
        made = adapter("ann_benchmarks.algorithms.skerry.module", "ann_benchmarks/module.py")
        return made.Skerry(metric, build)

    def test_finds_what_brute_force_finds(self):
        base = self.vectors(3000, 16)
        queries = self.vectors(20, 16)
        for metric, rows in (("euclidean", base),
                             ("angular", base / np.linalg.norm(base, axis=1)[:, None])):
            with self.subTest(metric=metric):
                algorithm = self.make(metric, M=16, ef_construction=100, codes="rot4")
                algorithm.fit(base)
                if metric == "angular":
                    asked = queries / np.linalg.norm(queries, axis=1)[:, None]
                else:
                    asked = queries
                truth = [set(brute(rows, query, 10)[0]) for query in asked]
                recalls = []
                for effort in (10, 200, 0.95):
                    algorithm.set_query_arguments(effort)
                    one_by_one = [algorithm.query(query, 10) for query in asked]
                    algorithm.batch_query(asked, 10)
                    for single, of_batch in zip(one_by_one, algorithm.get_batch_results()):
                        self.assertEqual(list(single), list(of_batch))
                    recalls.append(np.mean([len(truth[i] & set(one_by_one[i].tolist())) / 10
                                            for i in range(len(asked))]))
                self.assertGreater(recalls[1], 0.97)
                self.assertGreater(recalls[2], 0.85)
                self.assertIn("recall_target 0.95", str(algorithm))
                self.assertEqual(algorithm.get_additional(), {"codes": "rot4"})
                algorithm.done()

    def test_names_a_metric_that_it_does_not_know(self):
        with self.assertRaisesRegex(ValueError, "hamming.*angular, euclidean"):
            self.make("hamming")

    def test_the_configuration_makes_what_it_names(self):
        import json
        import re
        with open(os.path.join(ADAPTERS, "ann_benchmarks", "config.yml"), encoding="utf-8") as file:
            groups = re.findall(r"arg_groups: \[\{(.*)\}\]", file.read())
        self.assertGreater(len(groups), 2)
        for group in groups:
            words = dict(pair.split(": ") for pair in group.split(", "))
            build = {name: json.loads(value) if value.isdigit() else value
                     for name, value in words.items()}
            algorithm = self.make("euclidean", **build)
            algorithm.fit(self.vectors(50))
            algorithm.set_query_arguments(16)
            self.assertEqual(len(algorithm.query(self.vectors(1)[0], 5)), 5)


class BaseBigAnn:
    def get_results(self):
        return self.res


class Csr:
    """The part of scipy's compressed rows that the filter track's entry uses."""

    def __init__(self, rows, width):
        self.indptr = np.cumsum([0] + [len(row) for row in rows])
        self.indices = np.array([word for row in rows for word in row], dtype=np.int32)
        self._rows, self._width = rows, width

    @property
    def T(self):
        columns = [[] for _ in range(self._width)]
        for number, row in enumerate(self._rows):
            for word in row:
                columns[word].append(number)
        turned = Csr(columns, len(self._rows))
        return turned

    def tocsr(self):
        return self

    def sort_indices(self):
        for begin, end in zip(self.indptr, self.indptr[1:]):
            self.indices[begin:end].sort()


class BigAnnStreaming(Case):
    """setup, then insert, delete and query as a runbook says."""

    def make(self, metric="euclidean", **build):
        module("neurips23.streaming.base", BaseStreamingANN=type(
            "BaseStreamingANN", (BaseBigAnn,), {"track": lambda self: "stream"}))
        adapter("neurips23.streaming.skerry.common", "big_ann/common.py")
        made = adapter("neurips23.streaming.skerry.skerry_streaming",
                       "big_ann/skerry_streaming.py")
        return made.Skerry(metric, build)

    def test_plays_a_runbook(self):
        for dtype, scale in (("float32", 1), ("uint8", 255), ("int8", 127)):
            with self.subTest(dtype=dtype):
                rows = (self.vectors(3000, 12) * scale).astype(dtype)
                queries = (self.vectors(10, 12) * scale).astype(dtype)
                algorithm = self.make(M=16, ef_construction=80)
                algorithm.setup(dtype, len(rows), 12)
                algorithm.set_query_arguments({"ef": 200})
                live = np.zeros(len(rows), dtype=bool)
                recalls = []
                for operation, begin, end in (("insert", 0, 2000), ("search", 0, 0),
                                              ("delete", 500, 1500), ("insert", 2000, 3000),
                                              ("search", 0, 0), ("insert", 500, 600),
                                              ("search", 0, 0)):
                    ids = np.arange(begin, end, dtype=np.uint32)
                    if operation == "insert":
                        algorithm.insert(rows[ids, :], ids)
                        live[ids] = True
                    elif operation == "delete":
                        algorithm.delete(ids)
                        live[ids] = False
                    else:
                        algorithm.query(queries, 10)
                        results = algorithm.get_results()
                        self.assertEqual(results.shape, (10, 10))
                        self.assertTrue(live[results].all())
                        numbers = np.flatnonzero(live)
                        for query, found in zip(queries, results):
                            truth = numbers[brute(rows[live], query.astype(np.float64), 10)[0]]
                            recalls.append(len(set(truth) & set(found)) / 10)
                self.assertGreater(np.mean(recalls), 0.95)
                algorithm.done()

    def test_fewer_than_k_are_followed_by_minus_one(self):
        algorithm = self.make()
        algorithm.setup("float32", 10, 4)
        algorithm.insert(self.vectors(3, 4), np.array([7, 8, 9], dtype=np.uint32))
        algorithm.query(self.vectors(2, 4), 5)
        for row in algorithm.get_results():
            self.assertEqual(set(row[:3]), {7, 8, 9})
            self.assertEqual(list(row[3:]), [-1, -1])

    def test_names_what_it_does_not_know(self):
        with self.assertRaisesRegex(ValueError, "hamming.*euclidean"):
            self.make("hamming")
        with self.assertRaisesRegex(ValueError, "nprobe.*ef"):
            self.make().set_query_arguments({"nprobe": 3})
        with self.assertRaisesRegex(ValueError, "float64.*float32"):
            self.make().setup("float64", 10, 4)


class BigAnnFilter(Case):
    """fit or load_index, set_query_arguments, filtered_query, get_results."""

    class Data:
        d = 8
        dtype = "float32"

        def __init__(self, rows, words):
            self._rows, self._words = rows, words

        def get_dataset(self):
            return self._rows

        def get_dataset_metadata(self):
            return self._words

        def search_type(self):
            return "knn_filtered"

    def test_finds_the_nearest_that_have_all_the_words(self):
        rows = self.vectors(2000)
        words = [sorted(set(self.random.integers(0, 6, 3)) | ({6} if i % 500 == 0 else set()))
                 for i in range(len(rows))]
        data = self.Data(rows, Csr(words, 7))
        module("benchmark.datasets", DATASETS={"random-filter-s": lambda: data})
        module("neurips23.filter.base",
               BaseFilterANN=type("BaseFilterANN", (BaseBigAnn,), {}))
        adapter("neurips23.filter.skerry.common", "big_ann/common.py")
        made = adapter("neurips23.filter.skerry.skerry_filter", "big_ann/skerry_filter.py")
        here = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, here)
        os.mkdir("data")
        built = made.Skerry("euclidean", {"M": 16, "threads": 2})
        self.assertFalse(built.load_index("random-filter-s"))
        built.fit("random-filter-s")
        loaded = made.Skerry("euclidean", {"M": 16, "threads": 2})
        self.assertTrue(loaded.load_index("random-filter-s"))

        queries = self.vectors(12)
        asked = [[0], [0, 1], [6], [2, 6], [1, 3, 5], []] * 2
        for algorithm in (built, loaded):
            algorithm.set_query_arguments({"ef": 100})
            algorithm.filtered_query(queries, Csr(asked, 7), 5)
            for query, wanted, found in zip(queries, asked, algorithm.get_results()):
                passes = [i for i, own in enumerate(words) if set(wanted) <= set(own)]
                truth = np.array(passes)[brute(rows[passes], query, 5)[0]]
                self.assertEqual(sum(found >= 0), min(5, len(passes)), wanted)
                self.assertTrue(set(found[found >= 0]) <= set(passes), wanted)
                self.assertGreaterEqual(len(set(truth) & set(found)), len(truth) - 1, wanted)
            algorithm.query(queries, 3)
            self.assertEqual(algorithm.get_results().shape, (12, 3))


class MetricType(str, enum.Enum):
    L2 = "L2"
    COSINE = "COSINE"
    IP = "IP"
    DP = "DP"
    HAMMING = "HAMMING"


class Model:
    """What a pydantic model is to us: fields with defaults that words set."""

    def __init__(self, **words):
        for name, value in words.items():
            if not hasattr(type(self), name):
                raise ValueError(f"no field {name}")
            setattr(self, name, value)


def search_in_another_process(client, query, sent):
    with client.init():
        sent.put(client.search_embedding(query, 5))


class VectorDBBench(Case):
    """Made once for a case; in each process init() stands around everything else."""

    def make(self, drop_old=False, **words):
        module("pydantic", BaseModel=Model)
        module("vectordb_bench.backend.clients.api", VectorDB=object, MetricType=MetricType,
               DBConfig=type("DBConfig", (Model,), {"db_label": ""}),
               DBCaseConfig=type("DBCaseConfig", (), {}))
        config = adapter("vectordb_bench.backend.clients.skerry.config",
                         "vectordbbench/config.py")
        client = adapter("vectordb_bench.backend.clients.skerry.skerry_client",
                         "vectordbbench/skerry_client.py")
        return client.Skerry(8, config.SkerryConfig(path=self.path("bench")).to_dict(),
                             config.SkerryCaseConfig(**words), drop_old=drop_old)

    def test_inserts_and_searches_in_several_processes(self):
        rows = self.vectors(1500)
        client = self.make(metric_type=MetricType.L2, codes="sq8", drop_old=True)
        self.assertFalse(client.need_normalize_cosine())
        with client.init():
            for begin in range(0, len(rows), 500):
                count, error = client.insert_embeddings(
                    rows[begin:begin + 500].tolist(), list(range(begin, begin + 500)))
                self.assertEqual((count, error), (500, None))
            count, error = client.insert_embeddings([[1.0, 2.0]], [9])
            self.assertEqual(count, 0)
            self.assertRegex(str(error), "dimension")
            client.optimize(len(rows))
        query = rows[77].tolist()
        truth = brute(rows, rows[77], 5)[0].tolist()
        with client.init():
            self.assertEqual(client.search_embedding(query, 5), truth)
            late = client.search_embedding(query, 5, {"metadata": ">=1000", "id": 1000})
            self.assertEqual(len(late), 5)
            self.assertGreaterEqual(min(late), 1000)
        context = multiprocessing.get_context("fork")
        sent = context.Queue()
        others = [context.Process(target=search_in_another_process, args=(client, query, sent))
                  for _ in range(2)]
        for other in others:
            other.start()
        for other in others:
            self.assertEqual(sent.get(timeout=60), truth)
            other.join()

    def test_what_was_there_is_dropped_when_that_is_asked(self):
        client = self.make()
        with client.init():
            client.insert_embeddings(self.vectors(3).tolist(), [1, 2, 3])
        with self.make().init():
            pass
        again = self.make()
        with again.init():
            self.assertEqual(len(again.search_embedding([1.0] * 8, 5)), 3)
        empty = self.make(drop_old=True)
        with empty.init():
            self.assertEqual(empty.search_embedding([1.0] * 8, 5), [])

    def test_names_a_metric_that_it_does_not_know(self):
        with self.assertRaisesRegex(ValueError, "HAMMING.*L2"):
            self.make(metric_type=MetricType.HAMMING)


if __name__ == "__main__":
    unittest.main()
