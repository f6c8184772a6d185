"""test_report_browser.py - the page of `skerry report` in a real browser: is it seen, and does it ask nobody?"""
import unittest
import urllib.request

from chromium import Browser
from cli_case import *


class InChromium(CliCase):
    def setUp(self):
        super().setUp()
        self.browser = Browser()
        self.addCleanup(self.browser.close)

    def open(self, name, **size):
        return self.browser.open("file://" + urllib.request.pathname2url(self.path(name)), **size)

    def make_page(self):
        lines = "".join(
            json.dumps({"key": i, "vector": row(i),
                        "payload": {"topic": "<b>t%d</b>" % (i % 3)}}) + "\n" for i in range(3000))
        self.run_skerry("import", self.db, "docs <script>", "-", "--format", "jsonl", "--metric", "l2",
                        stdin=lines.encode())
        self.run_skerry("report", self.db, "docs <script>", "-o", self.path("page.html"), "--color",
                        "topic", "--points", 400, "--samples", 30)

    def test_the_page_is_seen_and_asks_nobody(self):
        self.make_page()
        page = self.open("page.html")
        self.assertEqual(page.complaints(), [])
        self.assertEqual([u for u in page.requests() if not u.startswith("data:")],
                         ["file://" + urllib.request.pathname2url(self.path("page.html"))])
        count = lambda selector: page.evaluate("document.querySelectorAll(%r).length" % selector)
        self.assertEqual(page.evaluate("document.title"), "docs <script> - Skerry")
        self.assertEqual(page.evaluate("[...document.querySelectorAll('section')].map(s => s.id)"),
                         ["counts", "sizes", "graph", "recall", "map", "slowest"])
        self.assertEqual(count("#map circle"), 400)
        self.assertEqual(count("#map .legend span"), 3)
        self.assertEqual(count("#recall polyline"), 2)
        self.assertEqual(count("#recall circle"), 12)
        self.assertEqual(count("#recall tbody tr"), 12)
        self.assertEqual(count("#slowest tbody tr"), 10)
        self.assertEqual(count("#graph svg"), 3)
        self.assertGreater(count("#graph rect.bar"), 35)
        self.assertEqual(count("script, b > b, #map b"), 0)
        # What is drawn has a size, and lies in its picture.
        self.assertTrue(page.evaluate("""[...document.querySelectorAll('svg')].every(svg => {
            const room = svg.getBoundingClientRect();
            return room.width > 300 && [...svg.querySelectorAll('circle, rect.bar')].every(mark => {
                const at = mark.getBoundingClientRect();
                return at.left >= room.left - 1 && at.right <= room.right + 1 &&
                       at.top >= room.top - 1 && at.bottom <= room.bottom + 1;
            });
        })"""))
        heights = page.evaluate("""[...document.querySelectorAll('#graph rect.bar')]
            .map(bar => bar.getBoundingClientRect().height)""")
        self.assertGreater(max(heights), 100)
        seen = page.screenshot(os.environ.get("SKERRY_SCREENSHOT"))
        for colour in ("#0072b2", "#d55e00", "#009e73"):  # of the first three series
            self.assertGreater(seen.get(colour, 0), 50, colour)

    def test_on_a_telephone_nothing_is_wider_than_the_screen(self):
        self.make_page()
        page = self.open("page.html", width=390, height=844)
        self.assertLessEqual(page.evaluate("document.documentElement.scrollWidth"), 390)

    def test_a_page_that_asks_and_complains_is_found_out(self):
        self.write("bad.html", "<img src='http://127.0.0.1:9/a.png'><script>console.log(1)</script>")
        page = self.open("bad.html")
        self.assertIn("http://127.0.0.1:9/a.png", page.requests())
        self.assertNotEqual(page.complaints(), [])


if __name__ == "__main__":
    unittest.main()
