"""test_commands.py - every command: its answer, its JSON, its exit code."""
import os
import struct
import subprocess
import time
import unittest

from cli_case import *

COMMANDS = ("create", "import", "search", "tune", "explain", "get", "remove", "rename", "clone", "export", "stats",
            "verify", "compact", "backup", "restore", "repair", "bench", "demo")


class Help(CliCase):
    def test_every_command_teaches_with_an_example(self):
        out = self.run_skerry("--help")
        for command in COMMANDS:
            self.assertIn(command, out)
        for code in ("0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "6 ", "7 ", "8 ", "130 "):
            self.assertIn("\n  " + code, out)
        for command in COMMANDS:
            with self.subTest(command=command):
                self.assertIn("skerry " + command, self.run_skerry(command, "--help"))

    def test_nonsense_is_usage(self):
        self.run_skerry(expect=USAGE)
        self.run_skerry("fly", expect=USAGE)
        self.run_skerry("create", expect=USAGE)
        self.run_skerry("create", self.db, "docs", expect=USAGE)
        self.run_skerry("create", self.db, "docs", "-d", "many", expect=USAGE)
        self.run_skerry("create", self.db, "docs", "-d", 3, "--metric", "feet", expect=USAGE)
        self.run_skerry("import", self.db, "docs", "x", "--format", "hdf5", expect=USAGE)
        self.run_skerry("search", self.db, "docs", "--nonsense", expect=USAGE)
        self.assertIn("skerry 0.", self.run_skerry("--version"))


class Create(CliCase):
    def test_create_keeps_its_options(self):
        answer = self.run_json("create", self.db, "docs", "-d", 12, "--metric", "cosine", "--codes",
                               "sq8", "--vectors", "disk", "-M", 8, "--ef-construction", 50, "--default-ef", 33,
                               "--flat-below", 9)[0]
        self.assertEqual(answer["collection"], "docs")
        stats = self.run_json("stats", self.db)[0]["collections"][0]
        for name, value in (("dimension", 12), ("metric", "cosine"), ("codes", "sq8"),
                            ("vectors", "disk"), ("M", 8), ("ef_construction", 50), ("ef", 33), ("flat_below", 9), ("live", 0)):
            self.assertEqual(stats[name], value, name)

    def test_twice_is_refused_unless_asked_for(self):
        self.run_skerry("create", self.db, "docs", "-d", 12)
        error = self.run_json("create", self.db, "docs", "-d", 12, expect=USAGE)[0]
        self.assertEqual(error["exit_code"], USAGE)
        self.assertIn("already_exists", error["error"])
        self.run_skerry("create", self.db, "docs", "-d", 12, "--if-missing")
        self.run_skerry("create", self.db, "docs", "-d", 13, "--if-missing", expect=USAGE)

    def test_a_bad_option_is_named(self):
        self.run_skerry("create", self.db, "docs", "-d", 0, expect=USAGE)
        self.run_skerry("create", self.db, "docs", "-d", 70000, expect=USAGE)
        self.run_skerry("create", self.db, "docs", "-d", 8, "-M", 1, expect=USAGE)
        error = self.run_json("create", self.db, "docs", "-d", 8, "--vectors", "disk",
                              expect=USAGE)[0]
        self.assertIn("expect sq8 or rot4", error["error"])


class RenameAndClone(CliCase):
    def test_a_renamed_collection_is_the_same(self):
        self.import_rows(20)
        answer = self.run_json("rename", self.db, "docs", "papers")[0]
        self.assertEqual(answer, {"collection": "papers", "was": "docs"})
        self.assertEqual(self.size("papers"), 20)
        self.run_skerry("stats", self.db, "docs", expect=NOT_FOUND)
        self.run_skerry("rename", self.db, "docs", "more", expect=NOT_FOUND)
        self.run_skerry("create", self.db, "docs", "-d", 8)
        error = self.run_json("rename", self.db, "docs", "papers", expect=USAGE)[0]
        self.assertIn("already_exists", error["error"])
        self.run_skerry("rename", self.db, "docs", "", expect=USAGE)

    def test_a_clone_goes_its_own_way(self):
        self.import_rows(20)
        answer = self.run_json("clone", self.db, "docs", "copy")[0]
        self.assertEqual(answer, {"collection": "copy", "from": "docs", "live": 20})
        self.run_skerry("remove", self.db, "docs", 3)
        self.assertEqual((self.size("docs"), self.size("copy")), (19, 20))
        self.assertEqual(self.vector(3, "copy"), row(3))
        self.run_skerry("verify", self.db)
        self.run_skerry("clone", self.db, "docs", "copy", expect=USAGE)
        self.run_skerry("clone", self.db, "absent", "more", expect=NOT_FOUND)


class Absent(CliCase):
    def test_no_database_and_no_collection(self):
        for arguments in (["search", self.db, "docs", "--like", 1], ["get", self.db, "docs", 1],
                          ["remove", self.db, "docs", 1], ["stats", self.db],
                          ["export", self.db, "docs", self.path("x.csv")], ["verify", self.db],
                          ["compact", self.db], ["backup", self.db, self.path("copy")]):
            with self.subTest(command=arguments[0]):
                self.run_skerry(*arguments, expect=NOT_FOUND)
                self.assertFalse(os.path.exists(self.db))
        self.run_skerry("create", self.db)
        for arguments in (["search", self.db, "docs", "--like", 1], ["get", self.db, "docs", 1],
                          ["remove", self.db, "docs", 1], ["stats", self.db, "docs"],
                          ["verify", self.db, "docs"],
                          ["export", self.db, "docs", self.path("x.csv")]):
            with self.subTest(command=arguments[0]):
                self.run_skerry(*arguments, expect=NOT_FOUND)

    def test_a_folder_of_something_else_is_not_a_database(self):
        os.makedirs(os.path.join(self.db, "store"))
        self.write("db/store/data.mdb", b"not a store" * 1000)
        self.run_skerry("stats", self.db, expect=DAMAGED)


class Search(CliCase):
    def nearest(self, query, count=50, k=5, keys=None):
        all_rows = [(l2(query, row(i)), i) for i in (keys or range(count))]
        return [i for _, i in sorted(all_rows)[:k]]

    def hits(self, *arguments):
        return [h["key"] for h in self.run_json("search", self.db, "docs", *arguments)[0]["hits"]]

    def test_by_vector_and_by_key(self):
        self.import_rows(50)
        query = [x + 0.25 for x in row(7)]
        text = json.dumps(query)
        self.assertEqual(self.hits("--vector", text, "-k", 5), self.nearest(query))
        self.assertEqual(self.hits("--like", 7, "-k", 4), self.nearest(row(7))[1:])
        out = self.run_json("search", self.db, "docs", "--vector", text, "-k", 1)[0]
        self.assertEqual(out["hits"], [{"key": 7, "distance": 0.5}])
        people = self.run_skerry("search", self.db, "docs", "--vector", text, "-k", 1)
        self.assertEqual(people.split(), ["rank", "key", "distance", "1", "7", "0.500000"])
        self.assertEqual(self.hits("--vector", text, "-k", 0), [])
        self.assertEqual(len(self.hits("--vector", text, "-k", 99)), 50)

    def test_filters_and_limits(self):
        self.import_rows(50)
        text = json.dumps(row(7))
        allowed = self.write("allowed", "3\n40\n\n7\n999\n")
        self.assertEqual(self.hits("--vector", text, "--filter-keys", allowed),
                         self.nearest(row(7), keys=[3, 40, 7]))
        self.assertEqual(self.hits("--vector", text, "--allow", "3,40"),
                         self.nearest(row(7), keys=[3, 40]))
        others = [i for i in range(50) if i != 7]
        self.assertEqual(self.hits("--vector", text, "--deny", "7", "-k", 5),
                         self.nearest(row(7), keys=others))
        self.assertEqual(self.hits("--vector", text, "--max-distance", "0.1"), [7])
        self.run_skerry("search", self.db, "docs", "--vector", text, "--allow", "1", "--deny", "2",
                        expect=USAGE)
        bad = self.write("bad", "3\nfour\n")
        self.run_skerry("search", self.db, "docs", "--vector", text, "--filter-keys", bad,
                        expect=DATA)
        self.assertIn("line 2", self.err)

    def test_a_file_of_queries_and_its_truth(self):
        self.import_rows(60)
        queries = [[x + 0.3 for x in row(i)] for i in range(0, 60, 6)]
        file = self.write("q.fbin", pack_bin(queries))
        answers = self.run_json("search", self.db, "docs", file, "-k", 5, "--threads", 2)
        self.assertEqual([a["query"] for a in answers], list(range(10)))
        for answer, query in zip(answers, queries):
            self.assertEqual([h["key"] for h in answer["hits"]], self.nearest(query, 60))
        exact = [sorted((l2(q, row(i)), i) for i in range(60))[:10] for q in queries]
        truth = self.write("t.ibin", pack_truth([[(i, d) for d, i in e] for e in exact]))
        summary = self.run_json("search", self.db, "docs", file, "--truth", truth)[0]
        self.assertEqual((summary["queries"], summary["recall"]), (10, 1.0))
        wrong = self.write("w.ibin", pack_truth([[(59 - i, 0.0) for _, i in e] for e in exact]))
        low = self.run_json("search", self.db, "docs", file, "--truth", wrong)[0]
        self.assertLess(low["recall"], 1.0)
        self.run_skerry("search", self.db, "docs", file, "--truth", truth, "-k", 11, expect=DATA)
        self.run_skerry("search", self.db, "docs", file, "--truth",
                        self.write("cut.ibin", self.read("t.ibin")[:-1]), expect=DATA)

    def test_what_cannot_be_searched_for(self):
        self.import_rows(10)
        for arguments, code in ((["--vector", "[1,2]"], USAGE), (["--vector", "[1,"], USAGE),
                                (["--vector", '["a",2,3,4,5,6,7,8]'], USAGE),
                                (["--like", "99"], NOT_FOUND), (["--like", "x"], USAGE), ([], USAGE),
                                (["--like", "1", "--vector", "[1]"], USAGE)):
            with self.subTest(arguments=arguments):
                self.run_skerry("search", self.db, "docs", *arguments, expect=code)
        nan = self.write("n.fbin", pack_bin([row(1), [float("nan")] * 8]))
        self.run_skerry("search", self.db, "docs", nan, expect=DATA)
        self.assertIn("row 1: component 0 is NaN", self.err)


class GetAndRemove(CliCase):
    def test_get_says_vector_and_payload(self):
        lines = b'{"key":5,"vector":[0.1,-2],"payload":"words"}\n{"key":6,"vector":[3,4]}\n'
        self.run_skerry("import", self.db, "docs", "-", "--format", "jsonl", "--metric", "l2",
                        stdin=lines)
        self.assertEqual(self.run_json("get", self.db, "docs", 5, 6),
                         [{"key": 5, "found": True, "vector": [0.1, -2.0], "payload": "words"},
                          {"key": 6, "found": True, "vector": [3.0, 4.0]}])
        people = self.run_skerry("get", self.db, "docs", 5)
        self.assertIn("[0.1, -2]", people)
        self.assertIn("words", people)
        some = self.run_json("get", self.db, "docs", 5, 7, expect=NOT_FOUND)
        self.assertEqual([s["found"] for s in some], [True, False])
        self.run_skerry("get", self.db, "docs", "seven", expect=USAGE)
        self.run_skerry("get", self.db, "docs", expect=USAGE)

    def test_remove_by_argument_file_and_pipe(self):
        self.import_rows(50)
        self.assertEqual(self.run_json("remove", self.db, "docs", 1, 2, 99)[0]["removed"], 2)
        keys = self.write("gone", "".join("%d\n" % i for i in range(10)))
        answer = self.run_json("remove", self.db, "docs", "--keys", keys, "--batch", 3)[0]
        self.assertEqual((answer["keys"], answer["removed"]), (10, 8))
        self.assertEqual(self.run_json("remove", self.db, "docs", "--keys", "-",
                                       stdin=b"10\n11\n")[0]["removed"], 2)
        self.assertEqual(self.size(), 38)
        self.run_skerry("get", self.db, "docs", 10, expect=NOT_FOUND)
        found = self.run_json("search", self.db, "docs", "--vector", json.dumps(row(10)))[0]
        self.assertTrue(all(h["key"] >= 12 for h in found["hits"]))
        self.assertEqual(self.run_json("remove", self.db, "docs", 10)[0]["removed"], 0)


class Repair(CliCase):
    def damage(self, text):
        """Wipes the page that holds this text."""
        path = os.path.join(self.db, "store", "data.mdb")
        with open(path, "r+b") as file:
            page = file.read().index(text) // 4096
            file.seek(page * 4096)
            file.write(bytes(4096))

    def test_a_whole_database_is_not_changed(self):
        self.import_rows(50)
        before = self.read("db/store/data.mdb")
        answer = self.run_json("repair", self.db)[0]
        self.assertEqual(answer["repair"], "whole")
        self.assertIsNone(answer["set_aside"])
        self.assertEqual(self.read("db/store/data.mdb"), before)
        self.assertIn("repair: whole", self.run_skerry("repair", self.db))

    def test_what_is_lost_is_told_by_key(self):
        # Half a page each, without an image that has the rows as well.
        with open(self.path("wide.fbin"), "wb") as file:
            file.write(pack_bin(rows(60, 500)))
        self.run_skerry("import", self.db, "docs", self.path("wide.fbin"), "--metric", "l2")
        os.remove(os.path.join(self.db, "images", "1.image"))
        self.damage(struct.pack("<64f", *row(20, 500)[:64]))
        self.run_skerry("verify", self.db, expect=DAMAGED)
        copy = self.path("repaired")
        answer = self.run_json("repair", self.db, "--to", copy, expect=LOST)[0]
        self.assertEqual(answer["repair"], "repaired with losses")
        docs = answer["collections"][0]
        self.assertIn(20, docs["keys_lost"])
        self.assertEqual(docs["rows_lost"], len(docs["keys_lost"]))
        self.assertEqual(docs["rows"] + docs["rows_lost"], 60)
        self.run_skerry("verify", copy)
        self.run_skerry("verify", self.db, expect=DAMAGED)
        out = self.run_skerry("repair", self.db, expect=LOST)
        self.assertIn("lost rows of keys:", out)
        self.assertIn("store.damaged", out)
        self.assertEqual(self.err, "")
        self.assertTrue(os.path.exists(os.path.join(self.db, "store.damaged", "data.mdb")))
        self.assertIn("verify: clean", self.run_skerry("verify", self.db))
        self.assertEqual(self.size(), docs["rows"])

    def test_rows_that_the_image_has_are_not_lost(self):
        with open(self.path("wide.fbin"), "wb") as file:
            file.write(pack_bin(rows(60, 500)))
        self.run_skerry("import", self.db, "docs", self.path("wide.fbin"), "--metric", "l2")
        self.damage(struct.pack("<64f", *row(20, 500)[:64]))
        answer = self.run_json("repair", self.db)[0]
        self.assertEqual(answer["repair"], "repaired")
        self.assertGreater(answer["collections"][0]["rows_from_image"], 0)
        self.assertEqual(self.vector(20), row(20, 500))
        self.run_skerry("verify", self.db)

    def test_without_a_root_nothing_is_changed(self):
        self.import_rows(50)
        with open(os.path.join(self.db, "store", "data.mdb"), "r+b") as file:
            file.write(bytes(8192))
        before = self.read("db/store/data.mdb")
        error = self.run_json("repair", self.db, expect=DAMAGED)[0]
        self.assertIn("corruption", error["error"])
        self.assertEqual(self.read("db/store/data.mdb"), before)
        self.run_skerry("repair", self.path("nowhere"), expect=NOT_FOUND)


class Keeping(CliCase):
    def test_stats_verify_compact_backup(self):
        self.import_rows(200)
        self.import_rows(30, "more", dimension=3)
        stats = self.run_json("stats", self.db)[0]
        self.assertEqual([c["live"] for c in stats["collections"]], [200, 30])
        self.assertGreater(stats["store_disk_bytes"], 0)
        self.assertEqual([stats[name] for name in ("readers", "oldest_reader", "snapshots",
                                                   "oldest_snapshot")], [0, 0, 0, 0])
        text = self.run_skerry("stats", self.db)
        for word in ("docs", "readers", "0 of 1,024", "snapshots", "0 of this process"):
            self.assertIn(word, text)
        answer = self.run_json("verify", self.db)[0]
        self.assertEqual(answer["verify"], "clean")
        self.assertEqual([c["vectors_compared"] for c in answer["collections"]], [200, 30])
        self.assertTrue(self.run_skerry("verify", self.db, "docs").endswith("verify: clean\n"))
        self.run_skerry("remove", self.db, "docs", *range(150))
        sizes = self.run_json("compact", self.db)[0]
        self.assertLessEqual(sizes["disk_bytes_after"], sizes["disk_bytes_before"])
        self.assertEqual(self.size(), 50)
        copy = self.path("copy")
        self.assertEqual(self.run_json("backup", self.db, copy)[0]["backup"], copy)
        self.run_skerry("backup", self.db, copy, expect=USAGE)
        self.db = copy
        self.assertEqual(self.size(), 50)
        self.assertEqual(self.vector(199), row(199))
        self.assertIn("verify: clean", self.run_skerry("verify", self.db))

    def test_verify_looks_as_closely_as_it_is_asked(self):
        self.import_rows(1500)
        quick = self.run_json("verify", self.db, "--level", "quick")[0]["collections"][0]
        self.assertEqual(quick, {"collection": "docs", "verify": "clean", "live": 1500})
        full = self.run_json("verify", self.db)[0]["collections"][0]
        self.assertEqual(full["vectors_compared"], 1500)
        self.assertNotIn("samples", full)
        recall = self.run_json("verify", self.db, "--level", "recall", "--samples", 50)
        recall = recall[0]["collections"][0]
        self.assertEqual((recall["samples"], recall["samples_lost"]), (50, 0))
        self.assertGreater(recall["recall_at_10"], 0.9)
        self.assertIn("recall@10", self.run_skerry("verify", self.db, "--level", "recall"))
        self.run_skerry("verify", self.db, "--level", "hard", expect=USAGE)

    def test_tune_tells_what_recall_costs(self):
        self.import_rows(3000)
        lines = self.run_json("tune", self.db, "docs", "--samples", 40)
        self.assertEqual([line["recall_target"] for line in lines[:6]],
                         [0.9, 0.95, 0.98, 0.99, 0.995, 0.999])
        self.assertEqual([line["ef"] for line in lines[6:]], [16, 32, 64, 128, 256, 512])
        for line in lines:
            self.assertEqual((line["queries"], line["own_vectors"], line["k"]), (40, True, 10))
            self.assertGreaterEqual(line["recall"], 0.85)
            self.assertLessEqual(line["p50_us"], line["p99_us"])
        self.assertGreaterEqual(lines[11]["recall"], 0.99)
        self.assertGreater(lines[11]["visited"], lines[6]["visited"])
        queries = self.write("q.fbin", pack_bin(rows(7)))
        lines = self.run_json("tune", self.db, "docs", "--queries", queries, "-k", 3)
        self.assertEqual((lines[0]["queries"], lines[0]["own_vectors"]), (7, False))
        self.assertIn("recall_target 0.95", self.run_skerry("tune", self.db, "docs"))
        self.run_skerry("tune", self.db, "docs", "--queries", self.path("no.fbin"), expect=NOT_FOUND)
        self.run_skerry("search", self.db, "docs", "--like", 7, "--recall-target", 0.9, "--ef", 9,
                        expect=USAGE)
        self.assertEqual(len(self.run_json("search", self.db, "docs", "--like", 7, "-k", 5,
                                           "--recall-target", 0.9)[0]["hits"]), 5)

    def test_explain_says_what_became_of_a_key(self):
        self.import_rows(3000)
        queries = self.write("q.fbin", pack_bin(rows(7)))
        explain = ("explain", self.db, "docs", "--query", queries, "--row", 3)
        nearest = self.run_json("search", self.db, "docs", "--vector", row(3), "-k", 12, "--exact")
        keys = [hit["key"] for hit in nearest[0]["hits"]]
        found = self.run_json(*explain, "--key", keys[1], "--ef", 20)[0]
        self.assertEqual((found["fate"], found["rank"], found["place"]), ("returned", 2, 2))
        self.assertEqual((found["way"], found["fallback"]), ("walk", "none"))
        self.assertEqual((found["passing"], found["count"], found["ef"]), (3000, 10, 20))
        self.assertEqual(len(found["path"]), min(found["hops"], 20))
        self.assertGreater(found["visited"], found["hops"])
        beyond = self.run_json(*explain, "--key", keys[11])[0]
        self.assertEqual((beyond["fate"], beyond["rank"]), ("beyond_k", 12))
        for arguments, fate in ((("--key", 4000), "absent"),
                                (("--key", keys[0], "--deny", keys[0]), "filtered"),
                                (("--key", keys[5], "--max-distance", 0), "beyond_max_distance"),
                                (("--key", keys[0], "--exact", "--budget", 1), "budget")):
            self.assertEqual(self.run_json(*explain, *arguments)[0]["fate"], fate)
            self.assertIn(f": {fate}", self.run_skerry(*explain, *arguments))
        # Who does not pass has no rank among those that do, and one among all.
        filtered = self.run_json(*explain, "--key", keys[2], "--deny", keys[2])[0]
        self.assertEqual((filtered["rank"], filtered["rank_without_filter"], filtered["passing"]),
                         (0, 3, 2999))
        text = self.run_skerry(*explain, "--key", keys[2], "--allow", "%d,%d" % (keys[0], keys[4]))
        self.assertIn("Without the filter it would be\nnumber 3 by distance", text)
        self.assertIn("every key of the list, one by one", text)
        self.assertRegex(text, r"filter +2 pass; about 0.067 % were thought to")
        text = self.run_skerry(*explain, "--key", keys[1], "--ef", 20, "--hops", 2)
        self.assertIn("number 2 of 10", text)
        self.assertIn("2 of 3,000 that pass", text)
        self.assertIn("more: --hops", text)
        one = self.run_json("explain", self.db, "docs", "--vector", row(3), "--key", keys[1], "--ef", 20)
        self.assertEqual(one[0], found)
        error = self.run_json("explain", self.db, "docs", "--query", queries, "--row", 7, "--key", 1,
                              expect=DATA)[0]
        self.assertIn("there are 7 rows", error["error"])
        self.run_skerry("explain", self.db, "docs", "--key", 1, expect=USAGE)
        self.run_skerry(*explain, "--key", "no number", expect=USAGE)
        self.run_skerry(*explain, "--key", 1, "-k", 0, expect=USAGE)

    def test_explain_knows_names(self):
        lines = "".join(json.dumps({"key": f"doc {i}", "vector": row(i)}) + "\n" for i in range(1500))
        self.run_skerry("import", self.db, "docs", self.write("in.jsonl", lines.encode()),
                        "--byte-keys", "--flat-below", 0)
        found = self.run_json("explain", self.db, "docs", "--key", "doc 7", "--vector", row(7))[0]
        self.assertEqual((found["key"], found["fate"], found["rank"]), ("doc 7", "returned", 1))
        self.assertTrue(all(hop["key"].startswith("doc ") for hop in found["path"]))
        self.assertGreater(len(found["path"]), 0)
        missing = self.run_json("explain", self.db, "docs", "--key", "doc x", "--vector", row(7))[0]
        self.assertEqual((missing["fate"], missing["rank"]), ("absent", 0))
        denied = self.run_json("explain", self.db, "docs", "--key", "doc 7", "--deny", "doc 7",
                               "--vector", row(7))[0]
        self.assertEqual(denied["fate"], "filtered")

    def test_a_backup_is_restored_and_verified(self):
        self.import_rows(200)
        copy, back = self.path("copy"), self.path("back")
        self.run_skerry("backup", self.db, copy)
        self.run_skerry("remove", self.db, "docs", *range(200))
        answer = self.run_json("restore", copy, back)[0]
        self.assertEqual((answer["vectors"], answer["verify"]), (200, "clean"))
        self.run_skerry("restore", copy, back, expect=USAGE)
        self.run_skerry("restore", self.path("nowhere"), self.path("other"), expect=NOT_FOUND)
        self.assertFalse(os.path.exists(self.path("other")))
        self.db = back
        self.assertEqual(self.vector(199), row(199))

    def test_a_damaged_image_is_made_again(self):
        self.import_rows(200)
        images = [os.path.join(folder, name)
                  for folder, _, names in os.walk(os.path.join(self.db, "images"))
                  for name in names]
        self.assertTrue(images)
        for image in images:
            with open(image, "r+b") as file:
                file.seek(os.path.getsize(image) // 2)
                byte = file.read(1)
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte[0] ^ 255]))
        self.assertIn("verify: clean", self.run_skerry("verify", self.db))
        self.assertEqual(self.vector(7), row(7))

    def test_a_graph_survives_a_removal_of_its_middle(self):
        self.import_rows(3000)
        self.run_skerry("remove", self.db, "docs", *range(1000, 2000))
        self.assertIn("verify: clean", self.run_skerry("verify", self.db))
        stats = self.run_json("stats", self.db)[0]["collections"][0]
        self.assertTrue(stats["has_graph"])
        self.assertEqual(stats["live"], 2000)

    def test_commands_work_beside_a_running_import(self):
        self.import_rows(10)
        holder = subprocess.Popen([SKERRY, "import", self.db, "docs", "-", "--format", "jsonl"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        holder.stdin.write(pack_jsonl(rows(1)))
        holder.stdin.flush()
        try:
            for _ in range(600):
                if has_open(holder, "data.mdb"):
                    break
                time.sleep(0.05)
            self.assertEqual(self.vector(7), row(7))
            self.run_skerry("verify", self.db)
            self.run_skerry("backup", self.db, self.path("copy"))
            self.run_skerry("remove", self.db, "docs", 3)
            self.run_skerry("compact", self.db, expect=BUSY)
        finally:
            holder.communicate(timeout=60)
        self.run_skerry("get", self.db, "docs", 3, expect=NOT_FOUND)
        self.run_skerry("compact", self.db)


if __name__ == "__main__":
    unittest.main()
