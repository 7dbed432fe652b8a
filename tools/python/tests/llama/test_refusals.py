"""Engines that refuse states, take half of them, or have been upgraded: told with a recorded engine instead of a model.

The states are real (data/samples); the engine keeps what it is given and takes what it is told to.
"""

from __future__ import annotations

import ctypes
import json
import struct
import time
import unittest
from collections.abc import Callable, Sequence

from scenario import SAMPLES, ModelTest

import kvpager
from kvpager.llama import CallableEngine, SessionPager, model_digest
from kvpager.llama.identity import SETTLED_NANOSECONDS

TOKENS = 48
MAGIC = 0xAF143CD8


def blob_of(sample: str) -> bytes:
    """A sample's payload as llama_state_seq_get_data gives it."""
    data = (SAMPLES / sample).read_bytes()
    count = struct.unpack_from("<I", data, 8)[0]
    return struct.pack("<Ii", MAGIC, 0) + data[12 + 4 * count :]


VERSION_3 = "smollm2-135m_48tok_f16_fa.v3.ggsq"
VERSION_4 = "smollm2-135m_48tok_f16_nofa_vtrans.v4.ggsq"
EMPTY = struct.pack("<IiII", MAGIC, 0, 1, 0)


class RecordedEngine(CallableEngine):
    """A context that holds a blob. `accepts` decides which ones it takes, `consumes` how much of them."""

    def __init__(self, computed: bytes = EMPTY, accepts: Callable[[bytes], bool] = lambda blob: True) -> None:
        self.blob, self.computed = EMPTY, computed
        self.accepts, self.consumes = accepts, 1.0
        self.evaluated: list[list[int]] = []
        super().__init__(
            model="recorded", context_tokens=1024, get_size=lambda: len(self.blob), get_data=self._get,
            set_data=self._set, remove=self._remove, compute=self._compute)  # fmt: skip
        self.tokens = []

    def _get(self, address: int, size: int) -> int:
        ctypes.memmove(address, self.blob, len(self.blob))
        return len(self.blob)

    def _set(self, address: int, size: int) -> int:
        blob = ctypes.string_at(address, size)
        if not self.accepts(blob):
            self.blob = EMPTY
            return 0
        self.blob = blob
        return int(size * self.consumes)

    def _remove(self, first: int) -> bool:
        if first == 0:
            self.blob = EMPTY
        return first == 0

    def _compute(self, tokens: Sequence[int]) -> None:
        self.evaluated.append(list(tokens))
        self.blob = self.computed


class Refusals(ModelTest):
    tokens: list[int]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.tokens = json.loads((SAMPLES / "expected.json").read_text())["token_ids"]

    def setUp(self) -> None:
        folder = self.folder / self._testMethodName
        self.store = self.use(kvpager.Store(folder, memory="16MiB"))

    def save(self, sample: str, name: str = "chat") -> None:
        engine = RecordedEngine()
        engine.blob, engine.tokens = blob_of(sample), self.tokens[:TOKENS]
        SessionPager(self.store, engine, block_tokens=16).save(name)

    def test_an_engine_that_refuses_is_a_miss_and_leaves_it_empty(self) -> None:
        self.save(VERSION_3)
        engine = RecordedEngine(accepts=lambda blob: False)
        pager = SessionPager(self.store, engine)
        with self.assertLogs("kvpager.llama", "INFO") as log:
            self.assertEqual(pager.warm(self.tokens), 0)
        self.assertIn("the engine refuses the state", "\n".join(log.output))
        self.assertEqual((engine.blob, list(engine.tokens or [])), (EMPTY, []))
        with self.assertRaisesRegex(kvpager.InvalidArgument, 'does not take the session "chat"'):
            pager.resume("chat")

    def test_a_state_that_is_taken_in_part_is_not_left_in_the_context(self) -> None:
        self.save(VERSION_3)
        engine = RecordedEngine()
        engine.consumes = 0.5
        with self.assertLogs("kvpager.llama", "INFO") as log:
            self.assertEqual(SessionPager(self.store, engine).warm(self.tokens), 0)
        self.assertRegex("\n".join(log.output), "the engine took [0-9]+ of [0-9]+ bytes")
        self.assertEqual(engine.blob, EMPTY)

    def test_a_position_that_is_not_the_last_tokens_is_not_left_in_the_context(self) -> None:
        self.save(VERSION_3)
        engine = RecordedEngine()
        engine.get_positions = lambda: (0, 7) if engine.blob != EMPTY else (-1, -1)
        with self.assertLogs("kvpager.llama", "INFO") as log:
            self.assertEqual(SessionPager(self.store, engine).warm(self.tokens), 0)
        self.assertIn(f"its last position is 7 where {TOKENS - 1} is right", "\n".join(log.output))
        self.assertEqual(engine.blob, EMPTY)

    def test_whatever_breaks_a_change_off_the_context_holds_no_more_than_is_said(self) -> None:
        """Ctrl-C comes after a call into the engine, before anybody noted what it did; a binding may raise."""
        self.save(VERSION_3)
        engine = RecordedEngine()
        pager = SessionPager(self.store, engine)
        engine.blob, engine.tokens = blob_of(VERSION_3), self.tokens[100:148]
        taken = engine.set_data

        def interrupted(address: int, size: int) -> int:
            taken(address, size)
            raise KeyboardInterrupt

        engine.set_data = interrupted
        for change in (lambda: pager.resume("chat"), lambda: pager.warm(self.tokens)):
            with self.assertRaises(KeyboardInterrupt):
                change()
            self.assertEqual((engine.blob, list(engine.tokens)), (EMPTY, []))
            engine.blob, engine.tokens = blob_of(VERSION_3), self.tokens[100:148]
        removed: list[tuple[int, int]] = []

        def interrupted_removal(first: int) -> bool:
            removed.append((first, len(engine.tokens or [])))
            raise KeyboardInterrupt

        engine.remove = interrupted_removal
        for change in (pager.states.clear, lambda: pager.states.cut(7)):
            with self.assertRaises(KeyboardInterrupt):
                change()
            engine.tokens = self.tokens[100:148]
        self.assertEqual(removed, [(0, 0), (7, 7)], "tokens are taken away before their cells are")

    def test_other_tokens_than_the_engine_knows_are_not_saved(self) -> None:
        engine = RecordedEngine()
        pager = SessionPager(self.store, engine)
        engine.blob, engine.tokens = blob_of(VERSION_3), self.tokens[:TOKENS]
        with self.assertRaisesRegex(kvpager.InvalidArgument, "holds other tokens than these"):
            pager.save("chat", self.tokens[100 : 100 + TOKENS])
        self.assertEqual(self.store.sessions(), [])
        engine.tokens = self.tokens[:7]  # not kept up, and no contradiction
        self.assertEqual(pager.save("chat", self.tokens[:TOKENS]), TOKENS)

    def test_a_context_that_was_cleared_behind_its_back_is_not_kept(self) -> None:
        self.save(VERSION_3)
        engine = RecordedEngine()
        engine.get_positions = lambda: (-1, -1) if engine.blob == EMPTY else (0, TOKENS - 1)
        pager = SessionPager(self.store, engine)
        engine.tokens = self.tokens[: TOKENS + 10]
        self.assertEqual(pager.warm(self.tokens[: TOKENS + 20]), TOKENS)
        self.assertEqual(pager.last.source, "store")
        engine.blob, engine.tokens = EMPTY, self.tokens[100:150]
        self.assertEqual(pager.warm(self.tokens[100:160]), 0)
        self.assertEqual(list(engine.tokens), [])

    def test_a_session_that_moves_is_not_lost_on_the_way(self) -> None:
        from unittest import mock

        engine = RecordedEngine()
        engine.blob, engine.tokens = blob_of(VERSION_3), self.tokens[:TOKENS]
        SessionPager(self.store, engine, block_tokens=16).save("chat", title="Shelves")
        engine.blob = blob_of("smollm2-135m_512tok_f16_fa.v4.ggsq")
        engine.tokens = self.tokens[:512]
        pager = SessionPager(self.store, engine)
        with mock.patch.object(kvpager.Session, "commit", side_effect=kvpager.QuotaFull("no room")):
            with self.assertRaises(kvpager.QuotaFull):
                pager.save("chat")
        self.assertEqual([info.token_count for info in self.store.sessions()], [TOKENS])
        pager.save("chat", state="moved")
        self.assertEqual(
            [(info.token_count, dict(info.metadata)) for info in self.store.sessions()],
            [(512, {"title": "Shelves", "state": "moved"})])

    def test_an_upgraded_engine_gets_what_the_older_one_computed(self) -> None:
        """It refuses version 3; one computed token shows what it takes, and the rows are written so."""
        self.save(VERSION_3)
        four = blob_of("smollm2-135m_512tok_f16_fa.v4.ggsq")
        # 60 layers in version 4 stand behind n_rot_k and n_rot_v: 8 bytes more than in version 3.
        wanted = len(blob_of(VERSION_3)) + 8
        engine = RecordedEngine(computed=four, accepts=lambda blob: len(blob) == wanted)
        pager = SessionPager(self.store, engine)
        self.assertEqual(pager.warm(self.tokens), TOKENS)
        self.assertEqual([len(tokens) for tokens in engine.evaluated], [1])
        engine.tokens = self.tokens[:TOKENS]
        pager.save("chat")
        self.assertEqual([info.token_count for info in self.store.sessions()], [TOKENS], "the session has moved")
        again = SessionPager(self.store, RecordedEngine(accepts=lambda blob: len(blob) == wanted))
        self.assertEqual(again.warm(self.tokens), TOKENS, "the space of version 4 is found without computing")

    def test_quantised_rows_of_another_rotation_are_not_given_to_it(self) -> None:
        """Version 3 does not tell how quantised rows are rotated, so that version 4 must not get them."""
        sample = blob_of("smollm2-135m_48tok_q8_0_fa.v4.ggsq")
        self.save("smollm2-135m_48tok_q8_0_fa.v4.ggsq")
        with self.store.session("chat") as session:
            three = bytes(session.export(version=3))
        engine = RecordedEngine(computed=three, accepts=lambda blob: len(blob) != len(sample))
        self.assertEqual(SessionPager(self.store, engine).warm(self.tokens), 0)
        self.assertEqual(len(engine.evaluated), 1)

    def test_values_in_the_other_order_are_turned(self) -> None:
        """A state without flash attention, for the same settings: told by the space, without computing."""
        self.save(VERSION_4)
        engine = RecordedEngine()
        self.assertEqual(SessionPager(self.store, engine).warm(self.tokens[: TOKENS + 1]), TOKENS)
        self.assertEqual(engine.blob, blob_of(VERSION_4))
        self.assertEqual(engine.evaluated, [])

    def test_a_recurrent_memory_is_kept_whole_with_its_tokens(self) -> None:
        """A state without rows: header, one cell, two layers of R and S."""
        def memory(last: int) -> bytes:
            rows = b"".join(struct.pack("<iQ", 0, 32) + bytes([last + i]) * 32 for i in range(4))
            return struct.pack("<IiIiIIII", MAGIC, 0, 1, last, 1, 0, 0, 2) + rows

        engine = RecordedEngine()
        engine.get_positions = lambda: (struct.unpack_from("<i", engine.blob, 12)[0],) * 2
        pager = SessionPager(self.store, engine)
        engine.blob, engine.tokens = memory(9), self.tokens[:10]
        self.assertEqual(pager.save("chat"), 10)
        engine.blob, engine.tokens = memory(14), self.tokens[:15]
        with self.assertRaisesRegex(kvpager.InvalidArgument, "the context's last position is 14"):
            pager.save("chat", self.tokens[:14])
        self.assertEqual(pager.save("chat"), 15)
        self.assertEqual(pager.save("later"), 15)
        self.assertEqual(pager.remember(), 0, "it needs a session")
        fresh = RecordedEngine()
        other = SessionPager(self.store, fresh)
        self.assertEqual(other.warm(self.tokens[:15]), 0, "a memory of all of the prompt cannot be cut back")
        self.assertEqual(other.warm(self.tokens[:16]), 15)
        self.assertEqual(fresh.blob, memory(14))
        self.assertEqual(other.resume("chat"), self.tokens[:15])

    def test_a_damaged_block_never_reaches_the_engine(self) -> None:
        """llama.cpp would take a flipped bit silently. What lies before the damaged block is still used."""
        self.save(VERSION_3)
        folder = self.folder / self._testMethodName
        self.store.close()
        runs = overflow_runs((folder / "data.mdb").read_bytes())
        with open(folder / "data.mdb", "r+b") as file:
            offset, size = runs[-1]  # the third block of 16 tokens was written last
            file.seek(offset + size // 2)
            byte = file.read(1)[0]
            file.seek(offset + size // 2)
            file.write(bytes([byte ^ 1]))
        engine = RecordedEngine()
        with kvpager.Store(folder, memory="16MiB") as store:
            with self.assertLogs("kvpager.llama", "WARNING") as log:
                self.assertEqual(SessionPager(store, engine).warm(self.tokens), 32)
            self.assertIn("stored tokens cannot be read", "\n".join(log.output))
            self.assertGreater(store.statistics()["memory"]["damagedBlocks"], 0)
            with self.assertRaises(kvpager.Error):
                SessionPager(store, RecordedEngine()).resume("chat")
        whole = blob_of(VERSION_3)
        with kvpager.State(engine.blob, tokens=self.tokens[:32]) as state:
            self.assertEqual(state.token_count, 32)
        self.assertIn(whole[-384 * 48 : -384 * 16], engine.blob, "the last layer's first 32 rows of values")


def overflow_runs(data: bytes, page: int = 4096) -> list[tuple[int, int]]:
    """Offset and size of the large values in an LMDB file: what blocks are stored in."""
    runs, offset = [], 0
    while offset < len(data):
        flags, pages = struct.unpack_from("<HI", data, offset + 10)
        is_run = flags == 0x04 and 16 <= pages <= (len(data) - offset) // page
        if is_run:
            runs.append((offset, pages * page))
        offset += pages * page if is_run else page
    return runs


class Identity(ModelTest):
    def test_a_models_digest_is_computed_once_until_the_file_changes(self) -> None:
        import hashlib
        import os
        from unittest import mock

        with mock.patch.dict(os.environ, {"KVPAGER_CACHE": str(self.folder / "cache")}):
            file = self.folder / "model.gguf"
            file.write_bytes(b"weights")
            expected = f"sha256:{hashlib.sha256(b'weights').hexdigest()}"
            while time.time_ns() - file.stat().st_ctime_ns <= SETTLED_NANOSECONDS:
                time.sleep(0.01)  # one that has just changed is not kept
            self.assertEqual(model_digest(file), expected)
            with mock.patch("hashlib.sha256", wraps=hashlib.sha256) as counted:
                self.assertEqual(model_digest(file), expected)
                self.assertEqual(counted.call_count, 1, "the path's alone, for the entry's name")
            before = file.stat()
            file.write_bytes(b"Weights")
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            self.assertEqual(file.stat().st_mtime_ns, before.st_mtime_ns, "as cp -p and rsync -t leave it")
            self.assertNotEqual(model_digest(file), expected)
            while time.time_ns() - file.stat().st_ctime_ns <= SETTLED_NANOSECONDS:
                time.sleep(0.01)
            self.assertNotEqual(model_digest(file), expected)
            entry = next((self.folder / "cache" / "digests").iterdir())
            entry.write_text("{ damaged")
            self.assertNotEqual(model_digest(file), expected)

    def test_a_model_in_parts_has_a_digest_over_all_of_them(self) -> None:
        import os
        from unittest import mock

        with mock.patch.dict(os.environ, {"KVPAGER_CACHE": str(self.folder / "cache")}):
            parts = [self.folder / f"model-0000{index}-of-00002.gguf" for index in (1, 2)]
            parts[0].write_bytes(b"one")
            parts[1].write_bytes(b"two")
            before = model_digest(parts[0])
            parts[1].write_bytes(b"TWO")
            self.assertNotEqual(model_digest(parts[0]), before)


if __name__ == "__main__":
    unittest.main()
