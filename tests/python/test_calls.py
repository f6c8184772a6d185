"""test_calls.py - threads, the GIL, Ctrl-C, progress, time limits, forks, and who is let go."""
import gc
import os
import signal
import sys
import threading
import time
import unittest

import numpy as np

import skerry
from support import Case


class TheGil(Case):
    def test_is_released_by_searches_and_writes(self):
        index = skerry.Index(64, "l2")
        vectors = self.vectors(2000, 64)
        index.add(np.arange(2000), vectors)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1000)  # nobody gives the GIL away unless a call releases it
        try:
            for call in (lambda: index.search(vectors[0]), lambda: index.search(vectors[:50]),
                         lambda: index.upsert(1, vectors[1]), lambda: index.get(3),
                         lambda: index.contains(3), lambda: len(index)):
                other = threading.Event()
                thread = threading.Thread(target=other.set)
                # start() waits for the thread's beginning; what follows it may still be to come.
                thread.start()
                calls = 0
                while not other.is_set() and calls < 1_000_000:
                    call()
                    calls += 1
                self.assertTrue(other.is_set())
                thread.join()
        finally:
            sys.setswitchinterval(interval)

    def test_threads_search_and_write_at_once(self):
        index = skerry.Index(8, "l2")
        vectors = self.vectors(4000)
        index.add(np.arange(1000), vectors[:1000])
        failures = []

        def write(first):
            for key in range(first, 4000, 3):
                index.upsert(key, vectors[key])

        def search():
            try:
                for query in vectors[:300]:
                    distances = index.search(query, filter=lambda key: key % 2 == 0).distances
                    assert (np.diff(distances) >= 0).all(), distances
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(1000 + i,)) for i in range(3)]
        threads += [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(len(index), 4000)
        self.assertEqual(index.check().unreachable, 0)


class CtrlC(Case):
    def setUp(self):
        super().setUp()
        # Programs that a shell starts in the background ignore SIGINT.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)

    def interrupt_within(self, function_name, call):
        """Calls, and sends SIGINT once the main thread is inside the function of that name."""
        main = threading.main_thread().ident
        left = threading.Event()

        def watch():
            while not left.is_set():
                frame = sys._current_frames()[main]
                if frame.f_code.co_name == function_name and "skerry" in frame.f_code.co_filename:
                    os.kill(os.getpid(), signal.SIGINT)
                    return
                time.sleep(0)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            with self.assertRaises(KeyboardInterrupt):
                call()
        finally:
            left.set()
            thread.join()

    def test_stops_a_build_and_nothing_has_changed(self):
        index = skerry.Index(64)  # some seconds, in which signals are looked for all the time
        vectors = self.vectors(40000, 64)
        self.interrupt_within("upsert", lambda: index.upsert(np.arange(40000), vectors))
        self.assertEqual(len(index), 0)
        index.add(1, vectors[0])
        self.assertEqual(index.search(vectors[0], 1).keys.tolist(), [1])

    def test_that_comes_while_progress_is_told_stops_the_call(self):
        for subject in self.subjects(64):
            vectors = self.vectors(5000, 64)
            with self.assertRaises(KeyboardInterrupt):
                subject.upsert(np.arange(5000), vectors,
                               progress=lambda done, total: os.kill(os.getpid(), signal.SIGINT))
            self.assertEqual(len(subject), 0)
            subject.add(1, vectors[0])
            self.assertEqual(subject.search(vectors[0], 1).keys.tolist(), [1])

    def test_stops_a_batch_of_searches(self):
        index = skerry.Index(256, "l2", flat_below=10**6)
        index.add(np.arange(5000), self.vectors(5000, 256))
        queries = self.vectors(20000, 256)
        self.interrupt_within("search", lambda: index.search(queries, 1))
        self.assertEqual(index.search(queries[0], 1).counts, 1)


class Progress(Case):
    def test_is_told_of_every_long_call(self):
        seen = []

        def note(done, total):
            seen.append((done, total))

        vectors = self.vectors(2000)
        index = skerry.Index(8, "l2")

        def check(call, total):
            seen.clear()
            call()
            self.assertGreater(len(seen), 0)
            self.assertEqual([done for done, _ in seen], sorted(done for done, _ in seen))
            if total is not None:
                self.assertEqual(seen[-1], (total, total))

        check(lambda: index.add(np.arange(2000), vectors, progress=note), 2000)
        check(lambda: index.upsert(np.arange(2000), vectors, progress=note), 2000)
        check(lambda: index.search(vectors, progress=note), 2000)
        check(lambda: index.save(self.path("file"), progress=note), None)
        check(lambda: index.check(progress=note), None)
        with self.open() as db:
            docs = db.create("docs", 8)
            check(lambda: docs.add(np.arange(2000), vectors, progress=note), 2000)
            check(lambda: docs.verify(progress=note), None)
            check(lambda: docs.save_image(progress=note), None)
            check(lambda: db.backup(self.path("copy"), progress=note), None)
            check(lambda: db.compact(progress=note), None)
            check(lambda: db.clone("docs", "more", progress=note), None)
            docs.upsert(1, vectors[0])
            check(lambda: db.checkpoint(progress=note), None)

    def test_a_bar_of_tqdms_kind_is_moved_to_the_end(self):
        class Bar:
            total = None
            n = 0

            def update(self, more):
                self.n += more

        bar = Bar()
        skerry.Index(8).add(np.arange(500), self.vectors(500), progress=bar)
        self.assertEqual((bar.n, bar.total), (500, 500))

    def test_false_stops_and_nothing_has_changed(self):
        for subject in self.subjects():
            with self.assertRaises(skerry.Cancelled):
                subject.add(np.arange(500), self.vectors(500), progress=lambda done, total: False)
            self.assertEqual(len(subject), 0)
            with self.assertRaises(skerry.Cancelled):
                subject.search(self.vectors(500), progress=lambda done, total: False)

    def test_what_it_raises_is_raised(self):
        def bad(done, total):
            raise LookupError("no more")

        index = skerry.Index(8)
        with self.assertRaisesRegex(LookupError, "no more"):
            index.add(np.arange(500), self.vectors(500), progress=bad)
        self.assertEqual(len(index), 0)

    def test_a_timeout_that_is_over(self):
        index = skerry.Index(8, "l2")
        vectors = self.vectors(3000)
        with self.assertRaises(skerry.Cancelled):
            index.add(np.arange(3000), vectors, timeout=0)
        self.assertEqual(len(index), 0)
        index.add(np.arange(3000), vectors, timeout=3600)
        self.assertTrue(index.search(vectors[0], timeout=0, exact=True).exhausted)


class Distances(Case):
    def test_a_function_of_pythons(self):
        def manhattan(a, b):
            return np.abs(a.astype(np.float64) - b).sum()

        vectors = self.vectors(100)
        expected = np.argsort(np.abs(vectors - vectors[3]).sum(axis=1), kind="stable")[:5]
        for index in (skerry.Index(8, "custom", distance=manhattan),
                      self.open(distance=manhattan).create("docs", 8, "custom")):
            index.add(np.arange(100), vectors)
            self.assertEqual(index.search(vectors[3], 5).keys.tolist(), expected.tolist())

    def test_a_c_function_by_its_address(self):
        import ctypes

        kind = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p,
                                ctypes.c_size_t)

        def first(context, a, b, dimension):
            floats = ctypes.POINTER(ctypes.c_float)
            return abs(ctypes.cast(a, floats)[0] - ctypes.cast(b, floats)[0])

        class Compiled:
            function = kind(first)
            address = ctypes.cast(function, ctypes.c_void_p).value

        index = skerry.Index(8, "custom", distance=Compiled())
        vectors = self.vectors(50)
        index.add(np.arange(50), vectors)
        expected = np.argsort(np.abs(vectors[:, 0] - vectors[7, 0]), kind="stable")[:5]
        self.assertEqual(index.search(vectors[7], 5).keys.tolist(), expected.tolist())

    def test_what_it_raises_is_raised_and_forgotten(self):
        broken = True

        def distance(a, b):
            if broken:
                raise ArithmeticError("broken")
            return 0.0

        index = skerry.Index(8, "custom", distance=distance)
        index.add(1, self.vectors(1)[0])
        with self.assertRaisesRegex(ArithmeticError, "broken"):
            index.search(self.vectors(1)[0])
        broken = False
        self.assertEqual(index.search(self.vectors(1)[0]).counts, 1)

    def test_it_must_be_given_and_answer_a_number(self):
        with self.assertRaises(skerry.InvalidArgument):
            skerry.Index(8, "custom")
        with self.assertRaisesRegex(skerry.InvalidArgument, "distance: expected a callable"):
            skerry.Index(8, "custom", distance=3)
        index = skerry.Index(8, "custom", distance=lambda a, b: float("nan"))
        index.add(1, self.vectors(1)[0])
        with self.assertRaisesRegex(skerry.InvalidArgument, "given NaN"):
            index.search(self.vectors(1)[0])

    def test_of_a_database_it_is_for_floats(self):
        db = self.open(distance=lambda a, b: 0.0)
        with self.assertRaisesRegex(skerry.InvalidArgument, "expected 'f32'"):
            db.create("docs", 8, "custom", scalar="f16")


class Forks(Case):
    def test_the_childs_handles_are_closed_and_the_parents_go_on(self):
        vectors = self.vectors(100)
        for subject in self.subjects():
            subject.add(np.arange(100), vectors)
            child = os.fork()
            if child == 0:
                closed = 0
                for call in (lambda: subject.search(vectors[0]), lambda: subject.get(1),
                             lambda: subject.upsert(1, vectors[1]), lambda: len(subject),
                             lambda: 1 in subject, lambda: list(subject)):
                    try:
                        call()
                    except skerry.Closed:
                        closed += 1
                    except BaseException:
                        pass
                os._exit(closed)
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 6)
            self.assertEqual(subject.search(vectors[0], 1).keys.tolist(), [0])


class LetGo(Case):
    def test_no_call_keeps_what_it_was_given(self):
        keys, vectors = np.arange(300, dtype=np.uint64), self.vectors(300)
        names, payloads = [f"n{i}" for i in range(300)], [b"x" * 40 for _ in range(300)]
        mask, query = np.ones(300, bool), self.vectors(1)[0]

        def filter(key):
            return True

        def progress(done, total):
            return True

        index = skerry.Index(8)
        db = self.open()
        docs = db.create("docs", 8, keys="str")

        def everything():
            index.upsert(keys, vectors, progress=progress)
            docs.upsert(names, vectors, payloads, progress=progress)
            for subject in (index, docs):
                subject.search(query, filter=filter, progress=progress)
                subject.search(vectors[:20], filter=filter)
                subject.explain(query, next(iter(subject)))
                subject.stats(), subject.options, len(subject), repr(subject)
                for wrong in (lambda: subject.search("x"), lambda: subject.add(1, "x"),
                              lambda: subject.get("none" if subject is docs else 9999),
                              lambda: subject.search(query, filter=lambda key: 1 / 0)):
                    self.assertRaises((skerry.Error, ZeroDivisionError), wrong)
            index.search(query, filter=mask), index.search(query, filter=keys)
            docs.payloads(names[:5])
            with docs.snapshot() as then:
                then.search(query), then.get(names[:3]), then.payload("n1")
            db.stats(), db.collections()

        things = (keys, vectors, names, payloads, mask, query, filter, progress, names[7],
                  payloads[7])

        def blocks():
            sys._clear_type_cache()  # it keeps the names of attributes that were asked for
            gc.collect()
            return sys.getallocatedblocks()

        def grown(times):
            before = blocks()
            for _ in range(times):
                everything()
            return blocks() - before

        grown(20)
        before = [sys.getrefcount(thing) for thing in things]
        self.assertLess(min(grown(40) for _ in range(3)), 20)
        self.assertEqual([sys.getrefcount(thing) for thing in things], before)

    def test_matches_own_their_arrays(self):
        index = skerry.Index(8)
        index.add(np.arange(10), self.vectors(10))
        keys, distances = index.search(self.vectors(1)[0])
        more = index.search(self.vectors(3))
        del index
        gc.collect()
        self.assertEqual((len(keys), len(distances), more.keys.shape), (10, 10, (3, 10)))
        self.assertTrue(keys.flags.owndata and more.keys.flags.c_contiguous)


if __name__ == "__main__":
    unittest.main()
