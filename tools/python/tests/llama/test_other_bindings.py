"""Any binding that gives a sequence's state as bytes will do: here one of llama.cpp with sequence version 4."""

from __future__ import annotations

import importlib.util
import json
import sys
import unittest
from pathlib import Path
from typing import Any

from scenario import PACKAGE, SAMPLES, ModelTest, in_new_process


import kvpager
from kvpager.llama import CallableEngine, SessionPager

TOKENS, STEPS = 512, 16


def adapter(context: Any, engine: Any, path: str, capacity: int) -> CallableEngine:
    """The binding's context as kvpager sees it: four functions."""
    lib, ffi, pointer = engine.lib, engine.ffi, context.pointer
    memory = lib.llama_get_memory(pointer)
    return CallableEngine(
        model=path, context_tokens=capacity, settings={"flash_attn": "on"},
        get_size=lambda: lib.llama_state_seq_get_size(pointer, 0),
        get_data=lambda address, size: lib.llama_state_seq_get_data(pointer, ffi.cast("uint8_t *", address), size, 0),
        set_data=lambda address, size: lib.llama_state_seq_set_data(pointer, ffi.cast("uint8_t *", address), size, 0),
        remove=lambda first: lib.llama_memory_seq_rm(memory, 0, first, -1),
        get_positions=lambda: (lib.llama_memory_seq_pos_min(memory, 0), lib.llama_memory_seq_pos_max(memory, 0)),
    )  # fmt: skip


def open_engine() -> tuple[Any, str]:
    sys.path.insert(0, str(PACKAGE))
    import engine

    return engine, str(engine.bundled_model_path())


def compute(tell: Any, folder: Path, tokens: list[int]) -> None:
    engine, path = open_engine()
    with engine.Context(engine.Model(Path(path))) as context, kvpager.Store(folder, memory="32MiB") as store:
        pager = SessionPager(store, adapter(context, engine, path, 1024))
        context.decode(tokens[:TOKENS], 0)
        pager.save("chat", tokens[:TOKENS])
        with store.session("chat") as session, session.space as space:
            version = space.description["settings"]["llama.version"]
        tell({"steps": context.go_on(tokens[TOKENS:], TOKENS, STEPS), "version": version})


def resume(tell: Any, folder: Path, tokens: list[int]) -> None:
    engine, path = open_engine()
    with engine.Context(engine.Model(Path(path))) as context, kvpager.Store(folder, memory="32MiB") as store:
        pager = SessionPager(store, adapter(context, engine, path, 1024))
        warm = pager.warm(tokens)
        warmed = context.go_on(tokens[warm:], warm, STEPS)
        resumed_tokens = pager.resume("chat")
        tell({"warm": warm, "steps": warmed, "tokens": resumed_tokens,
              "resumed": context.go_on(tokens[TOKENS:], TOKENS, STEPS)})  # fmt: skip


class OtherBindings(ModelTest):
    def test_a_binding_of_four_functions_saves_and_resumes_to_the_bit(self) -> None:
        if importlib.util.find_spec("llama_cpp_py_sync") is None:
            self.skipTest("the package llama-cpp-py-sync is not installed")
        tokens = json.loads((SAMPLES / "expected.json").read_text())["token_ids"]
        first = in_new_process(compute, folder=self.folder / "store", tokens=tokens)
        self.assertEqual(first["version"], "4")
        second = in_new_process(resume, folder=self.folder / "store", tokens=tokens)
        self.assertEqual(second["warm"], TOKENS)
        self.assertEqual(second["tokens"], tokens[:TOKENS])
        for name in ("steps", "resumed"):
            self.assertEqual(second[name][0], first["steps"][0], "other tokens follow")
            self.assertTrue(second[name][1] == first["steps"][1], "the same tokens follow, but the logits differ")


if __name__ == "__main__":
    unittest.main()
