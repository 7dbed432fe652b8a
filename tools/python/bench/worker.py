"""One measurement in a process of its own, as after a restart: a JSON line on standard output.

    worker.py JOB        JOB is a JSON object: "method", "model", "tokens" (a file of int32), "count", ...

The clock starts when the prompt arrives, with the model loaded and warmed up by one token, as servers do and as every
way to the first token needs alike; it stops when the logits of the prompt's last token are there. A store is opened
while the model loads; the time that this takes is told apart ("open") and counted as kvpager's own share.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import llama_cpp
import llama_cpp.llama_cpp as api
import numpy

import kvpager
from kvpager.llama import SessionPager, StateBuffer

GGML_TYPES = {"f16": 1, "bf16": 30}


@contextlib.contextmanager
def quiet() -> Any:
    """Keeps the engine's chatter off standard error."""
    saved = os.dup(2)
    with open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


class Bench:
    """The model, its context, and the tokens to work on."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.tokens: list[int] = numpy.fromfile(job["tokens"], dtype=numpy.int32).tolist()
        kind = GGML_TYPES[job.get("kv", "f16")]
        self.opened = 0.0
        if job["method"] == "kvpager":
            started = perf_counter()
            self.store = kvpager.Store(job["store"], memory="256MiB", access="write")
            buffer = StateBuffer.ready_for(self.store)
            self.opened = perf_counter() - started
        with quiet():
            self.llm = llama_cpp.Llama(
                job["model"], n_ctx=job["context"], n_batch=512, n_threads=job["threads"],
                n_threads_batch=job["threads"], flash_attn=True, type_k=kind, type_v=kind, verbose=False)
        if job["method"] == "kvpager":
            started = perf_counter()
            self.pager = SessionPager(self.store, self.llm, buffer=buffer)
            self.opened += perf_counter() - started
        self.llm.eval(self.tokens[:1])
        self.clear()

    def clear(self) -> None:
        self.llm.reset()
        api.llama_memory_clear(api.llama_get_memory(self.llm.ctx), True)

    def save_file(self, path: Path, count: int) -> None:
        tokens = (ctypes.c_int32 * count)(*self.tokens[:count])
        if api.llama_state_seq_save_file(self.llm.ctx, str(path).encode(), 0, tokens, count) == 0:
            raise RuntimeError("llama_state_seq_save_file fails")

    def load_file(self, path: Path, count: int) -> None:
        tokens = (ctypes.c_int32 * (count + 1))()
        loaded = ctypes.c_size_t()
        size = api.llama_state_seq_load_file(
            self.llm.ctx, str(path).encode(), 0, tokens, count + 1, ctypes.byref(loaded))
        if size == 0 or loaded.value != count:
            raise RuntimeError("llama_state_seq_load_file fails")
        self.llm.n_tokens = count
        self.llm.input_ids[:count] = tokens[:count]

    # Methods. Each is given `count` stored tokens and computes one more.

    def recompute(self) -> dict[str, Any]:
        started = perf_counter()
        self.llm.eval(self.tokens[: self.job["count"] + 1])
        return {"first": perf_counter() - started, "computed": self.job["count"] + 1}

    def kvpager(self) -> dict[str, Any]:
        count = self.job["count"]
        started = perf_counter()
        held = self.pager.warm(self.tokens[: count + 1])
        warmed = perf_counter()
        self.llm.eval(self.tokens[held : count + 1])
        first = perf_counter() - started
        given = self.pager.last.set_seconds
        return {
            "first": first, "share": warmed - started - given + self.opened, "open": self.opened, "set": given,
            "export": self.pager.last.export_seconds, "computed": count + 1 - held}  # fmt: skip

    def llama_file(self) -> dict[str, Any]:
        count = self.job["count"]
        started = perf_counter()
        self.load_file(Path(self.job["file"]), count)
        loaded = perf_counter()
        self.llm.eval(self.tokens[count : count + 1])
        return {"first": perf_counter() - started, "load": loaded - started, "computed": 1}

    # Preparations

    def prepare(self) -> dict[str, Any]:
        """Computes the longest prompt once and saves it at each size, to the store and as llama.cpp's files."""
        done = 0
        folder = Path(self.job["folder"])
        with kvpager.Store(self.job["store"], memory="256MiB") as store, SessionPager(store, self.llm) as pager:
            for count in self.job["counts"]:
                self.llm.eval(self.tokens[done:count])
                done = count
                self.save_file(folder / f"{count}.ggsq", count)
                pager.save(f"n{count}")
        return {}

    def sessions(self) -> dict[str, Any]:
        """Sessions that share their beginning, to the store, as llama.cpp's files and into LlamaDiskCache."""
        folder, shared, own = Path(self.job["folder"]), self.job["shared"], self.job["own"]
        common = self.tokens[:shared]
        sizes: dict[str, dict[str, int]] = {}
        with quiet():
            peer = llama_cpp.LlamaDiskCache(str(folder / "diskcache"), capacity_bytes=1 << 40)
            peer.cache.reset("size_limit", 1 << 40)  # else it throws entries out beyond 1 GB, whatever the capacity
        self.llm.eval(common)
        for number in range(self.job["sessions"]):
            api.llama_memory_seq_rm(api.llama_get_memory(self.llm.ctx), 0, shared, -1)
            self.llm.n_tokens = shared
            tail = self.tokens[shared + number * own : shared + (number + 1) * own]
            self.llm.eval(tail)
            everything, self.tokens = self.tokens, common + tail
            self.save_file(folder / f"session-{number}.ggsq", shared + own)
            with kvpager.Store(self.job["store"], memory="256MiB") as store, SessionPager(store, self.llm) as pager:
                pager.save(f"session-{number}")
            with quiet():
                peer[tuple(self.tokens)] = self.llm.save_state()
            self.tokens = everything
            sizes[str(number + 1)] = {
                "llama": sum(file.stat().st_size for file in folder.glob("session-*.ggsq")),
                "diskcache": peer.cache_size,
                "kvpager": sum(f.stat().st_size for f in Path(self.job["store"]).iterdir()),
            }
        return {"sizes": sizes}


def main() -> None:
    job = json.loads(sys.argv[1])
    result = getattr(Bench(job), job["method"])()
    print(json.dumps(result), flush=True)
    os._exit(0)  # the engine's own teardown is not measured and may be slow


if __name__ == "__main__":
    main()
