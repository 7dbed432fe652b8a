"""Sessions on real samples: what goes in comes out, byte for byte, also in another process and after a kill."""

from __future__ import annotations

import signal
import unittest
from datetime import datetime, timedelta, timezone

from support import (
    LONG_SAMPLE,
    PLANES,
    ROW_BYTES,
    SAMPLES,
    SHORT_SAMPLES,
    StoreCase,
    empty_rows,
    kvpager,
    part,
    run_python,
    sample_rows,
)  # fmt: skip


class SampleTests(StoreCase):
    def test_every_sample_comes_out_byte_for_byte(self) -> None:
        self.assertGreaterEqual(len(SHORT_SAMPLES), 6)
        store = self.open()
        for path in SHORT_SAMPLES:
            data = path.read_bytes()
            with self.subTest(path.name), kvpager.State(data) as state, state.space(store, model="smollm2") as space:
                self.assertEqual(state.shape["format"], "llama-seq")
                self.assertIn("llama.cpp sequence file", state.format)
                self.assertTrue(state.can_be_cut)
                self.assertEqual(state.checkpoint_size, 0)
                with space.create(path.name) as session:
                    session.take(state, sharing="content")
                    session.commit()
                    self.assertEqual(session.tokens, state.tokens)
                    self.assertEqual(session.token_count, state.token_count)
                    self.assertEqual(session.export_size(), len(data))
                    self.assertEqual(session.export(), data)

    def test_a_state_is_read_from_a_file_and_exported_into_one(self) -> None:
        store = self.open()
        target = self.folder / "out.ggsq"
        with kvpager.State.open(LONG_SAMPLE) as state, state.space(store, model="smollm2") as space:
            with space.create("monday") as session:
                session.take(state)
                self.assertEqual(session.export_file(target), LONG_SAMPLE.stat().st_size)
        self.assertEqual(target.read_bytes(), LONG_SAMPLE.read_bytes())

    def test_a_blob_goes_into_a_buffer_of_the_callers_and_is_read_again(self) -> None:
        store = self.open()
        with kvpager.State.open(LONG_SAMPLE) as state:
            space = state.space(store, model="smollm2")
            space.insert_state(state)
            tokens = state.tokens
        with space.find(tokens) as known:
            self.assertEqual(known.token_count, 512)
            size = known.export_size(format="llama-blob")
            buffer = kvpager.allocate(size + 100)
            blob = known.export(into=buffer, format="llama-blob")
            self.assertEqual(len(blob), size)
            self.assertEqual(bytes(buffer[size:]), bytes(100))
            self.assertEqual(blob, known.export(format="llama-blob"))
            with self.assertRaises(kvpager.BufferTooSmall):
                known.export(into=bytearray(size - 1), format="llama-blob")
            with kvpager.State(blob, tokens=tokens) as again:
                self.assertEqual(again.token_count, 512)
                shape = again.shape
                self.assertEqual(known.export(**shape), blob)
                self.assertEqual(known.export(100, **shape), known.export(100, format="llama-blob"))

    def test_a_state_whose_tokens_are_not_known_says_so(self) -> None:
        store = self.open()
        with kvpager.State.open(LONG_SAMPLE) as state, state.space(store, model="smollm2") as space:
            with space.create("monday") as session:
                session.take(state)
                blob = session.export(format="llama-blob")
        with kvpager.State(blob) as state:
            self.assertFalse(state.tokens_known)
        with kvpager.State.open(LONG_SAMPLE) as state:
            self.assertTrue(state.tokens_known)

    def test_safetensors_hold_the_rows_of_the_sample(self) -> None:
        tokens, rows = sample_rows()
        with kvpager.State.open(SAMPLES / "smollm2-135m_512tok_f16.safetensors") as state:
            self.assertEqual(state.format, "safetensors")
            self.assertEqual(state.tokens, tokens)
            self.assertEqual(sorted(map(str, state.planes)), sorted(map(str, PLANES)))
            with state.space(self.open(), model="smollm2") as space, space.create("monday") as session:
                session.take(state)
                buffers = empty_rows(512)
                session.read(buffers)
                by_plane = {(plane.kind, plane.layer): buffer for plane, buffer in zip(space.planes, buffers)}
                for plane, expected in zip(PLANES, rows):
                    self.assertEqual(by_plane[plane.kind, plane.layer], expected)


class SessionTests(StoreCase):
    def setUp(self) -> None:
        super().setUp()
        self.tokens, self.rows = sample_rows()
        self.store = self.open()
        self.kv = self.space(self.store)

    def stored(self, name: str = "monday", count: int = 512) -> kvpager.Session:
        """A committed session with the sample's first tokens."""
        session = self.kv.create(name)
        session.append(self.tokens[:count], part(self.rows, 0, count))
        session.commit()
        return session

    def test_rows_come_out_as_they_went_in(self) -> None:
        session = self.stored()
        buffers = empty_rows(512)
        session.read(buffers)
        self.assertEqual(buffers, self.rows)

    def test_a_range_of_some_planes_is_read_and_no_other_buffer_is_touched(self) -> None:
        session = self.stored()
        wanted: list[bytearray | None] = [None] * len(PLANES)
        wanted[7] = bytearray(100 * ROW_BYTES)
        session.read(wanted, first=50, count=100)
        self.assertEqual(wanted[7], part(self.rows, 50, 150)[7])
        session.read(wanted, first=412)
        self.assertEqual(wanted[7], part(self.rows, 412, 512)[7])

    def test_tokens_appended_one_by_one_are_the_session_appended_at_once(self) -> None:
        session = self.kv.create("monday")
        for index in range(70):
            session.append([self.tokens[index]], part(self.rows, index, index + 1))
        self.assertEqual(session.tokens, self.tokens[:70])
        buffers = empty_rows(70)
        session.read(buffers)
        self.assertEqual(buffers, part(self.rows, 0, 70))

    def test_a_fork_shares_its_blocks_and_goes_its_own_way(self) -> None:
        session = self.stored()
        blocks = self.store.statistics()["blocks"]["unique"]
        with session.fork("tuesday", tokens=320) as fork:
            fork.commit()
            self.assertEqual(self.store.statistics()["blocks"]["unique"], blocks)
            fork.append(self.tokens[:10], part(self.rows, 0, 10))
            fork.commit()
            self.assertEqual(fork.tokens, self.tokens[:320] + self.tokens[:10])
        self.assertEqual(session.tokens, self.tokens)
        self.assertEqual([one.name for one in self.store.sessions()], ["monday", "tuesday"])

    def test_a_prefix_is_found_whoever_stored_it(self) -> None:
        self.stored()
        with self.kv.find(self.tokens[:300] + [7, 7, 7]) as known:
            self.assertTrue(known)
            self.assertEqual(known.tokens, self.tokens[:300])
            self.assertEqual(known.description["tokens"], 300)
            known.prefetch()
            buffers = empty_rows(300)
            self.assertEqual(known.read(buffers), 300)
            self.assertEqual(buffers, part(self.rows, 0, 300))
            with self.kv.create("wednesday", prefix=known) as session:
                self.assertEqual(session.tokens, self.tokens[:300])
            with self.kv.create("thursday", prefix=known, tokens=self.tokens) as session:
                self.assertEqual(session.tokens, self.tokens[:300])
        with self.kv.find([9, 9, 9]) as nothing:
            self.assertFalse(nothing)
            self.assertEqual(nothing.token_count, 0)

    def test_rows_without_a_session_are_found_again(self) -> None:
        self.kv.insert(self.tokens[:128], part(self.rows, 0, 128))
        self.store.write_back()
        with self.kv.find(self.tokens) as known:
            self.assertEqual(known.tokens, self.tokens[:128])

    def test_a_session_is_cut_back_and_renamed(self) -> None:
        session = self.stored()
        session.truncate(100)
        session.commit()
        session.rename("friday")
        self.assertEqual(session.name, "friday")
        session.close()
        with self.store.session("friday") as again:
            self.assertEqual(again.tokens, self.tokens[:100])
            self.assertEqual(again.space.id, self.kv.id)
        with self.assertRaises(kvpager.NotFound):
            self.store.session("monday")

    def test_metadata_is_a_mapping_that_is_committed(self) -> None:
        session = self.stored()
        session.metadata["title"] = "Über Züge"
        session.metadata.update(model="x", user="y")
        del session.metadata["model"]
        with self.assertRaises(KeyError):
            del session.metadata["model"]
        with self.assertRaises(KeyError):
            session.metadata["model"]
        session.commit()
        session.close()
        with self.kv.session("monday") as again:
            self.assertEqual(dict(again.metadata), {"title": "Über Züge", "user": "y"})
            self.assertEqual(len(again.metadata), 2)
        self.assertEqual(self.store.sessions()[0].metadata["user"], "y")

    def test_a_checkpoint_is_kept_and_forbids_cutting(self) -> None:
        session = self.stored(count=100)
        self.assertIsNone(session.checkpoint)
        state = bytes(range(256)) * 5000
        session.checkpoint = state
        session.commit()
        session.close()
        with self.kv.session("monday") as again:
            self.assertEqual(again.checkpoint, state)
            self.assertEqual(again.info.checkpoint_bytes, len(state))
            with self.assertRaises(kvpager.Error):
                again.truncate(50)
            with self.assertRaises(kvpager.Error):
                again.fork("half", tokens=50)
            again.fork("whole").close()
        self.assertEqual(self.kv.longest_checkpoint(self.tokens), "monday")
        self.assertIsNone(self.kv.longest_checkpoint(self.tokens[:99]))
        with self.kv.session("monday") as again:
            again.checkpoint = None
            again.commit()
            self.assertIsNone(again.checkpoint)
        self.assertIsNone(self.kv.longest_checkpoint(self.tokens))

    def test_an_expired_session_is_collected(self) -> None:
        session = self.stored()
        self.assertIsNone(session.expires)
        time = datetime.now(timezone.utc) + timedelta(days=30)
        session.expires = time
        self.assertEqual(session.expires, time)
        with self.assertRaises(kvpager.InvalidArgument):
            session.expires = datetime(2030, 1, 1)
        session.commit()
        self.assertEqual(self.store.collect_garbage()["expiredSessions"], 0)
        session.expires = datetime.now(timezone.utc) - timedelta(days=1)
        session.commit()
        session.close()
        self.assertEqual(self.store.collect_garbage()["expiredSessions"], 1)
        self.assertEqual(self.store.sessions(), [])

    def test_what_was_not_committed_is_forgotten(self) -> None:
        with self.kv.create("monday") as session:
            session.append(self.tokens[:10], part(self.rows, 0, 10))
        with self.assertRaises(kvpager.NotFound):
            self.kv.session("monday")

    def test_a_name_is_given_once(self) -> None:
        self.stored()
        with self.assertRaises(kvpager.AlreadyExists):
            with self.kv.create("monday") as second:
                second.commit()

    def test_a_deleted_session_is_gone_and_its_blocks_stay_as_cache(self) -> None:
        self.stored().close()
        self.store.delete("monday")
        self.assertEqual(self.store.sessions(), [])
        with self.kv.find(self.tokens) as known:
            self.assertEqual(known.token_count, 512)
        with self.assertRaises(kvpager.NotFound):
            self.kv.delete("monday")

    def test_what_a_session_is_can_be_asked(self) -> None:
        session = self.stored()
        info = session.info
        self.assertEqual((info.name, info.space_id, info.token_count), ("monday", self.kv.id, 512))
        self.assertTrue(info.committed)
        self.assertEqual(info.block_count, 8)
        self.assertIsNone(info.expires)
        self.assertLess(abs(datetime.now(timezone.utc) - info.created), timedelta(hours=1))
        self.assertEqual(self.store.sessions()[0].token_count, 512)
        self.assertEqual(len(session), 512)

    def test_rows_of_other_content_are_shared_only_by_identity(self) -> None:
        self.stored()
        other = [bytes(64 * ROW_BYTES) for _ in PLANES]
        with self.kv.create("same") as session:
            session.append(self.tokens[:64], other, sharing="identity")
            buffers = empty_rows(64)
            session.read(buffers)
            self.assertEqual(buffers, part(self.rows, 0, 64))
        with self.kv.create("own") as session:
            session.append(self.tokens[:64], other, sharing="content")
            session.read(buffers)
            self.assertEqual(buffers, other)


class RestartTests(StoreCase):
    def test_a_session_is_resumed_in_another_process(self) -> None:
        tokens, rows = sample_rows()
        with kvpager.Store(self.path, memory="64MiB") as store, self.space(store) as space:
            with space.create("monday") as session:
                session.append(tokens, rows)
                session.commit()
        run_python(
            "import sys; from support import *\n"
            "tokens, rows = sample_rows()\n"
            "with kvpager.Store(sys.argv[1], memory='64MiB') as store, store.session('monday') as session:\n"
            "    buffers = empty_rows(512)\n"
            "    session.read(buffers)\n"
            "    assert session.tokens == tokens and buffers == rows\n",
            self.path,
        )

    def test_what_was_committed_survives_a_kill(self) -> None:
        killed = run_python(
            "import os, signal, sys; from support import *\n"
            "tokens, rows = sample_rows()\n"
            "store = kvpager.Store(sys.argv[1], memory='64MiB')\n"
            "session = store.space(model='smollm2-135m', planes=PLANES).create('monday')\n"
            "session.append(tokens[:400], part(rows, 0, 400))\n"
            "session.commit()\n"
            "session.append(tokens[400:], part(rows, 400, 512))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n",
            self.path,
            check=False,
        )
        self.assertEqual(killed.returncode, -signal.SIGKILL, killed.stderr)
        tokens, rows = sample_rows()
        with self.open().session("monday") as session:
            self.assertEqual(session.tokens, tokens[:400])
            buffers = empty_rows(400)
            session.read(buffers)
            self.assertEqual(buffers, part(rows, 0, 400))

    def test_a_store_that_was_left_open_is_written_back_at_the_interpreters_end(self) -> None:
        run_python(
            "import sys; from support import *\n"
            "tokens, rows = sample_rows()\n"
            "store = kvpager.Store(sys.argv[1], memory='64MiB')\n"
            "store.space(model='smollm2-135m', planes=PLANES).insert(tokens, rows)\n",
            self.path,
        )
        tokens, _ = sample_rows()
        with self.space(self.open()).find(tokens) as known:
            self.assertEqual(known.token_count, 512)


if __name__ == "__main__":
    unittest.main()
