"""test_demo.py - the demo keeps its promises, and says so in one line."""
import os
import unittest

from cli_case import *

FIELDS = ["vectors", "durable_inserts_per_s", "recall_at_10", "qps", "p99_us",
          "allocations_per_search", "bytes_per_vector", "reopen_ms", "verify"]


# Under a sanitizer the whole sets would take minutes.
SMALL = ["--rows", 2000, "--queries", 60] if os.environ.get("SKERRY_SANITIZED") else []


def of_sets(total):
    """What is left of `total` vectors when a tenth was removed, or of what SMALL takes of them."""
    counts = [min(count, SMALL[1]) if SMALL else count for count in total]
    return sum(count - (count + 6) // 10 for count in counts)


class Demo(CliCase):
    def test_one_line_of_json(self):
        answers = self.run_json("demo", *SMALL, "--keep", self.path("kept"))
        self.assertEqual(len(answers), 1)
        answer = answers[0]
        self.assertEqual(list(answer), FIELDS)
        self.assertEqual(answer["vectors"], of_sets([2583, 9500, 5000]))
        self.assertGreaterEqual(answer["recall_at_10"], 0.98)
        self.assertIn(answer["allocations_per_search"], (0, None))
        self.assertEqual(answer["verify"], "clean")
        for name in ("durable_inserts_per_s", "qps", "p99_us", "bytes_per_vector", "reopen_ms"):
            self.assertGreater(answer[name], 0)
        # What it left is a database like any other.
        self.db = self.path("kept")
        self.assertEqual(self.size("glove6b-100-cos"), of_sets([9500]))
        self.run_skerry("demo", "--keep", self.db, expect=USAGE)

    def test_a_broken_promise_is_7_and_still_one_line(self):
        answers = self.run_json("demo", *SMALL, "--ef", 1, "--codes", "exact", expect=PROMISE)
        self.assertEqual(len(answers), 1)
        self.assertLess(answers[0]["recall_at_10"], 0.98)
        self.assertIn("promised", self.err)

    def test_without_its_data_it_says_so(self):
        self.run_skerry("demo", "--data", self.path("nowhere"), expect=NOT_FOUND)
        self.assertIn("capdocs-minilm-384-cos.base.fbin", self.err)


if __name__ == "__main__":
    unittest.main()
