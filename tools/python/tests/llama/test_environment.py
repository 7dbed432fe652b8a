"""The environment of engines is made once, whoever asks at a time and whatever was killed before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

from scenario import PACKAGE, ModelTest


class Environment(ModelTest):
    def setUp(self) -> None:
        self.requirements = self.folder / "requirements.txt"
        self.requirements.write_text("# nothing\n")

    def start(self, cache: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(PACKAGE / "environment.py"), str(self.requirements)],
            env={**os.environ, "KVPAGER_CACHE": str(self.folder / cache)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip

    def finish(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        out, errors = process.communicate(timeout=300)
        return process.returncode, out.strip(), errors

    def test_runs_at_a_time_make_it_once(self) -> None:
        ended = [self.finish(process) for process in [self.start("together") for _ in range(3)]]
        self.assertEqual([status for status, _, _ in ended], [0, 0, 0], ended)
        self.assertEqual(len({python for _, python, _ in ended}), 1)
        self.assertEqual(sum("installing" in errors for _, _, errors in ended), 1, ended)
        python = ended[0][1]
        done = subprocess.run([python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True)
        self.assertEqual(done.stdout.strip(), str(Path(python).parents[1]))

    def test_one_that_was_killed_is_made_anew(self) -> None:
        process = self.start("killed")
        cache = self.folder / "killed"
        while not list(cache.glob("python-*/bin")):
            self.assertIsNone(process.poll(), "it ended before it could be killed")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        self.assertEqual(list(cache.glob("python-*/installed")), [])
        status, python, errors = self.finish(self.start("killed"))
        self.assertEqual(status, 0, errors)
        self.assertTrue(Path(python).exists())
        self.assertEqual(self.finish(self.start("killed")), (0, python, ""), "the next run finds it")

    def test_where_packages_cannot_be_had_it_says_so_and_ends_with_77(self) -> None:
        self.requirements.write_text("/there/is/no/such/package.whl\n")
        status, out, errors = self.finish(self.start("absent"))
        self.assertEqual((status, out), (77, ""))
        self.assertIn("the packages cannot be had", errors)


if __name__ == "__main__":
    unittest.main()
