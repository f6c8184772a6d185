"""test_report.py - `skerry report`: a page that is whole, of the numbers that are there, whatever names say."""
import base64
import pty
import re
import select
import signal
import unittest
from xml.etree import ElementTree

from cli_case import *

SECTIONS = ["counts", "sizes", "graph", "recall", "map", "slowest"]
SVG = "{http://www.w3.org/2000/svg}"


class Page:
    """A page as its elements. It is written as XML, so a strict parser reads it."""

    def __init__(self, html):
        self.html = html
        self.root = ElementTree.fromstring(html)
        self.sections = {s.get("id"): s for s in self.root.iter("section")}

    def text(self, section):
        return " ".join("".join(self.sections[section].itertext()).split())

    def rows(self, section):
        return [["".join(cell.itertext()) for cell in row.iter("td")]
                for row in self.sections[section].iter("tr") if row.find("td") is not None]

    def dots(self):
        return list(self.sections["map"].iter(SVG + "circle"))

    def legend(self):
        return ["".join(span.itertext())
                for div in self.sections["map"].iter("div") if div.get("class") == "legend"
                for span in div.iter("span")]


class Report(CliCase):
    def report(self, collection="docs", *options):
        out = self.path("page.html")
        self.answer = self.run_json("report", self.db, collection, "-o", out, *options)[0]
        html = self.read("page.html").decode()
        self.assertEqual(self.answer["bytes"], len(html.encode()))
        page = Page(html)
        self.assertEqual(list(page.sections), SECTIONS)
        # Nothing is asked for from elsewhere, and nothing runs.
        self.assertNotIn("<script", html)
        self.assertLessEqual(set(re.findall(r"[a-z]+://[^\"'<> )]*", html)),
                             {"http://www.w3.org/2000/svg"})
        for element in page.root.iter():
            for name in element.attrib:
                self.assertFalse(name.lower().startswith("on"), name)
        return page

    def import_jsonl(self, entries, *options, collection="docs", metric="l2"):
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        self.run_skerry("import", self.db, collection, "-", "--format", "jsonl", "--metric", metric,
                        *options, stdin=lines.encode())

    def test_a_graph_is_counted_measured_and_drawn(self):
        self.run_skerry("import", self.db, "docs", self.write("g.fbin", pack_bin(rows(3000, 32))),
                        "--metric", "l2", "--default-ef", 16)
        page = self.report("docs", "--samples", 40, "--points", 500)
        self.assertEqual((self.answer["queries"], self.answer["points"]), (40, 500))
        counts = dict(page.rows("counts"))
        self.assertEqual(counts["live vectors"], "3,000")
        self.assertEqual(counts["keys"], "numbers")
        sizes = {row[0]: row for row in page.rows("sizes")}
        self.assertEqual(set(sizes), {"vectors", "codes", "links", "keys and versions", "together",
                                      "image of the index"})
        self.assertGreater(float(sizes["vectors"][2]), 32 * 4 - 1)
        bars = [r for r in page.sections["graph"].iter(SVG + "rect") if r.get("class") == "bar"]
        # M is 16: a bar for each of 0 to 32 links, and those of in-links and levels.
        self.assertGreater(len(bars), 33 + 2)
        titles = ["".join(bar.itertext()) for bar in bars[:33]]
        self.assertEqual(sum(int(t.split(": ")[1].split()[0].replace(",", "")) for t in titles), 3000)
        self.assertEqual([t.split(":")[0] for t in titles], [str(i) for i in range(33)])
        linked = ["".join(bar.itertext()) for bar in bars[33:]]
        levels = next(i for i in range(1, len(linked)) if linked[i].startswith("0: "))
        for nodes in (linked[:levels], linked[levels:]):
            self.assertEqual(sum(int(t.split(": ")[1].split()[0].replace(",", "")) for t in nodes),
                             3000)
        asked = [row[0] for row in page.rows("recall")]
        self.assertEqual(asked, ["recall_target 0.9", "recall_target 0.95", "recall_target 0.98",
                                 "recall_target 0.99", "recall_target 0.995", "recall_target 0.999",
                                 "ef 16", "ef 32", "ef 64", "ef 128", "ef 256", "ef 512"])
        self.assertGreaterEqual(float(page.rows("recall")[-1][1]), 0.99)
        self.assertEqual(len(list(page.sections["recall"].iter(SVG + "polyline"))), 2)
        self.assertEqual(len(page.dots()), 500)
        slow = page.rows("slowest")
        self.assertEqual(len(slow), 10)
        times = [float(row[1]) for row in slow]
        self.assertEqual(times, sorted(times, reverse=True))
        for key, _, hops, scored, _, found in slow:
            self.assertEqual(int(key) % 75, 0)  # 40 keys of 3,000 at equal steps
            self.assertGreater(int(hops), 0)
            self.assertGreater(int(scored.replace(",", "")), int(hops))
            self.assertRegex(found, r"^\d+ of 10$")

    def test_tune_and_report_measure_alike(self):
        self.import_rows(3000)
        page = self.report("docs", "--samples", 40)
        tuned = self.run_json("tune", self.db, "docs", "--samples", 40)
        self.assertEqual([(row[1], row[2].replace(",", "")) for row in page.rows("recall")],
                         [("%.4f" % line["recall"], str(line["visited"])) for line in tuned])

    def test_a_scanned_collection_says_so(self):
        self.import_rows(50)
        page = self.report()
        self.assertIn("There is none: up to 1,024 vectors", page.text("graph"))
        self.assertIn("every answer is exact", page.text("recall"))
        self.assertEqual((self.answer["recall"], self.answer["queries"]), (1, 50))
        self.assertEqual(len(page.dots()), 50)
        self.assertEqual(len(page.rows("slowest")), 10)

    def test_an_empty_collection(self):
        self.run_skerry("create", self.db, "docs", "-d", 4)
        page = self.report()
        self.assertEqual(dict(page.rows("counts"))["live vectors"], "0")
        for section in ("recall", "slowest"):
            self.assertIn("nothing to search for", page.text(section))
        self.assertIn("nothing to show", page.text("map"))
        self.assertNotIn("nan", page.html)

    def test_one_vector(self):
        self.import_jsonl([{"key": 7, "vector": [1, 2], "payload": {"a": 1}}])
        page = self.report("docs", "--color", "a")
        self.assertEqual(len(page.dots()), 1)
        self.assertEqual(page.rows("slowest")[0][0], "7")
        self.assertEqual(page.rows("slowest")[0][5], "0 of 0")  # it is not its own answer
        self.assertEqual(page.legend(), ["1 (1)"])
        self.assertNotIn("nan", page.html)

    def test_vectors_that_are_all_alike(self):
        self.import_jsonl([{"key": i, "vector": [3, 4]} for i in range(30)])
        page = self.report()
        self.assertEqual({(d.get("cx"), d.get("cy")) for d in page.dots()}, {("380.0", "260.0")})
        self.assertNotIn("nan", page.html)

    def test_vectors_as_large_as_floats_are(self):
        self.import_jsonl([{"key": i, "vector": [3e38 if i % 2 else -3e38, i * 1e-40, 1.0]}
                           for i in range(20)])
        page = self.report()
        self.assertEqual({dot.get("cx") for dot in page.dots()}, {"12.0", "748.0"})
        self.assertNotIn("nan", page.html)

    def test_the_map_tells_clusters_apart_and_colours_them_by_a_word(self):
        def entry(i):
            middle = 100.0 if i % 2 else -100.0
            return {"key": i, "vector": [middle + i % 7, 5 * middle + i % 11, 1.0, i % 5],
                    "payload": {"side": "odd" if i % 2 else "even", "size": i}}
        self.import_jsonl([entry(i) for i in range(400)])
        page = self.report("docs", "--color", "side")
        self.assertEqual(sorted(page.legend()), ["even (200)", "odd (200)"])
        sides = {}
        for dot in page.dots():
            side = "".join(dot.itertext()).split("side: ")[1]
            sides.setdefault((side, dot.get("fill")), []).append(float(dot.get("cx")))
        self.assertEqual(len(sides), 2)  # a colour each
        (_, odd), (_, even) = sorted(sides.items(), key=lambda item: min(item[1]))
        self.assertLess(max(odd), min(even))
        plain = self.report()
        self.assertEqual(len({dot.get("fill") for dot in plain.dots()}), 1)
        self.assertIn("side, size", plain.text("map"))

    def test_many_numbers_are_coloured_by_their_size(self):
        self.import_jsonl([{"key": i, "vector": [i, 1], "payload": {"year": 1900 + i}}
                           for i in range(101)])
        page = self.report("docs", "--color", "year")
        self.assertEqual(page.legend(), ["1900", "1925", "1950", "1975", "2000"])
        self.assertGreater(len({dot.get("fill") for dot in page.dots()}), 50)

    def test_rare_words_share_a_colour_and_some_have_none(self):
        self.import_jsonl([{"key": i, "vector": [i, 1], "payload": {"word": "w%d" % (i % 12)}}
                           for i in range(100)])
        self.import_jsonl([{"key": 200, "vector": [0, 0], "payload": "no object"},
                           {"key": 201, "vector": [0, 1]},
                           {"key": 202, "vector": [0, 2], "payload": {"word": None}},
                           {"key": 203, "vector": [0, 2], "payload": [1]}])
        legend = self.report("docs", "--color", "word").legend()
        self.assertEqual(len(legend), 9)
        self.assertEqual(legend[-2:], ["others (40)", "without it (4)"])

    def test_payloads_that_are_no_json(self):
        self.import_jsonl([{"key": i, "vector": [i, 1],
                            "payload_base64": base64.b64encode(bytes([255, 0, i])).decode()}
                           for i in range(20)])
        page = self.report("docs", "--color", "topic")
        self.assertIn("No payload among them is a JSON object with a field topic", page.text("map"))
        self.assertEqual(page.legend(), ["without it (20)"])

    def test_a_payload_as_deep_as_you_like(self):
        deep = '{"a": ' + "[" * 300000 + "]" * 300000 + "}"
        self.import_jsonl([{"key": 1, "vector": [1, 1], "payload": deep},
                           {"key": 2, "vector": [2, 1], "payload": {"a": {}}},
                           {"key": 3, "vector": [3, 1], "payload": '{"a": ' * 150000},
                           {"key": 4, "vector": [3, 1], "payload": {"a": True}}])
        self.assertEqual(sorted(self.report("docs", "--color", "a").legend()),
                         ["a list (1)", "an object (1)", "true (1)", "without it (1)"])

    def test_hostile_names_and_payloads_are_text(self):
        evil = "</title><script>alert('x')</script>\"&amp;\u2028"
        name = "<img src=x onerror=alert(1)>"
        entries = [{"key": evil + str(i), "vector": [i, 1], "payload": {evil: evil}}
                   for i in range(20)]
        self.import_jsonl(entries, "--byte-keys", collection=name)
        page = self.report(name, "--color", evil)
        self.assertNotIn("<img", page.html)
        self.assertEqual(page.legend(), [evil + " (20)"])
        self.assertEqual("".join(next(page.root.iter("h1")).itertext()), name)
        self.assertIn(evil, page.rows("slowest")[0][0])

    def test_byte_keys_that_are_no_text_are_told_as_base64(self):
        keys = [bytes([255, 254, i]) for i in range(20)]
        self.import_jsonl([{"key_base64": base64.b64encode(k).decode(), "vector": [i, 1]}
                           for i, k in enumerate(keys)], "--byte-keys")
        page = self.report()
        shown = {row[0] for row in page.rows("slowest")}
        self.assertLessEqual(shown, {base64.b64encode(k).decode() + " (base64)" for k in keys})
        self.assertEqual(dict(page.rows("counts"))["keys"], "byte strings")

    def test_places_on_a_globe_are_a_map(self):
        cities = {"Oslo": [59.9, 10.8], "Quito": [-0.2, -78.5], "Sydney": [-33.9, 151.2]}
        self.import_jsonl([{"key": n, "vector": v} for n, v in cities.items()], "--byte-keys",
                          metric="haversine")
        page = self.report()
        at = {"".join(d.itertext()): (float(d.get("cx")), float(d.get("cy"))) for d in page.dots()}
        self.assertLess(at["key Quito"][0], at["key Oslo"][0])  # to the west of
        self.assertLess(at["key Oslo"][0], at["key Sydney"][0])
        self.assertLess(at["key Oslo"][1], at["key Quito"][1])  # to the north of

    def test_bits_and_codes(self):
        bits = [[float((i * 37 >> c) & 1) for c in range(16)] for i in range(60)]
        self.run_skerry("import", self.db, "bits", self.write("b.fbin", pack_bin(bits)), "--metric",
                        "hamming", "--scalar", "b1")
        self.assertEqual(len(self.report("bits").dots()), 60)
        file = self.write("w.fbin", pack_bin(rows(1500, 16)))
        self.run_skerry("import", self.db, "coded", file, "--metric", "cosine", "--codes", "sq8")
        page = self.report("coded", "--samples", 20)
        self.assertIn("kept, searched by sq8", page.html)
        self.assertGreater(float({r[0]: r for r in page.rows("sizes")}["codes"][2]), 15)

    def test_what_cannot_be_reported(self):
        self.import_rows(10)
        self.run_skerry("report", self.db, "docs", expect=USAGE)
        self.run_skerry("report", self.db, "docs", "-o", "-", "--json", expect=USAGE)
        self.run_skerry("report", self.db, "nobody", "-o", self.path("p.html"), expect=NOT_FOUND)
        self.run_skerry("report", self.db, "docs", "-o", self.path("no/folder/p.html"),
                        expect=STORAGE)
        self.assertEqual(sorted(os.listdir(self.folder)), ["db", "some.fbin"])
        self.assertEqual(list(Page(self.run_skerry("report", self.db, "docs", "-o", "-")).sections),
                         SECTIONS)
        self.assertEqual(self.err, "")  # in a pipe nothing is drawn

    def test_a_terminal_sees_a_bar_and_ctrl_c_leaves_no_page(self):
        self.import_rows(20000)
        terminal, other_end = pty.openpty()
        out = self.path("page.html")
        process = subprocess.Popen([SKERRY, "report", self.db, "docs", "-o", out, "--samples",
                                    "20000"], stdout=subprocess.PIPE, stderr=other_end)
        os.close(other_end)
        seen = b""
        while b"searching" not in seen:
            if select.select([terminal], [], [], 60)[0]:
                seen += os.read(terminal, 4096)
        self.assertRegex(seen.decode(), r"searching +\[")
        process.send_signal(signal.SIGINT)
        while True:  # until it has closed its end
            try:
                if not os.read(terminal, 4096):
                    break
            except OSError:
                break
        process.communicate(timeout=60)
        os.close(terminal)
        self.assertEqual(process.returncode, INTERRUPTED)
        self.assertEqual(sorted(os.listdir(self.folder)), ["db", "some.fbin"])


if __name__ == "__main__":
    unittest.main()
