"""test_bench_calls.py - bench/calls measures the same searches from Python and from C++."""
import json
import os
import subprocess
import sys
import unittest

import numpy as np

import skerry
from support import Case

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.join(HERE, "..", "..", "bench", "calls", "calls.py")
PROGRAM = os.path.join(os.environ["SKERRY_BUILD_DIR"], "bench", "calls", "skerry_calls")


def run(*words):
    return subprocess.run([sys.executable, "-B", SCRIPT, *words], capture_output=True, text=True,
                          check=False)


@unittest.skipUnless(os.path.exists(PROGRAM), "built without bench/")
class BenchCalls(Case):
    def fbin(self, name, rows):
        with open(self.path(name), "wb") as file:
            np.array(rows.shape, np.uint32).tofile(file)
            rows.tofile(file)
        return self.path(name)

    def lines(self, *words):
        done = run(PROGRAM, *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_each_way_of_calling_has_a_line_with_its_recall(self):
        base, queries = self.vectors(1500, 12), self.vectors(40, 12)
        lines = self.lines(self.fbin("small.base.fbin", base), self.fbin("small.query", queries),
                           "--metric", "l2", "--ef", "10", "200", "--threads", "1", "2",
                           "--runs", "2")
        ours = [line for line in lines if line["impl"].startswith("skerry")]
        self.assertEqual(len(ours), 2 * 3 * (1 + 2))  # from Python and C++; calls; efs
        for line in ours:
            self.assertGreater(line["us"], 0, line)
            self.assertEqual(line["codes"], "rot4")
            self.assertEqual((line["n"], line["d"]),
                             (1, 16) if line["data"] == "one vector" else (1500, 12))
            if line["ef"] == 200 or line["data"] == "one vector":
                self.assertGreater(line["recall"], 0.97, line)
            if line["impl"] == "skerry, from C++":
                self.assertEqual((line["speed_of_cpp"], line["us_beside_cpp"]), (1, 0))

    def test_what_is_wrong_is_said(self):
        done = run(PROGRAM, "only_a_base.fbin")
        self.assertEqual(done.returncode, 2)
        self.assertIn("a base needs queries", done.stderr)
        done = subprocess.run([PROGRAM, self.path("none"), self.path("none")], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(self.path("none"), done.stderr)

    def test_another_answer_from_cpp_or_none_ends_it(self):
        files = [self.fbin("base", self.vectors(20, 4)), self.fbin("query", self.vectors(2, 4))]
        for body, message in (("import sys\nfor line in sys.stdin: print('1.5', 7, flush=True)",
                               "from C++ 7 is found, from Python 0"),
                              ("", "the program beside this one has ended")):
            with open(self.path("other"), "w", encoding="utf-8") as file:
                file.write(f"#!{sys.executable}\n{body}\n")
            os.chmod(self.path("other"), 0o755)
            done = run(self.path("other"), *files, "--runs", "1")
            self.assertEqual(done.returncode, 1)
            self.assertIn(message, done.stderr)

    def test_the_program_refuses_what_it_does_not_know(self):
        index = skerry.Index(4, "l2")
        index.add(1, np.ones(4, np.float32))
        index.save(self.path("image"))
        done = subprocess.run([PROGRAM, self.path("image"), self.path("none")], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(self.path("none") + ": no query in it", done.stderr)
        np.ones(4, np.float32).tofile(self.path("rows"))
        for words in ("triple 1 10", "batch", "single 0 10"):
            done = subprocess.run([PROGRAM, self.path("image"), self.path("rows")], input=words,
                                  capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1, words)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
