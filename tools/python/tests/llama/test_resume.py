"""A real conversation is killed and goes on in a new process, to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scenario import Computed, ModelTest, in_new_process, long_tokens, need_llama_cpp, open_llama, running, smollm2

import kvpager
from kvpager.llama import SessionPager

SYSTEM = 1536  # tokens of the prompt, computed once in all
STEPS = 64
TWO_BLOCKS = 2 * 64 * 23040  # SmolLM2's keys and values of two blocks


def questions(llm: Any) -> dict[str, list[int]]:
    """What visitors ask after the same instructions. The first two begin alike."""
    texts = {
        "first": "<|im_start|>user\nWhich tools do I need for four shelves?<|im_end|>\n<|im_start|>assistant\n",
        "second": "<|im_start|>user\nWhen are you open on Saturday?<|im_end|>\n<|im_start|>assistant\n",
        "left": " Begin with the drill.",
        "right": " Begin with the saw, then the sander.",
    }
    return {name: llm.tokenize(text.encode(), add_bos=False, special=True) for name, text in texts.items()}


def compute(tell: Any, folder: Path) -> None:
    """Computes a conversation and saves it at three places, goes on as if nothing happened, and never ends."""
    llm = open_llama(smollm2())
    run, asked = Computed(llm), questions(llm)
    prompt = long_tokens(llm, SYSTEM)
    with kvpager.Store(folder / "store", memory="64MiB") as store, SessionPager(store, llm) as pager:
        llm.eval(prompt)
        pager.save("instructions")
        with kvpager.Store(folder / "small", memory=TWO_BLOCKS) as small, SessionPager(small, llm) as second:
            second.save("instructions")
            on_disk = small.statistics()["memory"]
        # One token short: the last one's logits begin the answer, in this process and in those to come.
        llm.eval(asked["first"][:-1])
        pager.save("first", asked="shelves")
        computed = run.count
        steps = {"first": run.go_on([asked["first"][-1]], STEPS)}
        for name in ("left", "right"):
            pager.states.cut(SYSTEM + len(asked["first"]) - 1)
            steps[name] = run.go_on(asked[name], STEPS)
        # llama.cpp's own way to the second visitor: cut back to what both have, and compute on.
        prompts = {name: prompt + asked[name] for name in ("first", "second")}
        common = next(i for i, (a, b) in enumerate(zip(prompts["first"], prompts["second"])) if a != b)
        pager.states.cut(common)
        steps["second"] = run.go_on(prompts["second"][common:], STEPS)
        tell({"prompt": prompt, "asked": asked, "common": common, "computed": computed, "steps": steps,
              "memory": on_disk})  # fmt: skip
        while True:  # it is killed in the middle of a sentence
            pager.states.cut(common)
            run.go_on(asked["left"], 200)


def resume_first(tell: Any, folder: Path, memory: int | str, last: int) -> None:
    llm = open_llama(smollm2())
    run = Computed(llm)
    with kvpager.Store(folder, memory=memory) as store, SessionPager(store, llm) as pager:
        tokens = pager.resume("first")
        tell({"tokens": tokens, "steps": run.go_on([last], STEPS), "computed": run.count,
              "asked": dict(store.session("first").metadata), "reuse": pager.last})  # fmt: skip


def warm_second(tell: Any, folder: Path, prompt: list[int], memory: int | str = "64MiB") -> None:
    llm = open_llama(smollm2())
    run = Computed(llm)
    with kvpager.Store(folder, memory=memory) as store, SessionPager(store, llm) as pager:
        count = pager.warm(prompt)
        steps = run.go_on(prompt[count:], STEPS)
        tell({"count": count, "steps": steps, "computed": run.count, "memory": store.statistics()["memory"]})


def fork_and_go_on(tell: Any, folder: Path, asked: dict[str, list[int]]) -> None:
    llm = open_llama(smollm2())
    run, steps = Computed(llm), {}
    with kvpager.Store(folder, memory="64MiB") as store, SessionPager(store, llm) as pager:
        before = store.statistics()["blocks"]["unique"]
        for name in ("left", "right"):
            with store.session("first") as session, session.fork(name) as branch:
                branch.commit()
        after = store.statistics()["blocks"]["unique"]
        for name in ("left", "right"):
            pager.resume(name)
            steps[name] = run.go_on(asked[name], STEPS)
            pager.save(name)
        lengths = {name: len(pager.resume(name)) for name in ("first", "left", "right")}
        tell({"steps": steps, "lengths": lengths, "new blocks": after - before})


class AConversation(ModelTest):
    told: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        smollm2()
        need_llama_cpp()
        super().setUpClass()
        with running(compute, folder=cls.folder) as process:
            cls.told = process.hear()
            process.kill()

    @property
    def first(self) -> list[int]:
        """What was saved of the first visitor's conversation."""
        return list(self.told["prompt"] + self.told["asked"]["first"][:-1])

    def test_it_is_killed_and_resumes_in_a_new_process_to_the_bit(self) -> None:
        resumed = in_new_process(
            resume_first, folder=self.folder / "store", memory="64MiB", last=self.told["asked"]["first"][-1])
        self.assertEqual(resumed["tokens"], self.first)
        self.assertEqual(len(self.told["steps"]["first"].tokens), STEPS)
        self.assert_same(resumed["steps"], self.told["steps"]["first"])
        self.assertEqual(resumed["computed"], STEPS + 1, "nothing of the prompt is computed again")
        self.assertEqual(resumed["asked"], {"asked": "shelves"})
        self.assertEqual(resumed["reuse"].tokens, len(self.first))

    def test_a_second_conversation_computes_only_what_it_does_not_share(self) -> None:
        prompt = self.told["prompt"] + self.told["asked"]["second"]
        common = self.told["common"]
        self.assertGreaterEqual(common, SYSTEM)
        warmed = in_new_process(warm_second, folder=self.folder / "store", prompt=prompt)
        self.assertEqual(warmed["count"], common)
        self.assertEqual(warmed["computed"], len(prompt) - common + STEPS)
        # In total: the instructions once, and what each visitor asked.
        self.assertEqual(self.told["computed"] + warmed["computed"] - STEPS, len(self.first) + len(prompt) - common)
        self.assert_same(warmed["steps"], self.told["steps"]["second"])

    def test_two_branches_of_a_fork_go_on_each_in_its_own_way(self) -> None:
        told = in_new_process(fork_and_go_on, folder=self.folder / "store", asked=self.told["asked"])
        self.assertEqual(told["new blocks"], 0, "a fork stores no block")
        for name in ("left", "right"):
            self.assert_same(told["steps"][name], self.told["steps"][name])
            self.assertEqual(told["lengths"][name], len(self.first) + len(self.told["asked"][name]) + STEPS)
        self.assertEqual(told["lengths"]["first"], len(self.first), "a fork does not move its origin")

    def test_with_room_for_two_blocks_in_memory_everything_comes_from_disk_to_the_bit(self) -> None:
        self.assertLessEqual(self.told["memory"]["allocatedBytes"], TWO_BLOCKS)
        self.assertGreater(self.told["memory"]["evictions"], 0)
        prompt = self.told["prompt"] + self.told["asked"]["second"]
        warmed = in_new_process(warm_second, folder=self.folder / "store", prompt=prompt, memory=TWO_BLOCKS)
        self.assertEqual(warmed["count"], self.told["common"])
        self.assertLessEqual(warmed["memory"]["allocatedBytes"], TWO_BLOCKS)
        self.assert_same(warmed["steps"], self.told["steps"]["second"])
        small = in_new_process(warm_second, folder=self.folder / "small", prompt=prompt, memory=TWO_BLOCKS)
        self.assertEqual(small["count"], SYSTEM)
        self.assertEqual(small["computed"], len(prompt) - SYSTEM + STEPS)

    def test_a_prompt_is_never_warmed_whole(self) -> None:
        told = in_new_process(warm_second, folder=self.folder / "store", prompt=self.first)
        self.assertEqual(told["count"], len(self.first) - 1)
        self.assertEqual(told["computed"], 1 + STEPS)
