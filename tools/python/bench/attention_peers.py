"""Decode attention beside other people's on the same work, in one run and in turn: numpy with its BLAS, and ggml.

    tools/bench --attention --peers [--tokens 1024,16384,131072] [--rounds N] [--threads N]

One query token, 32 query heads over 8 heads of 128, keys and values of f16 (ggml's and ours) and f32 (numpy's and
ours). ggml reads a cache that lies in one stretch, as llama.cpp keeps it; ours lies in blocks of 16 in random places.
Each figure is the median of the rounds.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import statistics
import subprocess
import time
from pathlib import Path
from typing import Callable

KV_HEADS, GROUP, HEAD_SIZE = 8, 4, 128
QUERY_HEADS = KV_HEADS * GROUP
SCALE = HEAD_SIZE**-0.5


class Ours:
    """kvpager's attention, in a process of its own that does one pass for each line it is sent."""

    def __init__(self, program: str, tokens: int, element: str, threads: int) -> None:
        arguments = [program, "attention-peer", str(tokens), element, str(threads)]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.answer() != "ready":
            raise RuntimeError(f"{' '.join(arguments)} did not begin")

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def seconds(self, order: str) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return float(self.answer())

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


class NumPy:
    """Softmax of products, head by head, as BLAS computes them."""

    def __init__(self, tokens: int) -> None:
        import numpy

        self.numpy = numpy
        random = numpy.random.default_rng(1)
        # Each head's rows in one stretch: what BLAS likes best.
        self.keys = random.standard_normal((KV_HEADS, tokens, HEAD_SIZE), dtype=numpy.float32)
        self.values = random.standard_normal((KV_HEADS, tokens, HEAD_SIZE), dtype=numpy.float32)
        self.query = random.standard_normal((KV_HEADS, GROUP, HEAD_SIZE), dtype=numpy.float32) * SCALE

    def seconds(self) -> float:
        numpy = self.numpy
        started = time.perf_counter()
        for head in range(KV_HEADS):
            scores = self.query[head] @ self.keys[head].T
            scores -= scores.max(axis=1, keepdims=True)
            numpy.exp(scores, out=scores)
            scores /= scores.sum(axis=1, keepdims=True)
            scores @ self.values[head]
        return time.perf_counter() - started


class GGML:
    """ggml_flash_attn_ext of llama-cpp-python's own libraries."""

    F32, F16 = 0, 1

    class Parameters(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_size_t), ("memory", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]

    def __init__(self, tokens: int, threads: int) -> None:
        found = importlib.util.find_spec("llama_cpp")
        assert found is not None and found.origin is not None
        folder = Path(found.origin).parent / "lib"
        self.base = ctypes.CDLL(str(folder / "libggml-base.so"), mode=ctypes.RTLD_GLOBAL)
        self.cpu = ctypes.CDLL(str(folder / "libggml-cpu.so"), mode=ctypes.RTLD_GLOBAL)
        pointer, integer = ctypes.c_void_p, ctypes.c_int64
        for name, result, arguments in [
            ("ggml_init", pointer, [self.Parameters]),
            ("ggml_new_tensor_4d", pointer, [pointer, ctypes.c_int, integer, integer, integer, integer]),
            ("ggml_get_data", pointer, [pointer]),
            ("ggml_nbytes", ctypes.c_size_t, [pointer]),
            ("ggml_permute", pointer, [pointer, pointer] + [ctypes.c_int] * 4),
            ("ggml_flash_attn_ext", pointer, [pointer] * 5 + [ctypes.c_float] * 3),
            ("ggml_new_graph", pointer, [pointer]),
            ("ggml_build_forward_expand", None, [pointer, pointer]),
            ("ggml_free", None, [pointer]),
        ]:
            function = getattr(self.base, name)
            function.restype, function.argtypes = result, arguments
        self.cpu.ggml_graph_compute_with_ctx.argtypes = [pointer, pointer, ctypes.c_int]
        self.cpu.ggml_cpu_init()
        size = 2 * tokens * KV_HEADS * HEAD_SIZE * 2 + (256 << 20)
        self.context = self.base.ggml_init(self.Parameters(size, None, False))
        query = self.tensor(self.F32, HEAD_SIZE, 1, QUERY_HEADS)
        # As llama.cpp keeps them: token after token, the heads of each side by side.
        keys, values = (
            self.base.ggml_permute(self.context, self.tensor(self.F16, HEAD_SIZE, KV_HEADS, tokens), 0, 2, 1, 3)
            for _ in range(2)
        )
        result = self.base.ggml_flash_attn_ext(self.context, query, keys, values, None, SCALE, 0.0, 0.0)
        self.graph = self.base.ggml_new_graph(self.context)
        self.base.ggml_build_forward_expand(self.graph, result)
        self.threads = threads

    def tensor(self, kind: int, *shape: int) -> int:
        tensor = self.base.ggml_new_tensor_4d(self.context, kind, *shape, *([1] * (4 - len(shape))))
        count = self.base.ggml_nbytes(tensor)
        # Finite halves and floats near 1, whichever they are.
        pattern = os.urandom(1 << 16).translate(bytes((b & 0x83) | 0x34 for b in range(256)))
        data = self.base.ggml_get_data(tensor)
        for start in range(0, count, len(pattern)):
            ctypes.memmove(data + start, pattern, min(len(pattern), count - start))
        return tensor

    def seconds(self) -> float:
        started = time.perf_counter()
        self.cpu.ggml_graph_compute_with_ctx(self.context, self.graph, self.threads)
        return time.perf_counter() - started

    def close(self) -> None:
        self.base.ggml_free(self.context)


def medians(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            seconds = way()
            if round_ > 0:
                samples[name].append(seconds)
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="kvpager-bench")
    parser.add_argument("--tokens", default="1024,16384,131072")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    print(f"{'tokens':>8}  {'way':<28}{'ms':>9}  {'GB/s':>7}  {'of reading':>10}  {'beside ours':>11}")
    for tokens in (int(text) for text in options.tokens.split(",")):
        for element, size in (("f16", 2), ("f32", 4)):
            ours = Ours(options.program, tokens, element, options.threads)
            ways: dict[str, Callable[[], float]] = {
                "reading alone": lambda: ours.seconds("read"),
                f"kvpager, {element}, blocks of 16": lambda: ours.seconds("decode"),
            }
            if element == "f16":
                ggml = GGML(tokens, options.threads)
                ways["ggml flash attention, f16"] = ggml.seconds
            else:
                ways["numpy, f32"] = NumPy(tokens).seconds
            found = medians(ways, options.rounds)
            ours.close()
            if element == "f16":
                ggml.close()
            count = 2 * tokens * KV_HEADS * HEAD_SIZE * size
            limit, own = found["reading alone"], found[f"kvpager, {element}, blocks of 16"]
            for name, seconds in found.items():
                print(
                    f"{tokens:>8}  {name:<28}{1000 * seconds:>9.3f}  {count / seconds / 1e9:>7.1f}"
                    f"  {limit / seconds:>10.2f}  {seconds / own:>10.2f}x"
                )


if __name__ == "__main__":
    main()
