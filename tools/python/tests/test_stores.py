"""Stores and cache spaces: options, errors by class, quotas, several of them."""

from __future__ import annotations

import os
import pickle
import random
import unittest

from support import PLANES, SHORT_SAMPLES, StoreCase, kvpager, part, run_python, sample_rows


class OpeningTests(StoreCase):
    def test_a_store_is_open_once_in_a_process(self) -> None:
        store = self.open()
        with self.assertRaises(kvpager.Busy) as caught:
            kvpager.Store(self.path)
        self.assertEqual(caught.exception.code, "busy")
        self.assertEqual(caught.exception.message, str(caught.exception))
        store.close()
        kvpager.Store(self.path).close()

    def test_a_store_that_is_not_there_is_made_only_by_create(self) -> None:
        for access in ("write", "read"):
            with self.assertRaises(kvpager.NotFound):
                kvpager.Store(self.path, access=access)
        self.assertFalse(self.path.exists())
        kvpager.Store(self.path).close()
        kvpager.Store(self.path, access="write").close()

    def test_a_file_that_is_no_store_is_refused(self) -> None:
        self.path.mkdir()
        (self.path / "data.mdb").write_bytes(b"this is a letter" * 1000)
        with self.assertRaises(kvpager.NotAStore):
            kvpager.Store(self.path)

    def test_a_store_for_reading_changes_nothing(self) -> None:
        tokens, rows = sample_rows()
        with kvpager.Store(self.path) as store, self.space(store) as space, space.create("monday") as session:
            session.append(tokens[:64], part(rows, 0, 64))
            session.commit()
        with kvpager.Store(self.path, access="read") as store:
            with store.session("monday") as session:
                self.assertEqual(session.tokens, tokens[:64])
                with self.assertRaises(kvpager.ReadOnly):
                    session.append(tokens[64:128], part(rows, 64, 128))
                    session.commit()
            with self.assertRaises(kvpager.ReadOnly):
                store.delete("monday")

    def test_options_that_cannot_be_meant_are_named(self) -> None:
        for options in (
            {"access": "sideways"}, {"durability": "perhaps"}, {"load_threads": -1}, {"load_threads": 257},
            {"memory": "lots"}, {"memory": -1}, {"quota": "64M"}, {"quota": 1 << 64},
        ):  # fmt: skip
            with self.subTest(options), self.assertRaises(kvpager.InvalidArgument) as caught:
                kvpager.Store(self.path, **options)
            self.assertIsInstance(caught.exception, ValueError)
            self.assertTrue(caught.exception.message)
        with self.assertRaises(TypeError):
            kvpager.Store(self.path, memory=1.5)  # type: ignore[arg-type]
        with self.assertRaises(kvpager.InvalidArgument):
            kvpager.Store(f"{self.path}\0hidden")

    def test_a_store_that_was_cut_off_is_damaged(self) -> None:
        tokens, rows = sample_rows()
        with kvpager.Store(self.path) as store, self.space(store) as space, space.create("monday") as session:
            session.append(tokens, rows)
            session.commit()
        data = self.path / "data.mdb"
        os.truncate(data, data.stat().st_size // 2)
        with self.assertRaises(kvpager.Damaged) as caught:
            kvpager.Store(self.path)
        self.assertIn("verify", caught.exception.message)

    def test_a_budget_that_holds_no_block_is_too_small(self) -> None:
        store = self.open(memory=1000)
        tokens, rows = sample_rows()
        with self.assertRaises(kvpager.BudgetTooSmall):
            with self.space(store) as space, space.create("monday") as session:
                session.append(tokens[:64], part(rows, 0, 64))

    def test_a_quota_refuses_what_sessions_cannot_give_up(self) -> None:
        tokens, rows = sample_rows()
        store = self.open(quota="2MiB")
        with self.space(store) as space, space.create("monday") as session:
            with self.assertRaises(kvpager.QuotaFull):
                session.append(tokens, rows)
                session.commit()
        store.close()
        with kvpager.Store(self.path) as store, self.space(store) as space, space.create("monday") as session:
            session.append(tokens, rows)
            session.commit()

    def test_who_commits_second_is_told(self) -> None:
        tokens, rows = sample_rows()
        store = self.open()
        with self.space(store) as space, space.create("monday") as session:
            session.append(tokens[:64], part(rows, 0, 64))
            session.commit()
            run_python(
                "import sys; from support import *\n"
                "tokens, rows = sample_rows()\n"
                "with kvpager.Store(sys.argv[1]) as store, store.session('monday') as session:\n"
                "    session.append(tokens[64:80], part(rows, 64, 80))\n"
                "    session.commit()\n",
                self.path,
            )
            session.append(tokens[64:70], part(rows, 64, 70))
            with self.assertRaises(kvpager.Conflict):
                session.commit()


class SpaceTests(StoreCase):
    def test_a_space_tells_what_it_was_made_from(self) -> None:
        store = self.open()
        space = self.space(
            store, adapter="lora", settings={"rope": "100000"}, salt="anna", block_tokens=32, vllm_seed="0"
        )
        described = space.description
        self.assertEqual(described["model"], "smollm2-135m")
        self.assertEqual(described["adapter"], "lora")
        self.assertEqual(described["settings"], {"rope": "100000"})
        self.assertEqual(described["salt"], "anna")
        self.assertEqual(space.block_tokens, 32)
        self.assertEqual(space.token_bytes, 60 * 384)
        self.assertEqual(space.planes, tuple(PLANES))
        self.assertEqual([one["id"] for one in store.spaces()], [space.id])
        self.assertEqual(store.space_by_id(space.id).description, described)
        with self.assertRaises(kvpager.NotFound):
            store.space_by_id(4711)

    def test_spaces_that_differ_share_nothing(self) -> None:
        store = self.open()
        tokens, rows = sample_rows()
        self.space(store).insert(tokens[:64], part(rows, 0, 64))
        for options in ({"salt": "anna"}, {"adapter": "lora"}, {"settings": {"rope": "1"}}, {"block_tokens": 32}):
            self.assertFalse(self.space(store, **options).find(tokens), options)
        self.assertEqual(self.space(store).find(tokens).token_count, 64)

    def test_a_session_is_one_of_its_space(self) -> None:
        store = self.open()
        spaces = [self.space(store, salt=salt) for salt in ("anna", "bert")]
        tokens, rows = sample_rows()
        for space in spaces:
            with space.create("monday") as session:
                session.append(tokens[:10], part(rows, 0, 10))
                session.commit()
        with self.assertRaises(kvpager.InvalidArgument):
            store.session("monday")
        spaces[0].delete("monday")
        with store.session("monday") as session:
            self.assertEqual(session.space.id, spaces[1].id)

    def test_descriptors_that_cannot_be_meant_are_refused(self) -> None:
        store = self.open()
        for options in (
            {"block_tokens": 0}, {"block_tokens": -1}, {"block_tokens": 1 << 40}, {"block_tokens": "64"},
            {"settings": {"rope": 5}}, {"salt": 5}, {"adapter": ["a"]}, {"vllm_seed": 7}, {"salt": "\ud800"},
        ):  # fmt: skip
            with self.subTest(options), self.assertRaises(kvpager.InvalidArgument):
                self.space(store, **options)
        self.assertEqual(store.spaces(), [])

    def test_planes_that_cannot_be_are_refused(self) -> None:
        store = self.open()
        for plane in (
            ("queries", 0, "f16", 384), ("keys", -1, "f16", 384), ("keys", 0, "f17", 384), ("keys", 0, "f16", -2),
            ("keys", 0, "f16", 0), ("keys", 1 << 40, "f16", 2), ("keys", 0, "f16", 1 << 62),
        ):  # fmt: skip
            with self.subTest(plane), self.assertRaises(kvpager.InvalidArgument):
                store.space(model="m", planes=[kvpager.Plane(*plane)])
        with self.assertRaises(kvpager.InvalidArgument):
            store.space(model="m", planes=[])


class StatisticsTests(StoreCase):
    def test_counts_are_those_of_what_was_stored(self) -> None:
        store = self.open()
        tokens, rows = sample_rows()
        with self.space(store) as space, space.create("monday") as session:
            session.append(tokens, rows)
            session.commit()
            session.fork("tuesday").commit()
        counts = store.statistics()
        self.assertEqual(counts["sessions"], 2)
        self.assertEqual(counts["blocks"]["unique"], 8)
        self.assertEqual(counts["blocks"]["references"], 16)
        self.assertEqual(counts["bytes"]["unique"], 512 * 60 * 384)
        self.assertIn("diskHits", counts["memory"])


class ErrorTests(unittest.TestCase):
    def test_errors_can_be_sent_to_another_process(self) -> None:
        error = pickle.loads(pickle.dumps(kvpager.QuotaFull("full: raise the quota")))
        self.assertIs(type(error), kvpager.QuotaFull)
        self.assertEqual((error.code, error.status, error.message), ("quotaFull", 7, "full: raise the quota"))

    def test_a_missing_library_is_told_with_its_remedy(self) -> None:
        for path, word in (("/nowhere/libkvpager.so", "no libkvpager"), (__file__, "does not load")):
            answer = run_python(
                "import os, sys; os.environ['KVPAGER_LIBRARY'] = sys.argv[1]\n"
                "import kvpager\n"
                "try: kvpager.Store('store')\n"
                "except ImportError as error: print(error.code, error)\n",
                path,
            ).stdout
            self.assertIn("libraryUnavailable", answer)
            self.assertIn(word, answer)
            self.assertIn("tools/wheel", answer)

    def test_importing_the_package_imports_no_numpy_and_loads_no_library(self) -> None:
        run_python(
            "import os, sys; os.environ['KVPAGER_LIBRARY'] = '/nowhere'; import kvpager\n"
            "assert 'numpy' not in sys.modules\n"
        )


class MalformedTests(unittest.TestCase):
    def test_states_that_are_none_or_end_too_early_are_refused_with_the_offset(self) -> None:
        sample = SHORT_SAMPLES[1].read_bytes()
        for data in (b"", b"ggsq", bytes(4096), sample[:3], sample[:100], sample[:-1], sample + b"x"):
            with self.subTest(f"{len(data)} bytes"), self.assertRaises(kvpager.Malformed) as caught:
                kvpager.State(data)
            self.assertRegex(caught.exception.message, r"\d")

    def test_states_with_flipped_bytes_are_read_or_refused(self) -> None:
        chance = random.Random(7)
        refused = 0
        for _ in range(300):
            data = bytearray(SHORT_SAMPLES[1].read_bytes())
            for _ in range(chance.randrange(1, 4)):
                data[chance.randrange(0, 2000)] ^= 1 << chance.randrange(8)
            try:
                with kvpager.State(data) as state:
                    self.assertGreaterEqual(state.token_count, 0)
            except kvpager.Malformed:
                refused += 1
        self.assertGreater(refused, 0)


if __name__ == "__main__":
    unittest.main()
