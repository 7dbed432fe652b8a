"""Decode attention beside other people's on the same work, in one run and in turn: numpy with its BLAS, and ggml.

    tools/bench --attention --peers [--tokens 1024,16384,131072] [--rounds N] [--threads N]

One query token, 32 query heads over 8 heads of 128, keys and values of f16 (ggml's and ours) and f32 (numpy's and
ours). ggml reads a cache that lies in one stretch, as llama.cpp keeps it; ours lies in blocks of 16 in random places.
ggml computes with queries rounded to f16 and sums f16 values in f16; ours with f32 throughout. Each figure is the
median of the rounds; in each round the ways come in another order, and each goes once unmeasured before it is timed.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import os
import random
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any, Callable

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

    def seconds(self, order: str, passes: int) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order} {passes}\n")
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
        draws = numpy.random.default_rng(1)
        # Each head's rows in one stretch: what BLAS likes best.
        self.keys = draws.standard_normal((KV_HEADS, tokens, HEAD_SIZE), dtype=numpy.float32)
        self.values = draws.standard_normal((KV_HEADS, tokens, HEAD_SIZE), dtype=numpy.float32)
        self.query = draws.standard_normal((KV_HEADS, GROUP, HEAD_SIZE), dtype=numpy.float32) * SCALE

    def seconds(self, passes: int) -> float:
        numpy = self.numpy
        started = time.perf_counter()
        for _ in range(passes):
            for head in range(KV_HEADS):
                scores = self.query[head] @ self.keys[head].T
                scores -= scores.max(axis=1, keepdims=True)
                numpy.exp(scores, out=scores)
                scores /= scores.sum(axis=1, keepdims=True)
                scores @ self.values[head]
        return (time.perf_counter() - started) / passes


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
        self.cpu.ggml_graph_compute_with_ctx.restype = ctypes.c_int
        self.cpu.ggml_graph_compute_with_ctx.argtypes = [pointer, pointer, ctypes.c_int]
        self.cpu.ggml_cpu_init()
        size = 2 * tokens * KV_HEADS * HEAD_SIZE * 2 + (256 << 20)
        self.context = self.base.ggml_init(self.Parameters(size, None, False))
        import numpy

        draws = numpy.random.default_rng(2)
        self.query = draws.standard_normal((QUERY_HEADS, HEAD_SIZE), dtype=numpy.float32)
        # As llama.cpp keeps them: token after token, the heads of each side by side.
        self.rows = [
            draws.standard_normal((tokens, KV_HEADS, HEAD_SIZE), dtype=numpy.float32).astype(numpy.float16)
            for _ in range(2)
        ]
        query = self.tensor(self.F32, self.query, HEAD_SIZE, 1, QUERY_HEADS)
        keys, values = (
            self.base.ggml_permute(self.context, self.tensor(self.F16, rows, HEAD_SIZE, KV_HEADS, tokens), 0, 2, 1, 3)
            for rows in self.rows
        )
        self.result = self.base.ggml_flash_attn_ext(self.context, query, keys, values, None, SCALE, 0.0, 0.0)
        self.graph = self.base.ggml_new_graph(self.context)
        self.base.ggml_build_forward_expand(self.graph, self.result)
        self.threads = threads
        self.check()

    def tensor(self, kind: int, contents: Any, *shape: int) -> int:
        tensor: int = self.base.ggml_new_tensor_4d(self.context, kind, *shape, *([1] * (4 - len(shape))))
        assert self.base.ggml_nbytes(tensor) == contents.nbytes
        ctypes.memmove(self.base.ggml_get_data(tensor), contents.ctypes.data, contents.nbytes)
        return tensor

    def check(self) -> None:
        """One head's output against double precision: that it is this attention that is timed."""
        import numpy

        self.seconds(1)
        head = QUERY_HEADS - 1
        keys, values = (rows[:, head // GROUP].astype(numpy.float64) for rows in self.rows)
        scores = keys @ self.query[head].astype(numpy.float64) * SCALE
        weights = numpy.exp(scores - scores.max())
        wanted = weights @ values / weights.sum()
        found = numpy.ctypeslib.as_array(
            ctypes.cast(self.base.ggml_get_data(self.result), ctypes.POINTER(ctypes.c_float)),
            (QUERY_HEADS, HEAD_SIZE),
        )[head]
        error = numpy.abs(found - wanted).max() / numpy.abs(wanted).max()
        if error > 0.05:
            raise RuntimeError(f"ggml's attention is {error:.3f} away from the definition")

    def seconds(self, passes: int) -> float:
        started = time.perf_counter()
        for _ in range(passes):
            if self.cpu.ggml_graph_compute_with_ctx(self.context, self.graph, self.threads) != 0:
                raise RuntimeError("ggml did not compute the graph")
        return (time.perf_counter() - started) / passes

    def close(self) -> None:
        self.base.ggml_free(self.context)


Way = Callable[[int], float]


def medians(ways: dict[str, Way], rounds: int, passes: int) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name in random.sample(list(ways), len(ways)):
            # Threads of whoever was before may look out for more work for a while.
            time.sleep(0.05)
            ways[name](1)
            samples[name].append(ways[name](passes))
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="kvpager-bench")
    parser.add_argument("--tokens", default="1024,16384,131072")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)  # before numpy is loaded
    print(f"{'tokens':>8}  {'way':<28}{'ms':>9}  {'GB/s':>7}  {'of reading':>10}  {'beside ours':>11}")
    for tokens in (int(text) for text in options.tokens.split(",")):
        for element, size in (("f16", 2), ("f32", 4)):
            ours = Ours(options.program, tokens, element, options.threads)
            ways: dict[str, Way] = {
                "reading alone": lambda passes: ours.seconds("read", passes),
                f"kvpager, {element}, blocks of 16": lambda passes: ours.seconds("decode", passes),
            }
            if element == "f16":
                ggml = GGML(tokens, options.threads)
                ways["ggml flash attention, f16"] = ggml.seconds
            else:
                ways["numpy, f32"] = NumPy(tokens).seconds
            found = medians(ways, options.rounds, max(1, 16384 // tokens))
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
