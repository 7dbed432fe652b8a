"""KVPagerCache in the place of llama-cpp-python's own caches."""

from __future__ import annotations

import pickle
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from scenario import Computed, ModelTest, in_new_process, long_tokens, need_llama_cpp, open_llama, smollm2

import kvpager
from kvpager.llama import KVPagerCache

PROMPT = 300


def complete(llm: Any, prompt: list[int], count: int = 8) -> str:
    return str(llm.create_completion(prompt, max_tokens=count, temperature=0)["choices"][0]["text"])


def complete_after_restart(tell: Any, folder: Path, prompts: list[list[int]]) -> None:
    llm = open_llama(smollm2(), n_ctx=1024)
    run = Computed(llm)
    with KVPagerCache(llm, folder) as cache:
        llm.set_cache(cache)
        texts, computed = [], []
        for prompt in prompts:
            before = run.count
            texts.append(complete(llm, prompt))
            computed.append(run.count - before)
        tell({"texts": texts, "computed": computed})


class Cache(ModelTest):
    llm: Any
    run_: Computed
    prompt: list[int]
    others: list[list[int]]

    @classmethod
    def setUpClass(cls) -> None:
        smollm2()
        need_llama_cpp()
        super().setUpClass()
        cls.llm = open_llama(smollm2(), n_ctx=1024)
        cls.run_ = Computed(cls.llm)
        cls.prompt = long_tokens(cls.llm, PROMPT)
        cls.others = [
            cls.prompt[:280] + cls.llm.tokenize(text, add_bos=False)
            for text in (b" Where is the ladder?", b" How do I renew a loan by telephone?", b" May I keep the press?")
        ]

    def setUp(self) -> None:
        self.llm.reset()
        self.llm.set_cache(None)

    def cache(self, name: str, **options: Any) -> KVPagerCache:
        cache: KVPagerCache = self.use(KVPagerCache(self.llm, self.folder / name, **options))
        self.llm.set_cache(cache)
        return cache

    def computed(self, prompt: list[int]) -> tuple[str, int]:
        before = self.run_.count
        return complete(self.llm, prompt), self.run_.count - before

    def test_hits_are_used_again_and_again(self) -> None:
        """LlamaDiskCache gives an entry out once."""
        cache = self.cache("again")
        uncached, computed = self.computed(self.prompt)
        self.assertGreaterEqual(computed, PROMPT)
        for _ in range(3):
            self.llm.reset()
            text, computed = self.computed(self.prompt)
            self.assertEqual(text, uncached)
            self.assertLessEqual(computed, 8, "the prompt's last token, and the answer")
            self.assertIn(self.prompt, cache)

    def test_conversations_share_what_they_begin_with(self) -> None:
        cache = self.cache("sharing")
        without = []
        self.llm.set_cache(None)
        for prompt in self.others:
            self.llm.reset()
            without.append(complete(self.llm, prompt))
        self.llm.set_cache(cache)
        self.llm.reset()
        computed = []
        for prompt, text in zip(self.others, without):
            self.llm.reset()
            answer, count = self.computed(prompt)
            computed.append(count)
            self.assertEqual(answer, text)
        self.assertTrue(all(count < 40 for count in computed[1:]), computed)
        cache.flush()
        blocks = cache.store.statistics()["blocks"]["unique"]
        self.assertLessEqual(blocks, 280 // 64 + 2 * len(self.others))

    def test_what_the_context_holds_is_kept_where_it_is_longer(self) -> None:
        self.cache("held")
        self.computed(self.prompt)
        _, computed = self.computed(self.prompt + self.llm.tokenize(b" And then?", add_bos=False))
        self.assertLess(computed, 20)

    def test_it_survives_a_restart(self) -> None:
        folder = self.folder / "restart"
        with KVPagerCache(self.llm, folder) as cache:
            self.llm.set_cache(cache)
            texts = [complete(self.llm, prompt) for prompt in self.others]
            self.llm.set_cache(None)
        told = in_new_process(complete_after_restart, folder=folder, prompts=self.others)
        self.assertEqual(told["texts"], texts)
        self.assertTrue(all(count <= 8 for count in told["computed"]), told["computed"])

    def test_capacity_is_kept_by_deleting_what_was_used_least_recently(self) -> None:
        capacity = 24 << 20  # four prompts do not fit
        cache = self.cache("capacity", capacity_bytes=capacity, memory="10MiB")  # memory holds one of them
        for index in range(5):
            self.llm.reset()
            self.computed(long_tokens(self.llm, 600)[index * 60 : index * 60 + 280])
            cache.flush()
            cache.store.collect_garbage()
            self.assertLessEqual(cache.cache_size, capacity)
        self.llm.reset()
        _, computed = self.computed(long_tokens(self.llm, 600)[240:520])
        self.assertLessEqual(computed, 8, "the latest is there")
        self.llm.reset()
        _, computed = self.computed(long_tokens(self.llm, 600)[:280])
        self.assertGreater(computed, 64, "the first went")

    def test_what_a_look_up_returns_is_a_state_that_llama_loads(self) -> None:
        import llama_cpp

        cache = self.cache("states")
        text, _ = self.computed(self.prompt)
        self.llm.reset()
        state = cache[self.prompt]
        self.assertIsInstance(state, llama_cpp.LlamaState)
        self.assertEqual(state.n_tokens, PROMPT - 1)
        saved = state.llama_state
        self.assertEqual(state.llama_state_size, len(saved))
        copied = pickle.loads(pickle.dumps(state))
        self.assertIs(type(copied), llama_cpp.LlamaState)
        self.assertEqual((copied.n_tokens, copied.llama_state), (state.n_tokens, saved))
        self.llm.reset()
        self.llm.load_state(state)
        self.llm.set_cache(None)
        before = self.run_.count
        self.assertEqual(complete(self.llm, self.prompt), text)
        self.assertLessEqual(self.run_.count - before, 8)

    def test_a_context_that_holds_more_is_cut_to_what_a_look_up_returns(self) -> None:
        cache = self.cache("more")
        self.computed(self.prompt)
        shorter = self.prompt[:200]
        state = cache[shorter]
        self.assertEqual(state.n_tokens, 199)
        self.llm.load_state(state)
        self.llm.set_cache(None)
        answer, computed = self.computed(shorter)
        self.assertLessEqual(computed, 8)
        self.llm.reset()
        self.assertEqual(self.computed(shorter)[0], answer)

    def test_where_images_may_be_nothing_is_cached(self) -> None:
        """In the place of an image `input_ids` has whatever an earlier prompt had there."""
        cache = self.cache("images")
        self.addCleanup(setattr, self.llm, "chat_handler", self.llm.chat_handler)
        self.llm.chat_handler = SimpleNamespace(clip_model_path="projector.gguf")
        self.computed(self.prompt)
        cache.flush()
        self.assertEqual(cache.store.statistics()["blocks"]["unique"], 0)
        with self.assertRaises(KeyError):
            cache[self.prompt]
        with self.assertRaisesRegex(kvpager.InvalidArgument, "name the tokens"):
            cache.pager.save("chat")
        held = self.llm.input_ids[: self.llm.n_tokens].tolist()
        cache.pager.save("chat", held)
        self.assertEqual(cache.pager.resume("chat"), held)

    def test_a_llama_that_keeps_all_logits_computes_its_prompts(self) -> None:
        """The logits of cached tokens are nowhere, and others must not be taken for them."""
        llm = open_llama(smollm2(), n_ctx=256, logits_all=True)
        run, prompt = Computed(llm), self.prompt[:70]
        with KVPagerCache(llm, self.folder / "logits") as cache:
            llm.set_cache(cache)
            complete(llm, prompt, 2)
            llm.reset()
            before = run.count
            with self.assertLogs("kvpager.llama", "WARNING"):
                complete(llm, prompt, 2)
            self.assertGreaterEqual(run.count - before, 70)

    def test_what_is_closed_has_been_written(self) -> None:
        store = self.use(kvpager.Store(self.folder / "closed", memory="64MiB"))
        with KVPagerCache(self.llm, store) as cache:
            cache._writer.ask = lambda: None  # whether it has come to it by then is chance
            self.llm.set_cache(cache)
            self.computed(self.prompt)
            self.assertEqual(store.statistics()["memory"]["writtenBackBlocks"], 0)
        self.assertGreaterEqual(store.statistics()["memory"]["writtenBackBlocks"], PROMPT // 64)

    def test_a_cache_that_cannot_be_made_leaves_no_store_open(self) -> None:
        with self.assertRaises(kvpager.InvalidArgument):
            KVPagerCache(self.llm, self.folder / "again and again", settings={"kvpager.state": "mine"})
        self.cache("again and again")

    def test_a_miss_is_a_key_error(self) -> None:
        cache = self.cache("miss")
        with self.assertRaises(KeyError):
            cache[self.prompt]
        self.assertNotIn(self.prompt, cache)
        with self.assertRaises(KeyError):
            cache[[]]

    def test_no_completion_fails_because_the_store_does(self) -> None:
        cache = self.cache("failing")
        text, _ = self.computed(self.prompt)
        cache.store.close()
        self.llm.reset()
        with self.assertLogs("kvpager.llama", "WARNING") as log:
            self.assertEqual(self.computed(self.prompt)[0], text)
        self.assertIn("the prompt is computed", "\n".join(log.output))
        self.assertIn("the conversation is not cached", "\n".join(log.output))
        self.assertEqual(cache.cache_size, 0)

    def test_two_models_do_not_meet_in_one_store(self) -> None:
        store = self.use(kvpager.Store(self.folder / "models", memory="64MiB"))
        with KVPagerCache(self.llm, store) as cache:
            self.llm.set_cache(cache)
            self.computed(self.prompt)
            self.llm.set_cache(None)
        other = open_llama(smollm2(), n_ctx=1024, rope_freq_base=50000.0)
        with KVPagerCache(other, store) as cache:
            self.assertNotIn(self.prompt, cache)


if __name__ == "__main__":
    unittest.main()
