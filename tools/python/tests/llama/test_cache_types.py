"""Every type of cache that llama.cpp computes with goes through the store to the bit, flash attention on and off."""

from __future__ import annotations

import os
import unittest
from typing import Any

from scenario import Computed, ModelTest, long_tokens, open_llama, smollm2

import kvpager
from kvpager.llama import LlamaCppEngine, SessionPager

F32, F16, Q8_0, BF16 = 0, 1, 8, 30
TOKENS = 150  # two blocks and a part of one


class CacheTypes(ModelTest):
    def go_through_the_store(self, **parameters: Any) -> None:
        """Computes and saves with one context, and warms a fresh one that has seen no state."""
        folder = self.folder / self._testMethodName
        parameters = {"n_ctx": 512, **parameters}
        llm = open_llama(smollm2(), **parameters)
        prompt = long_tokens(llm, TOKENS + 16)
        with kvpager.Store(folder, memory="32MiB") as store, SessionPager(store, llm) as pager:
            llm.eval(prompt[:TOKENS])
            pager.save("chat")
            uninterrupted = Computed(llm).go_on(prompt[TOKENS:], 8)
        llm.close()
        fresh = open_llama(smollm2(), **parameters)
        run = Computed(fresh)
        with kvpager.Store(folder, memory="32MiB") as store, SessionPager(store, fresh) as pager:
            self.assertEqual(pager.warm(prompt), TOKENS)
            self.assertEqual(run.count, 0, "the shape of a state is known without computing")
            self.assert_same(run.go_on(prompt[TOKENS:], 8), uninterrupted)
            self.assertEqual(pager.resume("chat"), prompt[:TOKENS])
            self.assert_same(run.go_on(prompt[TOKENS:], 8), uninterrupted)
        fresh.close()

    def test_half_precision_with_flash_attention(self) -> None:
        self.go_through_the_store(flash_attn=True)

    def test_half_precision_without_flash_attention(self) -> None:
        self.go_through_the_store(flash_attn=False)

    def test_bfloat16_with_flash_attention(self) -> None:
        self.go_through_the_store(type_k=BF16, type_v=BF16, flash_attn=True)

    def test_bfloat16_without_flash_attention(self) -> None:
        self.go_through_the_store(type_k=BF16, type_v=BF16, flash_attn=False)

    def test_quantised_keys_and_values(self) -> None:
        self.go_through_the_store(type_k=Q8_0, type_v=Q8_0, flash_attn=True)

    def test_quantised_keys_without_flash_attention(self) -> None:
        """llama.cpp quantises values with flash attention only."""
        self.go_through_the_store(type_k=Q8_0, type_v=F16, flash_attn=False)

    def test_single_precision_with_flash_attention(self) -> None:
        self.go_through_the_store(type_k=F32, type_v=F32, flash_attn=True)

    def test_single_precision_without_flash_attention(self) -> None:
        self.go_through_the_store(type_k=F32, type_v=F32, flash_attn=False)


class Identity(ModelTest):
    """What must not share does not share, and what may does."""

    def test_caches_that_were_computed_otherwise_are_not_shared(self) -> None:
        """Other types, other rotation, other salt: other values."""
        store = self.use(kvpager.Store(self.folder / "apart", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=256)
        prompt = long_tokens(llm, 80)
        llm.eval(prompt[:70])
        SessionPager(store, llm).save("chat")
        for parameters in ({"type_k": BF16, "type_v": BF16}, {"rope_freq_base": 50000.0}, {"flash_attn": False}):
            with self.subTest(**parameters):
                other = SessionPager(store, open_llama(smollm2(), n_ctx=256, **parameters))
                self.assertEqual(other.warm(prompt), 0)
                with self.assertRaisesRegex(kvpager.NotFound, "another model, adapter or settings"):
                    other.resume("chat")
        fresh = open_llama(smollm2(), n_ctx=256)
        self.assertEqual(SessionPager(store, fresh, salt="a tenant").warm(prompt), 0)
        self.assertEqual(SessionPager(store, fresh, settings={"control vector": "calm"}).warm(prompt), 0)
        self.assertEqual(SessionPager(store, fresh, model="another file of this name").warm(prompt), 0)
        self.assertEqual(SessionPager(store, fresh).warm(prompt), 70)

    def test_quantised_rows_of_another_release_or_rotation_are_not_shared(self) -> None:
        """Some releases rotate what they quantise, some do not, and a state does not always tell."""
        from unittest import mock

        store = self.use(kvpager.Store(self.folder / "rotated", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=256, type_k=Q8_0, type_v=Q8_0)
        prompt = long_tokens(llm, 80)
        llm.eval(prompt[:70])
        SessionPager(store, llm).save("chat")
        pager = SessionPager(store, llm)
        pager.states.clear()
        with mock.patch.dict(os.environ, {"LLAMA_ATTN_ROT_DISABLE": "1"}):
            self.assertEqual(SessionPager(store, llm).warm(prompt), 0)
        with mock.patch("llama_cpp.__version__", "0.3.0"):
            self.assertEqual(SessionPager(store, llm).warm(prompt), 0)
        with mock.patch.dict(os.environ, {"LLAMA_ATTN_ROT_DISABLE": "0"}):
            self.assertEqual(SessionPager(store, llm).warm(prompt), 70)

    def test_saving_again_stores_only_what_is_new(self) -> None:
        store = self.use(kvpager.Store(self.folder / "again", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=256)
        prompt = long_tokens(llm, 200)
        pager = SessionPager(store, llm)
        llm.eval(prompt[:128])
        pager.save("chat")
        first = store.statistics()["memory"]["writtenBackBlocks"]
        self.assertEqual(first, 2)
        llm.eval(prompt[128:192])
        self.assertEqual(pager.save("chat", title="Shelves"), 192)
        self.assertEqual(store.statistics()["memory"]["writtenBackBlocks"] - first, 1)
        pager.save("another")
        self.assertEqual(store.statistics()["memory"]["writtenBackBlocks"] - first, 1, "all of it is there already")
        self.assertEqual({info.name: info.token_count for info in store.sessions()}, {"chat": 192, "another": 192})
        self.assertEqual(dict(store.session("chat").metadata), {"title": "Shelves"})
        # Elsewhere it goes on otherwise: the session follows, and what both have stays.
        pager.states.cut(100)
        llm.eval(prompt[:20])
        self.assertEqual(pager.save("chat"), 120)
        self.assertEqual(pager.resume("chat"), prompt[:100] + prompt[:20])
        self.assertEqual(pager.resume("another"), prompt[:192])

    def test_a_context_that_holds_more_than_the_store_is_kept(self) -> None:
        store = self.use(kvpager.Store(self.folder / "held", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=256)
        run, prompt = Computed(llm), long_tokens(llm, 200)
        pager = SessionPager(store, llm)
        llm.eval(prompt[:70])
        pager.save("chat")
        llm.eval(prompt[70:150])
        uninterrupted = run.go_on(prompt[150:180], 2)
        self.assertEqual(pager.warm(prompt[:180]), 179, "it holds all of it, and goes one token back")
        self.assertEqual(pager.warm(prompt[:150] + [7]), 150)
        self.assertEqual(pager.last.source, "context")
        self.assert_same(run.go_on(prompt[150:180], 2), uninterrupted)
        self.assertEqual(pager.warm(prompt[:40] + prompt[100:]), 40, "it is cut where the prompt leaves it")
        llm.reset()
        self.assertEqual(pager.warm(prompt[:150]), 70)
        self.assertEqual(pager.last.source, "store")
        self.assertEqual(pager.warm(prompt[1:]), 0)
        self.assertEqual(pager.engine.positions(), (-1, -1), "what nobody asked for is not left in the context")

    def test_a_store_that_fails_is_a_miss(self) -> None:
        store = kvpager.Store(self.folder / "fails", memory="32MiB")
        llm = open_llama(smollm2(), n_ctx=256)
        prompt = long_tokens(llm, 80)
        pager = SessionPager(store, llm)
        llm.eval(prompt[:70])
        pager.save("chat")
        store.close()
        llm.reset()
        with self.assertLogs("kvpager.llama", "WARNING") as log:
            self.assertEqual(pager.warm(prompt), 0)
        self.assertIn("the store fails, the prompt is computed", "\n".join(log.output))
        with self.assertRaises(kvpager.Closed):
            pager.resume("chat")

    def test_a_state_enters_a_context_with_more_streams(self) -> None:
        store = self.use(kvpager.Store(self.folder / "streams", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=256)
        prompt = long_tokens(llm, 80)
        llm.eval(prompt[:70])
        SessionPager(store, llm).save("chat")
        uninterrupted = Computed(llm).go_on(prompt[70:], 4)
        from llama_cpp import _internals

        wide = open_llama(smollm2(), n_ctx=256)
        parameters = wide.context_params
        parameters.n_ctx, parameters.n_seq_max, parameters.kv_unified = 1024, 4, False
        wide._ctx.close()
        wide._ctx = _internals.LlamaContext(model=wide._model, params=parameters, verbose=False)
        engine = LlamaCppEngine(wide)
        self.assertEqual((engine.streams, engine.context_tokens), (4, 256))
        pager = SessionPager(store, engine)
        self.assertEqual(pager.warm(prompt), 70)
        wide_run = Computed(wide).go_on(prompt[70:], 4)
        self.assertEqual(wide_run.tokens, uninterrupted.tokens)
        self.assertEqual(pager.resume("chat"), prompt[:70])

    def test_what_does_not_fit_the_context_is_refused_before_the_engine_is_asked(self) -> None:
        store = self.use(kvpager.Store(self.folder / "small", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=512)
        prompt = long_tokens(llm, 300)
        llm.eval(prompt)
        SessionPager(store, llm).save("chat")
        small = open_llama(smollm2(), n_ctx=256)
        pager = SessionPager(store, small)
        with self.assertRaisesRegex(kvpager.InvalidArgument, "300 tokens do not fit the context of 256"):
            pager.resume("chat")
        self.assertEqual(pager.warm(prompt), 255, "as much of it as fits, less the one that is computed")

    def test_a_shifted_context_is_not_saved(self) -> None:
        """llama.cpp would load it silently at the wrong positions."""
        store = self.use(kvpager.Store(self.folder / "shifted", memory="32MiB"))
        llm = open_llama(smollm2(), n_ctx=256)
        import llama_cpp.llama_cpp as api

        prompt = long_tokens(llm, 64)
        llm.eval(prompt)
        pager = SessionPager(store, llm)
        with self.assertRaisesRegex(kvpager.InvalidArgument, "63 tokens are given and the state has 64 rows"):
            pager.save("chat", prompt[:63])
        memory = api.llama_get_memory(llm.ctx)
        api.llama_memory_seq_rm(memory, 0, 0, 16)
        api.llama_memory_seq_add(memory, 0, 16, -1, -8)
        with self.assertRaisesRegex(kvpager.InvalidArgument, "positions 0, 1, 2"):
            pager.save("chat", prompt[16:])
        self.assertEqual(store.sessions(), [])


if __name__ == "__main__":
    unittest.main()
