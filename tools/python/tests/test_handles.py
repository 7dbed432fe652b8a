"""Handles: closed ones, forgotten ones, threads, fork."""

from __future__ import annotations

import gc
import os
import threading
import unittest
import warnings
from collections.abc import Callable

from support import LONG_SAMPLE, PLANES, StoreCase, empty_rows, kvpager, part, run_python, sample_rows


class ClosedTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.tokens, self.rows = sample_rows()

    def calls(
        self, store: kvpager.Store, space: kvpager.Space, session: kvpager.Session, prefix: kvpager.Prefix
    ) -> dict[str, Callable[[], object]]:
        buffers = empty_rows(1)
        return {
            "store.statistics": store.statistics,
            "store.sessions": store.sessions,
            "store.spaces": store.spaces,
            "store.write_back": store.write_back,
            "store.collect_garbage": store.collect_garbage,
            "store.delete": lambda: store.delete("monday"),
            "store.session": lambda: store.session("monday"),
            "store.space": lambda: self.space(store),
            "space.find": lambda: space.find(self.tokens),
            "space.insert": lambda: space.insert(self.tokens, self.rows),
            "space.create": lambda: space.create("x"),
            "space.session": lambda: space.session("monday"),
            "space.delete": lambda: space.delete("monday"),
            "space.longest_checkpoint": lambda: space.longest_checkpoint(self.tokens),
            "prefix.read": lambda: prefix.read(buffers, 0, 1),
            "prefix.export": prefix.export,
            "prefix.prefetch": prefix.prefetch,
            "prefix.description": lambda: prefix.description,
            "session.append": lambda: session.append(self.tokens[:1], part(self.rows, 0, 1)),
            "session.read": lambda: session.read(buffers, 0, 1),
            "session.commit": session.commit,
            "session.fork": lambda: session.fork("y"),
            "session.truncate": lambda: session.truncate(1),
            "session.rename": lambda: session.rename("z"),
            "session.export": session.export,
            "session.export_file": lambda: session.export_file(self.folder / "out"),
            "session.tokens": lambda: session.tokens,
            "session.token_count": lambda: session.token_count,
            "session.name": lambda: session.name,
            "session.metadata": lambda: session.metadata.update(a="b"),
            "session.checkpoint": lambda: session.checkpoint,
            "session.prefetch": session.prefetch,
        }

    def opened(self) -> tuple[kvpager.Store, kvpager.Space, kvpager.Session, kvpager.Prefix]:
        store = self.open()
        space = self.space(store)
        self.assertEqual(space.planes, tuple(PLANES))
        session = space.create("monday")
        session.append(self.tokens[:100], part(self.rows, 0, 100))
        session.commit()
        return store, space, session, space.find(self.tokens)

    def test_a_closed_object_answers_every_call_with_an_error(self) -> None:
        store, space, session, prefix = self.opened()
        for opened in (prefix, session, space):
            opened.close()
            opened.close()
            self.assertTrue(opened.closed)
        for name, call in self.calls(store, space, session, prefix).items():
            if not name.startswith("store."):
                with self.subTest(name), self.assertRaises(kvpager.InvalidHandle) as caught:
                    call()
                self.assertIn("closed", caught.exception.message)
        self.assertEqual(store.session("monday").token_count, 100)

    def test_closing_a_store_closes_all_that_was_opened_under_it(self) -> None:
        opened = self.opened()
        opened[0].close()
        self.assertTrue(all(one.closed for one in opened))
        for name, call in self.calls(*opened).items():
            with self.subTest(name), self.assertRaises(kvpager.Closed) as caught:
                call()
            self.assertEqual(caught.exception.code, "invalidHandle" if name.startswith("store.") else "closed")
        for one in opened:
            one.close()

    def test_a_session_outlives_the_space_object_that_it_came_from(self) -> None:
        store = self.open()
        with self.space(store) as space:
            session = space.create("monday")
        session.append(self.tokens[:64], part(self.rows, 0, 64))
        session.commit()
        self.assertEqual(session.space.planes, tuple(PLANES))

    def test_a_closed_state_is_told(self) -> None:
        state = kvpager.State.open(LONG_SAMPLE)
        state.close()
        for call in (lambda: state.tokens, lambda: state.token_count, lambda: state.space(self.open(), model="m")):
            with self.assertRaises(kvpager.InvalidHandle):
                call()

    def test_a_closed_object_cannot_be_entered(self) -> None:
        store = self.open()
        store.close()
        with self.assertRaises(kvpager.InvalidHandle), store:
            self.fail("not reached")

    def test_with_closes_also_after_an_error(self) -> None:
        with self.assertRaises(ZeroDivisionError), kvpager.Store(self.path) as store, self.space(store) as space:
            1 / 0
        self.assertTrue(store.closed and space.closed)

    def test_objects_of_a_handle_number_that_was_never_given_are_refused_by_the_library(self) -> None:
        from kvpager import _library

        for value in (0, 1, 2**63, 2**64 - 1):
            with self.assertRaises(kvpager.InvalidHandle):
                _library.check(_library.library().kvpager_store_write_back(value))


class ForgottenTests(StoreCase):
    def test_a_forgotten_store_is_closed_with_a_warning_and_can_be_opened_again(self) -> None:
        tokens, rows = sample_rows()
        store = kvpager.Store(self.path, memory="64MiB")
        space = self.space(store)
        space.insert(tokens[:64], part(rows, 0, 64))
        del store
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del space
            gc.collect()
        self.assertEqual([warning.category for warning in caught], [ResourceWarning])
        with self.space(self.open()).find(tokens) as known:
            self.assertEqual(known.token_count, 64)

    def test_a_session_keeps_its_store_open(self) -> None:
        session = self.space(kvpager.Store(self.path, memory="64MiB")).create("monday")
        gc.collect()
        tokens, rows = sample_rows()
        session.append(tokens[:64], part(rows, 0, 64))
        session.commit()
        session.store.close()

    def test_a_state_keeps_its_bytes(self) -> None:
        state = kvpager.State(bytearray(LONG_SAMPLE.read_bytes()))
        gc.collect()
        rubbish = [bytearray(11 << 20) for _ in range(4)]
        with self.open() as store, state.space(store, model="m") as space, space.create("monday") as session:
            session.take(state)
            self.assertEqual(session.export(), LONG_SAMPLE.read_bytes())
        self.assertEqual(len(rubbish), 4)

    def test_an_export_into_a_fresh_buffer_outlives_its_session(self) -> None:
        with self.open() as store, kvpager.State.open(LONG_SAMPLE) as state, state.space(store, model="m") as space:
            with space.create("monday") as session:
                session.take(state)
                data = session.export()
        self.assertEqual(data, LONG_SAMPLE.read_bytes())


class ThreadTests(StoreCase):
    def run_all(self, functions: list[Callable[[], None]]) -> None:
        errors: list[BaseException] = []

        def run(function: Callable[[], None]) -> None:
            try:
                function()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(function,)) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def test_sessions_of_many_threads_share_one_store(self) -> None:
        tokens, rows = sample_rows()
        store = self.open(memory="8MiB")
        space = self.space(store)

        def work(number: int) -> Callable[[], None]:
            def body() -> None:
                first = 32 * number
                own = tokens[first : first + 256]
                with space.create(f"session {number}") as session:
                    session.append(own, part(rows, first, first + 256))
                    session.commit()
                for _ in range(3):
                    with space.find(own) as known, store.session(f"session {number}") as session:
                        for opened in (known, session):
                            buffers = empty_rows(256)
                            opened.read(buffers)
                            if buffers != part(rows, first, first + 256):
                                raise AssertionError(f"rows of session {number} differ")

            return body

        self.run_all([work(number) for number in range(8)])
        self.assertEqual(len(store.sessions()), 8)

    def test_errors_are_those_of_the_thread_they_happened_in(self) -> None:
        store = self.open()

        def look_for(name: str) -> Callable[[], None]:
            def body() -> None:
                for _ in range(200):
                    try:
                        store.session(name)
                    except kvpager.NotFound as error:
                        if name not in error.message:
                            raise AssertionError(error.message) from error

            return body

        self.run_all([look_for(name) for name in ("anna", "bert", "carl", "dora")])

    def test_closing_while_others_work_ends_in_results_or_errors(self) -> None:
        tokens, rows = sample_rows()
        for _ in range(5):
            store = kvpager.Store(self.path, memory="64MiB")
            space = self.space(store)
            space.insert(tokens, rows)
            started = threading.Barrier(4)

            def read() -> None:
                buffers = empty_rows(512)
                started.wait()
                try:
                    for _ in range(1000):
                        with space.find(tokens) as known:
                            known.read(buffers)
                except kvpager.Closed:
                    pass

            self.run_all([read, read, read, lambda: (started.wait(), store.close()) and None])
            self.assertTrue(store.closed)

    def test_a_state_is_closed_while_others_take_it(self) -> None:
        data = LONG_SAMPLE.read_bytes()
        with self.open() as store:
            for round in range(5):
                state = kvpager.State(bytearray(data))
                space = state.space(store, model=f"model {round}")

                def take(name: str) -> Callable[[], None]:
                    def body() -> None:
                        try:
                            with space.create(name) as session:
                                session.take(state)
                                if session.export() != data:
                                    raise AssertionError("the session's state differs")
                        except kvpager.InvalidHandle:
                            pass

                    return body

                self.run_all([take("a"), take("b"), state.close])


@unittest.skipUnless(hasattr(os, "fork"), "there is no fork() here")
class ForkTests(StoreCase):
    def test_a_forked_child_is_refused_and_may_open_the_store_anew(self) -> None:
        run_python(
            "import os, sys; from support import *\n"
            "tokens, rows = sample_rows()\n"
            "store = kvpager.Store(sys.argv[1], memory='64MiB')\n"
            "space = store.space(model='smollm2-135m', planes=PLANES)\n"
            "session = space.create('monday')\n"
            "session.append(tokens, rows)\n"
            "session.commit()\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    for call in (store.statistics, session.commit, lambda: space.find(tokens)):\n"
            "        try: call()\n"
            "        except kvpager.Forked as error: assert 'anew' in error.message\n"
            "        else: os._exit(3)\n"
            "    session.close(); space.close(); store.close()\n"
            "    with kvpager.Store(sys.argv[1], memory='64MiB') as own, own.session('monday') as again:\n"
            "        buffers = empty_rows(512)\n"
            "        again.read(buffers)\n"
            "        sys.exit(0 if again.tokens == tokens and buffers == rows else 4)\n"
            "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
            "assert status == 0, status\n"
            "session.append(tokens[:5], part(rows, 0, 5))\n"
            "session.commit()\n"
            "store.close()\n",
            self.path,
        )

    def test_the_library_itself_refuses_a_forked_child(self) -> None:
        run_python(
            "import os, sys; from support import *\n"
            "from kvpager import _handle\n"
            "store = kvpager.Store(sys.argv[1], memory='64MiB')\n"
            "child = os.fork()\n"
            "if child == 0:\n"
            "    store._slot.forks = _handle._fork_count\n"
            "    try: store.statistics()\n"
            "    except kvpager.Forked: os._exit(0)\n"
            "    os._exit(3)\n"
            "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0\n"
            "store.close()\n",
            self.path,
        )


if __name__ == "__main__":
    unittest.main()
