#!/usr/bin/env python3
"""semantic_search.py - which passages are about the same as this one?

    semantic_search.py [DATA]

Keeps the embeddings of 2,583 passages of documentation (data/README.md) in a database, each with a
payload that says where it comes from, asks 100 questions, and compares the answers with the truth
that is shipped beside them. Prints what it does; exit code 1 when fewer than 95 % were found.
"""
import json
import pathlib
import sys
import tempfile

import numpy as np

import skerry

SET = "capdocs-minilm-384-cos"
K = 10


def read_bin(path, dtype):
    """The rows of a .fbin or .ibin file: two uint32, how many and how long, and then they."""
    with open(path, "rb") as file:
        rows, columns = np.fromfile(file, np.uint32, 2)
        return np.fromfile(file, dtype, int(rows) * int(columns)).reshape(rows, columns)


def main():
    default = pathlib.Path(__file__).resolve().parents[2] / "data"
    data = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    passages = read_bin(data / f"{SET}.base.fbin", np.float32)
    questions = read_bin(data / f"{SET}.query.fbin", np.float32)
    truth = read_bin(data / f"{SET}.gt.ibin", np.int32)[:, :K]

    with tempfile.TemporaryDirectory() as folder:
        with skerry.open(folder) as db:
            docs = db.create("docs", passages.shape[1], "cosine", keys="str")
            names = [f"passage-{i}" for i in range(len(passages))]
            payloads = [json.dumps({"chapter": i // 100, "row": i}).encode()
                        for i in range(len(passages))]
            docs.add(names, passages, payloads)  # one commit; durable when it returns

        with skerry.open(folder) as db:  # tomorrow
            docs = db["docs"]
            print(f"{len(docs)} passages of {docs.dimension} dimensions, "
                  f"opened from: {docs.stats().opened}")

            found, distances = docs.search(questions[0], K)
            for name, distance, payload in zip(found, distances, docs.payloads(found)):
                print(f"  {distance:.3f}  {name:<13} chapter {json.loads(payload)['chapter']}")

            in_chapter = {name for i, name in enumerate(names) if i // 100 == 3}
            print(f"nearest in chapter 3: {docs.search(questions[0], 1, filter=in_chapter).keys[0]}")

            matches = docs.search(questions, K, recall_target=0.99)
            rows = [{int(name.split("-")[1]) for name in row} for row in matches.keys]
            recall = np.mean([len(row & set(best.tolist())) / K for row, best in zip(rows, truth)])
            print(f"recall@{K} of {len(questions)} questions: {recall:.3f}")

            docs.remove(found[0])  # and what was nearest is gone, at once and for good
            assert docs.search(questions[0], 1).keys[0] == found[1]
    return 0 if recall >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
