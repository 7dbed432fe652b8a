"""Runs the tests of the Python package, each file in a process of its own, and counts what really ran.

    tools/python/run tests/suite.py [--results FILE] [--only TEXT] [FILE or FOLDER...]

Two builds of llama.cpp do not share a process, so that files do not either. Without a path: all of tests/. FILE gets
{"passed": n, "failed": n, "skipped": n}. Exit 1 where a test failed or none ran.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
LIBRARY = HERE.parents[2] / ".build-library" / "libkvpager.so"
FILE_SECONDS = 1800  # a file that takes longer hangs


def sentence(test: unittest.TestCase) -> str:
    name = test.id().rsplit(".", 1)[-1]
    return name.removeprefix("test_").replace("_", " ")


class Telling(unittest.TestResult):
    """Says of each test what became of it, as it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = self.failed = 0
        self._begun = time.monotonic()

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._begun = time.monotonic()

    def _tell(self, word: str, test: unittest.TestCase, rest: str = "") -> None:
        print(f"{word:<7} {sentence(test)} ({time.monotonic() - self._begun:.1f} s){rest}", flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        super().addSuccess(test)
        self.passed += 1
        self._tell("passed", test)

    def _fail(self, test: unittest.TestCase, error: Any) -> None:
        self.failed += 1
        self._tell("FAILED", test, "\n" + self._exc_info_to_string(error, test))  # type: ignore[attr-defined]

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        super().addError(test, err)
        self._fail(test, err)

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addFailure(test, err)
        self._fail(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, err)  # the traceback names the part

    def addExpectedFailure(self, test: unittest.TestCase, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.passed += 1
        self._tell("passed", test)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        super().addUnexpectedSuccess(test)
        self.failed += 1
        self._tell("FAILED", test, ": it was expected to fail")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        super().addSkip(test, reason)
        self._tell("skipped", test, f": {reason}")


def run_file(path: Path, only: str, results: Path) -> int:
    """Runs one file's tests here."""
    sys.path[:0] = [str(path.parent), str(PACKAGE)]
    loaded = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(path.stem))
    chosen = unittest.TestSuite()

    def choose(part: unittest.TestSuite | unittest.TestCase) -> None:
        if isinstance(part, unittest.TestSuite):
            for inner in part:
                choose(inner)
        elif only in part.id() or only in sentence(part):
            chosen.addTest(part)

    choose(loaded)
    result = Telling()
    chosen.run(result)
    counts = {"passed": result.passed, "failed": result.failed, "skipped": len(result.skipped)}
    results.write_text(json.dumps(counts))
    return 1 if result.failed else 0


def files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(path.rglob("test_*.py"))
        elif path.exists():
            yield path
        else:
            sys.exit(f"suite: there is no {path}")


def run_in_own_process(path: Path, only: str, folder: Path) -> dict[str, int]:
    results = folder / "results.json"
    results.unlink(missing_ok=True)
    command = [sys.executable, str(HERE / "suite.py"), "--one", "--only", only, "--results", str(results), str(path)]
    try:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=FILE_SECONDS).returncode
    except subprocess.TimeoutExpired:
        print(f"FAILED  {path.name} did not end within {FILE_SECONDS} s", flush=True)
        return {"passed": 0, "failed": 1, "skipped": 0}
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    if results.exists():
        counts.update(json.loads(results.read_text()))
    if status != 0 and counts["failed"] == 0:
        print(f"FAILED  {path.name} ended with {status} and named no failed test", flush=True)
        counts["failed"] = 1
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, help="files and folders; all of tests/ by default")
    parser.add_argument("--results", type=Path, help="where to write the counts, as JSON")
    parser.add_argument("--only", default="", help="only tests whose name holds this")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if "KVPAGER_LIBRARY" not in os.environ and LIBRARY.exists():
        os.environ["KVPAGER_LIBRARY"] = str(LIBRARY)
    if arguments.one:
        return run_file(arguments.paths[0].resolve(), arguments.only, arguments.results)

    total = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory(prefix="kvpager-suite-") as folder:
        for path in files([given.resolve() for given in arguments.paths] or [HERE]):
            print(f"-- {path.relative_to(HERE) if path.is_relative_to(HERE) else path}", flush=True)
            counts = run_in_own_process(path, arguments.only, Path(folder))
            total = {name: total[name] + counts[name] for name in total}
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    if arguments.results:
        arguments.results.write_text(json.dumps(total))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
