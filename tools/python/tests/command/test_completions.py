"""Completions, in the shells themselves: a line is typed, TAB is pressed, the line is run."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import tool

WAIT_SECONDS = 60  # for what must come; only a hang reaches it
CONTROL = re.compile(r"\x1b(\[[0-9;?<>=]*[ -/]*[@-~]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")
READY = "ready-to-complete"

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source <(kvpager completions bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; eval \"$(kvpager completions zsh)\"; "
            "compdef _kvpager kvpager"),
    "fish": (["fish", "--no-config", "-i"], "kvpager completions fish | source"),
}  # fmt: skip


class Shell:
    """A shell on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        command, setup = SHELLS[name]
        environment = {
            "PATH": f"{tool.KVPAGER.parent}:{os.environ['PATH']}", "HOME": str(folder), "TERM": "xterm",
            "LC_ALL": "C.UTF-8", "INPUTRC": "/dev/null", "HISTFILE": "", "XDG_DATA_HOME": str(folder / "data"),
            "NO_COLOR": "1",
        }  # fmt: skip
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.said = ""
        # Not the word itself is typed, so that its echo is not taken for it.
        self.run(f"{setup}; echo ready-'to'-complete", READY)

    def read(self) -> bool:
        readable, _, _ = select.select([self.terminal], [], [], 0.2)
        if not readable:
            return False
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        # fish asks the terminal what it is, and waits for the answer.
        if b"\x1b[c" in data or b"\x1b[0c" in data:
            os.write(self.terminal, b"\x1b[?62;22c")
        self.said += CONTROL.sub("", data.decode(errors="replace"))
        return True

    def quiet(self) -> None:
        """Waits until the shell has nothing more to say, for a moment."""
        last = time.monotonic()
        while time.monotonic() - last < 0.6:
            if self.read():
                last = time.monotonic()

    def run(self, typed: str, wanted: str) -> bool:
        """Types keys, a TAB with a pause after it, and the line's end; whether the wanted answer came."""
        self.said = ""
        for part in re.split("(\t)", typed):
            os.write(self.terminal, part.encode())
            self.quiet()
        os.write(self.terminal, b"\r")
        end = time.monotonic() + WAIT_SECONDS
        while re.search(wanted, self.said) is None and time.monotonic() < end:
            self.read()
        return re.search(wanted, self.said) is not None

    def close(self) -> None:
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


class CompletionTests(unittest.TestCase):
    def complete(self, name: str) -> None:
        if shutil.which(SHELLS[name][0][0]) is None:
            self.skipTest(f"{name} is not installed")
        shell = Shell(name, tool.golden_store(self))
        self.addCleanup(shell.close)
        lines = (
            ("a command and an option", "kvpager sta\t --store kv --js\t", r'"kvpager/stats/1"'),
            ("a folder", "kvpager sessions --store k\t", r"support/cleo"),
            ("a session", "kvpager session --store kv dr\t", r"tokens +33"),
            ("a session with blanks", "kvpager session --store kv support/anna,\t", r"tokens +90"),
            ("a session as an option", "kvpager session --store kv --session no\t", r"tokens +75"),
            ("a block", "kvpager block --store kv 5816\t", r"5816d7679cf1[0-9a-f]{52}"),
            ("a format", "kvpager export x --session notes --store nowhere --format safe\t", r"there is no store"),
        )  # fmt: skip
        for what, typed, wanted in lines:
            with self.subTest(what):
                self.assertTrue(shell.run(typed, wanted), f"{typed!r}: {shell.said}")

    def test_bash_completes(self) -> None:
        self.complete("bash")

    def test_zsh_completes(self) -> None:
        self.complete("zsh")

    def test_fish_completes(self) -> None:
        self.complete("fish")

    def test_a_store_that_cannot_be_read_is_met_with_silence(self) -> None:
        folder = tool.golden_store(self)
        (folder / "cut").mkdir()
        (folder / "cut" / "data.mdb").write_bytes((folder / "kv" / "data.mdb").read_bytes()[:100_000])
        (folder / "empty").mkdir()
        (folder / "empty" / "data.mdb").touch()

        def offered(store: str) -> list[str]:
            line = ["kvpager", "session", "--store", store, ""]
            done = subprocess.run(
                [tool.KVPAGER, "---completion", "session", "--", "positional@0", "4", "0", *line], cwd=folder,
                capture_output=True, text=True, env={"SAP_SHELL": "bash", "SAP_SHELL_VERSION": "5", **os.environ})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return done.stdout.split("\n")

        self.assertIn("support/anna", offered("kv"))
        for store in ("cut", "empty", "nowhere", "''"):
            self.assertEqual(set(offered(store)), {""}, store)


if __name__ == "__main__":
    unittest.main()
