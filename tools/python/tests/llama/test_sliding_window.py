"""A model with sliding windows (gemma3-270m) resumes past its window exactly, and is never cut back."""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

from scenario import Computed, ModelTest, gemma3, in_new_process, long_tokens, need_llama_cpp, open_llama, running

import kvpager
from kvpager.llama import KVPagerCache, SessionPager

WINDOW = 512
TOKENS = 700
STEPS = 16


def compute(tell: Any, folder: Path) -> None:
    llm = open_llama(gemma3(), n_ctx=1024)
    run = Computed(llm)
    text = long_tokens(llm, TOKENS + 80)
    with kvpager.Store(folder, memory="64MiB") as store, SessionPager(store, llm) as pager:
        llm.eval(text[:TOKENS])
        pager.save("chat")
        steps = run.go_on(text[TOKENS : TOKENS + 32], STEPS)
        pager.save("later")
        tell({"text": text, "steps": steps, "can be cut": pager.states.can_be_cut()})
        while True:
            run.go_on(text[TOKENS:TOKENS + 8], 100)
            llm.reset()


def resume(tell: Any, folder: Path, text: list[int]) -> None:
    llm = open_llama(gemma3(), n_ctx=1024)
    run = Computed(llm)
    with kvpager.Store(folder, memory="64MiB") as store, SessionPager(store, llm) as pager:
        tokens = pager.resume("chat")
        steps = run.go_on(text[TOKENS : TOKENS + 32], STEPS)
        computed = run.count
        warm = pager.warm(text[: TOKENS + 32])
        again = run.go_on(text[warm : warm + 32], STEPS)
        tell({"tokens": tokens, "steps": steps, "computed": computed, "warm": warm, "again": again})


class SlidingWindow(ModelTest):
    told: dict[str, Any]
    text: list[int]
    llm: Any

    @classmethod
    def setUpClass(cls) -> None:
        gemma3()
        need_llama_cpp()
        super().setUpClass()
        with running(compute, folder=cls.folder / "store") as process:
            cls.told = process.hear()
            process.kill()
        cls.text = cls.told["text"]
        cls.llm = open_llama(gemma3(), n_ctx=1024)

    def setUp(self) -> None:
        self.store = self.use(kvpager.Store(self.folder / "store", memory="64MiB"))
        self.pager = self.use(SessionPager(self.store, self.llm))
        self.pager.states.clear()

    def test_it_resumes_past_its_window_in_a_new_process_to_the_bit(self) -> None:
        self.assertGreater(TOKENS, WINDOW)
        self.assertFalse(self.told["can be cut"])
        resumed = in_new_process(resume, folder=self.folder / "store", text=self.text)
        self.assertEqual(resumed["tokens"], self.text[:TOKENS])
        self.assertEqual(resumed["computed"], 32 + STEPS, "nothing is computed again")
        self.assert_same(resumed["steps"], self.told["steps"])
        self.assertEqual(resumed["warm"], TOKENS, "a session that the prompt begins with is found")
        self.assert_same(resumed["again"], self.told["steps"])

    def test_a_cache_of_the_window_alone_resumes_to_the_bit_too(self) -> None:
        """llama-cpp-python keeps all rows of sliding windows unless it is told otherwise."""
        llm = open_llama(gemma3(), n_ctx=1024, swa_full=False)
        with SessionPager(self.store, llm) as pager:
            llm.eval(self.text[:TOKENS])
            pager.save("window")
            uninterrupted = Computed(llm).go_on(self.text[TOKENS : TOKENS + 32], 4)
        llm.close()
        fresh = open_llama(gemma3(), n_ctx=1024, swa_full=False)
        with SessionPager(self.store, fresh) as pager:
            self.assertEqual(pager.warm(self.text[: TOKENS + 32]), TOKENS)
            self.assert_same(Computed(fresh).go_on(self.text[TOKENS : TOKENS + 32], 4), uninterrupted)

    def test_llama_cpp_says_yes_to_a_cut_and_computes_something_else(self) -> None:
        """Why kvpager refuses: without this, the next test would guard against nothing."""
        self.pager.resume("chat")
        run = Computed(self.llm)
        self.pager.engine.hold(self.text[: TOKENS - 200])
        self.assertTrue(self.pager.engine.cut(TOKENS - 200))
        wrong = run.go_on(self.text[TOKENS - 200 : TOKENS - 168], 1)
        self.pager.states.clear()
        self.llm.eval(self.text[: TOKENS - 200])
        right = run.go_on(self.text[TOKENS - 200 : TOKENS - 168], 1)
        self.assertNotEqual(wrong.logits[0], right.logits[0])

    def test_llama_itself_does_not_cut_what_was_resumed(self) -> None:
        """`Llama.generate` cuts where a prompt leaves the context, which no state's window is for."""
        other = self.text[: TOKENS - 200] + self.text[100:140]
        run = Computed(self.llm)
        self.pager.resume("chat")
        resumed = next(self.llm.generate(other, temp=0)), run.logits()
        self.assertEqual(run.count, len(other), "all of it is computed")
        self.pager.states.clear()
        self.assertEqual((next(self.llm.generate(other, temp=0)), run.logits()), resumed)
        self.pager.resume("chat")
        before = run.count
        next(self.llm.generate(self.text[: TOKENS + 8], temp=0))
        self.assertEqual(run.count - before, 8, "a prompt that goes on is not computed again")

    def test_a_prompt_that_leaves_the_context_clears_it_instead_of_cutting(self) -> None:
        self.pager.resume("chat")
        other = self.text[: TOKENS - 200] + self.text[100:140]
        with self.assertLogs("kvpager.llama", "INFO") as log:
            self.assertEqual(self.pager.warm(other), 0)
        self.assertIn("the context is cleared: its state cannot be cut back", "\n".join(log.output))
        self.assertEqual(len(self.pager.engine.tokens), 0)
        self.assertEqual(self.pager.engine.positions(), (-1, -1))

    def test_a_session_as_long_as_the_prompt_is_not_used(self) -> None:
        """Its last token would have to be cut off for its logits."""
        self.assertEqual(self.pager.warm(self.text[:TOKENS]), 0)
        self.assertEqual(self.pager.warm(self.text[: TOKENS + 1]), TOKENS)

    def test_a_longer_context_is_kept(self) -> None:
        self.assertEqual(self.pager.warm(self.text[: TOKENS + 1]), TOKENS)
        self.llm.eval(self.text[TOKENS : TOKENS + 8])
        self.assertEqual(self.pager.warm(self.text[: TOKENS + 40]), TOKENS + 8)
        self.assertEqual(self.pager.last.source, "context")

    def test_such_a_session_cannot_be_cut_or_forked_in_part(self) -> None:
        with self.store.session("chat") as session:
            with self.assertRaises(kvpager.InvalidArgument):
                session.truncate(TOKENS - 1)
            with self.assertRaises(kvpager.InvalidArgument):
                session.fork("part", TOKENS - 1)
            with self.assertRaises(kvpager.InvalidArgument):
                session.export(TOKENS - 1)

    def test_as_cache_it_is_kept_whole_and_used_only_before_a_longer_prompt(self) -> None:
        run = Computed(self.llm)
        with kvpager.Store(self.folder / "cache", memory="64MiB") as store, KVPagerCache(self.llm, store) as cache:
            self.llm.set_cache(cache)
            self.addCleanup(self.llm.set_cache, None)
            prompt = self.text[:600]
            first = self.llm.create_completion(prompt, max_tokens=4, temperature=0)
            kept = cache.pager.states.held or []
            self.assertEqual(kept[:600], prompt)
            self.pager.states.clear()
            before = run.count
            self.llm.create_completion(kept + self.text[600:620], max_tokens=1, temperature=0)
            self.assertEqual(run.count - before, 20, "the whole conversation is reused")
            before = run.count
            again = self.llm.create_completion(prompt, max_tokens=4, temperature=0)
            self.assertEqual(again["choices"][0]["text"], first["choices"][0]["text"])
            self.assertGreaterEqual(run.count - before, 600, "no entry fits, and the context is not cut")
            with KVPagerCache(self.llm, store, salt="another") as other:
                self.llm.set_cache(other)
                self.llm.create_completion(prompt, max_tokens=4, temperature=0)
            names = [info.name for info in cache._sessions()]
            self.assertGreater(len(names), len(set(names)), "two models have the same tokens")
            self.llm.set_cache(cache)
            cache.capacity_bytes = 1
            self.llm.create_completion(self.text[40:140], max_tokens=1, temperature=0)
            self.assertEqual(len(cache._sessions()), 1, "the oldest leave where the capacity is reached")

    def test_of_whole_states_the_one_that_was_used_least_recently_leaves(self) -> None:
        with kvpager.Store(self.folder / "used", memory="64MiB") as store, KVPagerCache(self.llm, store) as cache:
            self.llm.set_cache(cache)
            self.addCleanup(self.llm.set_cache, None)
            kept: list[list[int]] = []
            for first in (0, 40):
                self.llm.create_completion(self.text[first : first + 100], max_tokens=1, temperature=0)
                kept.append(cache.pager.states.held or [])
            names = [info.name for info in sorted(cache._sessions(), key=lambda info: str(info.updated))]
            self.assertEqual(cache[[*kept[0], 7]].n_tokens, len(kept[0]))
            cache.capacity_bytes = cache._whole_bytes() - 1
            self.llm.create_completion(self.text[80:180], max_tokens=1, temperature=0)
            left = [info.name for info in cache._sessions()]
            self.assertEqual((len(left), names[0] in left, names[1] in left), (2, True, False))

    def test_what_others_keep_in_a_store_does_not_count_against_a_caches_capacity(self) -> None:
        with kvpager.Store(self.folder / "shared", memory="64MiB") as store:
            with SessionPager(store, self.llm, salt="others") as others:
                self.llm.eval(self.text[:600])
                others.save("precious")
            with KVPagerCache(self.llm, store, capacity_bytes=16 << 20) as cache:
                self.llm.set_cache(cache)
                self.addCleanup(self.llm.set_cache, None)
                for first in (0, 40):
                    self.llm.create_completion(self.text[first : first + 100], max_tokens=1, temperature=0)
                self.assertGreater(cache.cache_size, 5 << 20)
                cache.capacity_bytes = cache.cache_size - (1 << 20)
                self.llm.create_completion(self.text[80:180], max_tokens=1, temperature=0)
                self.assertEqual(len(cache._sessions()), 3)
                self.assertIn("precious", [info.name for info in store.sessions()])


if __name__ == "__main__":
    unittest.main()
