"""calls.py - what a search costs from Python: beside the same search from C++, and beside hnswlib's
own binding.

    PYTHONPATH=build/release/python python3 bench/calls/calls.py build/release/bench/calls/skerry_calls

The same index is searched from Python and, in another process that has loaded its image, from C++;
hnswlib (Debian's python3-hnswlib, or whatever `import hnswlib` finds) has one of its own with the
same M and ef_construction. One query a call, then all of them in one call; in turn, and the medians
of the runs are told. What a call costs beside the search itself is seen with one vector of 16
dimensions. A line of JSON each, as of `skerry bench`.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import skerry

try:
    import hnswlib
except ImportError:
    hnswlib = None


def generated(count, dimension, seed):
    """Rows with 24 intrinsic dimensions, and a little noise beside them."""
    random = np.random.default_rng(seed)
    basis = random.normal(size=(24, dimension))
    rows = random.normal(size=(count, 24)) @ basis
    return (rows + 0.4 * random.normal(size=(count, dimension))).astype(np.float32)


def read(path):
    """A .fbin file: two numbers of 32 bits, rows and dimension, and the rows."""
    rows, dimension = np.fromfile(path, np.uint32, 2)
    return np.fromfile(path, np.float32, rows * dimension, offset=8).reshape(rows, dimension)


class FromPython:
    impl = "skerry"

    def __init__(self, base, options):
        self.index = skerry.Index(base.shape[1], options.metric, codes=options.codes,
                                  M=options.M, ef_construction=options.ef_construction,
                                  flat_below=0)
        self.index.add(np.arange(len(base), dtype=np.uint64), base)
        self.codes = str(self.index.stats().codes)

    def run(self, queries, k, ef, threads):
        if threads:
            return self.index.search(queries, k, ef=ef, threads=threads).keys
        search = self.index.search
        return [search(query, k, ef=ef).keys for query in queries]


class FromCpp:
    impl = "skerry, from C++"

    def __init__(self, program, other, queries, folder):
        self.codes = other.codes
        image, rows = os.path.join(folder, "image"), os.path.join(folder, "queries")
        other.index.save(image)
        np.ascontiguousarray(queries).tofile(rows)
        self.process = subprocess.Popen([program, image, rows], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, k, ef, threads):
        """Microseconds a query, and the sum of all keys found."""
        words = f"batch {k} {ef} {threads}" if threads else f"single {k} {ef}"
        print(words, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline().split()
        if len(answer) != 2:
            sys.exit("calls.py: the program beside this one has ended")
        return float(answer[0]), int(answer[1])


class Hnswlib:
    impl, codes = "hnswlib", "exact"

    def __init__(self, base, options):
        self.index = hnswlib.Index(options.metric, base.shape[1])  # the same words
        self.index.init_index(len(base), M=options.M, ef_construction=options.ef_construction)
        self.index.add_items(base, np.arange(len(base)))

    def run(self, queries, k, ef, threads):
        self.index.set_ef(ef)
        if threads:
            return self.index.knn_query(queries, k, num_threads=threads)[0]
        search = self.index.knn_query
        return [search(query, k, num_threads=1)[0][0] for query in queries]


def measure(name, base, queries, options, efs, program, folder):
    """The lines of one data set: each library, call and ef."""
    python = FromPython(base, options)
    cpp = FromCpp(program, python, queries, folder)
    rivals = [python] + ([Hnswlib(base, options)] if hnswlib else [])
    k = min(options.k, len(base))
    truth = python.index.search(queries, k, exact=True).keys
    calls = [("single", 0)] + [("batch", threads) for threads in options.threads]
    for ef in efs:
        for call, threads in calls:
            times = {rival.impl: [] for rival in (*rivals, cpp)}
            recall = {}
            for _ in range(options.runs):
                for rival in rivals:
                    began = time.perf_counter()
                    found = rival.run(queries, k, ef, threads)
                    times[rival.impl].append((time.perf_counter() - began) / len(queries) * 1e6)
                    if rival.impl not in recall:
                        recall[rival.impl] = np.mean(
                            [len(set(a) & set(b)) / k for a, b in zip(truth, found)])
                    if rival is python:
                        keys = int(sum(int(np.sum(row, dtype=np.uint64)) for row in found))
                us, sum_of_keys = cpp.ask(k, ef, threads)
                times[cpp.impl].append(us)
                if sum_of_keys != keys:
                    sys.exit(f"calls.py: from C++ {sum_of_keys} is found, from Python {keys}")
            recall[cpp.impl] = recall[python.impl]
            medians = {impl: statistics.median(all_of) for impl, all_of in times.items()}
            for rival in (*rivals, cpp):
                us = medians[rival.impl]
                yield {"bench": "calls", "impl": rival.impl, "codes": rival.codes, "data": name,
                       "n": len(base), "d": base.shape[1], "metric": options.metric,
                       "M": options.M, "ef_construction": options.ef_construction,
                       "version": skerry.__version__, "call": call, "queries": len(queries),
                       "threads": threads or 1, "k": k, "ef": ef,
                       "recall": round(float(recall[rival.impl]), 4), "us": round(us, 3),
                       "qps": round(1e6 / us, 1),
                       "speed_of_cpp": round(medians[cpp.impl] / us, 3),
                       "us_beside_cpp": round(us - medians[cpp.impl], 3), "runs": options.runs}
    cpp.process.stdin.close()
    cpp.process.wait()


def main():
    words = argparse.ArgumentParser(description=__doc__,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("program", help="skerry_calls, of the build")
    words.add_argument("base", nargs="?", help=".fbin; without it a set is generated")
    words.add_argument("queries", nargs="?", help=".fbin")
    words.add_argument("-n", type=int, default=100_000, help="rows, when generated")
    words.add_argument("-d", type=int, default=384, help="dimension, when generated")
    words.add_argument("--metric", default="cosine", choices=("cosine", "l2", "ip"))
    words.add_argument("--codes", default="rot4")
    words.add_argument("--M", type=int, default=16)
    words.add_argument("--ef-construction", type=int, default=200)
    words.add_argument("--ef", type=int, nargs="+", default=[32, 64])
    words.add_argument("-k", type=int, default=10)
    words.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1],
                       help="of a batch")
    words.add_argument("--runs", type=int, default=5)
    options = words.parse_args()
    if (options.base is None) != (options.queries is None):
        words.error("a base needs queries")

    if options.base is None:
        rows = generated(options.n + 1000, options.d, 1)
        name, base, queries = f"generated-{options.d}", rows[:options.n], rows[options.n:]
    else:
        name = os.path.basename(options.base).split(".")[0]
        base, queries = read(options.base), read(options.queries)
    if hnswlib is None:
        print(json.dumps({"bench": "calls", "impl": "hnswlib",
                          "missing": "install python3-hnswlib"}), flush=True)
    one = generated(1001, 16, 2)
    sets = [("one vector", one[:1], one[1:], [10]), (name, base, queries, options.ef)]
    for set_name, rows, asked, efs in sets:
        with tempfile.TemporaryDirectory() as folder:
            for line in measure(set_name, rows, asked, options, efs, options.program, folder):
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
